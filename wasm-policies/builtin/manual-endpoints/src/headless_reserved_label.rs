//! The label by which kube-proxy knows what is none of its business.

use headlint_policy_sdk::service::{has, headless, refused};
use headlint_policy_sdk::types::{Endpoints, Metadata, Service, Traits};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
    display_name,
};

use crate::pair::by_hand;

/// The rule.
pub const RULE: Rule = Rule {
    id: "headless-reserved-label",
    severity: Severity::Error,
    action: Action::Enforce,
    default_on: true,
    heals_later: false,
    kinds: &["Service", "Endpoints", "EndpointSlice"],
    operations: WRITTEN,
    only_if: &[Condition::Has(&[LABEL])],
    summary: "endpoints of a Service with a cluster IP carry the label of headless Services",
    documentation: include_str!("headless-reserved-label.md"),
    check,
};

/// Set by the controllers on the endpoints of headless Services.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/core/v1/types.go` `IsHeadlessService`.
const LABEL: &str = "service.kubernetes.io/headless";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    if let Some(service) = review.service() {
        if carries(&service.meta) && !has(&service.meta, Traits::DELETING) {
            findings.add(on_service(service));
        }
    } else if let Some(object) = review.endpoints()
        && carries(&object.meta)
        && !has(&object.meta, Traits::DELETING | Traits::ENDPOINTS_MANAGED_ELSEWHERE)
    {
        let namespace = &object.meta.ref_.namespace;
        let service = context.service(namespace, &object.service).found();
        if let Some(service) = service.filter(|service| is_blinded(service, object)) {
            findings.add(on_endpoints(&service, object));
        }
    }
}

fn carries(meta: &Metadata) -> bool {
    meta.labels.iter().any(|label| label.key == LABEL)
}

/// Whether the label keeps kube-proxy from the addresses. The labels of
/// Endpoints go to the slice that mirrors them, and they are mirrored for a
/// Service without a selector only.
fn is_blinded(service: &Service, object: &Endpoints) -> bool {
    let mirrored = by_hand(service) && !object.skip_mirror;
    !headless(service)
        && service.service_type != "ExternalName"
        && !refused(service)
        && (object.meta.ref_.kind == "EndpointSlice" || mirrored)
}

fn on_service(service: &Service) -> Finding {
    finding()
        .severity(Severity::Info)
        .what(format!(
            "Service `{}` carries the label `{LABEL}`, which the controllers set on endpoints",
            service.meta.ref_.name
        ))
        .why("it makes no Service headless, and isn't copied to the endpoints")
        .help("remove the label; `clusterIP: None` makes a Service headless")
}

fn on_endpoints(service: &Service, object: &Endpoints) -> Finding {
    let name = &service.meta.ref_.name;
    finding()
        .what(format!(
            "{} carries the label `{LABEL}`, but its Service `{name}` has a cluster IP",
            display_name(&object.meta.ref_)
        ))
        .why(format!(
            "kube-proxy doesn't watch what has this label: a client of `{name}` gets `connection \
            refused`, as if there were no endpoints"
        ))
        .help("remove the label")
        .related(&service.meta.ref_, "$.spec", "this Service isn't headless")
}

fn finding() -> Finding {
    let path = format!("$.metadata.labels['{LABEL}']");
    Finding::new(&RULE, path.as_str()).remove(path, Safety::Safe)
}
