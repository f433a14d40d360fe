//! Two families of addresses, where the cluster may have one.

use headlint_policy_sdk::service::selectorless;
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Severity, WRITTEN,
};

use crate::accepted;

/// The rule.
pub const RULE: Rule = Rule {
    id: "ip-family-mismatch",
    severity: Severity::Warning,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Has(&["RequireDualStack"])],
    summary: "a headless Service needs two families of addresses, and the cluster has one",
    documentation: include_str!("ip-family-mismatch.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    // Without a selector the API server takes whatever families there are.
    let Some(service) = accepted(review).filter(|service| !selectorless(service)) else { return };
    let known = context.cluster().dual_stack;
    let required = service.ip_family_policy.as_deref() == Some("RequireDualStack");
    if known == Some(true) || !required {
        return;
    }
    findings.add(
        Finding::new(&RULE, "$.spec.ipFamilyPolicy")
            .severity(if known.is_some() { Severity::Warning } else { Severity::Info })
            .what(format!(
                "headless Service `{}` requires addresses of both families{}",
                service.meta.ref_.name,
                match known {
                    Some(_) => ", and the cluster has one",
                    None => ", which not every cluster has",
                }
            ))
            .why(
                "a cluster with one family refuses it: \"this cluster is not configured for \
                dual-stack services\"",
            )
            .help("write `ipFamilyPolicy: PreferDualStack`"),
    );
}
