//! A workload that doesn't select its own Pods.

use headlint_policy_sdk::labels::selected;
use headlint_policy_sdk::types::{Label, LabelRequirement, LabelSelector, Service, Workload};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};
use serde_json::{Map, Value, json};

use crate::governing::{display_name, is_patch, is_present};

/// The rule.
pub const RULE: Rule = Rule {
    id: "workload-selector-template-mismatch",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["StatefulSet", "Deployment", "DaemonSet", "ReplicaSet"],
    operations: WRITTEN,
    only_if: &[],
    summary: "the selector of a workload doesn't select the Pods that it makes",
    documentation: include_str!("workload-selector-template-mismatch.md"),
    check,
};

const METADATA: &str = "$.spec.template.metadata";
const LABELS: &str = "$.spec.template.metadata.labels";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    let Some(selector) = &workload.selector else { return };
    let labels = &workload.template.labels;
    if workload.meta.ref_.api_version != "apps/v1"
        || selected(labels, selector) != Some(false)
        || is_patch(workload, context)
    {
        return;
    }
    let wanted = unmet_labels(labels, selector);
    let requirements = unmet_requirements(labels, selector);
    let asked: Vec<_> = wanted
        .iter()
        .map(|label| format!("`{}={}`", label.key, label.value))
        .chain(requirements.iter().map(|one| format!("`{}`", display(one))))
        .collect();
    let keys = wanted.iter().map(|label| &label.key).chain(requirements.iter().map(|one| &one.key));
    let mut there: Vec<_> =
        keys.filter_map(|key| labels.iter().find(|label| label.key == *key)).collect();
    there.dedup();
    let instead = match there.as_slice() {
        [] => "which its own template lacks".to_owned(),
        there => {
            let there: Vec<_> =
                there.iter().map(|label| format!("`{}={}`", label.key, label.value)).collect();
            format!("but its own template has {}", there.join(", "))
        }
    };
    let (kind, name) = (&workload.meta.ref_.kind, display_name(&workload.meta.ref_));
    let finding = Finding::new(&RULE, LABELS)
        .what(format!("{kind} `{name}` selects Pods with {}, {instead}", asked.join(" and ")))
        .why(
            "the API server refuses it (\"`selector` does not match template `labels`\"), so \
            that no Pod is ever made",
        )
        .related(&workload.meta.ref_, "$.spec.selector", "the Pods are selected by this");
    findings.add(advice(finding, workload, &wanted, requirements.is_empty(), context));
}

/// Which side is to give way: the selector where a Service relies on the
/// labels of the template, and the template otherwise.
fn advice(
    finding: Finding,
    workload: &Workload,
    wanted: &[&Label],
    labels_only: bool,
    context: &Context,
) -> Finding {
    let labels = &workload.template.labels;
    let value_in_template = |key: &str| labels.iter().find(|label| label.key == key);
    let relied_on = |service: &Service| {
        wanted.iter().any(|label| {
            value_in_template(&label.key).is_some_and(|there| service.selector.contains(there))
        })
    };
    let services = context.services_selecting(&workload.meta.ref_.namespace, labels).seen();
    let editable = labels_only && wanted.iter().all(|label| !label.key.contains(['\'', '\\']));
    if let Some(service) = services.iter().find(|service| relied_on(service)) {
        let name = &service.meta.ref_.name;
        let finding = finding
            .help(format!(
                "write the labels of the template into `spec.selector`: Service `{name}` relies \
                on them"
            ))
            .related(&service.meta.ref_, "$.spec.selector", "this Service selects the Pods");
        let known: Vec<_> =
            wanted.iter().filter_map(|label| value_in_template(&label.key)).collect();
        if !editable || known.len() < wanted.len() {
            return finding;
        }
        return known.iter().fold(finding, |finding, label| {
            let path = format!("$.spec.selector.matchLabels['{}']", label.key);
            finding.set(path, label.value.as_str().into(), Safety::Proposed)
        });
    }
    let finding = finding.help(if labels_only {
        "write the labels that `spec.selector` asks for into `spec.template.metadata.labels`"
    } else {
        "change `spec.template.metadata.labels` so that they satisfy `spec.selector`"
    });
    if !editable {
        finding
    } else if !labels.is_empty() {
        wanted.iter().fold(finding, |finding, label| {
            let path = format!("{LABELS}['{}']", label.key);
            let value = Value::from(label.value.as_str());
            if value_in_template(&label.key).is_some() {
                finding.set(path, value, Safety::Proposed)
            } else {
                finding.add(path, value, Safety::Proposed)
            }
        })
    } else {
        let pairs: Map<_, _> = wanted
            .iter()
            .map(|label| (label.key.clone(), Value::from(label.value.as_str())))
            .collect();
        if is_present(LABELS, context) {
            finding.set(LABELS, pairs.into(), Safety::Proposed)
        } else if is_present(&format!("{METADATA}.*"), context) {
            finding.add(LABELS, pairs.into(), Safety::Proposed)
        } else if is_present(METADATA, context) {
            finding.set(METADATA, json!({ "labels": pairs }), Safety::Proposed)
        } else {
            finding.add(METADATA, json!({ "labels": pairs }), Safety::Proposed)
        }
    }
}

/// The pairs of the selector that the labels lack for certain.
fn unmet_labels<'s>(labels: &[Label], selector: &'s LabelSelector) -> Vec<&'s Label> {
    let unmet = |label: &&Label| {
        let one =
            LabelSelector { match_labels: vec![(*label).clone()], match_expressions: Vec::new() };
        selected(labels, &one) == Some(false)
    };
    selector.match_labels.iter().filter(unmet).collect()
}

/// The expressions of the selector that the labels fail for certain.
fn unmet_requirements<'s>(
    labels: &[Label],
    selector: &'s LabelSelector,
) -> Vec<&'s LabelRequirement> {
    let unmet = |one: &&LabelRequirement| {
        let one =
            LabelSelector { match_labels: Vec::new(), match_expressions: vec![(*one).clone()] };
        selected(labels, &one) == Some(false)
    };
    selector.match_expressions.iter().filter(unmet).collect()
}

/// As `kubectl get -l` takes it.
fn display(requirement: &LabelRequirement) -> String {
    let LabelRequirement { key, operator, values } = requirement;
    let values = values.join(", ");
    match operator.as_str() {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "DoesNotExist" => format!("!{key}"),
        _ => key.clone(),
    }
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::governing::tests::{brief, labels, review, set};

    fn fires(selector: &[(&str, &str)], template: &[(&str, &str)]) -> bool {
        let mut set = set();
        set.selector =
            Some(LabelSelector { match_labels: labels(selector), match_expressions: Vec::new() });
        set.template.labels = labels(template);
        !brief(&RULE, &review(Object::Workload(set)), &Snapshot::default()).is_empty()
    }

    #[test]
    fn only_a_certain_mismatch_is_told() {
        assert!(fires(&[("app", "db")], &[("app", "sql")]));
        assert!(fires(&[("app", "db")], &[]));
        assert!(fires(&[("app", "db"), ("tier", "x")], &[("app", "db")]));
        assert!(!fires(&[("app", "db")], &[("app", "db"), ("tier", "x")]));
        assert!(!fires(&[("app", "${APP}")], &[("app", "db")]));
        // Ground of statefulset-selector-missing.
        assert!(!fires(&[], &[("app", "db")]));
    }

    #[test]
    fn a_patch_is_left_alone() {
        let mut patch = set();
        patch.template.labels = labels(&[("version", "2")]);
        patch.template.containers.clear();
        assert_eq!(brief(&RULE, &review(Object::Workload(patch)), &Snapshot::default()), []);
    }
}
