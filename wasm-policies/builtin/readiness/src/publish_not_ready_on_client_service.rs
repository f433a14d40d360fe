//! Clients that are sent to Pods before these are ready.

use headlint_policy_sdk::service::{has, settled_headless, workloads};
use headlint_policy_sdk::types::{Object, ObjectRef, ReferenceVia, Traits};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, MAKES_PODS, Review, Rule, Severity, WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "publish-not-ready-on-client-service",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Headless, Condition::Has(&["publishNotReadyAddresses"])],
    summary: "clients use a headless Service that publishes Pods before they are ready",
    documentation: include_str!("publish-not-ready-on-client-service.md"),
    check,
};

/// Whether an object is one of a client, or leads clients to a Service.
fn dials(holder: &ObjectRef) -> bool {
    let kind = holder.kind.as_str();
    kind == "Ingress" || MAKES_PODS.contains(&kind)
}

/// Whether a workload also looks for its own Pods, by a Service that publishes
/// them early: then it is one group of several in a cluster, and the names are
/// those of its peers.
fn is_peer(holder: &ObjectRef, context: &Context) -> bool {
    let workloads = context.objects(&holder.kind, &holder.namespace).seen();
    let itself = workloads.iter().find_map(|object| match object {
        Object::Workload(workload) if workload.meta.ref_ == *holder => Some(workload),
        _ => None,
    });
    let Some(itself) = itself else { return false };
    let over = context.services_selecting(&holder.namespace, &itself.template.labels).seen();
    over.iter().filter(|service| service.publish_not_ready_addresses).any(|service| {
        let name = &service.meta.ref_;
        let references = context.references_to(&name.namespace, &name.name).seen();
        references.iter().any(|reference| reference.holder.ref_ == *holder)
    })
}

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = settled_headless(review) else { return };
    if !service.publish_not_ready_addresses {
        return;
    }
    // Which Pods are its own has to be known.
    let Some(own) = workloads(service, context) else { return };
    let meta = &service.meta.ref_;
    let passing = Traits::HOOK | Traits::TEST_HOOK;
    let clients: Vec<_> = context
        .references_to(&meta.namespace, &meta.name)
        .seen()
        .into_iter()
        .filter(|reference| {
            // Who picks a Pod by its name gets that one, ready or not.
            reference.pod.is_none()
                && matches!(reference.via, ReferenceVia::Dial | ReferenceVia::Route)
                && dials(&reference.holder.ref_)
                && !has(&reference.holder, passing)
                && own.iter().all(|workload| workload.meta.ref_ != reference.holder.ref_)
                && !is_peer(&reference.holder.ref_, context)
        })
        .collect();
    let Some(first) = clients.first() else { return };
    let name = &meta.name;
    let (kind, client) = (&first.holder.ref_.kind, &first.holder.ref_.name);
    findings.add(
        Finding::new(&RULE, "$.spec.publishNotReadyAddresses")
            .what(format!(
                "headless Service `{name}` publishes Pods that aren't ready, and {kind} \
                `{client}` is a client of it"
            ))
            .why(format!(
                "DNS hands out Pods that are still starting, and those that are ending: some \
                connections to `{name}` are refused at each roll-out"
            ))
            .help(format!(
                "add a second Service over the same Pods without `publishNotReadyAddresses` for \
                the clients, and keep `{name}` for the peers"
            ))
            .related_uses(clients.iter().take(4)),
    );
}
