//! Endpoints where an EndpointSlice could be.

use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN, display_name,
};

use crate::pair::settled;

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpoints-api-deprecated",
    severity: Severity::Info,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Endpoints"],
    operations: WRITTEN,
    only_if: &[],
    summary: "the Endpoints API is deprecated since Kubernetes 1.33",
    documentation: include_str!("endpoints-api-deprecated.md"),
    check,
};

/// The first minor version that warns.
///
/// # Source
/// KEP-4974.
const SINCE: u32 = 33;

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(object) = review.endpoints() else { return };
    if settled(&object.meta) || context.cluster().minor < SINCE {
        return;
    }
    let name = &object.meta.ref_.name;
    findings.add(
        Finding::new(&RULE, "$.kind")
            .what(format!(
                "{} is of an API that is deprecated since Kubernetes 1.{SINCE}",
                display_name(&object.meta.ref_)
            ))
            .why(
                "the API server warns at each request; more than 1000 addresses, and two families \
                of them, need EndpointSlices anyway",
            )
            .help(format!(
                "write an EndpointSlice with the label `kubernetes.io/service-name: {name}`, the \
                same addresses and the same names of ports"
            )),
    );
}
