//! What DNS answers once these manifests are applied, and what a client gets.
//!
//! ```text
//! files ─bundle─▶ Bundle ─pods─▶ Pod ─endpoints─▶ Backing of a Service
//!                   │                                │
//!                   │        table, missing ◀─ zone: a name to an Answer ─▶ wire: its size
//!                   └─▶ trace: search path ─▶ zone ─▶ port ─▶ network ─▶ Outcome
//! ```
//!
//! All of it is pure. A Pod counts as Ready, and whatever rests on that says so
//! ([`Readiness`]). What the manifests can't tell is a *doubt*: a sentence that
//! goes with the answer, which then isn't certain.
//!
//! # Source
//! CoreDNS v1.15 `plugin/kubernetes` for what is answered, `kubernetes/dns`
//! `docs/specification.md` for what any server should answer.

mod answer;
mod bundle;
mod endpoints;
mod families;
mod missing;
mod name;
mod network;
mod pods;
mod port;
mod query;
mod refusal;
mod search;
mod table;
mod trace;
mod why;
mod wire;
mod zone;

pub use self::answer::{Answer, Code, Data, Record, RecordType, UNKNOWN_ADDRESS, Who};
pub use self::bundle::{Bundle, Options};
pub use self::endpoints::Readiness;
pub use self::missing::Missing;
pub use self::port::Outcome;
pub use self::query::{Query, QueryError};
pub use self::table::{Row, Table, Transport};
pub use self::trace::{Advice, Step, Trace};
pub use self::wire::Size;

#[cfg(test)]
mod tests;
