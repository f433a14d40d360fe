//! The name of a StatefulSet's Pod that DNS doesn't have.

use std::collections::{BTreeMap, BTreeSet};

use headlint_policy_sdk::labels::ordinal;
use headlint_policy_sdk::service::{has, placeholder};
use headlint_policy_sdk::types::{Object, ObjectRef, Reference, Traits, Workload};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, NAME_SERVICES, Review, Rule, Severity, WRITTEN,
};

use crate::deployment_pod_dns_name::NAMELESS;
use crate::dialled::{Dialled, Names, names, weighed};

/// The rule.
pub const RULE: Rule = Rule {
    id: "pod-dns-name-invalid",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: NAME_SERVICES,
    operations: WRITTEN,
    only_if: &[Condition::Refers],
    summary: "a client dials a Pod of a StatefulSet by a name that no Pod has",
    documentation: include_str!("pod-dns-name-invalid.md"),
    check,
};

/// How many letters a name may differ in from the one that is meant.
const NEAR: usize = 2;

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let mut places = BTreeSet::new();
    // All sets of a namespace may be many.
    let mut sets: BTreeMap<String, Vec<Workload>> = BTreeMap::new();
    let Names { dialled, nowhere } = names(review, context);
    for dialled in dialled {
        let Some((set, number)) = dialled.pod.rsplit_once('-') else { continue };
        let Some(number) = ordinal(number) else { continue };
        if dialled.is_given(context) {
            continue;
        }
        let is_meant = |one: &&Workload| one.meta.ref_.name == set;
        let here = dialled.behind.named(context).iter().filter(|one| is_settled_set(one));
        let finding = if let Some(set) = here.clone().find(is_meant) {
            beyond(&dialled, set, number)
        } else {
            let namespace = &dialled.behind.service.meta.ref_.namespace;
            let sets = sets.entry(namespace.clone()).or_insert_with(|| settled(namespace, context));
            match sets.iter().find(is_meant) {
                Some(set) => misplaced(&dialled.reference, &dialled.pod, set)
                    .or_else(|| beyond(&dialled, set, number)),
                None => misspelled(&dialled, set, number, here, context),
            }
        };
        if let Some(finding) = finding
            && places.insert(dialled.reference.path.clone())
        {
            findings.add(finding);
        }
    }
    for (reference, pod) in nowhere {
        let Reference { namespace, service, path, .. } = &reference;
        let Some((set, number)) = pod.rsplit_once('-') else { continue };
        if ordinal(number).is_none() || places.contains(path) {
            continue;
        }
        let sets = sets.entry(namespace.clone()).or_insert_with(|| settled(namespace, context));
        let set = sets.iter().find(|one| one.meta.ref_.name == set);
        // Others may take such names from it.
        let is_given = || !context.workloads_naming(namespace, service).seen().is_empty();
        if let Some(finding) = set.and_then(|set| misplaced(&reference, &pod, set))
            && !is_given()
        {
            places.insert(path.clone());
            // Whoever makes the Service could give it such names by hand.
            findings.add(finding.severity(weighed(&reference, Severity::Warning)));
        }
    }
}

/// Whether a workload is a StatefulSet that stays as it is.
fn is_settled_set(workload: &Workload) -> bool {
    workload.stateful_set.is_some()
        && !has(&workload.meta, Traits::OPERATOR_MANAGED | Traits::DELETING)
}

/// Those of a namespace.
fn settled(namespace: &str, context: &Context) -> Vec<Workload> {
    let objects = context.objects("StatefulSet", namespace).seen().into_iter();
    let workloads = objects.filter_map(|object| match object {
        Object::Workload(workload) => Some(workload),
        _ => None,
    });
    workloads.filter(is_settled_set).collect()
}

fn finding(reference: &Reference, severity: Severity) -> Finding {
    Finding::new(&RULE, reference.path.as_str())
        .range(reference.range)
        .severity(weighed(reference, severity))
        .why(format!("`{}` is NXDOMAIN", reference.host))
}

/// The set takes the names of its Pods from another Service.
fn misplaced(reference: &Reference, pod: &str, set: &Workload) -> Option<Finding> {
    let named = set.stateful_set.as_ref()?.service_name.as_deref()?;
    let service = &reference.service;
    if named == service || placeholder(named) {
        return None;
    }
    let name = &set.meta.ref_.name;
    Some(
        finding(reference, Severity::Error)
            .what(format!(
                "`{pod}` is looked for behind Service `{service}`, but StatefulSet `{name}` gives its \
                Pods names behind `{named}`"
            ))
            .help(format!("write `{pod}.{named}`"))
            .related(&set.meta.ref_, "$.spec.serviceName", "only this Service has their names"),
    )
}

/// The set has no Pod of that number.
fn beyond(dialled: &Dialled, set: &Workload, number: i64) -> Option<Finding> {
    let first = set.stateful_set.as_ref()?.first_ordinal;
    let replicas = set.replicas?;
    let beyond = first.saturating_add(replicas);
    if set.autoscaled || replicas < 1 || (first..beyond).contains(&number) {
        return None;
    }
    let name = &set.meta.ref_.name;
    let range = match beyond - 1 {
        last if last == first => format!("only `{name}-{first}`"),
        last => format!("`{name}-{first}` to `{name}-{last}`"),
    };
    Some(
        finding(&dialled.reference, Severity::Warning)
            .what(format!("StatefulSet `{name}` has no Pod `{}`: it has {range}", dialled.pod))
            .help("name a Pod that there is, or change `replicas`")
            .related(&set.meta.ref_, "$.spec.replicas", format!("this makes {range}")),
    )
}

/// There is no such set, but the Service has one of almost that name.
fn misspelled<'w>(
    dialled: &Dialled,
    set: &str,
    number: i64,
    mut sets: impl Iterator<Item = &'w Workload>,
    context: &Context,
) -> Option<Finding> {
    let ObjectRef { namespace, name: service, .. } = &dialled.behind.service.meta.ref_;
    let others = dialled.behind.selected(context)?;
    // A Pod, or what an operator makes, could have the name; those of a template have
    // the one that it says, or none.
    if others
        .iter()
        .any(|one| one.stateful_set.is_none() && !NAMELESS.contains(&one.meta.ref_.kind.as_str()))
    {
        return None;
    }
    let near = sets.find(|one| strsim::osa_distance(&one.meta.ref_.name, set) <= NEAR)?;
    let name = &near.meta.ref_.name;
    Some(
        finding(&dialled.reference, Severity::Warning)
            .what(format!(
                "`{}` is looked for behind Service `{service}`, but namespace `{namespace}` has no \
                StatefulSet `{set}`",
                dialled.pod
            ))
            .help(format!("write `{name}-{number}.{service}`, if StatefulSet `{name}` is meant"))
            .related(&near.meta.ref_, "$.metadata.name", "its Pods have names there"),
    )
}
