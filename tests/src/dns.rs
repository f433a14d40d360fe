//! What `headlint dns` predicts, held against a real control plane with CoreDNS.
//!
//! ```text
//! manifests ─parcel─▶ Parcel ─┬─ applied ─▶ controllers ─▶ slices ─▶ CoreDNS
//!                             │   pods: an address and readiness by hand    │
//!                             └─ Bundle ─questions─▶ predicted ═══ asked ◀──┘
//! ```
//!
//! No Pod runs: each gets its status from here, with an address of its own.

mod client;
mod parcel;
mod pods;
mod proof;
mod questions;
mod server;

pub use self::client::{Client, Reply};
pub use self::parcel::{Origin, Parcel};
pub use self::proof::{Proof, prove};
pub use self::server::Server;
