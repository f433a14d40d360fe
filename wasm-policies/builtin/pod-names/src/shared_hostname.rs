//! One host name for many Pods.

use headlint_policy_sdk::service::{has, placeholder};
use headlint_policy_sdk::types::Traits;
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Severity, WRITTEN, display_name,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "shared-hostname",
    severity: Severity::Info,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["DaemonSet", "Deployment", "ReplicaSet", "ReplicationController"],
    operations: WRITTEN,
    only_if: &[Condition::Has(&["subdomain"])],
    summary: "several Pods share one host name in DNS",
    documentation: include_str!("shared-hostname.md"),
    check,
};

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    let template = &workload.template;
    let (Some(host), Some(subdomain)) = (&template.hostname, &template.subdomain) else { return };
    let several = workload.meta.ref_.kind == "DaemonSet"
        || workload.autoscaled
        || workload.replicas.unwrap_or(1) > 1;
    if !several
        || placeholder(host)
        || has(&workload.meta, Traits::OPERATOR_MANAGED | Traits::DELETING)
    {
        return;
    }
    let namespace = &workload.meta.ref_.namespace;
    findings.add(
        Finding::new(&RULE, format!("{}.spec.hostname", template.path))
            .what(format!(
                "all Pods of {} have the host name `{host}`",
                display_name(&workload.meta.ref_)
            ))
            .why(format!(
                "`{host}.{subdomain}.{namespace}.svc` answers with the addresses of all of them: a \
                client gets whichever it picks"
            ))
            .help("remove `hostname`; for Pods with names of their own write a StatefulSet"),
    );
}
