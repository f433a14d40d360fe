//! Pods that are told to ask the node's DNS.

use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, MAKES_PODS, Review, Rule, Safety, Severity,
    WRITTEN, display_name,
};

use crate::resolved::{by_containers, severity};

/// The rule.
pub const RULE: Rule = Rule {
    id: "dns-policy-default",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: MAKES_PODS,
    operations: WRITTEN,
    only_if: &[Condition::Refers, Condition::Has(&["dnsPolicy"])],
    summary: "Pods with `dnsPolicy: Default` dial names of the cluster",
    documentation: include_str!("dns-policy-default.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    let template = &workload.template;
    if template.dns_policy.as_deref() != Some("Default") {
        return;
    }
    let references = by_containers(workload, context);
    let Some(first) = references.first() else { return };
    let path = format!("{}.spec.dnsPolicy", template.path);
    let wanted = match template.host_network {
        true => "ClusterFirstWithHostNet",
        false => "ClusterFirst",
    };
    findings.add(
        Finding::new(&RULE, path.as_str())
            .severity(severity(workload, &references, Severity::Warning))
            .what(format!(
                "the Pods of {} dial `{}`, but `dnsPolicy: Default` has them ask the node's DNS",
                display_name(&workload.meta.ref_),
                first.host
            ))
            .why(format!("the node's DNS doesn't know the cluster: `{}` is NXDOMAIN", first.host))
            .help(format!("write `dnsPolicy: {wanted}`"))
            .set(path, wanted.into(), Safety::Proposed)
            .related_uses(references.iter().take(4)),
    );
}
