//! The zone of a cluster: a name to an answer.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::answer::{Additional, Answer, Code, Data, Record, RecordType, UNKNOWN_ADDRESS, Who};
use super::bundle::{Bundle, doubt};
use super::endpoints::{Backing, Behind, Endpoint, Published, Readiness};
use super::families::families;
use super::name::{Name, Part, host, is_dashed, parse};
use super::refusal;
use super::why::unpublished;
use super::wire::{answer_size, longest_address};
use crate::finding::ObjectRef;
use crate::inventory::Inventory;
use crate::model::Service;

/// One port of an endpoint that is asked for.
#[derive(Clone, Copy)]
struct Match<'e, 'b> {
    endpoint: &'e Endpoint<'b>,
    /// None if it has no ports.
    port: Option<&'e Published>,
    /// Of the endpoint.
    number: usize,
}

/// The zone of a bundle. What is behind a Service is found out once.
#[derive(Debug)]
pub(super) struct Zone<'b> {
    bundle: &'b Bundle,
    backings: RefCell<HashMap<&'b ObjectRef, Rc<Backing<'b>>>>,
}

impl Bundle {
    /// What the cluster's DNS answers. Case and a dot at the end don't matter.
    pub fn ask(&self, name: &str, record_type: RecordType) -> Answer<'_> {
        Zone::of(self).ask(name, record_type)
    }

    /// What is answered for the dashed IP of one of a workload's Pods in front of a
    /// Service's name: any of those that have no other name there, or the one of
    /// this name.
    pub fn ask_of_pod(
        &self,
        service: &Service,
        pod: (&ObjectRef, Option<&str>),
        is_v6: bool,
        record_type: RecordType,
    ) -> Answer<'_> {
        Zone::of(self).ask_of_pod(service, pod, is_v6, record_type)
    }
}

impl<'b> Zone<'b> {
    pub(super) fn of(bundle: &'b Bundle) -> Self {
        Self { bundle, backings: RefCell::default() }
    }

    pub(super) fn bundle(&self) -> &'b Bundle {
        self.bundle
    }

    /// As [`Backing::of`].
    pub(super) fn backing(&self, service: &'b Service) -> Rc<Backing<'b>> {
        let mut backings = self.backings.borrow_mut();
        let backing = backings
            .entry(&service.meta.object_ref)
            .or_insert_with(|| Rc::new(Backing::of(self.bundle, service)));
        Rc::clone(backing)
    }

    /// As [`Bundle::ask`].
    pub(super) fn ask(&self, name: &str, record_type: RecordType) -> Answer<'b> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let mut answer = self.find(&name, record_type, 0);
        if !answer.records.is_empty() {
            answer.size = answer_size(&name, &answer.records, &answer.additional);
        }
        answer
    }

    /// As [`Bundle::ask_of_pod`].
    pub(super) fn ask_of_pod(
        &self,
        service: &Service,
        (maker, pod): (&ObjectRef, Option<&str>),
        is_v6: bool,
        record_type: RecordType,
    ) -> Answer<'b> {
        let object = &service.meta.object_ref;
        let Some(service) =
            self.bundle.inventory().service(&object.namespace, &object.name).found()
        else {
            return Answer::empty(Code::NxDomain, "there is no such Service", "");
        };
        if refusal::service(service, self.bundle.cluster()).is_some() {
            return Answer::empty(Code::NxDomain, "the API server refuses the Service", "");
        }
        let of = Part::Address { maker, pod, is_v6 };
        let mut answer = self.behind(service, of, record_type);
        if !answer.records.is_empty() {
            let name = format!("{}.{}", longest_address(is_v6), self.bundle.name_of(service));
            answer.size = answer_size(&name, &answer.records, &answer.additional);
            answer.size.at_most = true;
        }
        answer
    }

    fn find(&self, name: &str, record_type: RecordType, depth: usize) -> Answer<'b> {
        let Some(parsed) = parse(name, &self.bundle.cluster().zone) else {
            return Answer::empty(Code::Elsewhere, "it isn't in the cluster's zone", "");
        };
        let (namespace, service, of) = match parsed {
            Name::Apex => return Answer::empty(Code::NoError, "only Services have addresses", ""),
            Name::Pod => {
                return Answer::empty(
                    Code::Elsewhere,
                    "what names of `pod` mean, the Corefile says",
                    "",
                );
            }
            Name::Impossible(why) => return Answer::empty(Code::NxDomain, why, ""),
            Name::Namespace(namespace) if self.bundle.has_namespace(namespace) => {
                return Answer::empty(Code::NoError, "only Services have addresses", "");
            }
            Name::Namespace(namespace) => {
                let mut answer = Answer::empty(
                    Code::NxDomain,
                    &format!("there is no namespace `{namespace}`"),
                    "",
                );
                answer.doubts.extend(self.bundle.doubt_of_namespace(namespace));
                return answer;
            }
            Name::Service { namespace, service, of } => (namespace, service, of),
        };
        let found = self.bundle.inventory().service(namespace, service);
        let uncertain = doubt(&found, &format!("Service `{service}` of namespace `{namespace}`"));
        let Some(service) = found.found() else {
            return self.bundle.no_service(namespace, service, of, uncertain);
        };
        if let Some((why, field)) = refusal::service(service, self.bundle.cluster()) {
            return Answer::empty(
                Code::NxDomain,
                &format!("the API server refuses the Service: {why}"),
                field,
            );
        }
        if service.service_type == "ExternalName" {
            return self.alias(service, of, record_type, depth);
        }
        let asks_endpoint = matches!(of, Part::Endpoint(_));
        if service.cluster_ip.as_deref() == Some("None") || asks_endpoint {
            self.behind(service, of, record_type)
        } else {
            self.virtual_ip(service, of, record_type)
        }
    }

    /// # Source
    /// CoreDNS v1.15 `plugin/backend_lookup.go` (`A`): an alias whose target in the
    /// zone has no address isn't answered, and the name then has no record.
    fn alias(
        &self,
        service: &'b Service,
        of: Part<'_>,
        record_type: RecordType,
        depth: usize,
    ) -> Answer<'b> {
        const FIELD: &str = "$.spec.externalName";
        // CoreDNS gives up there too.
        const LONGEST_CHAIN: usize = 10;
        if of != Part::Whole {
            return Answer::empty(
                Code::NxDomain,
                "a Service of type ExternalName has no names below it",
                "",
            );
        }
        let target = service.external_name.clone().unwrap_or_default();
        let target = target.strip_suffix('.').unwrap_or(&target).to_ascii_lowercase();
        if target.parse::<std::net::IpAddr>().is_ok() {
            return Answer::empty(
                Code::NxDomain,
                "its externalName is an IP address, no name",
                FIELD,
            );
        }
        if record_type == RecordType::Srv {
            return Answer::empty(Code::NoError, "an ExternalName has no SRV record", "");
        }
        let own = Record {
            data: Data::Cname(target.clone()),
            who: Who::Service(service),
            readiness: Readiness::Always,
            key: None,
        };
        if depth > LONGEST_CHAIN {
            return Answer::empty(Code::NoError, "the aliases lead in a circle", FIELD);
        }
        let mut answer = self.find(&target, record_type, depth + 1);
        match answer.code {
            Code::Elsewhere => Answer { code: Code::NoError, records: vec![own], ..answer },
            _ if answer.records.is_empty() => {
                let why = format!("its externalName `{target}` has no address: {}", answer.why);
                Answer { doubts: answer.doubts, ..Answer::empty(Code::NoError, &why, FIELD) }
            }
            _ => {
                answer.records.insert(0, own);
                answer
            }
        }
    }

    fn virtual_ip(
        &self,
        service: &'b Service,
        of: Part<'_>,
        record_type: RecordType,
    ) -> Answer<'b> {
        let families = families(service, self.bundle.cluster());
        let ports: Vec<_> =
            service.ports.iter().filter(|port| of.names_port(&port.name, &port.protocol)).collect();
        if ports.is_empty() {
            return unpublished(service, of, service.ports.iter().map(|port| port.name.as_str()));
        }
        let record = |data| Record {
            data,
            who: Who::Service(service),
            readiness: Readiness::Always,
            key: None,
        };
        let per_port = usize::from(families.v4) + usize::from(families.v6);
        let weight = weight(ports.len() * per_port);
        let (mut records, mut additional) = (Vec::new(), Vec::new());
        match record_type {
            RecordType::A if families.v4 => records.push(record(Data::A)),
            RecordType::Aaaa if families.v6 => records.push(record(Data::Aaaa)),
            RecordType::A | RecordType::Aaaa => {}
            RecordType::Srv => {
                let target = self.bundle.name_of(service);
                let mut numbers = HashSet::new();
                for port in ports {
                    let Ok(number) = u16::try_from(port.port.unwrap_or_default()) else { continue };
                    if numbers.insert(number) {
                        let target = target.clone();
                        records.push(record(Data::Srv { weight, port: number, target }));
                    }
                }
                for (has, is_v6) in [(families.v4, false), (families.v6, true)] {
                    let target = target.clone();
                    additional.extend(has.then_some(Additional { target, key: None, is_v6 }));
                }
            }
        }
        let mut answer = if records.is_empty() {
            Answer::empty(
                Code::NoError,
                "the Service has no address of this family",
                "$.spec.ipFamilies",
            )
        } else {
            Answer { additional, ..Answer::found(records) }
        };
        if families.depends {
            answer
                .doubts
                .push("whether there is an IPv6 address depends on the cluster".to_owned());
        }
        answer
    }

    fn behind(&self, service: &'b Service, of: Part<'_>, record_type: RecordType) -> Answer<'b> {
        let backing = self.backing(service);
        let hosts = hosts(&backing, of);
        let mut matches: Vec<Match<'_, 'b>> = Vec::new();
        for (number, endpoint) in hosts.iter().enumerate() {
            if endpoint.ports.is_empty() {
                // A slice without ports counts as one port without a name.
                if of.names_port("", "") {
                    matches.push(Match { endpoint, port: None, number });
                }
                continue;
            }
            let ports = endpoint.ports.iter();
            let ports = ports.filter(|port| of.names_port(&port.name, &port.protocol));
            matches.extend(ports.map(|port| Match { endpoint, port: Some(port), number }));
        }
        let (records, additional) = match record_type {
            RecordType::Srv => self.srv_records(service, &matches),
            RecordType::A | RecordType::Aaaa => (addresses(&matches, record_type), Vec::new()),
        };
        let mut answer = if matches.is_empty() {
            self.bundle.no_endpoint(service, of, &backing)
        } else if records.is_empty() {
            let why = match record_type {
                RecordType::Srv => "its endpoints have no ports",
                RecordType::A | RecordType::Aaaa => "its endpoints have no address of this family",
            };
            Answer::empty(Code::NoError, why, "$.spec.ipFamilies")
        } else {
            Answer { additional, ..Answer::found(records) }
        };
        let is_anonymous =
            |it: &Endpoint<'_>| it.hostname.is_none() && matches!(it.who, Behind::Pod(_));
        if let Part::Endpoint(host) = of
            && is_dashed(host)
            && backing.endpoints.iter().any(is_anonymous)
        {
            answer.doubts.push("a Pod may have this address".to_owned());
        }
        answer.doubts.extend(backing.doubts.iter().cloned());
        answer
    }

    /// The SRV records of endpoints, and the addresses that come with them.
    ///
    /// # Source
    /// CoreDNS v1.15 `plugin/backend_lookup.go` (`SRV`): each pair of target and
    /// port once, each address of a target once.
    fn srv_records(
        &self,
        service: &Service,
        matches: &[Match<'_, 'b>],
    ) -> (Vec<Record<'b>>, Vec<Additional>) {
        let matches = matches.iter().filter(|it| it.endpoint.v4 || it.endpoint.v6);
        let entries =
            matches.clone().map(|it| usize::from(it.endpoint.v4) + usize::from(it.endpoint.v6));
        let weight = weight(entries.sum());
        let (mut targets, mut hosts) = (HashSet::new(), HashSet::new());
        let (mut records, mut additional) = (Vec::new(), Vec::new());
        for Match { endpoint, port, number } in matches {
            let Some(port) = port else { continue };
            let Ok(port) = u16::try_from(port.number) else { continue };
            let target = format!("{}.{}", host(endpoint), self.bundle.name_of(service));
            for is_v6 in [false, true] {
                if !(if is_v6 { endpoint.v6 } else { endpoint.v4 }) {
                    continue;
                }
                // An address that nobody knows makes a name of its own.
                let key = target.contains(UNKNOWN_ADDRESS).then_some((*number, is_v6));
                if targets.insert((target.clone(), key, port)) {
                    let data = Data::Srv { weight, port, target: target.clone() };
                    records.push(Record { key, ..record(endpoint, data) });
                }
                let whose = match &endpoint.who {
                    Behind::Pod(_) => format!("{number}"),
                    Behind::Written { address, .. } => address.clone(),
                };
                if hosts.insert((target.clone(), whose, is_v6)) {
                    additional.push(Additional { target: target.clone(), key, is_v6 });
                }
            }
        }
        (records, additional)
    }
}

/// The endpoints that a name is about.
pub(super) fn hosts<'b>(backing: &Backing<'b>, of: Part<'_>) -> Vec<Endpoint<'b>> {
    let all = backing.endpoints.iter();
    match of {
        Part::Whole | Part::Port { .. } => all.cloned().collect(),
        Part::Endpoint(asked) => {
            all.filter(|it| asked.eq_ignore_ascii_case(&host(it))).cloned().collect()
        }
        Part::Address { maker, pod, is_v6 } => {
            let mut of_maker = all.filter(|it| match &it.who {
                Behind::Pod(one) => {
                    let named = one.name.is_none() || pod.is_none() || one.name.as_deref() == pod;
                    it.hostname.is_none() && one.workload.meta.object_ref == *maker && named
                }
                Behind::Written { .. } => false,
            });
            let one = of_maker.find(|it| if is_v6 { it.v6 } else { it.v4 });
            one.map(|it| Endpoint { v4: !is_v6, v6: is_v6, ..it.clone() }).into_iter().collect()
        }
    }
}

/// The address records of endpoints, each address once.
fn addresses<'b>(matches: &[Match<'_, 'b>], record_type: RecordType) -> Vec<Record<'b>> {
    let (mut written, mut pods) = (HashSet::new(), HashSet::new());
    let mut records = Vec::new();
    for Match { endpoint, number, .. } in matches {
        let data = match (&endpoint.who, record_type) {
            (_, RecordType::A) if endpoint.v4 => Data::A,
            (_, RecordType::Aaaa) if endpoint.v6 => Data::Aaaa,
            (Behind::Written { address, .. }, _) if !endpoint.v4 && !endpoint.v6 => {
                Data::Cname(address.clone())
            }
            _ => continue,
        };
        let is_new = match &endpoint.who {
            Behind::Written { address, .. } => written.insert(address),
            Behind::Pod(_) => pods.insert(number),
        };
        if is_new {
            records.push(record(endpoint, data));
        }
    }
    records
}

fn record<'b>(endpoint: &Endpoint<'b>, data: Data) -> Record<'b> {
    let who = match &endpoint.who {
        Behind::Pod(pod) => Who::Pod(pod.clone()),
        Behind::Written { by, address } => Who::Written { by, address: address.clone() },
    };
    Record { data, who, readiness: endpoint.readiness, key: None }
}

/// # Source
/// CoreDNS v1.15 `plugin/backend_lookup.go` (`SRV`).
fn weight(entries: usize) -> u16 {
    u16::try_from(100 / entries.max(1)).unwrap_or(1).max(1)
}
