//! `publishNotReadyAddresses` where nobody reads it.

use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::pair::by_hand;

/// The rule.
pub const RULE: Rule = Rule {
    id: "publish-not-ready-without-selector",
    severity: Severity::Info,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Selectorless, Condition::Has(&["publishNotReadyAddresses"])],
    summary: "`publishNotReadyAddresses` on a Service without a selector does nothing",
    documentation: include_str!("publish-not-ready-without-selector.md"),
    check,
};

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if !service.publish_not_ready_addresses || !by_hand(service) {
        return;
    }
    let path = "$.spec.publishNotReadyAddresses";
    findings.add(
        Finding::new(&RULE, path)
            .what(format!(
                "Service `{}` has no selector, so that nothing reads `publishNotReadyAddresses`",
                service.meta.ref_.name
            ))
            .why(
                "an address that is marked as not ready stays out of DNS: clients of a Service \
                that has no other get NXDOMAIN",
            )
            .help("remove it, and mark as ready what clients are to get")
            .remove(path, Safety::Safe),
    );
}
