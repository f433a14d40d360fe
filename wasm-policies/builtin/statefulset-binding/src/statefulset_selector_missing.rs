//! A workload that doesn't say which Pods are its own.

use headlint_policy_sdk::labels::display;
use headlint_policy_sdk::types::{Object, Workload};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};
use serde_json::{Map, Value, json};

use crate::governing::{display_name, is_patch, is_present};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-selector-missing",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["StatefulSet", "Deployment", "DaemonSet", "ReplicaSet"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a StatefulSet, Deployment, DaemonSet or ReplicaSet has no selector",
    documentation: include_str!("statefulset-selector-missing.md"),
    check,
};

const PATH: &str = "$.spec.selector";

/// Labels that change with a release, while a selector never can.
const CHANGING: &[&str] = &[
    "app.kubernetes.io/version",
    "chart",
    "controller-revision-hash",
    "helm.sh/chart",
    "pod-template-hash",
    "version",
];

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    if workload.meta.ref_.api_version != "apps/v1"
        || has_selector(workload)
        || is_patch(workload, context)
        || beside_the_whole(workload, context)
    {
        return;
    }
    let kind = &workload.meta.ref_.kind;
    let name = display_name(&workload.meta.ref_);
    let labels: Vec<_> = workload
        .template
        .labels
        .iter()
        .filter(|label| !CHANGING.contains(&label.key.as_str()))
        .cloned()
        .collect();
    let present = is_present(PATH, context);
    let finding = Finding::new(&RULE, PATH).what(if present {
        format!("the selector of {kind} `{name}` has neither matchLabels nor matchExpressions")
    } else {
        format!("{kind} `{name}` has no selector")
    });
    let finding = finding.why(
        "the API server refuses it (\"spec.selector: Required value\"), so that \
        no Pod is ever made",
    );
    if labels.is_empty() {
        findings.add(finding.help(
            "add `spec.selector.matchLabels`, and the same labels to `spec.template.metadata`",
        ));
        return;
    }
    let pairs: Map<_, _> =
        labels.iter().map(|label| (label.key.clone(), Value::from(label.value.as_str()))).collect();
    let selector = json!({ "matchLabels": pairs });
    let finding = finding.help(format!(
        "add `spec.selector.matchLabels` with labels of the template that never change: {}",
        display(&labels)
    ));
    findings.add(if present {
        finding.set(PATH, selector, Safety::Proposed)
    } else {
        finding.add(PATH, selector, Safety::Proposed)
    });
}

fn has_selector(workload: &Workload) -> bool {
    workload.selector.as_ref().is_some_and(|selector| {
        !selector.match_labels.is_empty() || !selector.match_expressions.is_empty()
    })
}

/// Whether another document has what this one lacks: then this is a patch.
fn beside_the_whole(workload: &Workload, context: &Context) -> bool {
    let meta = &workload.meta.ref_;
    let namesakes = context.objects(&meta.kind, &meta.namespace).seen();
    namesakes.iter().any(|other| match other {
        Object::Workload(other) => other.meta.ref_ == *meta && has_selector(other),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::LabelSelector;

    use super::*;
    use crate::governing::tests::{brief, labels, review, set};

    fn without_selector() -> Workload {
        let mut set = set();
        set.selector = None;
        set
    }

    fn fires(workload: Workload) -> bool {
        !brief(&RULE, &review(Object::Workload(workload)), &Snapshot::default()).is_empty()
    }

    #[test]
    fn a_missing_and_an_empty_selector_are_the_same() {
        assert!(fires(without_selector()));
        let mut empty = without_selector();
        empty.selector =
            Some(LabelSelector { match_labels: Vec::new(), match_expressions: Vec::new() });
        assert!(fires(empty));
        let mut whole = without_selector();
        whole.selector = Some(LabelSelector {
            match_labels: labels(&[("app", "db")]),
            match_expressions: Vec::new(),
        });
        assert!(!fires(whole));
    }

    #[test]
    fn old_groups_and_patches_are_left_alone() {
        let mut old = without_selector();
        old.meta.ref_.api_version = "extensions/v1beta1".to_owned();
        assert!(!fires(old));
        let mut patch = without_selector();
        patch.template.containers.clear();
        assert!(!fires(patch));
    }
}
