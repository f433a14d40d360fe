//! What both doors of headlint share.
//!
//! ```text
//! bytes ─manifest─▶ Node ─model─▶ Projected ─inventory─▶ Snapshot
//!                                    │                      │
//!                                    └──────▶ evaluate ◀────┘
//!                                               │  engine: policies in a sandbox
//!                                               ▼
//!                                    finding (file, line, column)
//! ```
//!
//! [`lint::lint`] is the linter's whole way through; an admission webhook
//! makes the same snapshot from a live cluster and calls the same
//! [`evaluate::evaluate`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod compare;
pub mod config;
pub mod dns;
pub mod engine;
pub mod evaluate;
pub mod finding;
pub mod fix;
pub mod inventory;
pub mod k8s;
pub mod lint;
pub mod manifest;
pub mod model;
mod names;
pub mod path;
pub mod raw;
