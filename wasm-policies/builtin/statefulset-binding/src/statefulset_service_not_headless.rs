//! A StatefulSet whose Service has an address of its own.

use headlint_policy_sdk::ports::find_port;
use headlint_policy_sdk::service::{headless, refused};
use headlint_policy_sdk::types::{Service, Workload};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::governing::{display_name, first_pod, is_present, sets_naming};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-service-not-headless",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Governing],
    summary: "the Service that a StatefulSet names isn't headless",
    documentation: include_str!("statefulset-service-not-headless.md"),
    check,
};

const PATH: &str = "$.spec.clusterIP";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if headless(service) || refused(service) {
        return;
    }
    let sets = sets_naming(service, context);
    let Some(first) = sets.first() else { return };
    let name = &service.meta.ref_.name;
    let set = display_name(&first.meta.ref_);
    let pod = first_pod(first, name);
    let kind = service.service_type.as_str();
    let finding = Finding::new(&RULE, PATH);
    let mut finding = if kind == "ExternalName" {
        finding
            .severity(Severity::Error)
            .what(format!(
                "Service `{name}` is an alias (ExternalName), but StatefulSet `{set}` \
                takes the names of its Pods from it"
            ))
            .why(format!("`{pod}` is NXDOMAIN, and `{name}` leads away from the Pods"))
            .help("give the alias another name, and add a headless Service under this one")
    } else {
        finding
            .what(format!(
                "Service `{name}` isn't headless, but StatefulSet `{set}` takes the \
                names of its Pods from it"
            ))
            .why(format!(
                "`{name}` resolves to one virtual IP, and `{pod}` only where the DNS \
                server answers more than it has to (CoreDNS does)"
            ))
    };
    if kind == "ClusterIP" && untranslated(service, &sets) {
        finding = finding.help(
            "write `clusterIP: None`; it is immutable, so delete a live Service \
            before you apply it",
        );
        let present = is_present(PATH, context);
        finding = if present {
            finding.set(PATH, "None".into(), Safety::Proposed)
        } else {
            finding.add(PATH, "None".into(), Safety::Proposed)
        };
    } else if kind != "ExternalName" {
        finding = finding.help(format!(
            "rename this Service, and add a headless one as `{name}` (`clusterIP: None`) \
            for the names of the Pods; a live one has to be deleted first"
        ));
    }
    for set in sets.iter().take(5) {
        finding = finding.related(&set.meta.ref_, "$.spec.serviceName", "named here");
    }
    findings.add(finding);
}

/// Whether every port leads to the same number in the Pods, so that clients
/// dial the same after the Service has become headless.
fn untranslated(service: &Service, sets: &[Workload]) -> bool {
    service.ports.iter().all(|port| {
        port.node_port.is_none() && sets.iter().all(|set| find_port(set, port) == port.port)
    })
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::governing::tests::{brief, review, service, set};

    #[test]
    fn only_an_accepted_service_that_a_set_names_is_judged() {
        let world = Snapshot { objects: vec![Object::Workload(set())], ..Snapshot::default() };
        for (ip, kind, expected) in [
            (None, "ClusterIP", Some(Severity::Warning)),
            (Some(""), "ClusterIP", Some(Severity::Warning)),
            (Some("10.96.0.10"), "ClusterIP", Some(Severity::Warning)),
            (None, "NodePort", Some(Severity::Warning)),
            (None, "ExternalName", Some(Severity::Error)),
            (Some("None"), "ClusterIP", None),
            (Some("none"), "ClusterIP", None),
            (Some("None"), "LoadBalancer", None),
        ] {
            let mut service = service();
            service.cluster_ip = ip.map(str::to_owned);
            service.service_type = kind.to_owned();
            let found = brief(&RULE, &review(Object::Service(service)), &world);
            let expected: Vec<_> =
                expected.into_iter().map(|severity| (severity, PATH.to_owned())).collect();
            assert_eq!(found, expected, "{ip:?} {kind}");
        }
        let mut other = service();
        other.cluster_ip = None;
        other.meta.ref_.name = "db-client".to_owned();
        assert_eq!(brief(&RULE, &review(Object::Service(other)), &world), []);
    }
}
