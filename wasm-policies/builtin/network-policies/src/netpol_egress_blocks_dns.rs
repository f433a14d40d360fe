//! Pods that dial by name, and may not ask for it.

use headlint_policy_sdk::service::{has, headless};
use headlint_policy_sdk::types::{
    IntOrString, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Reference, ReferenceVia,
    Traits, Workload,
};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Severity, Timing, WRITTEN, display_name,
};

use crate::isolation::{excludes, leads, may_select, names_used, policies, subjects, unseen};

/// The rule.
pub const RULE: Rule = Rule {
    id: "netpol-egress-blocks-dns",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["NetworkPolicy"],
    operations: WRITTEN,
    only_if: &[],
    summary: "Pods that dial by name may not ask the cluster's DNS",
    documentation: include_str!("netpol-egress-blocks-dns.md"),
    check,
};

/// Where the cluster's DNS runs: Kubernetes', and OpenShift's.
const DNS_NAMESPACES: [&str; 2] = ["kube-system", "openshift-dns"];

/// Where it listens: policies are applied at its Pods, and OpenShift's
/// have 5353 behind a Service with 53.
const DNS_PORTS: [i64; 2] = [53, 5353];

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(policy) = review.network_policy() else { return };
    if policy.egress.is_none() {
        return;
    }
    let all = policies(policy, context);
    let shut: Vec<_> = subjects(policy, context)
        .into_iter()
        .filter(asks_the_cluster)
        .filter(|workload| leads(policy, &all, workload, |policy| policy.egress.is_some()))
        .map(|workload| {
            let open = |protocol| lets_ask(&all, &workload, protocol);
            let (udp, tcp) = (open("UDP"), open("TCP"));
            (workload, udp, tcp)
        })
        .filter(|(_, udp, tcp)| !udp || !tcp)
        .collect();
    if shut.is_empty() {
        return;
    }
    let used = names_used(&policy.meta.ref_.namespace, context);
    let mut worst: Option<(Severity, Finding)> = None;
    for (workload, udp, _) in &shut {
        let Some(reference) = used.iter().find(|one| is_dialled_by(one, workload)) else {
            continue;
        };
        let severity = match udp {
            false if unseen(&policy.meta.ref_.namespace, context).is_none() => Severity::Error,
            false => Severity::Warning,
            true if is_long(reference, context) => Severity::Warning,
            true => Severity::Info,
        };
        if worst.as_ref().is_none_or(|(worst, _)| rank(severity) > rank(*worst)) {
            worst = Some((severity, report(policy, workload, *udp, reference)));
        }
    }
    if let Some((severity, finding)) = worst {
        findings.add(finding.severity(severity));
    }
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
    }
}

/// Whether the Pods ask the cluster's DNS at all.
fn asks_the_cluster(workload: &Workload) -> bool {
    matches!(
        workload.template.dns_policy.as_deref(),
        None | Some("ClusterFirst" | "ClusterFirstWithHostNet")
    )
}

fn is_dialled_by(reference: &Reference, workload: &Workload) -> bool {
    reference.holder.ref_ == workload.meta.ref_
        && matches!(reference.via, ReferenceVia::Dial | ReferenceVia::Srv)
        && !has(&reference.holder, Traits::TEST_HOOK)
}

/// Whether the answer grows with the number of Pods, so that it may not fit
/// into a datagram.
fn is_long(reference: &Reference, context: &Context) -> bool {
    reference.pod.is_none()
        && context
            .service(&reference.namespace, &reference.service)
            .found()
            .is_some_and(|service| headless(&service))
}

/// Whether all policies together let the Pods ask a DNS server.
fn lets_ask(policies: &[NetworkPolicy], workload: &Workload, protocol: &str) -> bool {
    let namespace = &workload.meta.ref_.namespace;
    policies
        .iter()
        .filter(|policy| may_select(policy, workload))
        .flat_map(|policy| policy.egress.iter().flatten())
        .any(|rule| {
            (rule.ports.is_empty() || rule.ports.iter().any(|port| may_be_dns(port, protocol)))
                && (rule.peers.is_empty()
                    || rule.peers.iter().any(|peer| may_have_dns(peer, namespace)))
        })
}

/// A name is one of the DNS server's Pods, which aren't seen.
fn may_be_dns(port: &NetworkPolicyPort, protocol: &str) -> bool {
    (port.protocol == protocol || headlint_policy_sdk::service::placeholder(&port.protocol))
        && match &port.port {
            None | Some(IntOrString::Text(_)) => true,
            Some(IntOrString::Int(first)) => {
                let range = *first..=port.end_port.unwrap_or(*first);
                DNS_PORTS.iter().any(|dns| range.contains(dns))
            }
        }
}

/// A block of addresses may have the DNS server in it, or its cache on the
/// node.
fn may_have_dns(peer: &NetworkPolicyPeer, namespace: &str) -> bool {
    match (&peer.ip_block, &peer.namespace_selector, &peer.pod_selector) {
        (Some(_), _, _) => true,
        (None, Some(selector), _) => DNS_NAMESPACES.iter().any(|dns| !excludes(selector, dns)),
        (None, None, Some(_)) => DNS_NAMESPACES.contains(&namespace),
        (None, None, None) => false,
    }
}

fn report(
    policy: &NetworkPolicy,
    workload: &Workload,
    udp: bool,
    reference: &Reference,
) -> Finding {
    let (name, of) = (&policy.meta.ref_.name, display_name(&workload.meta.ref_));
    let path = if policy.egress.as_ref().is_some_and(|rules| !rules.is_empty()) {
        "$.spec.egress"
    } else {
        "$.spec"
    };
    // Another policy may just be applied next.
    let finding = Finding::new(&RULE, path).timing(Timing::Later);
    let finding = if udp {
        finding
            .what(format!(
                "NetworkPolicy `{name}` lets the Pods of {of} ask DNS by UDP, but no policy lets \
                them ask by TCP"
            ))
            .why(format!(
                "an answer that is too long for a datagram is asked for again by TCP, which times \
                out: `{}` fails, or gives a random subset of its addresses",
                reference.host
            ))
            .help("add `protocol: TCP` with `port: 53` beside the UDP port")
    } else {
        finding
            .what(format!(
                "NetworkPolicy `{name}` isolates the Pods of {of}, and no policy lets them ask DNS"
            ))
            .why(format!(
                "`{}` doesn't resolve: every look-up times out, before anything is dialled",
                reference.host
            ))
            .help(
                "add an egress rule to the Pods labelled `k8s-app: kube-dns` in the namespace \
                `kube-system`, with port 53 by UDP and by TCP",
            )
    };
    finding.related_range(
        &reference.holder.ref_,
        reference.path.as_str(),
        reference.range,
        format!("`{}` has to be resolved here", reference.host),
    )
}
