//! What a headlint policy is written with.
//!
//! A policy is a crate with one [`Rule`] for each source file, and one call of
//! [`policy!`] that exports them. A rule is a function of a [`Review`] and a
//! [`Context`] that adds to [`Findings`]:
//!
//! ```
//! use headlint_policy_sdk::{
//!     Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN,
//! };
//!
//! /// The rule, as `headlint explain` shows it.
//! pub const RULE: Rule = Rule {
//!     id: "service-without-labels",
//!     severity: Severity::Warning,
//!     action: Action::Warn,
//!     default_on: true,
//!     heals_later: false,
//!     kinds: &["Service"],
//!     operations: WRITTEN,
//!     only_if: &[],
//!     summary: "a Service has no labels",
//!     documentation: "# service-without-labels\n",
//!     check,
//! };
//!
//! fn check(review: &Review, _context: &Context, findings: &mut Findings) {
//!     let Some(service) = review.service() else { return };
//!     if service.meta.labels.is_empty() {
//!         findings.add(
//!             Finding::new(&RULE, "$.metadata")
//!                 .what(format!("Service `{}` has no labels", service.meta.ref_.name))
//!                 .why("a ServiceMonitor can't select it")
//!                 .help("add `metadata.labels`"),
//!         );
//!     }
//! }
//! ```
//!
//! Natively, where unit tests run, the context is a [`fake::Snapshot`].

#[cfg(target_family = "wasm")]
mod arena;
mod bindings;
mod context;
pub mod fake;
mod finding;
#[cfg(target_family = "wasm")]
mod host;
pub mod labels;
mod policy;
pub mod ports;
pub mod service;

pub use bindings::types;
pub use context::{Answer, Context, QueryError, QueryMatch, UnknownReason, Version};
pub use finding::{Finding, Findings, Safety, Timing, display_name};
pub use policy::{
    Action, Condition, MAKES_PODS, NAME_SERVICES, Operation, Operations, Origin, Review, Rule,
    SettingsError, Severity, WRITTEN, check_settings,
};

/// What [`policy!`] expands to; not for direct use.
#[doc(hidden)]
pub mod export {
    #[cfg(target_family = "wasm")]
    pub use crate::arena::Arena;
    #[cfg(target_family = "wasm")]
    pub use crate::bindings::export;
    #[cfg(target_family = "wasm")]
    pub use crate::bindings::generated;
    pub use crate::bindings::{Guest, wire};
    pub use crate::policy::{check_no_settings, describe, evaluate};
}
