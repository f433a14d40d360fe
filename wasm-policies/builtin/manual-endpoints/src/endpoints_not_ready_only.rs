//! Hand-written endpoints of which none is ready.

use headlint_policy_sdk::service::headless;
use headlint_policy_sdk::types::{Endpoints, ObjectRef};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN, display_name,
};

use crate::pair::{by_hand, effective, is_slice};

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpoints-not-ready-only",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Endpoints", "EndpointSlice"],
    operations: WRITTEN,
    only_if: &[],
    summary: "all hand-written endpoints of a Service are marked as not ready",
    documentation: include_str!("endpoints-not-ready-only.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(object) = review.endpoints() else { return };
    let ObjectRef { namespace, .. } = &object.meta.ref_;
    let name = &object.service;
    if name.is_empty() || count(object) == 0 {
        return;
    }
    let Some(service) = context.service(namespace, name).found().filter(by_hand) else { return };
    let mut objects = context.endpoints_of(namespace, name).seen();
    objects.retain(|other| other.meta.ref_ != object.meta.ref_);
    objects.push(object.clone());
    let Some(effective) = effective(&objects) else { return };
    let mut occupied = effective.iter().filter(|one| count(one) > 0);
    let ready = |one: &&Endpoints| one.subsets.iter().any(|subset| subset.ready > 0);
    // Of several objects, the first speaks for all.
    let first = occupied.clone().min_by_key(|one| (&one.meta.ref_.kind, &one.meta.ref_.name));
    if first.is_none_or(|first| first.meta.ref_ != object.meta.ref_) || occupied.any(ready) {
        return;
    }
    let published = if service.publish_not_ready_addresses {
        "; `publishNotReadyAddresses` changes nothing without a selector"
    } else {
        ""
    };
    findings.add(
        Finding::new(&RULE, if is_slice(object) { "$.endpoints" } else { "$.subsets" })
            .what(format!(
                "{} has {} of Service `{name}`, and none is ready",
                display_name(&object.meta.ref_),
                match count(object) {
                    1 => "one address".to_owned(),
                    count => format!("{count} addresses"),
                }
            ))
            .why(match headless(&service) {
                true => format!("`{name}.{namespace}.svc` is NXDOMAIN{published}"),
                false => format!("a client of `{name}` gets `connection refused`{published}"),
            })
            .help(if is_slice(object) {
                "write `ready: true`, or leave `conditions` out"
            } else {
                "write the addresses under `addresses`"
            })
            .related(&service.meta.ref_, "$.spec", "this Service has no ready address"),
    );
}

fn count(object: &Endpoints) -> u32 {
    object.subsets.iter().map(|subset| subset.ready + subset.not_ready).sum()
}
