//! From an answer to a port.

use super::super::answer::{Answer, Data, Who};
use super::super::endpoints::{Backing, Behind, Endpoint};
use super::super::name::{Name, Part, parse};
use super::super::network::{Direction, Passage, Side, names_service_port, passage};
use super::super::pods::name_of;
use super::super::port::{Outcome, Reached, direct, translated};
use super::super::zone::hosts;
use super::{Way, policy_ref};
use crate::model::Service;

impl<'b> Way<'b> {
    /// The outcome for the first addresses of a name.
    pub(super) fn dial(&mut self, name: &str, answer: &Answer<'b>, port: Option<u16>) -> Outcome {
        // An alias leads to the last name of its chain.
        let mut aliases = answer.records.iter().filter_map(|record| match &record.data {
            Data::Cname(target) => Some(target.as_str()),
            _ => None,
        });
        let name = aliases.next_back().unwrap_or(name).to_owned();
        let Some(service) = self.service_of(&name) else {
            self.step("service", format!("`{name}` isn't of this cluster"));
            return Outcome::Unknown;
        };
        let object = service.meta.object_ref.clone();
        let Some(Name::Service { of, .. }) = parse(&name, &self.bundle.cluster().zone) else {
            return Outcome::Unknown;
        };
        let srv = answer.records.iter().find_map(|record| match &record.data {
            Data::Srv { port, .. } => Some(*port),
            _ => None,
        });
        let Some(port) = port.or(srv) else { return Outcome::Unknown };
        let is_virtual = answer
            .records
            .iter()
            .any(|it| matches!(it.who, Who::Service(_)) && !matches!(it.data, Data::Cname(_)));
        if is_virtual {
            self.step("service", format!("{object} has a cluster IP: kube-proxy picks a Pod"));
            return self.dial_virtual(service, i64::from(port));
        }
        self.step(
            "service",
            format!("{object} is headless: the client gets the Pods' own addresses"),
        );
        let backing = Backing::of(self.bundle, service);
        if matches!(of, Part::Port { protocol, .. } if !protocol.eq_ignore_ascii_case("tcp")) {
            self.step("port", format!("{port}: only TCP has connections"));
            return Outcome::Unknown;
        }
        let asked = hosts(&backing, of);
        // Each SRV record has the port of its own target.
        let port_of = |endpoint: &Endpoint<'_>| match of {
            Part::Port { .. } => {
                let mut ports = endpoint.ports.iter();
                ports.find(|it| of.names_port(&it.name, &it.protocol)).map(|it| it.number)
            }
            _ => Some(i64::from(port)),
        };
        let reached = asked
            .iter()
            .filter_map(|endpoint| Some((endpoint, direct(service, endpoint, port_of(endpoint)?))));
        self.settle(service, reached.collect())
    }

    fn dial_virtual(&mut self, service: &'b Service, port: i64) -> Outcome {
        let reached = translated(self.bundle, service, port);
        if reached.outcome != Outcome::Connects {
            return self.settle_one(service, None, &reached);
        }
        let backing = Backing::of(self.bundle, service);
        let reached: Vec<_> =
            backing.endpoints.iter().map(|endpoint| (endpoint, reached.clone())).collect();
        self.settle(service, reached)
    }

    /// One outcome for all endpoints, or none.
    fn settle(&mut self, service: &Service, reached: Vec<(&Endpoint<'b>, Reached)>) -> Outcome {
        // Pods of one workload are alike.
        let mut groups: Vec<(&Endpoint<'b>, Reached)> = Vec::new();
        for (endpoint, reached) in reached {
            let is_known = groups
                .iter()
                .any(|(other, known)| *known == reached && same_maker(other, endpoint));
            if !is_known {
                groups.push((endpoint, reached));
            }
        }
        let outcomes: Vec<_> = groups
            .iter()
            .map(|(endpoint, reached)| self.settle_one(service, Some(endpoint), reached))
            .collect();
        match outcomes.as_slice() {
            [] => Outcome::Unknown,
            [first, rest @ ..] if rest.iter().all(|other| other == first) => *first,
            _ => {
                self.step("endpoint", "it depends on which of the addresses the client takes");
                Outcome::Unknown
            }
        }
    }

    fn settle_one(
        &mut self,
        service: &Service,
        endpoint: Option<&Endpoint<'b>>,
        reached: &Reached,
    ) -> Outcome {
        let (side, server) = match endpoint.map(|it| &it.who) {
            Some(Behind::Pod(pod)) => (Side::Pods(pod.workload), Some(pod.workload)),
            Some(Behind::Written { .. }) | None => (Side::Address, None),
        };
        if let Some(workload) = server {
            self.step("endpoint", format!("Pods of {}", name_of(workload)));
        }
        self.step("port", reached.why.clone());
        // Packets that are dropped never get to a closed port.
        if endpoint.is_some() {
            let port = (reached.number, "TCP");
            let out = passage(self.bundle, Direction::Egress, self.client, side, port);
            let namespace = self.client.meta.object_ref.namespace.clone();
            if let Some(outcome) = self.pass(out, &namespace, service, reached) {
                return outcome;
            }
            if let Some(workload) = server {
                let side = Side::Pods(self.client);
                let into = passage(self.bundle, Direction::Ingress, workload, side, port);
                let namespace = workload.meta.object_ref.namespace.clone();
                if let Some(outcome) = self.pass(into, &namespace, service, reached) {
                    return outcome;
                }
            }
        }
        self.advise_port(service, endpoint.is_some(), reached);
        reached.outcome
    }

    fn advise_port(&mut self, service: &Service, is_direct: bool, reached: &Reached) {
        if reached.change.is_empty() {
            return;
        }
        let rule = (is_direct && reached.outcome == Outcome::Refused)
            .then_some("client-dials-headless-service-port");
        self.advise(&service.meta.object_ref, &reached.field, reached.change.clone(), rule);
    }

    fn pass(
        &mut self,
        passage: Passage,
        namespace: &str,
        service: &Service,
        reached: &Reached,
    ) -> Option<Outcome> {
        match passage {
            Passage::Open(by) => {
                if let Some(first) = by.first() {
                    self.step("network policy", format!("`{first}` lets it through"));
                }
                None
            }
            Passage::Unknown(why) => {
                self.step("network policy", why);
                Some(Outcome::Unknown)
            }
            Passage::Blocked { by, direction } => {
                let way = match direction {
                    Direction::Egress => "out",
                    Direction::Ingress => "in to the Pods",
                };
                let (policies, port) = (by.join("`, `"), reached.number);
                let text = format!("`{policies}` lets nothing of this client {way} on port {port}");
                self.step("network policy", text);
                // The right port may be let through.
                self.advise_port(service, true, reached);
                if let Some(first) = by.first() {
                    let object = policy_ref(namespace, first);
                    let text = format!("add a rule that allows port {port} of the Pod");
                    let is_service_port =
                        names_service_port(self.bundle, direction, (namespace, &by), service, port);
                    let rule = is_service_port.then_some("netpol-uses-service-port");
                    self.advise(&object, direction.field(), text, rule);
                }
                Some(Outcome::TimesOut)
            }
        }
    }
}

fn same_maker(a: &Endpoint<'_>, b: &Endpoint<'_>) -> bool {
    match (&a.who, &b.who) {
        (Behind::Pod(a), Behind::Pod(b)) => {
            a.workload.meta.object_ref == b.workload.meta.object_ref
        }
        (Behind::Written { by: a, .. }, Behind::Written { by: b, .. }) => {
            a.meta.object_ref == b.meta.object_ref
        }
        _ => false,
    }
}
