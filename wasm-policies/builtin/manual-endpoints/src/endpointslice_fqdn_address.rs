//! An EndpointSlice of names instead of addresses.

use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN, display_name,
};

use crate::pair::settled;

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpointslice-fqdn-address",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["EndpointSlice"],
    operations: WRITTEN,
    only_if: &[],
    summary: "an EndpointSlice has names, which kube-proxy ignores",
    documentation: include_str!("endpointslice-fqdn-address.md"),
    check,
};

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let Some(slice) = review.endpoints() else { return };
    if slice.address_type.as_deref() != Some("FQDN") || settled(&slice.meta) {
        return;
    }
    findings.add(
        Finding::new(&RULE, "$.addressType")
            .what(format!(
                "{} has names instead of addresses, which is deprecated",
                display_name(&slice.meta.ref_)
            ))
            .why(
                "kube-proxy ignores it, and no DNS specification says what to answer: CoreDNS \
                makes a CNAME of it, and leaves SRV records empty",
            )
            .help("write a Service of type ExternalName, or an EndpointSlice with addresses"),
    );
}
