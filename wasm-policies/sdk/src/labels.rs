//! Labels, and the selectors that look for them.

use crate::service::placeholder;
use crate::types::{Label, LabelSelector, Workload};

/// Names one Pod of a StatefulSet; the controller sets it.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/apps/v1/types.go` `StatefulSetPodNameLabel`.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";

/// The ordinal of a Pod of a StatefulSet; the controller sets it.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/apps/v1/types.go` `PodIndexLabel`.
pub const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// Whether labels satisfy a selector of a Service: each pair is there.
#[must_use]
pub fn satisfy(labels: &[Label], selector: &[Label]) -> bool {
    selector.iter().all(|wanted| labels.contains(wanted))
}

/// `a=b,c=d`, as `kubectl get -l` takes it.
#[must_use]
pub fn display(labels: &[Label]) -> String {
    let pairs: Vec<_> =
        labels.iter().map(|label| format!("{}={}", label.key, label.value)).collect();
    pairs.join(",")
}

/// Which of a workload's Pods a selector of a Service selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of them.
    All,
    /// Some, picked by a label that tells the Pods of a StatefulSet apart.
    Some,
    /// None.
    None,
    /// A label has a value that only a controller or a template tool knows.
    Unknown,
}

/// Which of a workload's Pods a selector of a Service selects. One pair that
/// no Pod has decides, whatever is unknown about the others.
#[must_use]
pub fn reach(selector: &[Label], workload: &Workload) -> Reach {
    let mut reach = Reach::All;
    for wanted in selector {
        match pair_reach(wanted, workload) {
            Reach::None => return Reach::None,
            Reach::Unknown => reach = Reach::Unknown,
            Reach::Some if reach == Reach::All => reach = Reach::Some,
            Reach::Some | Reach::All => {}
        }
    }
    reach
}

fn pair_reach(wanted: &Label, workload: &Workload) -> Reach {
    let labels = &workload.template.labels;
    if placeholder(&wanted.key) || placeholder(&wanted.value) {
        return if labels.contains(wanted) { Reach::All } else { Reach::Unknown };
    }
    if workload.stateful_set.is_some() && wanted.key == POD_NAME {
        let name = &workload.meta.ref_.name;
        if name.is_empty() || placeholder(name) {
            return Reach::Unknown;
        }
        let ordinal = wanted.value.strip_prefix(name.as_str()).and_then(|v| v.strip_prefix('-'));
        return ordinal_reach(ordinal, workload);
    }
    if workload.stateful_set.is_some() && wanted.key == POD_INDEX {
        return ordinal_reach(Some(&wanted.value), workload);
    }
    if workload.template.added_labels.contains(&wanted.key) {
        return Reach::Unknown;
    }
    match labels.iter().find(|label| label.key == wanted.key) {
        Some(label) if label.value == wanted.value => Reach::All,
        Some(label) if placeholder(&label.value) => Reach::Unknown,
        Some(_) => Reach::None,
        None if labels.iter().any(|label| placeholder(&label.key)) => Reach::Unknown,
        None => Reach::None,
    }
}

/// What a single ordinal selects. Without replicas, or where something else
/// sets them, the upper bound is unknown.
fn ordinal_reach(written: Option<&str>, workload: &Workload) -> Reach {
    let Some(ordinal) = written.and_then(ordinal) else { return Reach::None };
    let first = workload.stateful_set.as_ref().map_or(0, |set| set.first_ordinal);
    let replicas = workload.replicas.unwrap_or(1);
    if ordinal < first {
        Reach::None
    } else if workload.autoscaled || replicas < 1 {
        Reach::Unknown
    } else if ordinal >= first.saturating_add(replicas) {
        Reach::None
    } else if replicas == 1 {
        Reach::All
    } else {
        Reach::Some
    }
}

/// The number behind the last dash of the name of a StatefulSet's Pod: decimal, without
/// leading zeros.
#[must_use]
pub fn ordinal(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

/// Whether labels satisfy a selector of a workload or a NetworkPolicy; none
/// where a template tool still decides. An empty selector selects everything.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/apimachinery/pkg/labels/selector.go`
/// `Requirement.Matches`: `NotIn` holds for a missing key too.
#[must_use]
pub fn selected(labels: &[Label], selector: &LabelSelector) -> Option<bool> {
    let mut certain = true;
    let keys_known = !labels.iter().any(|label| placeholder(&label.key));
    for wanted in &selector.match_labels {
        if labels.contains(wanted) {
            continue;
        }
        let actual = labels.iter().find(|label| label.key == wanted.key);
        if placeholder(&wanted.key)
            || placeholder(&wanted.value)
            || actual.is_some_and(|label| placeholder(&label.value))
            || (actual.is_none() && !keys_known)
        {
            certain = false;
        } else {
            return Some(false);
        }
    }
    for requirement in &selector.match_expressions {
        let actual = labels.iter().find(|label| label.key == requirement.key);
        let listed = actual.is_some_and(|label| requirement.values.contains(&label.value));
        let satisfied = match requirement.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => actual.is_some(),
            "DoesNotExist" => actual.is_none(),
            _ => {
                certain = false;
                continue;
            }
        };
        if placeholder(&requirement.key)
            || requirement.values.iter().any(|value| placeholder(value))
            || actual.is_some_and(|label| placeholder(&label.value))
            || (actual.is_none() && !keys_known)
        {
            certain = false;
        } else if !satisfied {
            return Some(false);
        }
    }
    certain.then_some(true)
}

/// Whether the API server refuses a workload for its selector: it is missing
/// or empty, or its own Pods don't satisfy it. Only for the kinds of `apps/v1`
/// that make Pods; all others are never refused for it.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/apps/validation/validation.go`
/// `ValidateStatefulSetSpec`, `ValidateDeploymentSpec`,
/// `ValidateDaemonSetSpec`, `ValidateReplicaSetSpec`.
#[must_use]
pub fn selector_refused(workload: &Workload) -> bool {
    let reference = &workload.meta.ref_;
    if reference.api_version != "apps/v1"
        || !["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]
            .contains(&reference.kind.as_str())
    {
        return false;
    }
    match &workload.selector {
        None => true,
        Some(selector) => {
            (selector.match_labels.is_empty() && selector.match_expressions.is_empty())
                || selected(&workload.template.labels, selector) == Some(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LabelRequirement, Metadata, ObjectRef, PodTemplate, StatefulSet, Traits};

    fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
        pairs
            .iter()
            .map(|&(key, value)| Label { key: key.to_owned(), value: value.to_owned() })
            .collect()
    }

    fn set(replicas: Option<i64>, first_ordinal: i64) -> Workload {
        Workload {
            meta: Metadata {
                ref_: ObjectRef {
                    api_version: "apps/v1".to_owned(),
                    kind: "StatefulSet".to_owned(),
                    namespace: "shop".to_owned(),
                    name: "db".to_owned(),
                },
                labels: Vec::new(),
                traits: Traits::empty(),
            },
            template: PodTemplate {
                path: "$.spec.template".to_owned(),
                labels: labels(&[("app", "db"), ("release", "${RELEASE}")]),
                added_labels: vec![
                    POD_NAME.to_owned(),
                    POD_INDEX.to_owned(),
                    "controller-revision-hash".to_owned(),
                ],
                hostname: None,
                subdomain: None,
                host_network: false,
                dns_policy: None,
                set_hostname_as_fqdn: false,
                containers: Vec::new(),
                injected: false,
            },
            selector: None,
            replicas,
            autoscaled: false,
            indexed: false,
            stateful_set: Some(StatefulSet {
                service_name: Some("db".to_owned()),
                first_ordinal,
                pod_management_policy: "OrderedReady".to_owned(),
            }),
        }
    }

    #[test]
    fn a_pod_name_reaches_one_pod_within_the_range_of_ordinals() {
        let three = set(Some(3), 5);
        let name = |value| reach(&labels(&[("app", "db"), (POD_NAME, value)]), &three);
        assert_eq!(name("db-5"), Reach::Some);
        assert_eq!(name("db-7"), Reach::Some);
        assert_eq!(name("db-8"), Reach::None);
        assert_eq!(name("db-4"), Reach::None);
        assert_eq!(name("db-05"), Reach::None);
        assert_eq!(name("db-"), Reach::None);
        assert_eq!(name("other-5"), Reach::None);
        assert_eq!(reach(&labels(&[(POD_INDEX, "6")]), &three), Reach::Some);
    }

    #[test]
    fn the_only_pod_is_all_pods() {
        assert_eq!(reach(&labels(&[(POD_NAME, "db-0")]), &set(None, 0)), Reach::All);
    }

    #[test]
    fn without_a_known_number_of_replicas_the_range_is_open() {
        let mut autoscaled = set(Some(2), 0);
        autoscaled.autoscaled = true;
        assert_eq!(reach(&labels(&[(POD_NAME, "db-9")]), &autoscaled), Reach::Unknown);
        assert_eq!(reach(&labels(&[(POD_NAME, "db-0")]), &set(Some(0), 0)), Reach::Unknown);
    }

    #[test]
    fn what_only_others_know_is_unknown_and_a_certain_miss_decides() {
        let set = set(Some(3), 0);
        let of = |pairs: &[(&str, &str)]| reach(&labels(pairs), &set);
        assert_eq!(of(&[("controller-revision-hash", "db-6d")]), Reach::Unknown);
        assert_eq!(of(&[("release", "blue")]), Reach::Unknown);
        assert_eq!(of(&[("release", "${RELEASE}")]), Reach::All);
        assert_eq!(of(&[("app", "${APP}")]), Reach::Unknown);
        assert_eq!(of(&[("release", "blue"), ("app", "web")]), Reach::None);
        assert_eq!(of(&[("app", "db")]), Reach::All);
        assert_eq!(of(&[("tier", "db")]), Reach::None);
    }

    #[test]
    fn expressions_are_read_as_the_api_server_reads_them() {
        let expression = |key: &str, operator: &str, values: &[&str]| LabelSelector {
            match_labels: Vec::new(),
            match_expressions: vec![LabelRequirement {
                key: key.to_owned(),
                operator: operator.to_owned(),
                values: values.iter().map(|&value| value.to_owned()).collect(),
            }],
        };
        let of = labels(&[("app", "db")]);
        assert_eq!(selected(&of, &expression("app", "In", &["db", "sql"])), Some(true));
        assert_eq!(selected(&of, &expression("app", "In", &["sql"])), Some(false));
        assert_eq!(selected(&of, &expression("app", "NotIn", &["db"])), Some(false));
        assert_eq!(selected(&of, &expression("tier", "NotIn", &["db"])), Some(true));
        assert_eq!(selected(&of, &expression("tier", "Exists", &[])), Some(false));
        assert_eq!(selected(&of, &expression("tier", "DoesNotExist", &[])), Some(true));
        assert_eq!(selected(&of, &expression("app", "In", &["${APP}"])), None);
    }

    #[test]
    fn a_missing_empty_or_foreign_selector_is_refused() {
        let mut set = set(None, 0);
        assert!(selector_refused(&set));
        set.selector =
            Some(LabelSelector { match_labels: Vec::new(), match_expressions: Vec::new() });
        assert!(selector_refused(&set));
        set.selector = Some(LabelSelector {
            match_labels: labels(&[("app", "web")]),
            match_expressions: Vec::new(),
        });
        assert!(selector_refused(&set));
        set.selector = Some(LabelSelector {
            match_labels: labels(&[("app", "db")]),
            match_expressions: Vec::new(),
        });
        assert!(!selector_refused(&set));
        set.selector = None;
        set.meta.ref_.api_version = "apps/v1beta1".to_owned();
        assert!(!selector_refused(&set));
    }
}
