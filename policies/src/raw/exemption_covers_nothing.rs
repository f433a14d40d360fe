//! Rule `exemption-covers-nothing`.

use super::Rule;
use crate::finding::Severity;
use crate::k8s;

/// An exemption covers no finding. Only `lint` can tell, at the end of a run.
pub(super) const RULE: Rule = Rule {
    id: "exemption-covers-nothing",
    severity: Severity::Warning,
    kinds: k8s::known_kinds,
    summary: "a comment or the configuration exempts what isn't found",
    documentation: include_str!("exemption-covers-nothing.md"),
    check: |_| Vec::new(),
};
