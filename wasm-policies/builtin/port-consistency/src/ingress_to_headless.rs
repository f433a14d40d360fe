//! An Ingress that leads to a port which a headless Service doesn't have.

use headlint_policy_sdk::service::{has, headless, placeholder, refused};
use headlint_policy_sdk::types::{IntOrString, ReferenceVia, Service, Traits};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Severity, WRITTEN,
};

use crate::places::list;

/// The rule.
pub const RULE: Rule = Rule {
    id: "ingress-to-headless",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Ingress"],
    operations: WRITTEN,
    only_if: &[Condition::Refers],
    summary: "an Ingress leads to a port that its headless Service doesn't have",
    documentation: include_str!("ingress-to-headless.md"),
    check,
};

/// A port that means a text of the Ingress' annotations.
///
/// # Source
/// aws-load-balancer-controller v3 `pkg/ingress/enhanced_backend_builder.go`.
const BY_ANNOTATION: &str = "use-annotation";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    if has(review.meta(), Traits::DELETING) {
        return;
    }
    for reference in context.references() {
        let (ReferenceVia::Route, Some(port)) = (reference.via, &reference.port) else { continue };
        let service = context.service(&reference.namespace, &reference.service).found();
        let Some(service) = service.filter(is_settled) else { continue };
        let Some(backend) = reference.path.strip_suffix(".name") else { continue };
        let (key, written) = match port {
            IntOrString::Int(number) => ("number", number.to_string()),
            IntOrString::Text(name) if name == BY_ANNOTATION || placeholder(name) => continue,
            IntOrString::Text(name) => ("name", format!("`{name}`")),
        };
        if leads_somewhere(&service, port) {
            continue;
        }
        let name = &service.meta.ref_.name;
        let ports: Vec<_> = service.ports.iter().filter_map(|port| port.port).collect();
        findings.add(
            Finding::new(&RULE, format!("{backend}.port.{key}"))
                .what(format!(
                    "Ingress `{}` leads to port {written} of headless Service `{name}`, which has \
                     no such port",
                    review.meta().ref_.name
                ))
                .why("the controller finds no endpoint for it: clients get 503, or no answer")
                .help(format!("write {}, a port of the Service", list(&ports)))
                .related(&service.meta.ref_, "$.spec.ports", "these are its ports"),
        );
    }
}

/// Without ports it is a matter of the Service.
fn is_settled(service: &Service) -> bool {
    let unsettled = Traits::OPERATOR_MANAGED | Traits::DELETING;
    headless(service)
        && !service.ports.is_empty()
        && !refused(service)
        && !has(&service.meta, unsettled)
        && !service.ports.iter().any(|port| placeholder(&port.name))
}

/// Whether a controller finds the port. Some take `targetPort` as well.
///
/// # Source
/// ingress-nginx `internal/ingress/controller/controller.go` `serviceEndpoints`.
fn leads_somewhere(service: &Service, wanted: &IntOrString) -> bool {
    service.ports.iter().any(|port| {
        let is_port = match wanted {
            IntOrString::Int(number) => port.port == Some(*number),
            IntOrString::Text(name) => port.name == *name,
        };
        is_port || port.target_port.as_ref() == Some(wanted)
    })
}
