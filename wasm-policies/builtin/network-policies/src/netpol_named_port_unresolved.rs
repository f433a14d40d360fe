//! A port of a NetworkPolicy by a name that no container has.

use headlint_policy_sdk::ports::injected;
use headlint_policy_sdk::service::{placeholder, port_name};
use headlint_policy_sdk::types::{
    IntOrString, LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyRule, Service,
    Workload,
};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, UnknownReason, WRITTEN,
    display_name,
};

use crate::isolation::{is_empty, numbers_named, only_namespace, unseen};

/// The rule.
pub const RULE: Rule = Rule {
    id: "netpol-named-port-unresolved",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["NetworkPolicy"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a NetworkPolicy names a port that no container of its Pods has",
    documentation: include_str!("netpol-named-port-unresolved.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(policy) = review.network_policy() else { return };
    let namespace = policy.meta.ref_.namespace.as_str();
    if let Some(rules) = policy.ingress.as_ref().filter(|rules| any_name(rules)) {
        let pods = Pods::selected(namespace, &policy.pod_selector, context);
        for (at, rule) in rules.iter().enumerate() {
            judge(policy, &format!("$.spec.ingress[{at}]"), rule, &pods, context, findings);
        }
    }
    // A name in `egress` is one of the Pods at the other end.
    for (at, rule) in policy.egress.iter().flatten().enumerate() {
        if any_name(std::slice::from_ref(rule))
            && let Some(pods) = Pods::behind(&rule.peers, namespace, context)
        {
            judge(policy, &format!("$.spec.egress[{at}]"), rule, &pods, context, findings);
        }
    }
}

fn any_name(rules: &[NetworkPolicyRule]) -> bool {
    let named = |port: &Option<IntOrString>| matches!(port, Some(IntOrString::Text(_)));
    rules.iter().flat_map(|rule| &rule.ports).any(|port| named(&port.port))
}

/// The Pods in which a name has to be found.
struct Pods {
    workloads: Vec<Workload>,
    /// There may well be others.
    open: bool,
}

impl Pods {
    fn selected(namespace: &str, selector: &LabelSelector, context: &Context) -> Self {
        let unseen = unseen(namespace, context);
        let produced = matches!(unseen, Some(UnknownReason::Produced | UnknownReason::Unreadable));
        Self {
            workloads: context.workloads_selected(namespace, selector).seen(),
            open: produced || (is_empty(selector) && unseen.is_some()),
        }
    }

    /// None where it isn't known who is meant.
    fn behind(peers: &[NetworkPolicyPeer], namespace: &str, context: &Context) -> Option<Self> {
        let mut all = Self { workloads: Vec::new(), open: false };
        let everyone = LabelSelector { match_labels: Vec::new(), match_expressions: Vec::new() };
        for peer in peers {
            let namespace = match &peer.namespace_selector {
                _ if peer.ip_block.is_some() => return None,
                None => namespace,
                Some(selector) => only_namespace(selector)?,
            };
            let selector = peer.pod_selector.as_ref().unwrap_or(&everyone);
            let pods = Self::selected(namespace, selector, context);
            if pods.workloads.is_empty() {
                return None;
            }
            all.workloads.extend(pods.workloads);
            all.open |= pods.open;
        }
        Some(all)
    }
}

fn judge(
    policy: &NetworkPolicy,
    at: &str,
    rule: &NetworkPolicyRule,
    pods: &Pods,
    context: &Context,
    findings: &mut Findings,
) {
    let Some(first) = pods.workloads.first() else { return };
    for (index, port) in rule.ports.iter().enumerate() {
        let Some(IntOrString::Text(name)) = &port.port else { continue };
        let protocol = port.protocol.as_str();
        if !port_name(name) || placeholder(protocol) || pods.workloads.iter().any(unsettled) {
            continue;
        }
        let has = |workload: &Workload| !numbers_named(workload, name, protocol).is_empty();
        if pods.workloads.iter().any(has) {
            continue;
        }
        let path = format!("{at}.ports[{index}].port");
        let hidden = pods.open || pods.workloads.iter().any(injected);
        let of = match pods.workloads.as_slice() {
            [only] => display_name(&only.meta.ref_),
            all => format!("{} and {} more", display_name(&first.meta.ref_), all.len() - 1),
        };
        let mut finding = Finding::new(&RULE, path.as_str())
            .severity(if hidden { Severity::Info } else { Severity::Warning })
            .what(format!(
                "NetworkPolicy `{}` names the {protocol} port `{name}`, but no container of {of} \
                has one of that name",
                policy.meta.ref_.name
            ))
            .why("the entry lets nothing through: what it was written for times out")
            .help(
                "write the number of the port, or the name that it has in the container, with \
                its protocol",
            )
            .related(
                &first.meta.ref_,
                format!("{}.spec.containers", first.template.path),
                "the names of ports are looked for here",
            );
        if let Some((service, index, target)) = published(first, name, protocol, context) {
            finding = finding
                .help(format!("write `port: {target}`: `{name}` is the Service's name for it"))
                .related(
                    &service.meta.ref_,
                    format!("$.spec.ports[{index}].name"),
                    "a Service calls its port so, which means nothing to a policy",
                )
                .set(path, target.into(), Safety::Proposed);
        }
        findings.add(finding);
    }
}

/// Whether a container port has a name or protocol that is filled in later.
fn unsettled(workload: &Workload) -> bool {
    let mut ports = workload.template.containers.iter().flat_map(|container| &container.ports);
    ports.any(|port| placeholder(&port.name) || placeholder(&port.protocol))
}

/// A Service over the Pods that has a port of that name, and where it leads.
fn published(
    workload: &Workload,
    name: &str,
    protocol: &str,
    context: &Context,
) -> Option<(Service, usize, i64)> {
    let namespace = &workload.meta.ref_.namespace;
    let services = context.services_selecting(namespace, &workload.template.labels).seen();
    services.into_iter().find_map(|service| {
        let at =
            service.ports.iter().position(|port| port.name == name && port.protocol == protocol)?;
        let target = headlint_policy_sdk::ports::find_port(workload, &service.ports[at])?;
        Some((service, at, target))
    })
}
