//! Session affinity that nothing provides.

use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::{accepted, value};

/// The rule.
pub const RULE: Rule = Rule {
    id: "headless-session-affinity-ignored",
    severity: Severity::Warning,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Has(&["ClientIP"])],
    summary: "a headless Service asks for session affinity, which only kube-proxy gives",
    documentation: include_str!("headless-session-affinity-ignored.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = accepted(review) else { return };
    if service.session_affinity.as_deref() != Some("ClientIP") {
        return;
    }
    let name = &service.meta.ref_.name;
    let mut finding = Finding::new(&RULE, "$.spec.sessionAffinity")
        .what(format!("headless Service `{name}` has `sessionAffinity: ClientIP`"))
        .why(format!(
            "kube-proxy leaves headless Services alone: each connection of a client of `{name}` \
            goes to whichever Pod it picks from the answer of DNS"
        ))
        .help(
            "remove it; for sticky clients add a Service with a cluster IP, or dial a Pod by its \
            name",
        )
        .remove("$.spec.sessionAffinity", Safety::Safe);
    if value(context, "$.spec.sessionAffinityConfig").is_some() {
        finding = finding.remove("$.spec.sessionAffinityConfig", Safety::Safe);
    }
    findings.add(finding);
}
