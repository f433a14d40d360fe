//! Which Pods a selector selects, before there are any.

use crate::k8s;
use crate::model::{Label, LabelRequirement, LabelSelector, Workload};

/// Whether a Service's selector selects the Pods of a workload. A key that the
/// controller adds matches whatever is asked for, but for the name of the Pod.
pub(super) fn service_selects(selector: &[Label], workload: &Workload) -> bool {
    selector.iter().all(|wanted| has_label(workload, &wanted.key, &wanted.value))
}

/// The same for a selector of a NetworkPolicy.
pub(super) fn policy_selects(selector: &LabelSelector, workload: &Workload) -> bool {
    service_selects(&selector.match_labels, workload)
        && selector.match_expressions.iter().all(|one| requirement_holds(one, workload))
}

fn requirement_holds(requirement: &LabelRequirement, workload: &Workload) -> bool {
    let LabelRequirement { key, operator, values } = requirement;
    let added = is_added(workload, key);
    let exists = added || workload.template.labels.iter().any(|label| label.key == *key);
    let listed = || values.iter().any(|value| has_label(workload, key, value));
    match operator.as_str() {
        "In" => listed(),
        "NotIn" => added || !listed(),
        "Exists" => exists,
        "DoesNotExist" => !exists,
        _ => false,
    }
}

fn is_added(workload: &Workload, key: &str) -> bool {
    workload.template.added_labels.iter().any(|added| added == key)
}

fn has_label(workload: &Workload, key: &str, value: &str) -> bool {
    if is_added(workload, key) {
        return key != k8s::POD_NAME_LABEL || names_a_pod(value, workload);
    }
    workload.template.labels.iter().any(|label| label.key == key && label.value == value)
}

/// Whether a StatefulSet has a Pod of that name: with unknown replicas, every
/// ordinal from the first on.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/statefulset/stateful_set_utils.go`
/// (`getStartOrdinal`, `getEndOrdinal`).
fn names_a_pod(pod: &str, workload: &Workload) -> bool {
    let Some(set) = &workload.stateful_set else { return false };
    let Some((name, ordinal)) = numbered(pod) else { return false };
    let beyond = set.first_ordinal.saturating_add(workload.replicas.unwrap_or(1));
    name == workload.meta.object_ref.name
        && ordinal >= set.first_ordinal
        && (workload.autoscaled || ordinal < beyond)
}

/// The parts of `name-0`; none for `name-00`.
pub(super) fn numbered(pod: &str) -> Option<(&str, i64)> {
    let (name, ordinal) = pod.rsplit_once('-')?;
    let canonical = ordinal == "0" || !ordinal.starts_with('0');
    if !canonical || !ordinal.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((name, ordinal.parse().ok()?))
}
