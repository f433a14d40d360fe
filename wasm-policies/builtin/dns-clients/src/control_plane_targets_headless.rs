//! The API server as a client of a headless Service.

use headlint_policy_sdk::service::{has, headless, refused};
use headlint_policy_sdk::types::{ReferenceVia, Traits};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Severity, WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "control-plane-targets-headless",
    severity: Severity::Error,
    // A webhook is asked about none of these kinds without harm.
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &[
        "APIService",
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ],
    operations: WRITTEN,
    only_if: &[Condition::Refers],
    summary: "the API server is to call a headless Service, and can't",
    documentation: include_str!("control-plane-targets-headless.md"),
    check,
};

fn check(_: &Review, context: &Context, findings: &mut Findings) {
    // Then it dials the endpoints.
    if context.cluster().aggregator_routing {
        return;
    }
    for reference in context.references() {
        if reference.via != ReferenceVia::ControlPlane || has(&reference.holder, Traits::DELETING) {
            continue;
        }
        let Some(service) = context.service(&reference.namespace, &reference.service).found()
        else {
            continue;
        };
        if !headless(&service) || refused(&service) || has(&service.meta, Traits::DELETING) {
            continue;
        }
        let name = &service.meta.ref_.name;
        findings.add(
            Finding::new(&RULE, reference.path.as_str())
                .what(format!(
                    "{} `{}` has the API server call Service `{name}`, which is headless",
                    reference.holder.ref_.kind, reference.holder.ref_.name
                ))
                .why(
                    "the API server looks for a cluster IP, and none of its calls arrives: \"cannot \
                    route to service with ClusterIP \\\"None\\\"\"",
                )
                .help(format!(
                    "leave `clusterIP: None` out of Service `{name}`, or name a second Service \
                    over the same Pods that has a cluster IP"
                ))
                .related(&service.meta.ref_, "$.spec.clusterIP", "this Service is headless"),
        );
    }
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::{self, Snapshot};
    use headlint_policy_sdk::types::{Metadata, Object, ObjectRef, Reference, Service};
    use headlint_policy_sdk::{Operation, Origin};

    use super::*;

    fn meta(kind: &str) -> Metadata {
        let (kind, name) = (kind.to_owned(), "policy".to_owned());
        let ref_ =
            ObjectRef { api_version: "v1".to_owned(), kind, namespace: "infra".to_owned(), name };
        Metadata { ref_, labels: Vec::new(), traits: Traits::empty() }
    }

    fn fires(aggregator_routing: bool) -> bool {
        let service =
            Service { cluster_ip: Some("None".to_owned()), ..fake::service(meta("Service")) };
        let holder = meta("APIService");
        let reference = Reference {
            holder: holder.clone(),
            via: ReferenceVia::ControlPlane,
            path: "$.spec.service.name".to_owned(),
            range: None,
            host: "policy".to_owned(),
            pod: None,
            service: "policy".to_owned(),
            namespace: "infra".to_owned(),
            port: None,
            scheme: String::new(),
        };
        let world = Snapshot {
            objects: vec![Object::Service(service)],
            own_references: vec![reference],
            aggregator_routing,
            ..Snapshot::default()
        };
        let review = Review {
            settings: "{}".to_owned(),
            object: Object::Other(holder),
            old: None,
            operation: Operation::Create,
            origin: Origin::Lint,
        };
        let mut findings = Findings::default();
        check(&review, &world, &mut findings);
        !findings.brief().is_empty()
    }

    #[test]
    fn with_aggregator_routing_it_dials_the_endpoints() {
        assert!(fires(false) && !fires(true));
    }
}
