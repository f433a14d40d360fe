//! Rule `headless-port-target-mismatch`.

use headlint_policy_sdk::labels::{Reach, reach};
use headlint_policy_sdk::ports::{Targets, targets};
use headlint_policy_sdk::service::{headless, selectorless, workloads};
use headlint_policy_sdk::types::{
    IntOrString, Reference, ReferenceVia, Service, ServicePort, Workload,
};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::places::{accepted, closed, declared, list, port_path, with_listeners};

/// A headless Service publishes one number, and its Pods are reached on
/// another.
pub const RULE: Rule = Rule {
    id: "headless-port-target-mismatch",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a headless Service's port isn't its target port, and nothing translates",
    documentation: include_str!("headless-port-target-mismatch.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = accepted(review) else { return };
    let might = |port: &ServicePort| {
        port.target_port
            .as_ref()
            .is_some_and(|t| port.port.map(IntOrString::Int).as_ref() != Some(t))
    };
    if !headless(service) || selectorless(service) || !service.ports.iter().any(might) {
        return;
    }
    let behind = workloads(service, context).unwrap_or_default();
    let mut references = None;
    for (index, port) in service.ports.iter().enumerate() {
        let (Some(number), Some(targets)) = (port.port, targets(port, &behind)) else { continue };
        let numbers = targets.numbers();
        if !targets.everywhere() || numbers.contains(&number) {
            continue;
        }
        let references = references.get_or_insert_with(|| {
            context.references_to(&service.meta.ref_.namespace, &service.meta.ref_.name).seen()
        });
        let mismatch = Mismatch { service, index, port, number, numbers, behind: &behind };
        let mut finding = mismatch.finding();
        if let Some(guard) = mismatch.guard(references, context) {
            finding = finding.severity(Severity::Info).why(guard);
        }
        let fixed = matches!(targets, Targets::Number(_));
        findings.add(mismatch.with_remedy(finding, references, fixed));
    }
}

struct Mismatch<'a> {
    service: &'a Service,
    index: usize,
    port: &'a ServicePort,
    number: i64,
    numbers: Vec<i64>,
    behind: &'a [Workload],
}

impl Mismatch<'_> {
    fn finding(&self) -> Finding {
        let Self { service, index, port, number, numbers, behind } = self;
        let name = &service.meta.ref_.name;
        let target = list(numbers);
        let finding = Finding::new(&RULE, port_path(*index, "targetPort"))
            .what(match &port.target_port {
                Some(IntOrString::Text(by)) => format!(
                    "headless Service `{name}` publishes port {number}, but its target port \
                     `{by}` is {target}"
                ),
                _ => format!(
                    "headless Service `{name}` publishes port {number}, but its target port is \
                     {target}"
                ),
            })
            .why(format!(
                "DNS answers with Pod addresses and nothing turns {number} into {target}: a \
                 client of `{name}:{number}` gets {}",
                closed(&port.protocol)
            ));
        with_listeners(finding, behind, &port.protocol, numbers)
    }

    /// Why it may well be meant: only clients that follow endpoints or SRV
    /// records are known, or the number is served in another way.
    fn guard(&self, references: &[Reference], context: &Context) -> Option<String> {
        let name = &self.service.meta.ref_.name;
        let number = self.number;
        let listens = |workload: &Workload| {
            declared(workload).any(|(_, _, there)| {
                there.container_port == Some(number) && there.protocol == self.port.protocol
            })
        };
        if !self.behind.is_empty() && self.behind.iter().all(listens) {
            return Some(format!(
                "the Pods have port {number} as well: a client of `{name}:{number}` gets there, \
                 and not to {}",
                list(&self.numbers)
            ));
        }
        if self.numbers.iter().all(|target| self.published(*target)) {
            return Some(format!(
                "another entry of `spec.ports` publishes {} as it is; only a client of \
                 `{name}:{number}` is refused",
                list(&self.numbers)
            ));
        }
        if let Some(twin) = self.twin(context) {
            return Some(format!(
                "Service `{twin}` has a cluster IP, the same Pods and port {number}; only a \
                 client of `{name}:{number}` is refused"
            ));
        }
        // Who dials another number that is published has no use for this one.
        let elsewhere = |reference: &Reference| match reference.port {
            Some(IntOrString::Int(port)) => port != number && self.published(port),
            _ => false,
        };
        let (dials, others): (Vec<_>, Vec<_>) =
            references.iter().partition(|reference| reference.via == ReferenceVia::Dial);
        if others.is_empty() || !dials.into_iter().all(elsewhere) {
            return None;
        }
        Some(format!(
            "all that is known to use port {number} follows endpoints or SRV records to {}; only a client \
             of `{name}:{number}` is refused",
            list(&self.numbers)
        ))
    }

    /// Whether another entry leads from this number to itself.
    fn published(&self, target: i64) -> bool {
        self.service.ports.iter().enumerate().any(|(index, other)| {
            index != self.index
                && other.port == Some(target)
                && other.protocol == self.port.protocol
                && targets(other, self.behind).is_some_and(|targets| targets.numbers() == [target])
        })
    }

    /// The name of a Service with a cluster IP over the same Pods that
    /// serves the same port.
    fn twin(&self, context: &Context) -> Option<String> {
        let namespace = &self.service.meta.ref_.namespace;
        // Without any Pods to go by, those that an equal selector would select.
        let labels = self.behind.first().map_or(&self.service.selector, |w| &w.template.labels);
        let others = context.services_selecting(namespace, labels).seen();
        others.into_iter().find_map(|other| {
            let twin = other.service_type != "ExternalName"
                && !headless(&other)
                && other.ports.iter().any(|port| {
                    port.port == Some(self.number) && port.protocol == self.port.protocol
                })
                && self.same_pods(&other, context);
            twin.then_some(other.meta.ref_.name)
        })
    }

    fn same_pods(&self, other: &Service, context: &Context) -> bool {
        let contains = |a: &Service, b: &Service| a.selector.iter().all(|l| b.selector.contains(l));
        if selectorless(other) {
            return false;
        }
        if contains(self.service, other) && contains(other, self.service) {
            return true;
        }
        !self.behind.is_empty()
            && self
                .behind
                .iter()
                .all(|w| matches!(reach(&other.selector, w), Reach::All | Reach::Some))
            && workloads(other, context).is_some_and(|theirs| theirs.len() == self.behind.len())
    }

    /// Says what to do, and proposes the number as `port` where that breaks
    /// no other reference.
    fn with_remedy(&self, finding: Finding, references: &[Reference], fixed: bool) -> Finding {
        let number = self.number;
        let [target] = self.numbers[..] else {
            return finding.help(format!(
                "give all Pods one number for this port, and set `port` to it instead of {number}"
            ));
        };
        let taken = self
            .service
            .ports
            .iter()
            .any(|other| other.port == Some(target) && other.protocol == self.port.protocol);
        let uses = |via: &dyn Fn(ReferenceVia) -> bool| {
            references.iter().any(|reference| {
                via(reference.via) && reference.port == Some(IntOrString::Int(number))
            })
        };
        let finding = finding.help(if taken {
            format!("make clients dial {target}, and remove this entry if nothing else needs it")
        } else if uses(&|via| via != ReferenceVia::Dial) {
            format!("set `port: {target}`, also where {number} is referred to, or make clients dial {target}")
        } else {
            format!("set `port: {target}`, or make clients dial {target}")
        });
        if !fixed || taken || uses(&|_| true) {
            return finding;
        }
        finding.set(port_path(self.index, "port"), target.into(), Safety::Proposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{
        World, container, dials, named, number, published, review, service, workload,
    };
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::Object;

    fn judged(service: Service, snapshot: &Snapshot) -> Vec<Severity> {
        let mut findings = Findings::default();
        check(&review(Object::Service(service)), snapshot, &mut findings);
        findings.brief().into_iter().map(|(_, severity, _)| severity).collect()
    }

    #[test]
    fn another_number_is_a_warning_and_the_same_is_nothing() {
        let alone = World::default().snapshot;
        let db = |target| service("db", vec![published("pg", 80, target)]);
        assert_eq!(judged(db(number(8000)), &alone), [Severity::Warning]);
        assert!(judged(db(number(80)), &alone).is_empty());
        assert!(judged(db(None), &alone).is_empty());
        assert!(judged(db(named("pg")), &alone).is_empty());
    }

    #[test]
    fn selectorless_refused_and_cluster_ip_services_are_left_alone() {
        let alone = World::default().snapshot;
        let db = service("db", vec![published("pg", 80, number(8000))]);
        let selectorless = Service { selector: Vec::new(), ..db.clone() };
        let refused = Service { service_type: "NodePort".to_owned(), ..db.clone() };
        let vip = Service { cluster_ip: None, ..db };
        for quiet in [selectorless, refused, vip] {
            assert!(judged(quiet, &alone).is_empty());
        }
    }

    #[test]
    fn a_name_counts_only_if_every_workload_has_it() {
        let db = service("db", vec![published("pg", 80, named("pg"))]);
        let pods = |name, port| {
            Object::Workload(workload(
                name,
                &[("app", "db")],
                vec![container("pg", &[(port, "TCP", 5432)])],
            ))
        };
        let world = World::default().with(pods("a", "pg"));
        assert_eq!(judged(db.clone(), &world.snapshot), [Severity::Warning]);
        assert!(judged(db, &world.with(pods("b", "other")).snapshot).is_empty());
    }

    #[test]
    fn a_reference_that_follows_endpoints_makes_it_a_hint_until_something_dials() {
        let db = service("db", vec![published("pg", 80, number(8000))]);
        let route = Reference { via: ReferenceVia::Route, ..dials("db", 80) };
        let mut world = World::default();
        world.snapshot.references.push(route);
        assert_eq!(judged(db.clone(), &world.snapshot), [Severity::Info]);
        world.snapshot.references.push(dials("db", 8000));
        assert_eq!(judged(db, &world.snapshot), [Severity::Warning]);
    }

    #[test]
    fn a_twin_with_another_selector_counts_if_it_has_the_same_pods() {
        let db = service("db", vec![published("pg", 80, number(8000))]);
        let mut twin = service("db-client", vec![published("pg", 80, number(8000))]);
        twin.cluster_ip = None;
        twin.selector = crate::world::labels(&[("app", "db"), ("tier", "store")]);
        let world = World::default().with(Object::Service(twin));
        assert_eq!(judged(db.clone(), &world.snapshot), [Severity::Warning]);
        let world = world.with(Object::Workload(workload(
            "db",
            &[("app", "db"), ("tier", "store")],
            Vec::new(),
        )));
        assert_eq!(judged(db.clone(), &world.snapshot), [Severity::Info]);
        let world = world.with(Object::Workload(workload("more", &[("app", "db")], Vec::new())));
        assert_eq!(judged(db, &world.snapshot), [Severity::Warning]);
    }
}
