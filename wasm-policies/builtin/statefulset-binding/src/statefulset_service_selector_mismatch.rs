//! A StatefulSet whose Service selects other Pods.

use headlint_policy_sdk::labels::{Reach, display, reach};
use headlint_policy_sdk::service::{headless, refused, selectorless};
use headlint_policy_sdk::types::{Service, Workload};
use headlint_policy_sdk::{
    Action, Answer, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};
use serde_json::{Map, Value};

use crate::governing::{display_name, first_pod, sets_naming};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-service-selector-mismatch",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Governing],
    summary: "the Service that a StatefulSet names doesn't select its Pods",
    documentation: include_str!("statefulset-service-selector-mismatch.md"),
    check,
};

const PATH: &str = "$.spec.selector";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if !headless(service) || selectorless(service) || refused(service) {
        return;
    }
    let sets = sets_naming(service, context);
    let of = |wanted: Reach| -> Vec<&Workload> {
        sets.iter().filter(|set| reach(&service.selector, set) == wanted).collect()
    };
    let missed = of(Reach::None);
    let (mut finding, shown) = if let [first, ..] = missed.as_slice() {
        let mut finding = nothing_selected(service, first);
        if let Some(selector) = repair(service, &sets, context) {
            finding = finding.set(PATH, selector, Safety::Proposed);
        }
        (finding, missed)
    } else {
        let partly = of(Reach::Some);
        let Some(first) = partly.first() else { return };
        (one_pod_selected(service, first), partly)
    };
    for set in shown.iter().take(5) {
        let path = format!("{}.metadata.labels", set.template.path);
        let label = format!("the Pods have {}", shown_labels(set));
        finding = finding.related(&set.meta.ref_, path, label).related(
            &set.meta.ref_,
            "$.spec.serviceName",
            "named here",
        );
    }
    findings.add(finding);
}

fn shown_labels(set: &Workload) -> String {
    match set.template.labels.as_slice() {
        [] => "no labels".to_owned(),
        labels => format!("the labels {}", display(labels)),
    }
}

fn nothing_selected(service: &Service, set: &Workload) -> Finding {
    let name = &service.meta.ref_.name;
    Finding::new(&RULE, PATH)
        .what(format!(
            "Service `{name}` selects `{}`, but StatefulSet `{}`, which names it, \
            makes Pods with {}",
            display(&service.selector),
            display_name(&set.meta.ref_),
            shown_labels(set),
        ))
        .why(format!(
            "`{}` is NXDOMAIN, and so is every other Pod of the set",
            first_pod(set, name)
        ))
        .help(format!(
            "make `spec.selector` of the Service match the Pods: {}",
            match set.selector.as_ref().map(|selector| selector.match_labels.as_slice()) {
                None | Some([]) => display(&set.template.labels),
                Some(labels) => display(labels),
            }
        ))
}

fn one_pod_selected(service: &Service, set: &Workload) -> Finding {
    let name = &service.meta.ref_.name;
    let replicas = set.replicas.unwrap_or(1);
    Finding::new(&RULE, PATH)
        .severity(Severity::Warning)
        .what(format!(
            "Service `{name}` selects one of the {replicas} Pods of StatefulSet \
            `{}`, which names it: `{}`",
            display_name(&set.meta.ref_),
            display(&service.selector),
        ))
        .why(format!(
            "only that Pod has a name under `{name}`; the names of the others are NXDOMAIN"
        ))
        .help(format!(
            "give the StatefulSet a Service of its own that selects all of its Pods, \
            or remove the Pod's label from the selector of `{name}`"
        ))
}

/// The selector of the set, where nothing else depends on the one that is there.
fn repair(service: &Service, sets: &[Workload], context: &Context) -> Option<Value> {
    let [set] = sets else { return None };
    let selector = set.selector.as_ref()?;
    if selector.match_labels.is_empty() || !selector.match_expressions.is_empty() {
        return None;
    }
    let namespace = &service.meta.ref_.namespace;
    if let Answer::Found(_) = context.workloads_matching(namespace, &service.selector) {
        return None;
    }
    let labels: Map<_, _> = selector
        .match_labels
        .iter()
        .map(|label| (label.key.clone(), Value::from(label.value.as_str())))
        .collect();
    Some(Value::Object(labels))
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::labels::POD_NAME;
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::governing::tests::{brief, labels, review, service, set};

    fn severities(selector: &[(&str, &str)], sets: Vec<Workload>) -> Vec<Severity> {
        let mut service = service();
        service.selector = labels(selector);
        let world = Snapshot {
            objects: sets.into_iter().map(Object::Workload).collect(),
            ..Snapshot::default()
        };
        let review = review(Object::Service(service));
        brief(&RULE, &review, &world).into_iter().map(|(severity, _)| severity).collect()
    }

    #[test]
    fn the_selector_has_to_be_among_the_labels_of_the_pods() {
        assert_eq!(severities(&[("app", "db")], vec![set()]), []);
        assert_eq!(severities(&[("app", "sql")], vec![set()]), [Severity::Error]);
        assert_eq!(severities(&[("app", "db"), ("tier", "data")], vec![set()]), [Severity::Error]);
        assert_eq!(severities(&[], vec![set()]), []);
        assert_eq!(severities(&[("app", "sql")], vec![]), []);
    }

    #[test]
    fn a_service_for_one_pod_is_a_warning_while_there_are_others() {
        let one = [("app", "db"), (POD_NAME, "db-0")];
        assert_eq!(severities(&one, vec![set()]), [Severity::Warning]);
        let mut single = set();
        single.replicas = Some(1);
        assert_eq!(severities(&one, vec![single]), []);
        assert_eq!(severities(&[(POD_NAME, "db-7")], vec![set()]), [Severity::Error]);
    }

    #[test]
    fn a_set_that_is_missed_counts_even_if_another_one_is_selected() {
        let mut other = set();
        other.meta.ref_.name = "db-arbiter".to_owned();
        other.template.labels = labels(&[("app", "arbiter")]);
        if let Some(selector) = &mut other.selector {
            selector.match_labels = labels(&[("app", "arbiter")]);
        }
        assert_eq!(severities(&[("app", "db")], vec![set(), other]), [Severity::Error]);
    }
}
