//! The library behind the binary `headlint-webhook`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod certificates;
pub mod tls;
