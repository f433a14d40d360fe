//! The name of a Pod that DNS doesn't have, because nothing gave it one.

use std::collections::BTreeSet;

use headlint_policy_sdk::service::headless;
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, NAME_SERVICES, Review, Rule, Severity, WRITTEN,
    display_name,
};

use crate::dialled::{names, weighed};

/// The rule.
pub const RULE: Rule = Rule {
    id: "deployment-pod-dns-name",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: NAME_SERVICES,
    operations: WRITTEN,
    only_if: &[Condition::Refers],
    summary: "a client dials a Pod of a Deployment by a name, and such Pods have none",
    documentation: include_str!("deployment-pod-dns-name.md"),
    check,
};

/// What makes Pods without host names of their own.
pub(crate) const NAMELESS: [&str; 4] =
    ["DaemonSet", "Deployment", "ReplicaSet", "ReplicationController"];

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let mut places = BTreeSet::new();
    for dialled in names(review, context).dialled {
        if !headless(&dialled.behind.service) || dialled.is_given(context) {
            continue;
        }
        let Some(behind) = dialled.behind.selected(context) else { continue };
        // Any other kind may have the name.
        if !behind.iter().all(|workload| NAMELESS.contains(&workload.meta.ref_.kind.as_str())) {
            continue;
        }
        let of = behind.iter().find(|workload| {
            let name = workload.meta.ref_.name.as_str();
            let rest = dialled.pod.strip_prefix(name).filter(|_| !name.is_empty());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        });
        let Some(of) = of else { continue };
        if !places.insert(dialled.reference.path.clone()) {
            continue;
        }
        let (name, service) = (display_name(&of.meta.ref_), &dialled.behind.service.meta.ref_.name);
        findings.add(
            Finding::new(&RULE, dialled.reference.path.as_str())
                .range(dialled.reference.range)
                .severity(weighed(&dialled.reference, Severity::Error))
                .what(format!(
                    "`{}` is looked for behind Service `{service}`, but the Pods of {name} have no \
                    names in DNS",
                    dialled.pod
                ))
                .why(format!("`{}` is NXDOMAIN", dialled.reference.host))
                .help(format!(
                    "dial `{service}`; for Pods with names write a StatefulSet, or give the \
                    template `hostname` and `subdomain: {service}`"
                ))
                .related(&of.meta.ref_, "$.metadata.name", "these Pods are behind the Service"),
        );
    }
}
