//! A StatefulSet whose Service is in another namespace.

use headlint_policy_sdk::labels::satisfy;
use headlint_policy_sdk::service::{dns_label, has, placeholder, selectorless};
use headlint_policy_sdk::types::{Service, Traits, Workload};
use headlint_policy_sdk::{
    Action, Answer, Context, Finding, Findings, Review, Rule, Safety, Severity, UnknownReason,
    Version, WRITTEN,
};

use crate::evidence::{gather, recipe, shown};
use crate::governing::{display_name, first_pod, service_name};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-service-cross-namespace",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["StatefulSet"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a StatefulSet names a Service of another namespace",
    documentation: include_str!("statefulset-service-cross-namespace.md"),
    check,
};

const PATH: &str = "$.spec.serviceName";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(set) = review.workload() else { return };
    let Some(own) = &set.stateful_set else { return };
    let Some(written) = own.service_name.as_deref() else { return };
    if set.meta.ref_.api_version != "apps/v1" || has(&set.meta, Traits::DELETING) {
        return;
    }
    if written.contains('.') {
        if !placeholder(written) {
            findings.add(dotted(set, written));
        }
        return;
    }
    if has(&set.meta, Traits::HOOK | Traits::OPERATOR_MANAGED) {
        return;
    }
    let Some(service) = service_name(set) else { return };
    let namespace = &set.meta.ref_.namespace;
    let unknown = match context.service(namespace, service) {
        Answer::Found(_) | Answer::Unknown(UnknownReason::Unwatched) => return,
        Answer::Absent => None,
        Answer::Unknown(reason) => Some(reason),
    };
    let mut namesakes = context.services_named(service).seen();
    namesakes.retain(|other| other.meta.ref_.namespace != *namespace);
    if !namesakes.is_empty() {
        findings.add(elsewhere(set, service, &namesakes, unknown, context));
    }
}

/// A name that the API server refuses.
fn dotted(set: &Workload, written: &str) -> Finding {
    let meta = &set.meta.ref_;
    let (name, namespace) = (display_name(meta), &meta.namespace);
    let mut labels = written.split('.');
    let service = labels.next().unwrap_or_default();
    let other = labels.next().filter(|other| !["", "svc", namespace].contains(other));
    let finding = Finding::new(&RULE, PATH)
        .what(format!("StatefulSet `{name}` names the Service `{written}`, with a dot"))
        .why(
            "the API server refuses it: the Service is always one of the StatefulSet's own \
            namespace, and only its name is written",
        );
    if !dns_label(service) {
        return finding.help("write the bare name of a headless Service of this namespace");
    }
    let finding = match other {
        Some(other) => finding.help(format!(
            "write `serviceName: {service}`, and add a headless Service `{service}` to namespace \
            `{namespace}`: the one of `{other}` can't name these Pods"
        )),
        None => finding.help(format!("write `serviceName: {service}`")),
    };
    finding.set(PATH, service.into(), Safety::Proposed)
}

fn elsewhere(
    set: &Workload,
    service: &str,
    namesakes: &[Service],
    unknown: Option<UnknownReason>,
    context: &Context,
) -> Finding {
    let meta = &set.meta.ref_;
    let namespace = &meta.namespace;
    let evidence = gather(set, service, context);
    let stray = namesakes.iter().find(|other| is_stray(other, set, context));
    let open = is_open(namespace, namesakes, context);
    let severity = match unknown {
        None => Severity::Error,
        // `kubectl apply --namespace` may bring the two together.
        Some(UnknownReason::Elsewhere) if open => Severity::Info,
        Some(UnknownReason::Elsewhere) => match evidence.severity() {
            Severity::Info if stray.is_some() => Severity::Warning,
            severity => severity,
        },
        Some(_) => Severity::Info,
    };
    let others: Vec<_> =
        namesakes.iter().map(|other| format!("`{}`", other.meta.ref_.namespace)).collect();
    let others = match others.as_slice() {
        [only] => format!("namespace {only}"),
        [first, rest @ ..] => format!("namespace {first} and {} more", rest.len()),
        [] => String::new(),
    };
    let known = if unknown.is_none() { "exists" } else { "the input has" };
    let mut finding = Finding::new(&RULE, PATH)
        .severity(severity)
        .what(format!(
            "StatefulSet `{}` of namespace `{namespace}` names the Service `{service}`, which \
            {known} only in {others}",
            display_name(meta)
        ))
        .why(format!(
            "a Service names Pods of its own namespace only: `{}` is NXDOMAIN for everyone but \
            the Pod itself",
            first_pod(set, service)
        ))
        .help(if open && unknown.is_some() {
            "write the same `metadata.namespace` in both objects, so that it doesn't depend on \
            how they are applied"
                .to_owned()
        } else if stray.is_some() {
            format!("move the Service `{service}` to namespace `{namespace}`")
        } else {
            recipe(set, service)
        });
    for other in namesakes.iter().take(3) {
        let label = if is_stray(other, set, context) {
            "this Service selects such Pods, and there are none in its own namespace"
        } else {
            "the Service of that name"
        };
        finding = finding.related(&other.meta.ref_, "$.metadata.namespace", label);
    }
    shown(finding, evidence.uses())
}

/// Whether a Service was made for the Pods of this set: it would select them,
/// and nothing that is known in its own namespace.
fn is_stray(service: &Service, set: &Workload, context: &Context) -> bool {
    let behind = context.workloads_matching(&service.meta.ref_.namespace, &service.selector);
    !selectorless(service)
        && satisfy(&set.template.labels, &service.selector)
        && behind.seen().is_empty()
}

/// Whether the namespace of one of the two isn't written down, so that it is
/// the default of whoever applies them. What isn't written has been filled in
/// as `default`, unless the run was told another.
fn is_open(namespace: &str, namesakes: &[Service], context: &Context) -> bool {
    let written = context.query(Version::New, "$.metadata.namespace").is_ok_and(|matches| {
        matches.iter().any(|found| !matches!(found.value.as_str(), "null" | "\"\""))
    });
    (namespace == "default" && !written)
        || namesakes.iter().any(|other| other.meta.ref_.namespace == "default")
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::evidence::tests::reference;
    use crate::governing::tests::{brief, review, service, set};

    fn severities(set: Workload, world: &Snapshot) -> Vec<Severity> {
        let review = review(Object::Workload(set));
        brief(&RULE, &review, world).into_iter().map(|(severity, _)| severity).collect()
    }

    fn in_namespace(namespace: &str) -> Service {
        let mut service = service();
        service.meta.ref_.namespace = namespace.to_owned();
        service
    }

    fn world(complete: bool, objects: Vec<Object>) -> Snapshot {
        Snapshot { complete, objects, ..Snapshot::default() }
    }

    #[test]
    fn a_service_that_only_another_namespace_has_is_of_no_use() {
        let stray = Object::Service(in_namespace("data"));
        assert_eq!(severities(set(), &world(false, vec![stray.clone()])), [Severity::Warning]);
        assert_eq!(severities(set(), &world(true, vec![stray.clone()])), [Severity::Error]);
        let mut dialled = world(false, vec![stray.clone()]);
        dialled.references = vec![reference(Some("db-0"))];
        assert_eq!(severities(set(), &dialled), [Severity::Error]);
        let both = world(true, vec![stray, Object::Service(service())]);
        assert_eq!(severities(set(), &both), []);
        assert_eq!(severities(set(), &world(true, Vec::new())), []);
    }

    #[test]
    fn a_namesake_with_pods_of_its_own_proves_nothing() {
        let mut twin = set();
        twin.meta.ref_.namespace = "data".to_owned();
        let objects = vec![Object::Service(in_namespace("data")), Object::Workload(twin)];
        assert_eq!(severities(set(), &world(false, objects)), [Severity::Info]);
    }

    #[test]
    fn a_namespace_that_nobody_wrote_is_whatever_they_are_applied_to() {
        let objects = vec![Object::Service(in_namespace("default"))];
        assert_eq!(severities(set(), &world(false, objects)), [Severity::Info]);
        let mut default = set();
        default.meta.ref_.namespace = "default".to_owned();
        let objects = vec![Object::Service(in_namespace("data"))];
        assert_eq!(severities(default, &world(false, objects)), [Severity::Info]);
    }

    #[test]
    fn a_dot_is_refused_even_where_the_selector_is_missing() {
        let with = |name: &str| {
            let mut set = set();
            set.selector = None;
            if let Some(own) = &mut set.stateful_set {
                own.service_name = Some(name.to_owned());
            }
            severities(set, &Snapshot::default())
        };
        assert_eq!(with("db.data"), [Severity::Error]);
        assert_eq!(with("db.shop.svc.cluster.local"), [Severity::Error]);
        assert_eq!(with("${NAME}.data"), []);
        assert_eq!(with("db"), []);
    }
}
