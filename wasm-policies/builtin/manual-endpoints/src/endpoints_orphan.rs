//! Endpoints without a Service, or of a Service that has its own.

use headlint_policy_sdk::service::{has, placeholder, refused, selectorless};
use headlint_policy_sdk::types::{Endpoints, ObjectRef, Service, Traits};
use headlint_policy_sdk::{
    Action, Answer, Context, Finding, Findings, Review, Rule, Severity, Timing, UnknownReason,
    WRITTEN, display_name,
};

use crate::pair::{is_slice, settled};

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpoints-orphan",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Endpoints", "EndpointSlice"],
    operations: WRITTEN,
    only_if: &[],
    summary: "hand-written endpoints have no Service, or one with a selector",
    documentation: include_str!("endpoints-orphan.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(object) = review.endpoints() else { return };
    let ObjectRef { namespace, .. } = &object.meta.ref_;
    let name = object.service.as_str();
    let hook = Traits::HOOK | Traits::TEST_HOOK;
    if name.is_empty()
        || placeholder(name)
        || object.skip_mirror
        || settled(&object.meta)
        || has(&object.meta, hook)
        || (namespace == "default" && name == "kubernetes")
    {
        return;
    }
    match context.service(namespace, name) {
        Answer::Found(service) => {
            if !selectorless(&service)
                && service.service_type != "ExternalName"
                && !refused(&service)
            {
                findings.add(beside_pods(object, &service));
            }
        }
        Answer::Absent => findings.add(alone(object, Severity::Warning, "doesn't exist in")),
        Answer::Unknown(UnknownReason::Unwatched) => {}
        Answer::Unknown(_) => findings.add(alone(object, Severity::Info, "isn't in the input for")),
    }
}

fn path(object: &Endpoints) -> &'static str {
    if is_slice(object) {
        "$.metadata.labels['kubernetes.io/service-name']"
    } else {
        "$.metadata.name"
    }
}

fn alone(object: &Endpoints, severity: Severity, state: &str) -> Finding {
    let ObjectRef { namespace, .. } = &object.meta.ref_;
    let name = &object.service;
    Finding::new(&RULE, path(object))
        .severity(severity)
        .timing(Timing::Later)
        .what(format!(
            "{} belongs to the Service `{name}`, which {state} namespace `{namespace}`",
            display_name(&object.meta.ref_)
        ))
        .why(format!("`{name}.{namespace}.svc` is NXDOMAIN: DNS answers for Services only"))
        .help(format!(
            "add a Service `{name}` without a selector to namespace `{namespace}`, or correct the \
            name"
        ))
}

fn beside_pods(object: &Endpoints, service: &Service) -> Finding {
    let name = &service.meta.ref_.name;
    let finding = Finding::new(&RULE, path(object))
        .what(format!(
            "{} is written by hand, but its Service `{name}` has a selector",
            display_name(&object.meta.ref_)
        ))
        .related(&service.meta.ref_, "$.spec.selector", "a controller writes endpoints for this");
    if is_slice(object) {
        finding
            .why(format!(
                "nothing removes it: clients of `{name}` get its addresses beside those of the \
                Pods, whatever becomes of them"
            ))
            .help(format!(
                "remove the selector of Service `{name}`, or give these addresses a Service of \
                their own"
            ))
    } else {
        finding
            .why(format!(
                "the controller overwrites it with the Pods of `{name}`: no client ever gets these \
                addresses"
            ))
            .help(format!(
                "remove the selector of Service `{name}`, or give these addresses a Service of \
                their own"
            ))
    }
}
