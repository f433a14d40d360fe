//! Pods in the node's network that ask the node's DNS.

use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, MAKES_PODS, Review, Rule, Safety, Severity,
    WRITTEN, display_name,
};

use crate::resolved::{by_containers, severity};

/// The rule.
pub const RULE: Rule = Rule {
    id: "host-network-dns-policy",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: MAKES_PODS,
    operations: WRITTEN,
    only_if: &[Condition::Refers, Condition::Has(&["hostNetwork"])],
    summary: "Pods with hostNetwork dial names of the cluster, and ask the node's DNS for them",
    documentation: include_str!("host-network-dns-policy.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    let template = &workload.template;
    let policy = template.dns_policy.as_deref();
    if !template.host_network || policy.is_some_and(|policy| policy != "ClusterFirst") {
        return;
    }
    let references = by_containers(workload, context);
    let Some(first) = references.first() else { return };
    let path = format!("{}.spec.dnsPolicy", template.path);
    let finding = Finding::new(&RULE, path.as_str())
        .severity(severity(workload, &references, Severity::Error))
        .what(format!(
            "the Pods of {} use the node's network and dial `{}`, but `dnsPolicy` is {}",
            display_name(&workload.meta.ref_),
            first.host,
            policy.map_or("missing", |_| "`ClusterFirst`"),
        ))
        .why(format!(
            "with `hostNetwork` that means the node's DNS, which doesn't know the cluster: `{}` is \
            NXDOMAIN",
            first.host
        ))
        .help("write `dnsPolicy: ClusterFirstWithHostNet`")
        .related_uses(references.iter().take(4));
    let value = "ClusterFirstWithHostNet".into();
    findings.add(match policy {
        Some(_) => finding.set(path, value, Safety::Safe),
        None => finding.add(path, value, Safety::Safe),
    });
}
