//! A Service that goes away, while a StatefulSet takes the names of its Pods
//! from it.

use headlint_policy_sdk::service::{has, selectorless};
use headlint_policy_sdk::types::{Object, ObjectRef, Traits, Workload};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Operation, Operations, Review, Rule, Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "governing-service-deleted",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Service"],
    operations: Operations::DELETE,
    only_if: &[],
    summary: "a Service is deleted that a StatefulSet still names",
    documentation: include_str!("governing-service-deleted.md"),
    check,
};

/// How many StatefulSets a finding shows.
const SHOWN: usize = 4;

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    // An operator makes it again, and so does a hook.
    let settled = Traits::OPERATOR_MANAGED | Traits::HOOK | Traits::TEST_HOOK | Traits::DELETING;
    if review.operation != Operation::Delete
        // An alias gives no Pod a name.
        || service.service_type == "ExternalName"
        || has(&service.meta, settled)
    {
        return;
    }
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    let mut sets = context.workloads_naming(namespace, name).seen();
    sets.retain(|set| set.stateful_set.is_some() && !has(&set.meta, settled));
    let Some(first) = sets.first() else { return };
    if is_terminating(namespace, context) {
        return;
    }
    let more = match sets.len() - 1 {
        0 => "takes the names of its Pods from it".to_owned(),
        more => format!("and {more} more take the names of their Pods from it"),
    };
    let set = &first.meta.ref_.name;
    let mut finding = Finding::new(&RULE, "$.metadata.name")
        .what(format!("Service `{name}` is deleted, but StatefulSet `{set}` {more}"))
        .why(format!("`{}` is NXDOMAIN as soon as the Service is gone", first_pod(first, name)))
        .help(format!(
            "create a headless Service `{name}` again; if the StatefulSet is about to be \
            deleted as well, there is nothing to do"
        ));
    for set in sets.iter().take(SHOWN) {
        finding = finding.related(&set.meta.ref_, "$.spec.serviceName", "it is named here");
    }
    if selectorless(service) {
        let by_hand = context.endpoints_of(namespace, name).seen();
        if let Some(by_hand) = by_hand.iter().find(|one| one.meta.ref_.kind == "Endpoints") {
            finding = finding.related(
                &by_hand.meta.ref_,
                "$.metadata.name",
                "these addresses are deleted with it",
            );
        }
    }
    findings.add(finding);
}

/// The DNS name of the first Pod of a set.
fn first_pod(set: &Workload, service: &str) -> String {
    let first = set.stateful_set.as_ref().map_or(0, |set| set.first_ordinal);
    let ObjectRef { namespace, name, .. } = &set.meta.ref_;
    format!("{name}-{first}.{service}.{namespace}.svc")
}

/// Whether the namespace goes away, with all that is in it.
fn is_terminating(namespace: &str, context: &Context) -> bool {
    context.objects("Namespace", "").seen().iter().any(|object| match object {
        Object::Other(meta) => meta.ref_.name == namespace && has(meta, Traits::DELETING),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::{PodTemplate, Service, StatefulSet};

    use super::*;
    use crate::tests::{fires, metadata, service};

    fn set(name: &str) -> Workload {
        Workload {
            meta: metadata("apps/v1", "StatefulSet", name),
            template: PodTemplate {
                path: "$.spec.template".to_owned(),
                labels: service().selector,
                added_labels: Vec::new(),
                hostname: None,
                subdomain: None,
                host_network: false,
                dns_policy: None,
                set_hostname_as_fqdn: false,
                containers: Vec::new(),
                injected: false,
            },
            selector: None,
            replicas: Some(3),
            autoscaled: false,
            indexed: false,
            stateful_set: Some(StatefulSet {
                service_name: Some("db".to_owned()),
                first_ordinal: 0,
                pod_management_policy: "OrderedReady".to_owned(),
            }),
        }
    }

    fn deleted(service: Service, others: Vec<Object>) -> bool {
        let world = Snapshot { objects: others, ..Snapshot::default() };
        fires(&RULE, service, None, &world)
    }

    #[test]
    fn a_set_that_stays_is_left_without_names() {
        assert!(deleted(service(), vec![Object::Workload(set("db"))]));
        let mut virtual_ip = service();
        virtual_ip.cluster_ip = Some("10.96.0.7".to_owned());
        assert!(deleted(virtual_ip, vec![Object::Workload(set("db"))]));
        assert!(!deleted(service(), Vec::new()));
    }

    #[test]
    fn an_update_deletes_nothing() {
        let world = Snapshot { objects: vec![Object::Workload(set("db"))], ..Snapshot::default() };
        assert!(!fires(&RULE, service(), Some(service()), &world));
    }

    #[test]
    fn hooks_operators_and_what_goes_away_too_stay_quiet() {
        for traits in [Traits::HOOK, Traits::OPERATOR_MANAGED, Traits::DELETING] {
            let mut other = set("db");
            other.meta.traits = traits;
            assert!(!deleted(service(), vec![Object::Workload(other)]));
            let mut service = service();
            service.meta.traits = traits;
            assert!(!deleted(service, vec![Object::Workload(set("db"))]));
        }
    }

    #[test]
    fn in_a_namespace_that_terminates_nobody_misses_it() {
        let mut namespace = metadata("v1", "Namespace", "shop");
        let in_it = |namespace: &headlint_policy_sdk::types::Metadata| {
            vec![Object::Workload(set("db")), Object::Other(namespace.clone())]
        };
        assert!(deleted(service(), in_it(&namespace)));
        namespace.traits = Traits::DELETING;
        assert!(!deleted(service(), in_it(&namespace)));
        namespace.ref_.name = "web".to_owned();
        assert!(deleted(service(), in_it(&namespace)));
    }

    #[test]
    fn a_pod_with_that_subdomain_is_no_set() {
        let mut pod = set("db");
        pod.meta.ref_.kind = "Pod".to_owned();
        pod.stateful_set = None;
        pod.template.subdomain = Some("db".to_owned());
        assert!(!deleted(service(), vec![Object::Workload(pod)]));
    }
}
