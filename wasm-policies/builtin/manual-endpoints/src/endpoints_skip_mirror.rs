//! Endpoints that nobody is to see.

use headlint_policy_sdk::types::ObjectRef;
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN, display_name,
};

use crate::pair::{by_hand, is_slice, settled};

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpoints-skip-mirror",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Endpoints"],
    operations: WRITTEN,
    only_if: &[],
    summary: "Endpoints are kept from being mirrored, and no EndpointSlice stands in",
    documentation: include_str!("endpoints-skip-mirror.md"),
    check,
};

const LABEL: &str = "endpointslice.kubernetes.io/skip-mirror";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(object) = review.endpoints() else { return };
    if !object.skip_mirror || settled(&object.meta) {
        return;
    }
    let ObjectRef { namespace, name, .. } = &object.meta.ref_;
    // Without a Service in sight they may be a lock, or data of a program.
    let Some(service) = context.service(namespace, name).found() else { return };
    if !by_hand(&service) || context.endpoints_of(namespace, name).seen().iter().any(is_slice) {
        return;
    }
    let path = format!("$.metadata.labels['{LABEL}']");
    findings.add(
        Finding::new(&RULE, path.as_str())
            .what(format!(
                "{} carries `{LABEL}: \"true\"`, and Service `{name}` has no EndpointSlice",
                display_name(&object.meta.ref_)
            ))
            .why(format!(
                "DNS and kube-proxy read EndpointSlices only, and none is made of these Endpoints: \
                `{name}.{namespace}.svc` has no addresses"
            ))
            .help("remove the label, or write an EndpointSlice for the Service")
            .related(
                &service.meta.ref_,
                "$.metadata.name",
                "this Service is left without addresses",
            )
            .remove(path, Safety::Proposed),
    );
}
