//! Pods that look for each other before any of them is ready.

use headlint_policy_sdk::labels::ordinal;
use headlint_policy_sdk::ports::serving;
use headlint_policy_sdk::service::{headless, settled_headless};
use headlint_policy_sdk::types::{
    Metadata, Reference, ReferenceVia, Service, StatefulSet, Workload,
};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, Version, WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "peer-discovery-hidden-by-readiness",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Headless, Condition::Governing],
    summary: "Pods find each other by a Service that hides them until they are ready",
    documentation: include_str!("peer-discovery-hidden-by-readiness.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = settled_headless(review) else { return };
    if service.publish_not_ready_addresses {
        return;
    }
    let meta = &service.meta.ref_;
    for set in context.workloads_naming(&meta.namespace, &meta.name).seen() {
        let Some(own) = &set.stateful_set else { continue };
        let several = set.autoscaled || set.replicas.unwrap_or(1) > 1;
        if !several || !serving(&set).any(|container| container.readiness_probe) {
            continue;
        }
        let (by_itself, others): (Vec<_>, Vec<_>) = context
            .references_to(&meta.namespace, &meta.name)
            .seen()
            .into_iter()
            .filter(|one| matches!(one.via, ReferenceVia::Dial | ReferenceVia::Srv))
            .partition(|one| one.holder.ref_ == set.meta.ref_);
        if by_itself.is_empty() || published_elsewhere(service, &set, context) {
            continue;
        }
        findings.add(report(service, &set, own, &by_itself, &others, context));
        return;
    }
}

/// Whether another headless Service over the same Pods publishes them early.
fn published_elsewhere(service: &Service, set: &Workload, context: &Context) -> bool {
    let over = context.services_selecting(&set.meta.ref_.namespace, &set.template.labels).seen();
    over.iter().any(|other| {
        other.meta.ref_ != service.meta.ref_ && headless(other) && other.publish_not_ready_addresses
    })
}

/// Whether each Pod names only what is ready before it starts: the Pods start
/// one after the other, and wait for the first alone. Who asks for the Service
/// as a whole gets those that are ready, if any.
fn is_in_order(meta: &Metadata, own: &StatefulSet, references: &[Reference]) -> bool {
    own.pod_management_policy == "OrderedReady"
        && references.iter().all(|reference| match &reference.pod {
            None => true,
            Some(pod) => pod
                .strip_prefix(meta.ref_.name.as_str())
                .and_then(|rest| rest.strip_prefix('-'))
                .and_then(ordinal)
                .is_none_or(|ordinal| ordinal <= own.first_ordinal),
        })
}

fn report(
    service: &Service,
    set: &Workload,
    own: &StatefulSet,
    by_itself: &[Reference],
    others: &[Reference],
    context: &Context,
) -> Finding {
    let (name, of) = (&service.meta.ref_.name, &set.meta.ref_.name);
    let path = "$.spec.publishNotReadyAddresses";
    let mut finding = Finding::new(&RULE, path)
        .severity(if is_in_order(&set.meta, own, by_itself) {
            Severity::Info
        } else {
            Severity::Warning
        })
        .what(format!(
            "the Pods of StatefulSet `{of}` look for each other as `{}`, but Service `{name}` \
            hides them until they are ready",
            by_itself.first().map_or(name.as_str(), |reference| reference.host.as_str())
        ))
        .why(
            "if a Pod is ready only once it has found its peers, none ever is: each gets NXDOMAIN \
            for the others",
        );
    finding = if others.is_empty() {
        let finding = finding.help("write `publishNotReadyAddresses: true`");
        let there = context.query(Version::New, path).is_ok_and(|found| !found.is_empty());
        match there {
            true => finding.set(path, true.into(), Safety::Proposed),
            false => finding.add(path, true.into(), Safety::Proposed),
        }
    } else {
        finding.help(
            "add a second headless Service with `publishNotReadyAddresses: true` for the peers, \
            and name it in `serviceName`; the clients stay with this one",
        )
    };
    finding.related_uses(by_itself.iter().take(4))
}
