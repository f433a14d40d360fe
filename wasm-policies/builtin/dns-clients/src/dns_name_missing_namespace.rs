//! A name in which the namespace is missing, so that another label is taken for
//! it.

use std::collections::BTreeSet;

use headlint_policy_sdk::labels::ordinal;
use headlint_policy_sdk::service::{has, placeholder};
use headlint_policy_sdk::types::{
    Metadata, Object, Reference, ReferenceVia, Service, Traits, Workload,
};
use headlint_policy_sdk::{
    Action, Answer, Condition, Context, Finding, Findings, NAME_SERVICES, Review, Rule, Severity,
    WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "dns-name-missing-namespace",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: NAME_SERVICES,
    operations: WRITTEN,
    only_if: &[Condition::Refers, Condition::Has(&["svc"])],
    summary: "a name that ends in `svc` has no namespace in it",
    documentation: include_str!("dns-name-missing-namespace.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let holder = review.meta();
    if has(holder, Traits::DELETING) {
        return;
    }
    let mut places = BTreeSet::new();
    for reference in context.references() {
        if reference.via != ReferenceVia::Dial
            || placeholder(&reference.host)
            || !is_full(&reference.host, &context.cluster().zone)
            || places.contains(&reference.path)
        {
            continue;
        }
        if let Some(finding) = without_any(&reference, holder, context)
            .or_else(|| of_a_pod(&reference, holder, context))
        {
            places.insert(reference.path.clone());
            findings.add(finding);
        }
    }
}

/// Whether a name ends in `.svc`, or in `.svc` and the zone.
fn is_full(host: &str, zone: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let short = host.strip_suffix(zone).and_then(|short| short.strip_suffix('.'));
    short.unwrap_or(host).ends_with(".svc")
}

/// `db.svc.cluster.local`: `svc` itself stands where the namespace belongs.
fn without_any(reference: &Reference, holder: &Metadata, context: &Context) -> Option<Finding> {
    let (own, name) = (&holder.ref_.namespace, &reference.service);
    if reference.namespace != "svc" || reference.pod.is_some() || own == "svc" {
        return None;
    }
    let namespaces = context.objects("Namespace", "").seen();
    let is_svc = |object: &Object| matches!(object, Object::Other(it) if it.ref_.name == "svc");
    if namespaces.iter().any(is_svc) || context.service("svc", name).found().is_some() {
        return None;
    }
    let service = context.service(own, name).found()?;
    Some(report(reference, &service, &format!("{name}.{own}.svc"), "there is no namespace `svc`"))
}

/// `db-0.db.svc`: Pod `db-0` of Service `db` is meant, and Service `db-0` of
/// namespace `db` is asked for.
fn of_a_pod(reference: &Reference, holder: &Metadata, context: &Context) -> Option<Finding> {
    let own = &holder.ref_.namespace;
    let (pod, name) = (&reference.service, &reference.namespace);
    if reference.pod.is_some() {
        return None;
    }
    let service = context.service(own, name).found()?;
    let sets = context.workloads_naming(own, name).seen();
    if !sets.iter().any(|set| makes(set, pod)) {
        return None;
    }
    let asked = context.service(name, pod);
    let certain = match asked {
        Answer::Found(_) => return None,
        Answer::Absent => true,
        Answer::Unknown(_) => false,
    };
    let why = format!("it asks for a Service `{pod}` in a namespace `{name}`");
    let finding = report(reference, &service, &format!("{pod}.{name}.{own}.svc"), &why);
    Some(finding.severity(if certain { Severity::Error } else { Severity::Warning }))
}

/// Whether a StatefulSet has a Pod of this name.
fn makes(set: &Workload, pod: &str) -> bool {
    set.stateful_set.is_some()
        && pod
            .strip_prefix(set.meta.ref_.name.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(ordinal)
            .is_some()
}

fn report(reference: &Reference, service: &Service, right: &str, why: &str) -> Finding {
    Finding::new(&RULE, reference.path.as_str())
        .range(reference.range)
        .what(format!(
            "`{}` names no namespace: {why}, and Service `{}` is in `{}`",
            reference.host, service.meta.ref_.name, service.meta.ref_.namespace
        ))
        .why(format!("`{}` is NXDOMAIN", reference.host))
        .help(format!("write `{right}`"))
        .related(&service.meta.ref_, "$.metadata.name", "this Service is meant")
}
