//! A governing Service that selects Pods of others as well.

use headlint_policy_sdk::labels::{Reach, display, reach};
use headlint_policy_sdk::service::{has, headless, placeholder, refused, selectorless};
use headlint_policy_sdk::types::{Container, ContainerRole, Label, ObjectRef, Traits, Workload};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN, display_name,
};
use serde_json::{Map, Value};

use crate::evidence::sets_naming;

/// The rule.
pub const RULE: Rule = Rule {
    id: "selector-wider-than-governed",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "the Service that a StatefulSet names also selects the Pods of others",
    documentation: include_str!("selector-wider-than-governed.md"),
    check,
};

const PATH: &str = "$.spec.selector";

/// How many workloads a finding shows.
const SHOWN: usize = 4;

/// Labels that change with a release.
const CHANGING: &[&str] = &["app.kubernetes.io/version", "chart", "helm.sh/chart", "version"];

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if !headless(service)
        || selectorless(service)
        || refused(service)
        || has(&service.meta, Traits::OPERATOR_MANAGED | Traits::DELETING)
    {
        return;
    }
    let governed = sets_naming(service, context);
    let selected = |workload: &Workload| {
        matches!(reach(&service.selector, workload), Reach::All | Reach::Some)
    };
    // Where none of the named sets is selected, statefulset-service-selector-mismatch speaks.
    let Some(first) = governed.iter().find(|set| selected(set)) else { return };
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    let seen = context.workloads_matching(namespace, &service.selector).seen();
    let others: Vec<_> = seen
        .iter()
        .filter(|one| selected(one))
        .filter(|one| !has(&one.meta, Traits::HOOK | Traits::TEST_HOOK | Traits::DELETING))
        .filter(|one| !governed.iter().any(|set| set.meta.ref_ == one.meta.ref_))
        .collect();
    let (strangers, peers): (Vec<&Workload>, Vec<_>) = others.iter().copied().partition(|one| {
        let is_canary = || governed.iter().any(|set| same_role(set, one));
        names_another(name, one) || !(on_purpose(name, one) || is_canary())
    });
    // One that several sets share is there for the names of Pods: nobody means one of
    // the sets by its name.
    let is_shared = governed.iter().filter(|set| selected(set)).count() > 1;
    let (severity, shown) = match (strangers.is_empty(), peers.is_empty()) {
        (false, _) if is_shared => (Severity::Info, strangers),
        (false, _) => (Severity::Warning, strangers),
        (true, false) => (Severity::Info, peers),
        (true, true) => return,
    };
    let set = display_name(&first.meta.ref_);
    let listed: Vec<_> = shown.iter().take(SHOWN).map(|one| display_name(&one.meta.ref_)).collect();
    let more = match shown.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut finding = Finding::new(&RULE, PATH)
        .severity(severity)
        .what(format!(
            "headless Service `{name}`, which {set} names, selects `{}`, and with that the Pods \
            of {}{more} as well",
            display(&service.selector),
            listed.join(", "),
        ))
        .why(format!(
            "`{name}.{namespace}.svc` answers with their addresses too, for A and SRV: clients \
            and peers of {set} reach Pods that aren't its own"
        ));
    let sets: Vec<_> = governed.iter().filter(|set| selected(set)).collect();
    finding = match telling(&sets, &others) {
        Some(label) => {
            let finding = finding.help(format!(
                "add `{}: {}` to the selector: only the Pods of {set} have it",
                label.key, label.value
            ));
            let pairs: Map<_, _> = service
                .selector
                .iter()
                .chain([&label])
                .map(|pair| (pair.key.clone(), Value::from(pair.value.as_str())))
                .collect();
            if severity == Severity::Info {
                finding
            } else {
                finding.set(PATH, Value::Object(pairs), Safety::Proposed)
            }
        }
        None => finding
            .help(format!("give the Pods of {set} a label that no others have, and select it")),
    };
    for one in shown.iter().take(SHOWN) {
        finding = finding.related(
            &one.meta.ref_,
            format!("{}.metadata.labels", one.template.path),
            "these Pods are selected too",
        );
    }
    findings.add(finding.related(&first.meta.ref_, "$.spec.serviceName", "named here"));
}

/// Whether its Pods take names from the Service, or are to.
fn on_purpose(service: &str, workload: &Workload) -> bool {
    workload.stateful_set.is_none() && workload.template.subdomain.as_deref() == Some(service)
}

/// Whether it is a StatefulSet with names behind another Service, and so with peers
/// of its own.
fn names_another(service: &str, workload: &Workload) -> bool {
    let named = workload.stateful_set.as_ref().and_then(|set| set.service_name.as_deref());
    named.is_some_and(|named| !named.is_empty() && named != service && !placeholder(named))
}

/// Whether a workload runs the same containers with the same ports, as a
/// canary does.
fn same_role(set: &Workload, other: &Workload) -> bool {
    let served = |workload: &Workload| -> Vec<(String, Vec<Option<i64>>)> {
        let app = |container: &&Container| container.role == ContainerRole::App;
        let mut served: Vec<_> = workload
            .template
            .containers
            .iter()
            .filter(app)
            .map(|container| {
                let ports = container.ports.iter().map(|port| port.container_port).collect();
                (container.name.clone(), ports)
            })
            .collect();
        served.sort();
        served
    };
    let of_set = served(set);
    // Without ports nothing tells what a container serves.
    of_set.iter().any(|(_, ports)| !ports.is_empty()) && of_set == served(other)
}

/// A label that all Pods of the sets have, and none of the others.
fn telling(sets: &[&Workload], others: &[&Workload]) -> Option<Label> {
    let (first, rest) = sets.split_first()?;
    first
        .template
        .labels
        .iter()
        .filter(|label| !CHANGING.contains(&label.key.as_str()))
        .filter(|label| rest.iter().all(|set| set.template.labels.contains(label)))
        .find(|label| {
            others.iter().all(|one| reach(std::slice::from_ref(label), one) == Reach::None)
        })
        .cloned()
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::{Object, Service, StatefulSet};

    use super::*;
    use crate::tests::{brief, labels, review, service, workload};

    fn set(name: &str, service: &str) -> Workload {
        let mut set = workload("StatefulSet", name, &[("app", "db"), ("tier", "data")]);
        set.stateful_set = Some(StatefulSet {
            service_name: Some(service.to_owned()),
            first_ordinal: 0,
            pod_management_policy: "OrderedReady".to_owned(),
        });
        set
    }

    fn governing() -> Service {
        let mut service = service();
        service.cluster_ip = Some("None".to_owned());
        service.selector = labels(&[("app", "db")]);
        service
    }

    fn severities(workloads: Vec<Workload>) -> Vec<Severity> {
        let objects = workloads.into_iter().map(Object::Workload).collect();
        let world = Snapshot { objects, ..Snapshot::default() };
        let found = brief(&RULE, &review(governing()), &world);
        found.into_iter().map(|(severity, _)| severity).collect()
    }

    #[test]
    fn only_the_pods_of_others_are_too_many() {
        let exporter = workload("Deployment", "exporter", &[("app", "db")]);
        assert_eq!(severities(vec![set("db", "db")]), []);
        assert_eq!(severities(vec![set("db", "db"), set("db-2", "db")]), []);
        assert_eq!(severities(vec![exporter.clone()]), []);
        assert_eq!(severities(vec![set("db", "db"), exporter.clone()]), [Severity::Warning]);
        let mut hook = exporter.clone();
        hook.meta.traits = Traits::HOOK;
        assert_eq!(severities(vec![set("db", "db"), hook]), []);
        let mut peer = exporter;
        peer.template.subdomain = Some("db".to_owned());
        assert_eq!(severities(vec![set("db", "db"), peer]), [Severity::Info]);
    }

    #[test]
    fn a_label_tells_them_apart_if_only_one_side_has_it() {
        let exporter = workload("Deployment", "exporter", &[("app", "db")]);
        let set = set("db", "db");
        let found = telling(&[&set], &[&exporter]);
        assert_eq!(found.map(|label| label.key), Some("tier".to_owned()));
        assert_eq!(telling(&[&set], &[&set]), None);
    }
}
