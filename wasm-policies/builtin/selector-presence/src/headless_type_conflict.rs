//! `clusterIP: None` on a Service whose type needs an address, or has none.

use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "headless-type-conflict",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "`clusterIP: None` with type NodePort, LoadBalancer or ExternalName",
    documentation: include_str!("headless-type-conflict.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if service.cluster_ip.as_deref() != Some("None") {
        return;
    }
    let kind = service.service_type.as_str();
    if !["ExternalName", "LoadBalancer", "NodePort"].contains(&kind) {
        return;
    }
    let finding = Finding::new(&RULE, "$.spec.type").what(format!(
        "Service `{}` has clusterIP `None`, but type {kind}",
        service.meta.ref_.name
    ));
    // A port on the nodes or an alias was asked for by hand: then `None` is what doesn't belong.
    let outside =
        kind == "ExternalName" || service.ports.iter().any(|port| port.node_port.is_some());
    let mut finding = if kind == "ExternalName" {
        finding
            .why(
                "the API server refuses it: clusterIPs \"may not be set for ExternalName \
                services\"",
            )
            .help(
                "remove `clusterIP`: an ExternalName Service has no cluster IP anyway; \
                or remove `type` and `externalName` to make it headless",
            )
    } else {
        finding
            .why(format!(
                "the API server refuses it: \"may not be set to 'None' for {kind} services\""
            ))
            .help(format!(
                "remove `type: {kind}` to make it headless, and add a second Service for \
                access from outside; or remove `clusterIP: None`"
            ))
    };
    if outside {
        finding = finding.remove("$.spec.clusterIP", Safety::Proposed);
        if crate::has_key(context, "$.spec.clusterIPs") {
            finding = finding.remove("$.spec.clusterIPs", Safety::Proposed);
        }
    } else {
        finding = finding.set("$.spec.type", "ClusterIP".into(), Safety::Proposed);
    }
    findings.add(finding);
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;

    use super::*;
    use crate::tests::{brief, review, service};

    #[test]
    fn only_none_conflicts_with_a_type() {
        for (ip, kind, fires) in [
            (Some("None"), "NodePort", true),
            (Some("None"), "LoadBalancer", true),
            (Some("None"), "ExternalName", true),
            (Some("None"), "ClusterIP", false),
            (Some("none"), "NodePort", false),
            (Some("10.96.0.10"), "LoadBalancer", false),
            (Some(""), "ExternalName", false),
            (None, "NodePort", false),
        ] {
            let mut service = service();
            service.cluster_ip = ip.map(str::to_owned);
            service.service_type = kind.to_owned();
            let found = brief(&RULE, &review(service), &Snapshot::default());
            assert_eq!(!found.is_empty(), fires, "{ip:?} {kind}");
        }
    }
}
