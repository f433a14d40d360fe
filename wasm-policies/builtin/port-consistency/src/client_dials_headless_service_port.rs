//! Rule `client-dials-headless-service-port`.

use std::collections::BTreeMap;

use headlint_policy_sdk::ports::{injected, serving, targets};
use headlint_policy_sdk::service::{has, headless, refused, selectorless, workloads};
use headlint_policy_sdk::types::{
    Endpoints, IntOrString, Metadata, Object, Reference, ReferenceVia, Service, Traits, Workload,
};
use headlint_policy_sdk::{
    Action, Answer, Context, Finding, Findings, Operation, Review, Rule, Safety, Severity, Version,
};

use crate::places::{list, with_listeners};

/// Something dials the port of a headless Service where its Pods have
/// another.
pub const RULE: Rule = Rule {
    id: "client-dials-headless-service-port",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
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
    summary: "a client dials a headless Service's port, which its Pods don't serve",
    documentation: include_str!("client-dials-headless-service-port.md"),
    check,
};

fn check(review: &Review, context: &dyn Context, findings: &mut Findings) {
    let holder = match &review.object {
        Object::Workload(workload) => &workload.meta,
        Object::Other(meta) => meta,
        _ => return,
    };
    if review.operation == Operation::Delete || has(holder, Traits::DELETING) {
        return;
    }
    let mut published: BTreeMap<(String, String), Option<Published>> = BTreeMap::new();
    let references = context.references();
    let mut hits: Vec<Hit> = Vec::new();
    for reference in &references {
        let (ReferenceVia::Dial, Some(IntOrString::Int(dialled))) =
            (reference.via, reference.port.as_ref())
        else {
            continue;
        };
        published
            .entry((reference.namespace.clone(), reference.service.clone()))
            .or_insert_with_key(|(namespace, name)| Published::of(namespace, name, context));
        hits.push(Hit { reference, dialled: *dialled });
    }
    let world = |hit: &Hit| {
        let key = (hit.reference.namespace.clone(), hit.reference.service.clone());
        published.get(&key)?.as_ref().filter(|published| published.refuses(hit.dialled))
    };
    hits.retain(|hit| world(hit).is_some());
    for (index, hit) in hits.iter().enumerate() {
        let again = hits[..index].iter().any(|earlier| hit.same(earlier));
        let (false, Some(published)) = (again, world(hit)) else { continue };
        let rewritten: Vec<_> = hits
            .iter()
            .filter(|other| other.reference.path == hit.reference.path)
            .filter_map(|other| Some((other, world(other)?.instead(other.dialled)?)))
            .collect();
        let mut finding = hit.finding(published);
        if published.instead(hit.dialled).is_some()
            && let Some(text) = rewrite(context, &hit.reference.path, &rewritten)
        {
            finding = finding.set(hit.reference.path.clone(), text.into(), Safety::Proposed);
        }
        let severity = severity(review, holder, published, context);
        if severity == Severity::Info {
            finding = finding.why(
                "`connection refused`, unless a DestinationRule or ServiceEntry of the mesh \
                 knows the way",
            );
        }
        findings.add(finding.severity(severity));
    }
}

fn severity(
    review: &Review,
    holder: &Metadata,
    published: &Published,
    context: &dyn Context,
) -> Severity {
    let meshed = review.workload().is_some_and(injected) || published.behind.iter().any(injected);
    let namespaces =
        [holder.ref_.namespace.as_str(), published.service.meta.ref_.namespace.as_str()];
    let routed = || {
        ["DestinationRule", "ServiceEntry"].iter().any(|kind| {
            namespaces
                .iter()
                .any(|namespace| matches!(context.objects(kind, namespace), Answer::Found(_)))
        })
    };
    if meshed && routed() {
        Severity::Info
    } else if has(holder, Traits::TEST_HOOK) {
        Severity::Warning
    } else {
        Severity::Error
    }
}

/// A headless Service whose TCP ports are all known to lead somewhere.
struct Published {
    service: Service,
    behind: Vec<Workload>,
    /// For each TCP port of the Service: its index, its number, its targets.
    ports: Vec<(usize, i64, Vec<i64>)>,
    /// Further numbers that containers declare.
    declared: Vec<i64>,
}

impl Published {
    fn of(namespace: &str, name: &str, context: &dyn Context) -> Option<Self> {
        let service = context.service(namespace, name).found()?;
        if !headless(&service) || refused(&service) || has(&service.meta, Traits::DELETING) {
            return None;
        }
        if selectorless(&service) {
            let endpoints = context.endpoints_of(namespace, name).found()?;
            let served = by_hand(&endpoints)?;
            let ports = tcp(&service).map(|(index, port)| Some((index, port?, served.clone())));
            let ports = ports.collect::<Option<_>>()?;
            return Some(Self { service, behind: Vec::new(), ports, declared: Vec::new() });
        }
        let behind = workloads(&service, context).unwrap_or_default();
        let mut ports = Vec::new();
        for (index, port) in service.ports.iter().enumerate().filter(|(_, p)| p.protocol == "TCP") {
            let targets = targets(port, &behind).filter(|targets| targets.everywhere())?;
            ports.push((index, port.port?, targets.numbers()));
        }
        let seen = context.workloads_matching(namespace, &service.selector).seen();
        let declared = seen
            .iter()
            .flat_map(serving)
            .flat_map(|container| &container.ports)
            .filter(|port| port.protocol == "TCP")
            .filter_map(|port| port.container_port)
            .collect();
        Some(Self { service, behind, ports, declared })
    }

    /// Whether it publishes the number, and nothing behind it serves it.
    fn refuses(&self, dialled: i64) -> bool {
        self.ports.iter().any(|(_, number, _)| *number == dialled)
            && !self.ports.iter().any(|(_, _, targets)| targets.contains(&dialled))
            && !self.declared.contains(&dialled)
    }

    /// The entry of `spec.ports` with that number.
    fn entry(&self, dialled: i64) -> Option<&(usize, i64, Vec<i64>)> {
        self.ports.iter().find(|(_, number, _)| *number == dialled)
    }

    /// The one number to dial in its place.
    fn instead(&self, dialled: i64) -> Option<i64> {
        match self.entry(dialled)?.2[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

fn tcp(service: &Service) -> impl Iterator<Item = (usize, Option<i64>)> {
    let tcp = service.ports.iter().enumerate().filter(|(_, port)| port.protocol == "TCP");
    tcp.map(|(index, port)| (index, port.port))
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

/// A reference that dials a number.
struct Hit<'r> {
    reference: &'r Reference,
    dialled: i64,
}

impl Hit<'_> {
    /// Whether both stand in one text and mean the same.
    fn same(&self, other: &Self) -> bool {
        let (a, b) = (self.reference, other.reference);
        (&a.path, &a.host, self.dialled) == (&b.path, &b.host, other.dialled)
    }

    fn finding(&self, published: &Published) -> Finding {
        let Self { reference, dialled } = self;
        let name = &reference.service;
        let host = &reference.host;
        let (index, _, targets) = match published.entry(*dialled) {
            Some((index, number, targets)) => (*index, *number, targets.as_slice()),
            None => (0, *dialled, [].as_slice()),
        };
        let target = list(targets);
        let behind = if selectorless(&published.service) { "endpoints" } else { "Pods" };
        let finding = Finding::new(&RULE, reference.path.clone())
            .range(reference.range)
            .what(format!(
                "`{host}` is dialled on port {dialled}, but the {behind} of headless Service \
                 `{name}` are reached on {target}"
            ))
            .why(format!(
                "`connection refused`: DNS answers with addresses only, and nothing turns \
                 {dialled} into {target}"
            ))
            .help(match (targets, &reference.pod) {
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
        with_listeners(finding, &published.behind, "TCP", targets)
    }
}

/// The text at the path with the port behind each host replaced; none where
/// one of them isn't found as it was reported.
fn rewrite(context: &dyn Context, path: &str, hits: &[(&Hit, i64)]) -> Option<String> {
    let matches = context.query(Version::New, path).ok()?;
    let [found] = matches.as_slice() else { return None };
    let text: String = serde_json::from_str(&found.value).ok()?;
    replace_ports(
        text,
        hits.iter().map(|(hit, port)| Replacement {
            from: hit.reference.range.map_or(0, |range| range.start as usize),
            host: &hit.reference.host,
            dialled: hit.dialled,
            port: *port,
        }),
    )
}

struct Replacement<'a> {
    from: usize,
    host: &'a str,
    dialled: i64,
    port: i64,
}

fn replace_ports<'a>(
    mut text: String,
    replacements: impl Iterator<Item = Replacement<'a>>,
) -> Option<String> {
    let mut replacements: Vec<_> = replacements.collect();
    // From the end, so that what is still to do keeps its place.
    replacements.sort_by_key(|replacement| std::cmp::Reverse(replacement.from));
    for Replacement { from, host, dialled, port } in replacements {
        // What stands there is another text where the name comes from a `$(VAR)`.
        let end = from + host.len();
        if !text.get(from..)?.starts_with(host) {
            return None;
        }
        let rest = &text[end..];
        let written = format!(":{dialled}");
        let digit = |text: &str| text.starts_with(|next: char| next.is_ascii_digit());
        match rest.strip_prefix(&written) {
            Some(after) if !digit(after) => {
                text.replace_range(end..end + written.len(), &format!(":{port}"));
            }
            None if !rest.starts_with(':') => text.insert_str(end, &format!(":{port}")),
            _ => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{
        World, container, dials, named, number, published, review, service, slice, workload,
    };
    use headlint_policy_sdk::fake::Snapshot;

    fn replaced(text: &str, hosts: &[(usize, &str, i64, i64)]) -> Option<String> {
        replace_ports(
            text.to_owned(),
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
}
