//! A selector for a Service that the API server gave both families.

use headlint_policy_sdk::service::{has, headless, refused, selectorless};
use headlint_policy_sdk::types::Traits;
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Operations, Review, Rule, Safety, Severity,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "selector-added-keeps-dual-stack",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: Operations::UPDATE,
    only_if: &[],
    summary: "a headless Service gets a selector, which a cluster with one family refuses",
    documentation: include_str!("selector-added-keeps-dual-stack.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let (Some(service), Some(old)) = (review.service(), review.old_service()) else { return };
    let known = context.cluster().dual_stack;
    if !headless(old)
        || !headless(service)
        || !selectorless(old)
        || selectorless(service)
        || refused(service)
        || has(&service.meta, Traits::DELETING)
        || known == Some(true)
        // What the old one was made with is kept as well.
        || old.ip_family_policy.as_deref().is_some_and(|policy| policy != "RequireDualStack")
        || service.ip_family_policy.as_deref().is_some_and(|policy| policy != "RequireDualStack")
    {
        return;
    }
    let mut finding = Finding::new(&RULE, "$.spec.ipFamilyPolicy")
        .severity(if known.is_some() { Severity::Error } else { Severity::Info })
        .what(format!(
            "headless Service `{}` had no selector, and so the API server gave it both families of \
            addresses; now it gets one",
            service.meta.ref_.name
        ))
        .why(
            "a cluster with one family refuses the change: \"this cluster is not configured for \
            dual-stack services\"",
        )
        .help("write `ipFamilyPolicy: SingleStack` in the same change");
    if service.ip_family_policy.is_none() {
        let path = "$.spec.ipFamilyPolicy";
        finding = finding.add(path, "SingleStack".into(), Safety::Proposed);
    }
    findings.add(finding);
}
