//! The parts of `headlint-webhook`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod context;
pub mod pending;
