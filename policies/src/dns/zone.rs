//! The zone of a cluster: a name to an answer.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::bundle::{Bundle, doubt};
use super::endpoints::{Backing, Behind, Endpoint, Published, Readiness};
use super::families::families;
use super::pods::Pod;
use super::refusal;
use super::wire::{Size, answer_size, longest_address};
use crate::finding::ObjectRef;
use crate::inventory::Inventory;
use crate::model::{Endpoints, Service, ServicePort};

/// What stands in names for the dashed IP of a Pod, which nobody knows yet.
pub const UNKNOWN_ADDRESS: &str = "<ip>";

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Names with ports.
    Srv,
}

/// The code of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The name exists, but it may have no record of the type.
    NoError,
    /// There is no such name.
    NxDomain,
    /// The name isn't in the cluster's zone, or no manifest decides about it.
    Elsewhere,
}

/// An answer, as it will be once all Pods are Ready.
#[derive(Clone, Debug)]
pub struct Answer<'b> {
    /// The code.
    pub code: Code,
    /// The answer section, in no order: servers shuffle it.
    pub records: Vec<Record<'b>>,
    /// Bytes of the whole answer; zero where there is no record.
    pub size: Size,
    pub(super) additional: Vec<Additional>,
    /// Why it may be another one; sentences. Empty: it is certain.
    pub doubts: Vec<String>,
    /// Why there is no record; a sentence. Empty where there is one.
    pub why: String,
    /// JSONPath of the field to change; empty where nothing is wrong.
    pub field: String,
    /// What has the field, if it isn't the Service.
    pub object: Option<ObjectRef>,
    /// The rule that explains it.
    pub rule: Option<&'static str>,
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record<'b> {
    /// What the name stands for.
    pub data: Data,
    /// Who has the address.
    pub who: Who<'b>,
    /// When it is there.
    pub readiness: Readiness,
    /// Tells targets apart that have [`UNKNOWN_ADDRESS`] in them: the number of the
    /// endpoint, and whether it is the IPv6 address.
    pub(super) key: Option<(usize, bool)>,
}

impl Record<'_> {
    /// Whether [`UNKNOWN_ADDRESS`] in its target stands for an IPv6 address.
    pub fn is_v6_target(&self) -> bool {
        self.key.is_some_and(|(_, is_v6)| is_v6)
    }
}

/// An address that comes with an SRV record, for its target.
#[derive(Clone, Debug)]
pub(super) struct Additional {
    pub(super) target: String,
    /// As in [`Record`].
    pub(super) key: Option<(usize, bool)>,
    pub(super) is_v6: bool,
}

/// One port of an endpoint that is asked for.
#[derive(Clone, Copy)]
struct Match<'e, 'b> {
    endpoint: &'e Endpoint<'b>,
    /// None if it has no ports.
    port: Option<&'e Published>,
    /// Of the endpoint.
    number: usize,
}

/// What a record says. Names are without the dot at their end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// A port of a host.
    Srv {
        /// 100 divided by the number of records, 1 at least.
        weight: u16,
        /// What to dial.
        port: u16,
        /// A name of this zone; [`UNKNOWN_ADDRESS`] stands for the dashed IP of a
        /// Pod.
        target: String,
    },
    /// Another name.
    Cname(String),
}

/// Who has an address.
#[derive(Clone, Debug)]
pub enum Who<'b> {
    /// A Pod.
    Pod(Pod<'b>),
    /// Somebody wrote it down.
    Written {
        /// The Endpoints object or EndpointSlice.
        by: &'b Endpoints,
        /// The IP, as DNS shows it.
        address: String,
    },
    /// The Service itself: a cluster IP, or an alias.
    Service(&'b Service),
}

/// A name of the zone, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'n> {
    /// The zone itself, `svc.<zone>`, or a namespace that exists.
    Apex,
    Namespace(&'n str),
    Service {
        namespace: &'n str,
        service: &'n str,
        of: Part<'n>,
    },
    /// A name below `pod.<zone>`.
    Pod,
    Impossible(&'static str),
}

/// What in front of a Service's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'n> {
    Whole,
    Endpoint(&'n str),
    /// The dashed IP of a Pod.
    Address {
        maker: &'n ObjectRef,
        pod: Option<&'n str>,
        is_v6: bool,
    },
    Port {
        port: &'n str,
        protocol: &'n str,
    },
}

/// A name in lower case without the dot at its end; none if it isn't in the zone.
///
/// # Source
/// CoreDNS v1.15 `plugin/kubernetes/parse.go` (`parseRequest`).
pub(super) fn parse<'n>(name: &'n str, zone: &str) -> Option<Name<'n>> {
    let base = if name == zone { "" } else { name.strip_suffix(zone)?.strip_suffix('.')? };
    let labels: Vec<_> = base.split('.').rev().collect();
    Some(match labels.as_slice() {
        ["" | "svc" | "pod"] => Name::Apex,
        ["pod", ..] => Name::Pod,
        ["svc", namespace] => Name::Namespace(namespace),
        ["svc", namespace, service] => Name::Service { namespace, service, of: Part::Whole },
        ["svc", namespace, service, host] => {
            Name::Service { namespace, service, of: Part::Endpoint(host) }
        }
        ["svc", namespace, service, protocol, port] => {
            let bare = |label: &'n str| label.strip_prefix('_').unwrap_or(label);
            let of = Part::Port { port: bare(port), protocol: bare(protocol) };
            Name::Service { namespace, service, of }
        }
        ["svc", ..] => Name::Impossible("it has too many labels in front of the Service"),
        _ => Name::Impossible("names of the zone end in `svc` or `pod` in front of it"),
    })
}

impl Bundle {
    /// What the cluster's DNS answers. Case and a dot at the end don't matter.
    pub fn ask(&self, name: &str, record_type: RecordType) -> Answer<'_> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let mut answer = self.find(&name, record_type, 0);
        if !answer.records.is_empty() {
            answer.size = answer_size(&name, &answer.records, &answer.additional);
        }
        answer
    }

    /// What is answered for the dashed IP of one of a workload's Pods in front of a
    /// Service's name: any of those that have no other name there, or the one of
    /// this name.
    pub fn ask_of_pod(
        &self,
        service: &Service,
        (maker, pod): (&ObjectRef, Option<&str>),
        is_v6: bool,
        record_type: RecordType,
    ) -> Answer<'_> {
        let object = &service.meta.object_ref;
        let Some(service) = self.inventory().service(&object.namespace, &object.name).found()
        else {
            return empty(Code::NxDomain, "there is no such Service", "");
        };
        if refusal::service(service, self.cluster()).is_some() {
            return empty(Code::NxDomain, "the API server refuses the Service", "");
        }
        let of = Part::Address { maker, pod, is_v6 };
        let mut answer = self.behind(service, of, record_type);
        if !answer.records.is_empty() {
            let name = format!("{}.{}", longest_address(is_v6), self.name_of(service));
            answer.size = answer_size(&name, &answer.records, &answer.additional);
            answer.size.at_most = true;
        }
        answer
    }

    fn find(&self, name: &str, record_type: RecordType, depth: usize) -> Answer<'_> {
        let Some(parsed) = parse(name, &self.cluster().zone) else {
            return empty(Code::Elsewhere, "it isn't in the cluster's zone", "");
        };
        let (namespace, service, of) = match parsed {
            Name::Apex => return empty(Code::NoError, "only Services have addresses", ""),
            Name::Pod => {
                return empty(Code::Elsewhere, "what names of `pod` mean, the Corefile says", "");
            }
            Name::Impossible(why) => return empty(Code::NxDomain, why, ""),
            Name::Namespace(namespace) if self.has_namespace(namespace) => {
                return empty(Code::NoError, "only Services have addresses", "");
            }
            Name::Namespace(namespace) => {
                let mut answer =
                    empty(Code::NxDomain, &format!("there is no namespace `{namespace}`"), "");
                answer.doubts.extend(self.doubt_of_namespace(namespace));
                return answer;
            }
            Name::Service { namespace, service, of } => (namespace, service, of),
        };
        let found = self.inventory().service(namespace, service);
        let uncertain = doubt(&found, &format!("Service `{service}` of namespace `{namespace}`"));
        let Some(service_found) = found.found() else {
            return self.no_service(namespace, service, of, uncertain);
        };
        let service = service_found;
        if let Some((why, field)) = refusal::service(service, self.cluster()) {
            return empty(
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

    fn no_service(
        &self,
        namespace: &str,
        service: &str,
        of: Part<'_>,
        uncertain: Option<String>,
    ) -> Answer<'_> {
        let elsewhere = self.inventory().services_named(service).found().unwrap_or_default();
        let there: Vec<_> = elsewhere
            .iter()
            .map(|other| format!("`{}`", other.meta.object_ref.namespace))
            .collect();
        let hint = match (namespace, there.is_empty()) {
            ("svc", false) => format!(
                ": `svc` stands where the namespace belongs, which is {}",
                there.join(" or ")
            ),
            (_, false) => format!(", but in {}", there.join(", ")),
            (_, true) => String::new(),
        };
        let why = format!("there is no Service `{service}` in namespace `{namespace}`{hint}");
        let mut answer = empty(Code::NxDomain, &why, "");
        if let Part::Endpoint(host) = of {
            let named = self.inventory().workloads_naming(namespace, service).found();
            let named = named.unwrap_or_default();
            let mut sets = named.iter().filter(|it| it.stateful_set.is_some());
            if let Some(set) = sets.find(|set| host.starts_with(&set.meta.object_ref.name)) {
                answer.rule = Some("statefulset-service-missing");
                answer.field = "$.spec.serviceName".to_owned();
                answer.object = Some(set.meta.object_ref.clone());
            }
        }
        answer.doubts.extend(uncertain);
        answer
    }

    /// # Source
    /// CoreDNS v1.15 `plugin/backend_lookup.go` (`A`): an alias whose target in the
    /// zone has no address isn't answered, and the name then has no record.
    fn alias<'b>(
        &'b self,
        service: &'b Service,
        of: Part<'_>,
        record_type: RecordType,
        depth: usize,
    ) -> Answer<'b> {
        const FIELD: &str = "$.spec.externalName";
        // CoreDNS gives up there too.
        const LONGEST_CHAIN: usize = 10;
        if of != Part::Whole {
            return empty(
                Code::NxDomain,
                "a Service of type ExternalName has no names below it",
                "",
            );
        }
        let target = service.external_name.clone().unwrap_or_default();
        let target = target.strip_suffix('.').unwrap_or(&target).to_ascii_lowercase();
        if target.parse::<std::net::IpAddr>().is_ok() {
            return empty(Code::NxDomain, "its externalName is an IP address, no name", FIELD);
        }
        if record_type == RecordType::Srv {
            return empty(Code::NoError, "an ExternalName has no SRV record", "");
        }
        let own = Record {
            data: Data::Cname(target.clone()),
            who: Who::Service(service),
            readiness: Readiness::Always,
            key: None,
        };
        if depth > LONGEST_CHAIN {
            return empty(Code::NoError, "the aliases lead in a circle", FIELD);
        }
        let mut answer = self.find(&target, record_type, depth + 1);
        match answer.code {
            Code::Elsewhere => Answer { code: Code::NoError, records: vec![own], ..answer },
            _ if answer.records.is_empty() => {
                let why = format!("its externalName `{target}` has no address: {}", answer.why);
                Answer { doubts: answer.doubts, ..empty(Code::NoError, &why, FIELD) }
            }
            _ => {
                answer.records.insert(0, own);
                answer
            }
        }
    }

    fn virtual_ip<'b>(
        &'b self,
        service: &'b Service,
        of: Part<'_>,
        record_type: RecordType,
    ) -> Answer<'b> {
        let families = families(service, self.cluster());
        let ports: Vec<_> = service
            .ports
            .iter()
            .filter(|port| matches_port(of, &port.name, &port.protocol))
            .collect();
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
                let target = self.name_of(service);
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
            empty(Code::NoError, "the Service has no address of this family", "$.spec.ipFamilies")
        } else {
            Answer { additional, ..found(records) }
        };
        if families.depends {
            answer
                .doubts
                .push("whether there is an IPv6 address depends on the cluster".to_owned());
        }
        answer
    }

    fn behind<'b>(
        &'b self,
        service: &'b Service,
        of: Part<'_>,
        record_type: RecordType,
    ) -> Answer<'b> {
        let backing = Backing::of(self, service);
        let hosts = hosts(&backing, of);
        let mut matches: Vec<Match<'_, 'b>> = Vec::new();
        for (number, endpoint) in hosts.iter().enumerate() {
            if endpoint.ports.is_empty() {
                // A slice without ports counts as one port without a name.
                if matches_port(of, "", "") {
                    matches.push(Match { endpoint, port: None, number });
                }
                continue;
            }
            let ports = endpoint.ports.iter();
            let ports = ports.filter(|port| matches_port(of, &port.name, &port.protocol));
            matches.extend(ports.map(|port| Match { endpoint, port: Some(port), number }));
        }
        let (records, additional) = match record_type {
            RecordType::Srv => self.srv_records(service, &matches),
            RecordType::A | RecordType::Aaaa => (addresses(&matches, record_type), Vec::new()),
        };
        let mut answer = if matches.is_empty() {
            self.no_endpoint(service, of, &backing)
        } else if records.is_empty() {
            let why = match record_type {
                RecordType::Srv => "its endpoints have no ports",
                RecordType::A | RecordType::Aaaa => "its endpoints have no address of this family",
            };
            empty(Code::NoError, why, "$.spec.ipFamilies")
        } else {
            Answer { additional, ..found(records) }
        };
        let is_anonymous =
            |it: &Endpoint<'_>| it.hostname.is_none() && matches!(it.who, Behind::Pod(_));
        if let Part::Endpoint(host) = of
            && is_dashed(host)
            && backing.endpoints.iter().any(is_anonymous)
        {
            answer.doubts.push("a Pod may have this address".to_owned());
        }
        answer.doubts.extend(backing.doubts);
        answer
    }

    /// The SRV records of endpoints, and the addresses that come with them.
    ///
    /// # Source
    /// CoreDNS v1.15 `plugin/backend_lookup.go` (`SRV`): each pair of target and
    /// port once, each address of a target once.
    fn srv_records<'b>(
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
            let target = format!("{}.{}", host(endpoint), self.name_of(service));
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

    /// Why a name of a Service has no endpoint.
    fn no_endpoint<'b>(
        &self,
        service: &Service,
        of: Part<'_>,
        backing: &Backing<'b>,
    ) -> Answer<'b> {
        if let Some(lack) = &backing.lack {
            let answer = empty(Code::NxDomain, &lack.why, lack.field);
            return Answer { rule: lack.rule, object: lack.object.clone(), ..answer };
        }
        match of {
            Part::Endpoint(host) => self.no_host(service, host, backing),
            Part::Address { .. } => {
                empty(Code::NxDomain, "no such Pod is known by its IP there", "")
            }
            Part::Whole | Part::Port { .. } => {
                let ports = backing.endpoints.iter().flat_map(|it| &it.ports);
                let ports = ports.map(|port| port.name.as_str());
                let is_named = |port: &ServicePort| matches_port(of, &port.name, &port.protocol);
                if !service.ports.iter().any(is_named) {
                    return unpublished(service, of, ports);
                }
                if service.selector.is_empty() {
                    let answer = unpublished(service, of, ports);
                    let why = format!("in what lists its endpoints, {}", answer.why);
                    let rule = Some("endpoints-port-name-mismatch");
                    return Answer { rule, why, ..answer };
                }
                let why = "no container of its Pods has a port of the name that targetPort gives";
                let answer = empty(Code::NxDomain, why, "$.spec.ports");
                Answer { rule: Some("named-target-port-unresolved"), ..answer }
            }
        }
    }

    fn no_host<'b>(&self, service: &Service, host: &str, backing: &Backing<'b>) -> Answer<'b> {
        const RULE: Option<&str> = Some("pod-dns-name-invalid");
        let name = &service.meta.object_ref.name;
        let pods = backing.endpoints.iter().filter_map(|endpoint| match &endpoint.who {
            Behind::Pod(pod) => Some(pod),
            Behind::Written { .. } => None,
        });
        let refused = |pod: &Pod<'_>, why: &str, field: &str| {
            let object = Some(pod.workload.meta.object_ref.clone());
            Answer { rule: RULE, object, ..empty(Code::NxDomain, why, field) }
        };
        for pod in pods.clone() {
            if pod.name.as_deref() == Some(host) || pod.hostname.as_deref() == Some(host) {
                let field = match &pod.workload.stateful_set {
                    Some(_) => "$.spec.serviceName".to_owned(),
                    None => format!("{}.spec.subdomain", pod.workload.template.path),
                };
                let why = match pod.subdomain {
                    Some(other) => {
                        format!("`{host}` takes its name from Service `{other}`, not from `{name}`")
                    }
                    None => "only a Pod with hostname and subdomain has a name".to_owned(),
                };
                return refused(pod, &why, &field);
            }
        }
        let hosts: Vec<_> =
            backing.endpoints.iter().filter_map(|it| it.hostname.as_deref()).collect();
        let why = match hosts.as_slice() {
            [] => format!("no Pod behind `{name}` has a host name: they are known by their IPs"),
            [one] => format!("the only host name behind `{name}` is `{one}`"),
            [first, .., last] => {
                format!("the host names behind `{name}` are `{first}` to `{last}`")
            }
        };
        // One more Pod would have the name.
        let (set, ordinal) = host.rsplit_once('-').unwrap_or_default();
        let mut sets = pods.filter(|pod| pod.hostname.is_some() && pod.ordinal.is_some());
        if ordinal.parse::<u32>().is_ok()
            && let Some(pod) = sets.find(|pod| pod.workload.meta.object_ref.name == set)
        {
            return refused(pod, &why, "$.spec.replicas");
        }
        Answer { rule: RULE, ..empty(Code::NxDomain, &why, "") }
    }

    /// The Service that a whole name is about, if it is in the input.
    pub(super) fn service_of(&self, name: &str) -> Option<&Service> {
        let Name::Service { namespace, service, .. } = parse(name, &self.cluster().zone)? else {
            return None;
        };
        self.inventory().service(namespace, service).found()
    }

    /// The whole name of a Service.
    pub(super) fn name_of(&self, service: &Service) -> String {
        let object = &service.meta.object_ref;
        format!("{}.{}.svc.{}", object.name, object.namespace, self.cluster().zone)
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

fn found(records: Vec<Record<'_>>) -> Answer<'_> {
    Answer { records, ..empty(Code::NoError, "", "") }
}

fn empty<'b>(code: Code, why: &str, field: &str) -> Answer<'b> {
    Answer {
        code,
        records: Vec::new(),
        size: Size::default(),
        additional: Vec::new(),
        doubts: Vec::new(),
        why: why.to_owned(),
        field: field.to_owned(),
        object: None,
        rule: None,
    }
}

/// Why a Service has no port of that name.
fn unpublished<'b, 'p>(
    service: &Service,
    of: Part<'_>,
    names: impl Iterator<Item = &'p str>,
) -> Answer<'b> {
    let mut names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let (port, protocol) = match of {
        Part::Port { port, protocol } => (port, protocol),
        Part::Whole | Part::Endpoint(_) | Part::Address { .. } => ("", ""),
    };
    let object = &service.meta.object_ref.name;
    let (why, rule) = if names.contains(&port) {
        (format!("port `{port}` of Service `{object}` isn't of protocol `{protocol}`"), None)
    } else if names.is_empty() {
        (format!("the ports of Service `{object}` have no names"), Some("unnamed-port-no-srv"))
    } else {
        let names = names.join("`, `");
        (
            format!("the ports of Service `{object}` are named `{names}`"),
            Some("srv-name-not-published"),
        )
    };
    Answer { rule, ..empty(Code::NxDomain, &why, "$.spec.ports") }
}

/// # Source
/// CoreDNS v1.15 `plugin/kubernetes/kubernetes.go` (`matchPortAndProtocol`).
pub(super) fn matches_port(of: Part<'_>, name: &str, protocol: &str) -> bool {
    match of {
        Part::Whole | Part::Endpoint(_) | Part::Address { .. } => true,
        Part::Port { port: asked, protocol: by } => {
            (asked.is_empty() || asked.eq_ignore_ascii_case(name))
                && (by.is_empty() || by.eq_ignore_ascii_case(protocol))
        }
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

/// The first label of an endpoint in names of its Service.
///
/// # Source
/// CoreDNS v1.15 `plugin/kubernetes/kubernetes.go` (`endpointHostname`).
pub(super) fn host(endpoint: &Endpoint<'_>) -> String {
    match (&endpoint.hostname, &endpoint.who) {
        (Some(hostname), _) => hostname.clone(),
        (None, Behind::Pod(_)) => UNKNOWN_ADDRESS.to_owned(),
        (None, Behind::Written { address, .. }) if !endpoint.v4 && !endpoint.v6 => {
            address.replace('.', "-")
        }
        (None, Behind::Written { address, .. }) => dashed(address),
    }
}

/// An IP address as a label.
fn dashed(address: &str) -> String {
    let dashed = address.replace(['.', ':'], "-");
    if dashed.ends_with('-') { dashed + "0" } else { dashed }
}

/// Whether a label can be the IP address of a Pod.
fn is_dashed(label: &str) -> bool {
    label.replace('-', ".").parse::<Ipv4Addr>().is_ok()
        || label.replace('-', ":").parse::<Ipv6Addr>().is_ok()
}

/// # Source
/// CoreDNS v1.15 `plugin/backend_lookup.go` (`SRV`).
fn weight(entries: usize) -> u16 {
    u16::try_from(100 / entries.max(1)).unwrap_or(1).max(1)
}
