//! A selector that no Pod satisfies.

use headlint_policy_sdk::labels::{POD_INDEX, POD_NAME, Reach, display, ordinal, reach};
use headlint_policy_sdk::ports::serving;
use headlint_policy_sdk::service::{has, headless, placeholder, refused, selectorless};
use headlint_policy_sdk::types::{
    IntOrString, Label, LabelSelector, ObjectRef, Service, Traits, Workload,
};
use headlint_policy_sdk::{
    Action, Answer, Context, Finding, Findings, Review, Rule, Safety, Severity, Timing,
    UnknownReason, WRITTEN, display_name,
};
use serde_json::{Map, Value};

use crate::evidence::sets_naming;

/// The rule.
pub const RULE: Rule = Rule {
    id: "selector-matches-nothing",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "no Pods have the labels that a Service selects",
    documentation: include_str!("selector-matches-nothing.md"),
    check,
};

const PATH: &str = "$.spec.selector";

/// How many workloads a finding shows.
const SHOWN: usize = 4;

/// Keys that everything in a release or an environment has alike.
const BROAD: &[&str] = &[
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/part-of",
    "env",
    "environment",
    "heritage",
    "release",
];

/// In keys of labels that tell the roles of a replicated server's Pods apart.
const ROLES: &[&str] = &[
    "active",
    "follower",
    "leader",
    "master",
    "primary",
    "replica",
    "role",
    "secondary",
    "slave",
    "standby",
];

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    let settled = Traits::OPERATOR_MANAGED
        | Traits::ENDPOINTS_MANAGED_ELSEWHERE
        | Traits::HOOK
        | Traits::TEST_HOOK
        | Traits::DELETING;
    let selector = &service.selector;
    if service.service_type == "ExternalName"
        || selectorless(service)
        || refused(service)
        || has(&service.meta, settled)
        || selector.iter().any(|pair| placeholder(&pair.key) || placeholder(&pair.value))
    {
        return;
    }
    let namespace = &service.meta.ref_.namespace;
    let knowledge = match context.workloads_matching(namespace, selector) {
        Answer::Unknown(UnknownReason::Unwatched) => return,
        Answer::Found(found) if found.iter().any(|one| may_have(selector, one)) => return,
        // What was found has the key, and not the value.
        Answer::Found(_) => Some(UnknownReason::Elsewhere),
        Answer::Unknown(reason) => Some(reason),
        Answer::Absent => None,
    };
    let everything = LabelSelector { match_labels: Vec::new(), match_expressions: Vec::new() };
    let all = context.workloads_selected(namespace, &everything).seen();
    if all.iter().any(|workload| may_have(selector, workload)) {
        return;
    }
    // The ground of statefulset-service-selector-mismatch.
    if headless(service) && !sets_naming(service, context).is_empty() {
        return;
    }
    let near = nearest(service, &all, context);
    // Most Pods there are made by the kubelet and by the distribution, from no manifest.
    if namespace == "kube-system" && near.first().is_none_or(|(how, _)| *how < Near::Pair) {
        return;
    }
    let vendor = selector.iter().any(|pair| {
        vendor_key(&pair.key) && !all.iter().any(|one| label(one, &pair.key).is_some())
    });
    let Some(severity) = severity(knowledge, near.first().map(|(how, _)| *how), vendor) else {
        return;
    };
    let timing = timing(selector, &near);
    // A key in common and nothing else is no reason to name a workload.
    let near: Vec<_> =
        near.into_iter().filter(|(how, _)| *how > Near::Key).map(|(_, one)| one).collect();
    findings.add(report(service, severity, knowledge, &near, &all).timing(timing));
}

/// At once where what comes nearest is wrong in itself. A workload with other
/// values may just be another part of the release, or another release of the
/// same chart, and the one that is meant may be applied next.
fn timing(selector: &[Label], near: &[(Near, &Workload)]) -> Timing {
    let amiss = |(how, one): &(Near, &Workload)| match how {
        Near::Alike => true,
        Near::Pair => {
            let same = |pair: &Label| label(one, &pair.key).is_none_or(|actual| actual == pair);
            // One replica may be what the API server has filled in for a set
            // that something else is about to scale.
            let may_grow = one.replicas == Some(1) && names_its_pod(selector, one);
            !may_grow && (names_its_pod(selector, one) || selector.iter().all(same))
        }
        Near::Likely | Near::Key => false,
    };
    if !near.is_empty() && near.iter().all(amiss) { Timing::Now } else { Timing::Later }
}

fn severity(
    knowledge: Option<UnknownReason>,
    near: Option<Near>,
    vendor: bool,
) -> Option<Severity> {
    match (knowledge, near) {
        (None, _) => Some(if vendor { Severity::Warning } else { Severity::Error }),
        (Some(_), None) => None,
        (Some(UnknownReason::Elsewhere), Some(_)) if vendor => Some(Severity::Info),
        (Some(UnknownReason::Elsewhere), Some(Near::Alike)) => Some(Severity::Error),
        (Some(UnknownReason::Elsewhere), Some(Near::Pair | Near::Likely)) => {
            Some(Severity::Warning)
        }
        (Some(_), Some(_)) => Some(Severity::Info),
    }
}

/// Whether the Pods of a workload have the labels, or may have them: where a
/// controller, a template tool or the Pod itself still has a say.
fn may_have(selector: &[Label], workload: &Workload) -> bool {
    let asked: Vec<_> =
        selector.iter().filter(|pair| !role_pair(pair, workload)).cloned().collect();
    // Replicas are often left out for the sake of an autoscaler.
    if workload.stateful_set.is_some() && workload.replicas.is_none() {
        let mut open = workload.clone();
        open.autoscaled = true;
        return reach(&asked, &open) != Reach::None;
    }
    reach(&asked, workload) != Reach::None
}

/// Whether a pair asks for a role that the template doesn't give: Patroni,
/// Vault and the like label their Pods while they run.
fn role_pair(pair: &Label, workload: &Workload) -> bool {
    let key = pair.key.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    label(workload, &pair.key).is_none() && ROLES.iter().any(|role| key.contains(role))
}

fn label<'w>(workload: &'w Workload, key: &str) -> Option<&'w Label> {
    workload.template.labels.iter().find(|label| label.key == key)
}

/// Whether a key has the domain of neither Kubernetes nor Helm: an operator
/// puts such keys on what it makes.
fn vendor_key(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    !["helm.sh", "k8s.io", "kubernetes.io"].iter().any(|own| {
        domain.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// How near a workload comes to what is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    /// It has one of the keys.
    Key,
    /// And it may well be the one that is meant.
    Likely,
    /// It has one of the pairs.
    Pair,
    /// Only case and punctuation differ.
    Alike,
}

/// The workloads that come nearest, all equally near.
fn nearest<'w>(
    service: &Service,
    all: &'w [Workload],
    context: &Context,
) -> Vec<(Near, &'w Workload)> {
    let mut near: Vec<_> = all
        .iter()
        // A hook is never required.
        .filter(|one| !has(&one.meta, Traits::HOOK | Traits::TEST_HOOK | Traits::DELETING))
        .filter_map(|one| Some((nearness(service, one)?, one)))
        .collect();
    let best = near.iter().map(|(how, _)| *how).max();
    near.retain(|(how, _)| Some(*how) == best);
    if best == Some(Near::Key) {
        let ObjectRef { namespace, name, .. } = &service.meta.ref_;
        let clients = context.references_to(namespace, name).seen();
        let dials = |one: &Workload| clients.iter().any(|it| it.holder.ref_ == one.meta.ref_);
        let likely: Vec<_> = near
            .iter()
            .copied()
            .filter(|(_, one)| !dials(one) && is_likely(service, one, context))
            .collect();
        if !likely.is_empty() {
            return likely.into_iter().map(|(_, one)| (Near::Likely, one)).collect();
        }
    }
    near
}

fn nearness(service: &Service, workload: &Workload) -> Option<Near> {
    let selector = &service.selector;
    if names_its_pod(selector, workload) {
        return Some(Near::Pair);
    }
    let alike = |pair: &Label| {
        label(workload, &pair.key).is_some_and(|actual| plain(&actual.value) == plain(&pair.value))
    };
    let shared = |pair: &&Label| label(workload, &pair.key).is_some();
    if selector.iter().all(alike) {
        Some(Near::Alike)
    } else if selector
        .iter()
        .any(|pair| workload.template.labels.contains(pair) && !BROAD.contains(&pair.key.as_str()))
    {
        Some(Near::Pair)
    } else {
        selector.iter().find(shared).map(|_| Near::Key)
    }
}

/// Without case and punctuation.
fn plain(value: &str) -> String {
    let kept = value.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a Pod of this StatefulSet is asked for by name or ordinal, in vain.
fn names_its_pod(selector: &[Label], workload: &Workload) -> bool {
    let name = &workload.meta.ref_.name;
    workload.stateful_set.is_some()
        && selector.iter().any(|pair| {
            let rest = pair.value.strip_prefix(name.as_str());
            pair.key == POD_NAME
                && rest.and_then(|rest| rest.strip_prefix('-')).and_then(ordinal).is_some()
        })
        && selector
            .iter()
            .filter(|pair| ![POD_NAME, POD_INDEX].contains(&pair.key.as_str()))
            .all(|pair| workload.template.labels.contains(pair))
}

/// Whether a workload that has only a key in common may be the one that is
/// meant: its name says so, or no other Service leads to it and it may well
/// listen on the port.
fn is_likely(service: &Service, workload: &Workload, context: &Context) -> bool {
    let meta = &workload.meta.ref_;
    if ["CronJob", "Job"].contains(&meta.kind.as_str()) {
        return false;
    }
    if related(&service.meta.ref_.name, &meta.name) {
        return true;
    }
    let served = context.services_selecting(&meta.namespace, &workload.template.labels);
    if matches!(served, Answer::Found(_)) {
        return false;
    }
    let mut declared = serving(workload).flat_map(|container| &container.ports).peekable();
    declared.peek().is_none()
        || declared.any(|there| {
            service.ports.iter().any(|port| match &port.target_port {
                None => there.container_port == port.port,
                Some(IntOrString::Int(number)) => there.container_port == Some(*number),
                Some(IntOrString::Text(name)) => there.name == *name,
            })
        })
}

/// Whether one name is the other with more words behind it.
fn related(service: &str, workload: &str) -> bool {
    let stem = |name: &str| {
        let mut name = name.to_owned();
        for suffix in ["-service", "-svc", "-headless", "-hl"] {
            if let Some(stem) = name.strip_suffix(suffix) {
                name = stem.to_owned();
            }
        }
        name
    };
    let (a, b) = (stem(service), stem(workload));
    let begins = |long: &str, short: &str| {
        !short.is_empty()
            && long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    begins(&a, &b) || begins(&b, &a)
}

fn report(
    service: &Service,
    severity: Severity,
    knowledge: Option<UnknownReason>,
    near: &[&Workload],
    all: &[Workload],
) -> Finding {
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    let selected = display(&service.selector);
    let asked = match near {
        [one] => repair(&service.selector, one, all).map(|selector| (*one, selector)),
        _ => None,
    };
    let place = match knowledge {
        None => format!("in namespace `{namespace}`"),
        Some(_) => format!("in the input for namespace `{namespace}`"),
    };
    let out_of_range = near.iter().find(|one| names_its_pod(&service.selector, one));
    let what = match (out_of_range, near) {
        (Some(set), _) => {
            format!("Service `{name}` selects `{selected}`, but {}", range(set))
        }
        (None, [one]) => format!(
            "Service `{name}` selects `{selected}`, but no workload {place} has such Pods; those \
            of {} have {}",
            display_name(&one.meta.ref_),
            difference(&service.selector, one)
        ),
        _ => {
            format!("Service `{name}` selects `{selected}`, but no workload {place} has such Pods")
        }
    };
    let why = if headless(service) {
        format!("`{name}.{namespace}.svc` is NXDOMAIN for every client")
    } else {
        "it has no endpoints: every client gets `connection refused`".to_owned()
    };
    let doubt = match knowledge {
        Some(UnknownReason::Produced) => {
            ", unless a controller in this namespace makes Pods with these labels"
        }
        Some(UnknownReason::Unreadable) => ", unless such Pods are in what could not be read",
        Some(UnknownReason::Elsewhere) if severity == Severity::Info => {
            ", unless such Pods come from outside of this input"
        }
        None if severity != Severity::Error => ", unless an operator makes such Pods",
        _ => "",
    };
    let help = match (&asked, out_of_range) {
        (_, Some(set)) => {
            format!("select a Pod that {} has, or raise its replicas", display_name(&set.meta.ref_))
        }
        (Some((one, labels)), _) => format!(
            "select `{}`, or label the Pods of {} with `{selected}`",
            display(labels),
            display_name(&one.meta.ref_)
        ),
        _ => "make `spec.selector` match the labels of the Pods that it is for".to_owned(),
    };
    let mut finding = Finding::new(&RULE, PATH)
        .severity(severity)
        .what(what)
        .why(format!("{why}{doubt}"))
        .help(help);
    for workload in near.iter().take(SHOWN) {
        if out_of_range.is_some() {
            finding = finding.related(&workload.meta.ref_, "$.spec.replicas", range(workload));
            continue;
        }
        finding = finding.related(
            &workload.meta.ref_,
            format!("{}.metadata.labels", workload.template.path),
            format!("these Pods have {}", difference(&service.selector, workload)),
        );
    }
    if let (Some((_, labels)), None, true) = (asked, out_of_range, severity != Severity::Info) {
        let pairs: Map<_, _> =
            labels.into_iter().map(|label| (label.key, Value::from(label.value))).collect();
        finding = finding.set(PATH, Value::Object(pairs), Safety::Proposed);
    }
    finding
}

/// What a workload has in place of the pairs that it lacks.
fn difference(selector: &[Label], workload: &Workload) -> String {
    let lacking = selector.iter().filter(|pair| !workload.template.labels.contains(pair));
    let each: Vec<_> = lacking
        .map(|pair| match label(workload, &pair.key) {
            Some(actual) => format!("`{}={}`", actual.key, actual.value),
            None if workload.template.added_labels.contains(&pair.key) => {
                format!("another `{}`", pair.key)
            }
            None => format!("no `{}`", pair.key),
        })
        .collect();
    each.join(" and ")
}

/// Which Pods a StatefulSet has.
fn range(set: &Workload) -> String {
    let first = set.stateful_set.as_ref().map_or(0, |set| set.first_ordinal);
    let last = first + set.replicas.unwrap_or(1) - 1;
    let of = display_name(&set.meta.ref_);
    let name = &set.meta.ref_.name;
    if first == last {
        format!("the only Pod of {of} is `{name}-{first}`")
    } else {
        format!("the Pods of {of} are `{name}-{first}` to `{name}-{last}`")
    }
}

/// The selector with the values that a workload has, and without the keys that
/// it lacks; none where that selects another workload as well.
fn repair(selector: &[Label], workload: &Workload, all: &[Workload]) -> Option<Vec<Label>> {
    // Without the name of the Pod it would be a Service for all of them.
    if selector.iter().any(|pair| workload.template.added_labels.contains(&pair.key)) {
        return None;
    }
    let repaired: Vec<_> =
        selector.iter().filter_map(|pair| label(workload, &pair.key)).cloned().collect();
    if repaired.is_empty() || repaired.iter().all(|pair| BROAD.contains(&pair.key.as_str())) {
        return None;
    }
    let selected = all.iter().filter(|one| reach(&repaired, one) != Reach::None).count();
    (selected == 1).then_some(repaired)
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::{Object, StatefulSet};

    use super::*;
    use crate::tests::{brief, labels, review, service, workload};

    fn severities(selector: &[(&str, &str)], world: &Snapshot) -> Vec<Severity> {
        let mut service = service();
        service.cluster_ip = Some("None".to_owned());
        service.selector = labels(selector);
        brief(&RULE, &review(service), world).into_iter().map(|(severity, _)| severity).collect()
    }

    fn world(name: &str, of: &[(&str, &str)]) -> Snapshot {
        let objects = vec![Object::Workload(workload("Deployment", name, of))];
        Snapshot { objects, ..Snapshot::default() }
    }

    #[test]
    fn the_severity_follows_the_nearness() {
        let of = |selector, name, labels| severities(selector, &world(name, labels));
        assert_eq!(of(&[("app", "db")], "x", &[("app", "db")]), []);
        assert_eq!(of(&[("app", "my-db")], "x", &[("app", "MyDB")]), [Severity::Error]);
        assert_eq!(
            of(&[("app", "db"), ("tier", "data")], "x", &[("app", "db")]),
            [Severity::Warning]
        );
        assert_eq!(of(&[("app", "sql")], "db-server", &[("app", "db")]), [Severity::Warning]);
        assert_eq!(of(&[("app", "sql")], "x", &[("name", "db")]), []);
    }

    #[test]
    fn closed_knowledge_needs_no_near_miss() {
        let closed = Snapshot { complete: true, ..Snapshot::default() };
        assert_eq!(severities(&[("app", "sql")], &closed), [Severity::Error]);
        assert_eq!(severities(&[("cnpg.io/cluster", "sql")], &closed), [Severity::Warning]);
        assert_eq!(severities(&[("app", "${APP}")], &closed), []);
        assert_eq!(severities(&[], &closed), []);
    }

    #[test]
    fn what_may_just_be_applied_next_is_told_later() {
        let of = |selector: &[(&str, &str)], name, has: &[(&str, &str)]| {
            let mut service = service();
            service.selector = labels(selector);
            let world = Snapshot { complete: true, ..world(name, has) };
            let mut findings = Findings::default();
            check(&review(service), &world, &mut findings);
            findings.timings()
        };
        let selector = &[("app", "db"), ("tier", "data")];
        assert_eq!(of(selector, "x", &[("app", "DB"), ("tier", "data")]), [Timing::Now]);
        assert_eq!(of(selector, "x", &[("app", "db")]), [Timing::Now]);
        assert_eq!(of(selector, "x", &[("app", "db"), ("tier", "web")]), [Timing::Later]);
        assert_eq!(of(selector, "service", &[("app", "web")]), [Timing::Later]);
        assert_eq!(of(selector, "x", &[("name", "web")]), [Timing::Later]);
    }

    #[test]
    fn a_set_of_one_may_just_be_scaled_next() {
        let of = |replicas| {
            let mut service = service();
            service.selector = labels(&[(POD_NAME, "db-2")]);
            let mut set = workload("StatefulSet", "db", &[("app", "db")]);
            set.replicas = replicas;
            set.template.added_labels = vec![POD_NAME.to_owned()];
            set.stateful_set = Some(StatefulSet {
                service_name: Some("db".to_owned()),
                first_ordinal: 0,
                pod_management_policy: "OrderedReady".to_owned(),
            });
            let objects = vec![Object::Workload(set)];
            let world = Snapshot { objects, complete: true, ..Snapshot::default() };
            let mut findings = Findings::default();
            check(&review(service), &world, &mut findings);
            findings.timings()
        };
        assert_eq!(of(None), []);
        assert_eq!(of(Some(3)), []);
        assert_eq!(of(Some(2)), [Timing::Now]);
        assert_eq!(of(Some(1)), [Timing::Later]);
    }

    #[test]
    fn a_role_may_come_later() {
        let world = world("db", &[("app", "db")]);
        for key in ["role", "isMaster", "spilo-role", "cnpg.io/instanceRole", "vault-active"] {
            assert_eq!(severities(&[("app", "db"), (key, "x")], &world), [], "{key}");
        }
    }

    #[test]
    fn the_domains_of_kubernetes_are_no_vendors() {
        for key in ["app", "app.kubernetes.io/name", "k8s.io/x", "helm.sh/chart"] {
            assert!(!vendor_key(key), "{key}");
        }
        for key in ["strimzi.io/cluster", "elasticsearch.k8s.elastic.co/cluster-name"] {
            assert!(vendor_key(key), "{key}");
        }
    }

    #[test]
    fn names_are_related_by_whole_words() {
        assert!(related("db-headless", "db"));
        assert!(related("db", "db-server"));
        assert!(related("db-svc", "db-service"));
        assert!(!related("db", "dbx"));
        assert!(!related("db", "web"));
    }
}
