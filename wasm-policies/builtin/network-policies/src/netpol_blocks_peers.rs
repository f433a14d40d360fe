//! Pods of a StatefulSet that dial each other, and don't let each other in.

use headlint_policy_sdk::ports::targets;
use headlint_policy_sdk::service::headless;
use headlint_policy_sdk::types::{
    IntOrString, NetworkPolicy, NetworkPolicyPeer, Reference, ReferenceVia, Workload,
};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Severity, Timing, WRITTEN, display_name,
};

use crate::isolation::{cover, excludes, leads, may_select, policies, selects, subjects};

/// The rule.
pub const RULE: Rule = Rule {
    id: "netpol-blocks-peers",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["NetworkPolicy"],
    operations: WRITTEN,
    only_if: &[],
    summary: "the Pods of a StatefulSet dial each other, and no policy lets them in",
    documentation: include_str!("netpol-blocks-peers.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(policy) = review.network_policy() else { return };
    if policy.ingress.is_none() {
        return;
    }
    let all = policies(policy, context);
    for set in subjects(policy, context) {
        // A Pod always lets itself in.
        let several = set.autoscaled || set.replicas.unwrap_or(1) > 1;
        if set.stateful_set.is_none()
            || !several
            || !leads(policy, &all, &set, |policy| policy.ingress.is_some())
        {
            continue;
        }
        let shut = dialled_by_itself(&set, context)
            .into_iter()
            .find(|reference| !lets_in(&all, &set, reference, context));
        if let Some(reference) = shut {
            findings.add(report(policy, &set, &reference));
            // Of one defect, one finding: the other sets need the same entry.
            return;
        }
    }
}

/// Where a set names a Service over its own Pods, or one of them.
fn dialled_by_itself(set: &Workload, context: &Context) -> Vec<Reference> {
    let namespace = &set.meta.ref_.namespace;
    let over = context.services_selecting(namespace, &set.template.labels).seen();
    let mut names: Vec<_> = over.into_iter().map(|service| service.meta.ref_.name).collect();
    names.extend(set.stateful_set.as_ref().and_then(|set| set.service_name.clone()));
    names.sort_unstable();
    names.dedup();
    let found = names.iter().flat_map(|name| context.references_to(namespace, name).seen());
    found
        .filter(|reference| {
            reference.holder.ref_ == set.meta.ref_
                && matches!(reference.via, ReferenceVia::Dial | ReferenceVia::Srv)
        })
        .collect()
}

/// Whether some policy lets the Pods of the set in where this leads.
fn lets_in(
    policies: &[NetworkPolicy],
    set: &Workload,
    reference: &Reference,
    context: &Context,
) -> bool {
    let ports = ports(set, reference, context);
    policies
        .iter()
        .filter(|policy| may_select(policy, set))
        .flat_map(|policy| policy.ingress.iter().flatten())
        .any(|rule| {
            let whom = rule.peers.is_empty() || rule.peers.iter().any(|peer| may_be(peer, set));
            whom && ports.as_ref().is_none_or(|ports| {
                ports.iter().any(|number| cover(&rule.ports, "TCP", *number, set))
            })
        })
}

/// The ports of the Pods that a reference leads to; none where it doesn't tell.
fn ports(set: &Workload, reference: &Reference, context: &Context) -> Option<Vec<i64>> {
    let Some(IntOrString::Int(number)) = reference.port else { return None };
    let service = context.service(&reference.namespace, &reference.service).found()?;
    if reference.pod.is_some() || headless(&service) {
        return Some(vec![number]);
    }
    let port = service.ports.iter().find(|port| port.port == Some(number))?;
    Some(targets(port, std::slice::from_ref(set))?.numbers())
}

/// Whether a peer may mean the Pods of the set. A block of addresses may have
/// them in it.
fn may_be(peer: &NetworkPolicyPeer, set: &Workload) -> bool {
    let here = match &peer.namespace_selector {
        Some(selector) => !excludes(selector, &set.meta.ref_.namespace),
        None => true,
    };
    let pods =
        peer.pod_selector.as_ref().is_none_or(|selector| selects(selector, set) != Some(false));
    peer.ip_block.is_some()
        || (here && pods && (peer.pod_selector.is_some() || peer.namespace_selector.is_some()))
}

fn report(policy: &NetworkPolicy, set: &Workload, reference: &Reference) -> Finding {
    let path = match policy.ingress.as_deref() {
        Some([_, ..]) => "$.spec.ingress",
        _ => "$.spec",
    };
    let of = display_name(&set.meta.ref_);
    let port = match &reference.port {
        Some(IntOrString::Int(number)) => format!(" on port {number}"),
        _ => String::new(),
    };
    // Another policy may just be applied next.
    Finding::new(&RULE, path)
        .timing(Timing::Later)
        .what(format!(
            "NetworkPolicy `{}` isolates the Pods of {of}, which dial each other as `{}`, and no \
            policy lets them in{port}",
            policy.meta.ref_.name, reference.host
        ))
        .why("each Pod sees only itself: its peers time out, and the cluster never forms")
        .help(format!(
            "add an ingress rule{port} with a `podSelector` that selects the Pods of {of} \
            themselves"
        ))
        .related_range(
            &reference.holder.ref_,
            reference.path.as_str(),
            reference.range,
            format!("`{}` is dialled here", reference.host),
        )
}
