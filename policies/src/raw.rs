//! Rules about the text itself, which is gone once an object has been read:
//! they judge a [`Manifest`] where it is loaded, without a sandbox. An
//! admission webhook sees no text, and has nothing to ask them.
//!
//! A rule is one source file, one page of documentation, and one folder in
//! `policies/cases`, as in a policy.

mod duplicate_object;
mod exemption_covers_nothing;
mod yaml_duplicate_key;
mod yaml_number_port_surprise;

use std::sync::OnceLock;

use crate::compare::steady;
use crate::engine::{Action, Operation, RuleInfo};
use crate::evaluate::RuleFilter;
use crate::finding::{Edit, Finding, Fingerprint, Related, Severity};
use crate::k8s::{self, Kind};
use crate::manifest::{Manifest, Span};
use crate::model::Projected;
use crate::path::Path;

/// What findings and lists name as the policy of these rules.
pub const POLICY: &str = "manifest";

/// A rule about text.
struct Rule {
    id: &'static str,
    severity: Severity,
    kinds: fn() -> Vec<&'static str>,
    summary: &'static str,
    documentation: &'static str,
    check: fn(&Judged<'_>) -> Vec<Defect>,
}

const RULES: [Rule; 4] = [
    duplicate_object::RULE,
    exemption_covers_nothing::RULE,
    yaml_duplicate_key::RULE,
    yaml_number_port_surprise::RULE,
];

/// An object of a kind that the model knows, beside its text.
struct Judged<'m> {
    manifest: &'m Manifest,
    projected: &'m Projected,
    kind: Kind,
}

/// What a rule says about one place.
struct Defect {
    severity: Severity,
    path: Path,
    span: Span,
    what: String,
    why: String,
    help: String,
    /// Other places of the same value, and what is there.
    related: Vec<(Span, String)>,
    edit: Option<Edit>,
}

/// The rules, ordered by id.
pub fn rules() -> &'static [RuleInfo] {
    static INFOS: OnceLock<Vec<RuleInfo>> = OnceLock::new();
    INFOS.get_or_init(|| {
        RULES
            .iter()
            .map(|rule| RuleInfo {
                id: rule.id.to_owned(),
                severity: rule.severity,
                action: Action::None,
                default_on: true,
                heals_later: false,
                kinds: (rule.kinds)().into_iter().map(str::to_owned).collect(),
                // Only a file has text.
                operations: vec![Operation::Create],
                only_if: Vec::new(),
                summary: rule.summary.to_owned(),
                documentation: rule.documentation.to_owned(),
            })
            .collect()
    })
}

/// The rule about objects that stand twice in one file, of which all have to be
/// known.
pub(crate) fn duplicate_object() -> &'static RuleInfo {
    &rules()[0]
}

/// The rule about exemptions, which are looked at when all else has been judged.
pub(crate) fn unused_exemption() -> &'static RuleInfo {
    &rules()[1]
}

/// Judges one object by its text. What a controller wrote, and kinds that the
/// model doesn't know, are never judged.
pub(crate) fn judge(
    manifest: &Manifest,
    projected: &Projected,
    filter: &RuleFilter,
) -> Vec<Finding> {
    let object = &projected.meta().object_ref;
    let Some(kind) = k8s::kind(&object.api_version, &object.kind) else { return Vec::new() };
    if projected.is_controlled() {
        return Vec::new();
    }
    let judged = Judged { manifest, projected, kind };
    let mut findings = Vec::new();
    for (rule, info) in RULES.iter().zip(rules()).filter(|(_, info)| filter.admits(info)) {
        let defects = (rule.check)(&judged);
        findings.extend(defects.into_iter().map(|defect| finding(info, &judged, defect)));
    }
    findings
}

fn finding(rule: &RuleInfo, judged: &Judged<'_>, defect: Defect) -> Finding {
    let source = judged.manifest.document.source();
    let object = &judged.projected.meta().object_ref;
    let path = defect.path.to_string();
    let steady = steady(&defect.path, &judged.manifest.root);
    Finding {
        fingerprint: Fingerprint::new(&rule.id, object, &steady, ""),
        rule: rule.id.clone(),
        policy: POLICY.to_owned(),
        severity: defect.severity,
        message: defect.what,
        why: defect.why,
        help: defect.help,
        location: Some(source.location(defect.span)),
        related: defect
            .related
            .into_iter()
            .map(|(span, label)| Related {
                location: Some(source.location(span)),
                path: path.clone(),
                object: object.clone(),
                label,
            })
            .collect(),
        edits: Vec::from_iter(defect.edit),
        path,
        object: object.clone(),
    }
}

impl Judged<'_> {
    /// Such as "Service `db`".
    fn name(&self) -> String {
        let object = &self.projected.meta().object_ref;
        format!("{} `{}`", object.kind, object.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_ordered_by_id() {
        assert!(rules().is_sorted_by_key(|rule| &rule.id));
        assert_eq!(duplicate_object().id, duplicate_object::RULE.id);
        assert_eq!(unused_exemption().id, exemption_covers_nothing::RULE.id);
    }
}
