//! Rule `client-dials-headless-service-port`.

use std::collections::{BTreeMap, BTreeSet};

use headlint_policy_sdk::ports::{injected, serving, targets};
use headlint_policy_sdk::service::{has, headless, refused, selectorless, workloads};
use headlint_policy_sdk::types::{
    Endpoints, IntOrString, Metadata, Reference, ReferenceVia, Service, ServicePort, Traits,
    Workload,
};
use headlint_policy_sdk::{
    Action, Answer, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, Version,
    WRITTEN,
};
use serde_json::Value;

use crate::places::{list, with_listeners};

/// How many places of one object are reported. An edit of a long text is in
/// one of them only: all findings of an object travel as one message.
pub(crate) const MOST: usize = 200;

/// Something dials the port of a headless Service where its Pods have
/// another.
pub const RULE: Rule = Rule {
    id: "client-dials-headless-service-port",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &[
        "Pod",
        "Deployment",
        "ReplicaSet",
        "ReplicationController",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "ConfigMap",
        "Ingress",
    ],
    operations: WRITTEN,
    only_if: &[Condition::Refers],
    summary: "a client dials a headless Service's port, which its Pods don't serve",
    documentation: include_str!("client-dials-headless-service-port.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let holder = review.meta();
    if has(holder, Traits::DELETING) {
        return;
    }
    let references = context.references();
    let published = published(&references, context);
    let hits = hits(&references, &published);
    let (places, more) = places(&hits, &|path| value(context, path));
    let mut mesh = Mesh { context, routed: BTreeMap::new() };
    let last = places.len().saturating_sub(1);
    for (index, place) in places.into_iter().enumerate() {
        let published = place.hit.published;
        let severity = severity(review, holder, published, &mut mesh);
        let mut finding = place.finding(if index == last { more } else { 0 });
        if severity == Severity::Info {
            finding = finding.why(
                "`connection refused`, unless a DestinationRule or ServiceEntry of the mesh \
                 knows the way",
            );
        }
        findings.add(finding.severity(severity));
    }
}

/// The value at a path of the object under review.
fn value(context: &Context, path: &str) -> Option<Value> {
    let matches = context.query(Version::New, path).ok()?;
    let [found] = matches.as_slice() else { return None };
    serde_json::from_str(&found.value).ok()
}

fn severity(
    review: &Review,
    holder: &Metadata,
    published: &Published,
    mesh: &mut Mesh,
) -> Severity {
    let meshed = review.workload().is_some_and(injected) || published.behind.iter().any(injected);
    if meshed
        && (mesh.routes(&holder.ref_.namespace)
            || mesh.routes(&published.service.meta.ref_.namespace))
    {
        Severity::Info
    } else if has(holder, Traits::TEST_HOOK) {
        Severity::Warning
    } else {
        Severity::Error
    }
}

/// Which namespaces have routes of a mesh, each asked once.
struct Mesh<'c> {
    context: &'c Context,
    routed: BTreeMap<String, bool>,
}

impl Mesh<'_> {
    fn routes(&mut self, namespace: &str) -> bool {
        if let Some(known) = self.routed.get(namespace) {
            return *known;
        }
        let routed = ["DestinationRule", "ServiceEntry"]
            .iter()
            .any(|kind| matches!(self.context.objects(kind, namespace), Answer::Found(_)));
        self.routed.insert(namespace.to_owned(), routed);
        routed
    }
}

/// A headless Service whose TCP ports are all known to lead somewhere.
pub(crate) struct Published {
    pub(crate) service: Service,
    pub(crate) behind: Vec<Workload>,
    /// For each number of a TCP port of the Service: its index, its targets.
    pub(crate) ports: BTreeMap<i64, (usize, Vec<i64>)>,
    /// All numbers that are targets, or that containers declare.
    pub(crate) served: BTreeSet<i64>,
}

impl Published {
    fn of(namespace: &str, name: &str, context: &Context) -> Option<Self> {
        let service = context.service(namespace, name).found()?;
        if !headless(&service) || refused(&service) || has(&service.meta, Traits::DELETING) {
            return None;
        }
        if selectorless(&service) {
            let endpoints = context.endpoints_of(namespace, name).found()?;
            let served = by_hand(&endpoints)?;
            let mut ports = BTreeMap::new();
            for (index, port) in tcp(&service) {
                ports.entry(port.port?).or_insert_with(|| (index, served.clone()));
            }
            let served = served.into_iter().collect();
            return Some(Self { service, behind: Vec::new(), ports, served });
        }
        let behind = workloads(&service, context).unwrap_or_default();
        let (mut ports, mut served) = (BTreeMap::new(), BTreeSet::new());
        for (index, port) in tcp(&service) {
            let targets = targets(port, &behind).filter(|targets| targets.everywhere())?;
            let targets = targets.numbers();
            served.extend(&targets);
            ports.entry(port.port?).or_insert((index, targets));
        }
        let seen = context.workloads_matching(namespace, &service.selector).seen();
        let declared = seen.iter().flat_map(serving).flat_map(|container| &container.ports);
        served.extend(
            declared.filter(|port| port.protocol == "TCP").filter_map(|port| port.container_port),
        );
        Some(Self { service, behind, ports, served })
    }

    /// Whether it publishes the number, and nothing behind it serves it.
    fn refuses(&self, dialled: i64) -> bool {
        self.ports.contains_key(&dialled) && !self.served.contains(&dialled)
    }

    /// The one number to dial in its place.
    fn instead(&self, dialled: i64) -> Option<i64> {
        match self.ports.get(&dialled)?.1[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

/// The Services that are dialled, each looked up once.
pub(crate) fn published<'r>(
    references: &'r [Reference],
    context: &Context,
) -> BTreeMap<(&'r str, &'r str), Published> {
    let names: BTreeSet<_> =
        dials(references).map(|(reference, _)| service_of(reference)).collect();
    let look_up =
        |(namespace, name)| Some(((namespace, name), Published::of(namespace, name, context)?));
    names.into_iter().filter_map(look_up).collect()
}

/// The references that dial a number.
pub(crate) fn dials(references: &[Reference]) -> impl Iterator<Item = (&Reference, i64)> {
    references.iter().filter_map(|reference| match (reference.via, &reference.port) {
        (ReferenceVia::Dial, Some(IntOrString::Int(dialled))) => Some((reference, *dialled)),
        _ => None,
    })
}

pub(crate) fn service_of(reference: &Reference) -> (&str, &str) {
    (&reference.namespace, &reference.service)
}

fn tcp(service: &Service) -> impl Iterator<Item = (usize, &ServicePort)> {
    service.ports.iter().enumerate().filter(|(_, port)| port.protocol == "TCP")
}

/// The TCP ports of hand-written endpoints. None where a list of ports is
/// missing, which in a slice means every port, and for names instead of
/// addresses, which may lead anywhere.
fn by_hand(endpoints: &[Endpoints]) -> Option<Vec<i64>> {
    let mut served = Vec::new();
    for object in endpoints {
        if object.address_type.as_deref() == Some("FQDN") {
            return None;
        }
        for subset in &object.subsets {
            if subset.ports.is_empty() {
                return None;
            }
            for port in subset.ports.iter().filter(|port| port.protocol == "TCP") {
                served.push(port.port?);
            }
        }
    }
    served.sort_unstable();
    served.dedup();
    (!served.is_empty()).then_some(served)
}

/// A reference that dials a number which is refused.
struct Hit<'r> {
    reference: &'r Reference,
    dialled: i64,
    published: &'r Published,
}

impl Hit<'_> {
    fn instead(&self) -> Option<i64> {
        self.published.instead(self.dialled)
    }
}

fn hits<'r>(
    references: &'r [Reference],
    published: &'r BTreeMap<(&str, &str), Published>,
) -> Vec<Hit<'r>> {
    let hit = |(reference, dialled)| {
        let published = published.get(&service_of(reference))?;
        published.refuses(dialled).then_some(Hit { reference, dialled, published })
    };
    dials(references).filter_map(hit).collect()
}

/// A hit that becomes a finding.
struct Place<'h> {
    hit: &'h Hit<'h>,
    /// Whether it is the first of its path, which says what holds for all.
    leads: bool,
    /// Path and value.
    edit: Option<(String, Value)>,
}

/// The places to report, and how many more there are. What stands in one text
/// and means the same is one place. The edit of a path rewrites all hits in
/// it, and belongs to the first of them.
fn places<'h>(
    hits: &'h [Hit<'h>],
    value: &dyn Fn(&str) -> Option<Value>,
) -> (Vec<Place<'h>>, usize) {
    let mut by_path: BTreeMap<&str, Vec<&Hit>> = BTreeMap::new();
    for hit in hits {
        by_path.entry(&hit.reference.path).or_default().push(hit);
    }
    let (mut seen, mut led) = (BTreeSet::new(), BTreeSet::new());
    let (mut places, mut more) = (Vec::new(), 0);
    for hit in hits {
        let path = hit.reference.path.as_str();
        if !seen.insert((path, hit.reference.host.as_str(), hit.dialled)) {
            continue;
        }
        if places.len() == MOST {
            more += 1;
            continue;
        }
        let edit = hit.instead().and_then(|port| edit(port, hit, &by_path.remove(path)?, value));
        places.push(Place { hit, leads: led.insert(path), edit });
    }
    (places, more)
}

/// Path and new value: of the text with all of these hits in it, or of the
/// field beside the host.
fn edit(
    port: i64,
    hit: &Hit,
    hits: &[&Hit],
    value: &dyn Fn(&str) -> Option<Value>,
) -> Option<(String, Value)> {
    if hit.reference.range.is_none() {
        let path = probed(hit.reference)?;
        return value(&path).map(|_| (path, port.into()));
    }
    let path = &hit.reference.path;
    let replacements = hits.iter().filter_map(|hit| {
        Some(Replacement {
            from: hit.reference.range?.start as usize,
            host: &hit.reference.host,
            dialled: hit.dialled,
            port: hit.instead()?,
        })
    });
    let text = replace_ports(value(path)?.as_str()?, replacements)?;
    Some((path.clone(), text.into()))
}

/// Where the port stands if the reference is the host of an HTTP probe or
/// hook.
fn probed(reference: &Reference) -> Option<String> {
    let http = reference.path.strip_suffix(".host")?;
    (reference.range.is_none() && http.ends_with(".httpGet")).then(|| format!("{http}.port"))
}

impl Place<'_> {
    fn finding(self, more: usize) -> Finding {
        let Hit { reference, dialled, published } = self.hit;
        let name = &reference.service;
        let host = &reference.host;
        let (index, targets) = match published.ports.get(dialled) {
            Some((index, targets)) => (*index, targets.as_slice()),
            None => (0, [].as_slice()),
        };
        let target = list(targets);
        let behind = if selectorless(&published.service) { "endpoints" } else { "Pods" };
        let more = match more {
            0 => String::new(),
            1 => "; 1 more place in this object is like it".to_owned(),
            more => format!("; {more} more places in this object are like it"),
        };
        let mut finding = Finding::new(&RULE, reference.path.clone())
            .range(reference.range)
            .what(format!(
                "`{host}` is dialled on port {dialled}, but the {behind} of headless Service \
                 `{name}` are reached on {target}{more}"
            ))
            .why(format!(
                "`connection refused`: DNS answers with addresses only, and nothing turns \
                 {dialled} into {target}"
            ))
            .help(match (targets, &reference.pod) {
                ([one], _) if probed(reference).is_some() => format!("set `httpGet.port: {one}`"),
                ([one], Some(_)) => format!("dial `{host}:{one}`"),
                ([one], None) => {
                    format!("dial `{host}:{one}`, or give the clients a Service with a cluster IP")
                }
                _ => format!("dial {target}, or give the clients a Service with a cluster IP"),
            })
            .related(
                &published.service.meta.ref_,
                format!("$.spec.ports[{index}].port"),
                format!("port {dialled} leads to {target}"),
            );
        if self.leads {
            finding = with_listeners(finding, &published.behind, "TCP", targets);
        }
        match self.edit {
            Some((path, value)) => finding.set(path, value, Safety::Proposed),
            None => finding,
        }
    }
}

struct Replacement<'a> {
    from: usize,
    host: &'a str,
    dialled: i64,
    port: i64,
}

/// The text with the port behind each host replaced; none where one of them
/// isn't found as it was reported.
fn replace_ports<'a>(
    text: &str,
    replacements: impl Iterator<Item = Replacement<'a>>,
) -> Option<String> {
    let mut replacements: Vec<_> = replacements.collect();
    replacements.sort_by_key(|replacement| replacement.from);
    let mut replaced = String::with_capacity(text.len());
    let mut done = 0;
    for Replacement { from, host, dialled, port } in replacements {
        // What stands there is another text where the name comes from a `$(VAR)`.
        if !text.get(from..)?.starts_with(host) {
            return None;
        }
        let end = from + host.len();
        let rest = &text[end..];
        replaced.push_str(text.get(done..end)?);
        replaced.push_str(&format!(":{port}"));
        let written = format!(":{dialled}");
        let digit = |text: &str| text.starts_with(|next: char| next.is_ascii_digit());
        done = match rest.strip_prefix(&written) {
            Some(after) if !digit(after) => end + written.len(),
            None if !rest.starts_with(':') => end,
            _ => return None,
        };
    }
    replaced.push_str(&text[done..]);
    Some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{
        World, container, dials, named, number, published, review, service, slice, workload,
    };
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::{ByteRange, Object};

    fn replaced(text: &str, hosts: &[(usize, &str, i64, i64)]) -> Option<String> {
        replace_ports(
            text,
            hosts.iter().map(|&(from, host, dialled, port)| Replacement {
                from,
                host,
                dialled,
                port,
            }),
        )
    }

    #[test]
    fn every_port_in_a_text_is_rewritten() {
        assert_eq!(
            replaced("a: db:80\nb: http://db/x", &[(3, "db", 80, 8000), (19, "db", 80, 8000)]),
            Some("a: db:8000\nb: http://db:8000/x".to_owned())
        );
    }

    #[test]
    fn a_text_that_reads_otherwise_is_left_alone() {
        assert_eq!(replaced("db:8080", &[(0, "db", 80, 8000)]), None);
        assert_eq!(replaced("$(HOST):80", &[(0, "db", 80, 8000)]), None);
        assert_eq!(replaced("db", &[(9, "db", 80, 8000)]), None);
    }

    fn judged(snapshot: &Snapshot) -> Vec<Severity> {
        let client = workload("client", &[("app", "client")], Vec::new());
        let mut findings = Findings::default();
        check(&review(Object::Workload(client)), snapshot, &mut findings);
        findings.brief().into_iter().map(|(_, severity, _)| severity).collect()
    }

    #[test]
    fn a_client_of_the_published_number_is_refused() {
        let world = World::default()
            .with(Object::Service(service("db", vec![published("pg", 80, number(8000))])));
        assert_eq!(judged(&world.dialled(dials("db", 80))), [Severity::Error]);
        assert!(judged(&world.dialled(dials("db", 8000))).is_empty());
        assert!(judged(&world.dialled(dials("db", 6333))).is_empty());
    }

    #[test]
    fn an_unknown_name_among_the_ports_makes_it_silent() {
        let ports = vec![published("pg", 80, number(8000)), published("x", 81, named("x"))];
        let world = World::default().with(Object::Service(service("db", ports)));
        assert!(judged(&world.dialled(dials("db", 80))).is_empty());
    }

    #[test]
    fn a_container_that_declares_the_number_makes_it_silent() {
        let world = World::default()
            .with(Object::Service(service("db", vec![published("pg", 80, number(8000))])))
            .with(Object::Workload(workload(
                "db",
                &[("app", "db")],
                vec![container("proxy", &[("proxy", "TCP", 80)])],
            )));
        assert!(judged(&world.dialled(dials("db", 80))).is_empty());
    }

    #[test]
    fn hand_written_endpoints_count_for_a_selectorless_service() {
        let mut db = service("db", vec![published("pg", 80, None)]);
        db.selector.clear();
        let world = World::default().with(Object::Service(db));
        assert!(judged(&world.dialled(dials("db", 80))).is_empty());
        let world = world.with(Object::Endpoints(slice("db", &[("pg", 9000)])));
        assert_eq!(judged(&world.dialled(dials("db", 80))), [Severity::Error]);
        assert!(judged(&world.dialled(dials("db", 9000))).is_empty());
    }

    #[test]
    fn a_slice_without_ports_serves_them_all() {
        let mut db = service("db", vec![published("pg", 80, None)]);
        db.selector.clear();
        let world =
            World::default().with(Object::Service(db)).with(Object::Endpoints(slice("db", &[])));
        assert!(judged(&world.dialled(dials("db", 80))).is_empty());
    }

    #[test]
    fn of_many_places_200_are_reported_and_the_text_is_rewritten_once() {
        let host = |index: usize| format!("db-{index}.db");
        let length = |text: &str| u32::try_from(text.len()).expect("a short text");
        let mut text = String::new();
        let mut references = Vec::new();
        for index in 0..1100 {
            text.push_str("- http://");
            let start = length(&text);
            text.push_str(&host(index));
            let end = length(&text);
            text.push_str(":80/\n");
            references.push(Reference {
                path: "$.data.targets".to_owned(),
                range: Some(ByteRange { start, end }),
                host: host(index),
                ..dials("db", 80)
            });
        }
        let world = World::default()
            .with(Object::Service(service("db", vec![published("pg", 80, number(8000))])));
        let snapshot = Snapshot { own_references: references.clone(), ..world.snapshot };
        assert_eq!(judged(&snapshot), [Severity::Error; MOST]);

        let services = super::published(&references, &snapshot);
        let hits = hits(&references, &services);
        let asked = std::cell::Cell::new(0);
        let (places, more) = places(&hits, &|path| {
            assert_eq!(path, "$.data.targets");
            asked.set(asked.get() + 1);
            Some(text.clone().into())
        });
        assert_eq!((places.len(), more, asked.get()), (MOST, 900, 1));
        assert!(places[1..].iter().all(|place| !place.leads && place.edit.is_none()));
        let rewritten = Value::from(text.replace(":80/", ":8000/"));
        assert_eq!(places[0].edit, Some(("$.data.targets".to_owned(), rewritten)));
    }

    #[test]
    fn of_a_probe_the_port_is_edited_and_not_the_host() {
        let http = "$.spec.template.spec.containers[0].livenessProbe.httpGet";
        let reference =
            |field: &str| Reference { path: format!("{http}.{field}"), ..dials("db", 80) };
        let references = [reference("host"), reference("other")];
        let world = World::default()
            .with(Object::Service(service("db", vec![published("pg", 80, number(8000))])));
        let services = super::published(&references, &world.snapshot);
        let hits = hits(&references, &services);
        let (places, _) = places(&hits, &|_| Some(80.into()));
        let edits: Vec<_> = places.into_iter().map(|place| place.edit).collect();
        assert_eq!(edits, [Some((format!("{http}.port"), 8000.into())), None]);
    }
}
