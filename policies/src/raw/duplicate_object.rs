//! Rule `duplicate-object`.

use super::Rule;
use crate::finding::Severity;
use crate::k8s;

/// An object stands twice in one file. Only `lint` can tell, once all of it has
/// been read.
pub(super) const RULE: Rule = Rule {
    id: "duplicate-object",
    severity: Severity::Error,
    kinds: k8s::known_kinds,
    summary: "an object stands twice in one file, and only the last one counts",
    documentation: include_str!("duplicate-object.md"),
    check: |_| Vec::new(),
};
