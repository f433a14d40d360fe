//! A headless Service that nothing gives addresses to.

use headlint_policy_sdk::service::{headless, selectorless};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Origin, Review, Rule, Severity, Timing, WRITTEN,
};

use crate::evidence::without_endpoints;

/// The rule.
pub const RULE: Rule = Rule {
    id: "selectorless-without-endpoints",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Selectorless],
    summary: "a headless Service has no selector, and no Endpoints or EndpointSlice",
    documentation: include_str!("selectorless-without-endpoints.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if !headless(service) {
        return;
    }
    // The endpoints of the selector that it had stay: selector-removed-freezes-endpoints.
    if review.old_service().is_some_and(|old| !selectorless(old)) {
        return;
    }
    let namespace = &service.meta.ref_.namespace;
    let name = &service.meta.ref_.name;
    let Some((severity, doubt)) = without_endpoints(service, context) else { return };
    // The other rule's ground: a selector that is written, and empty. An empty map never
    // gets to admission.
    if review.origin == Origin::Lint && crate::has_key(context, "$.spec.selector") {
        return;
    }
    let why = format!("`{name}.{namespace}.svc` is NXDOMAIN for every client, for A and AAAA");
    findings.add(
        Finding::new(&RULE, "$.spec")
            .severity(severity)
            .timing(Timing::NowAndLater)
            .what(format!(
                "Headless Service `{name}` has no selector, and namespace `{namespace}` \
                has no Endpoints or EndpointSlice for it"
            ))
            .why(match doubt {
                Some(doubt) => format!("{why}, {doubt}"),
                None => why,
            })
            .help(format!(
                "add `spec.selector` with the labels of its Pods, or an EndpointSlice \
                with the label `kubernetes.io/service-name: {name}`; if that is applied \
                later, it heals this without a restart"
            )),
    );
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::{Endpoints, Metadata, Object, Service, ServicePort, Traits};

    use super::*;
    use crate::tests::{brief, review, service};

    fn headless_with_port() -> Service {
        let mut service = service();
        service.cluster_ip = Some("None".to_owned());
        service.ports.push(ServicePort {
            name: "tcp".to_owned(),
            protocol: "TCP".to_owned(),
            port: Some(5432),
            target_port: None,
            node_port: None,
        });
        service
    }

    fn severities(service: Service, world: &Snapshot) -> Vec<Severity> {
        brief(&RULE, &review(service), world).into_iter().map(|(severity, _)| severity).collect()
    }

    #[test]
    fn an_open_bundle_is_no_excuse() {
        for complete in [false, true] {
            let world = Snapshot { complete, ..Snapshot::default() };
            assert_eq!(severities(headless_with_port(), &world), [Severity::Warning]);
        }
    }

    #[test]
    fn a_service_without_ports_that_nobody_dials_is_a_hint() {
        let mut service = headless_with_port();
        service.ports.clear();
        assert_eq!(severities(service, &Snapshot::default()), [Severity::Info]);
    }

    #[test]
    fn endpoints_and_managed_services_are_accepted() {
        let service = headless_with_port();
        let mut managed = service.clone();
        managed.meta.traits = Traits::ENDPOINTS_MANAGED_ELSEWHERE;
        assert_eq!(severities(managed, &Snapshot::default()), []);

        let mut meta = Metadata { labels: Vec::new(), ..service.meta.clone() };
        meta.ref_.kind = "EndpointSlice".to_owned();
        let slice = Endpoints {
            meta,
            service: service.meta.ref_.name.clone(),
            address_type: Some("IPv4".to_owned()),
            subsets: Vec::new(),
            skip_mirror: false,
        };
        let world = Snapshot { objects: vec![Object::Endpoints(slice)], ..Snapshot::default() };
        assert_eq!(severities(service, &world), []);
    }

    #[test]
    fn a_service_that_is_refused_or_has_an_address_is_none_of_its_business() {
        for (ip, kind) in [
            (None, "ClusterIP"),
            (Some("none"), "ClusterIP"),
            (Some("None"), "NodePort"),
            (Some("None"), "ExternalName"),
        ] {
            let mut service = headless_with_port();
            service.cluster_ip = ip.map(str::to_owned);
            service.service_type = kind.to_owned();
            assert_eq!(severities(service, &Snapshot::default()), [], "{ip:?} {kind}");
        }
    }
}
