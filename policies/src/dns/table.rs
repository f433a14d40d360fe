//! Every name that these manifests bring into being.

use std::collections::HashSet;

use super::answer::{Answer, Data, RecordType, UNKNOWN_ADDRESS, Who};
use super::bundle::Bundle;
use super::endpoints::{Behind, Readiness};
use super::missing::Missing;
use super::name::host;
use super::pods::name_of;
use super::refusal;
use super::zone::Zone;
use crate::finding::ObjectRef;
use crate::model::{Service, Workload};

/// What DNS will answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// Names that exist, by namespace and Service.
    pub names: Vec<Row>,
    /// Names that look as if they should exist, and don't.
    pub missing: Vec<Missing>,
}

/// One name and type of record.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Whole, without the dot at its end. `<ip>` stands for the dashed IP of a Pod.
    pub name: String,
    /// `A`, `AAAA`, `SRV` or `CNAME`.
    #[serde(rename = "type")]
    pub record_type: &'static str,
    /// The Service.
    pub service: ObjectRef,
    /// Who answers, each once, as a person would say it.
    pub answers: Vec<String>,
    /// How many records; they are at least that many if there are doubts.
    pub records: usize,
    /// Of SRV records, each once, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// What it depends on; the latest, where records differ.
    pub ready: Readiness,
    /// Seconds, from the cluster profile.
    pub ttl: u32,
    /// Bytes of the whole answer; none where another server adds to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
    /// The Pods' addresses are in it: it is that long at most.
    pub bytes_at_most: bool,
    /// How the answer gets to a client.
    pub fits: Transport,
    /// Why it isn't certain; sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// How an answer gets to a client.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// In one packet, for any client.
    Udp,
    /// In one packet for a client with EDNS; others have to ask again by TCP.
    Edns,
    /// Only by TCP: whoever doesn't ask again sees a part.
    Tcp,
    /// Not even by TCP: everybody sees a part.
    Cut,
}

impl Bundle {
    /// Tells all names.
    pub fn table(&self) -> Table {
        let zone = Zone::of(self);
        let mut names = Vec::new();
        for service in self.services() {
            if refusal::service(service, self.cluster()).is_none() {
                zone.add_names(service, &mut names);
            }
        }
        Table { names, missing: zone.missing() }
    }
}

impl<'b> Zone<'b> {
    fn add_names(&self, service: &'b Service, rows: &mut Vec<Row>) {
        for name in self.names_of(service) {
            for record_type in RecordType::asked_of(&name) {
                let answers = if name.starts_with(UNKNOWN_ADDRESS) {
                    let is_v6 = *record_type == RecordType::Aaaa;
                    let of = |maker: &Workload| {
                        let object = &maker.meta.object_ref;
                        let answer = self.ask_of_pod(service, (object, None), is_v6, *record_type);
                        // Any of them, though it be named.
                        (answer, Some(format!("a Pod of {}", name_of(maker))))
                    };
                    self.makers(service).into_iter().map(of).collect()
                } else {
                    vec![(self.ask(&name, *record_type), None)]
                };
                for (answer, who) in answers.into_iter().filter(|it| !it.0.records.is_empty()) {
                    let mut row = self.row(&name, service, *record_type, answer);
                    row.answers = who.map_or(row.answers, |who| vec![who]);
                    // An alias is one, whatever is asked for.
                    let is_known = |it: &Row| it.record_type == "CNAME" && it.name == row.name;
                    if !rows.last().is_some_and(is_known) {
                        rows.push(row);
                    }
                }
            }
        }
    }

    /// Whose Pods have no other name below a Service than their IPs.
    fn makers(&self, service: &'b Service) -> Vec<&'b Workload> {
        let mut makers: Vec<&Workload> = Vec::new();
        for endpoint in &self.backing(service).endpoints {
            if let Behind::Pod(pod) = &endpoint.who
                && endpoint.hostname.is_none()
                && !makers.iter().any(|it| it.meta.object_ref == pod.workload.meta.object_ref)
            {
                makers.push(pod.workload);
            }
        }
        makers
    }

    /// The names of a Service that may exist, each once: its own, those of its
    /// ports, and those of its endpoints.
    pub(super) fn names_of(&self, service: &'b Service) -> Vec<String> {
        let own = self.bundle().name_of(service);
        let mut names = vec![own.clone()];
        let mut known = HashSet::from([own.clone()]);
        let mut add = |name: String| {
            if known.insert(name.clone()) {
                names.push(name);
            }
        };
        if service.service_type == "ExternalName" {
            return names;
        }
        let backing = self.backing(service);
        let published = backing.endpoints.iter().flat_map(|it| &it.ports);
        let published = published.map(|port| (&port.name, &port.protocol));
        for (port, protocol) in
            service.ports.iter().map(|port| (&port.name, &port.protocol)).chain(published)
        {
            if !port.is_empty() {
                add(format!("_{port}._{}.{own}", protocol.to_ascii_lowercase()));
            }
        }
        for endpoint in &backing.endpoints {
            let is_headless = service.cluster_ip.as_deref() == Some("None");
            // Nobody looks for the dashed IPs behind a cluster IP.
            if is_headless || endpoint.hostname.is_some() {
                add(format!("{}.{own}", host(endpoint)));
            }
        }
        names
    }

    fn row(&self, name: &str, service: &Service, asked: RecordType, answer: Answer<'_>) -> Row {
        let is_alias = matches!(answer.records.first().map(|it| &it.data), Some(Data::Cname(_)));
        let is_open = matches!(answer.records.last().map(|it| &it.data), Some(Data::Cname(_)));
        let mut ports: Vec<u16> = answer
            .records
            .iter()
            .filter_map(|record| match record.data {
                Data::Srv { port, .. } => Some(port),
                _ => None,
            })
            .collect();
        ports.sort_unstable();
        ports.dedup();
        let size = answer.size;
        Row {
            name: name.to_owned(),
            record_type: match asked {
                _ if is_alias => "CNAME",
                RecordType::A => "A",
                RecordType::Aaaa => "AAAA",
                RecordType::Srv => "SRV",
            },
            service: service.meta.object_ref.clone(),
            answers: answers(&answer),
            records: answer.records.len(),
            ports,
            ready: answer.records.iter().map(|it| it.readiness).max().unwrap_or(Readiness::Always),
            ttl: self.bundle().cluster().dns_ttl,
            bytes: (!is_open).then(|| size.sent()),
            bytes_at_most: size.at_most,
            fits: if size.fits_udp() {
                Transport::Udp
            } else if size.fits_edns() {
                Transport::Edns
            } else if size.fits_tcp() {
                Transport::Tcp
            } else {
                Transport::Cut
            },
            doubts: answer.doubts,
        }
    }
}

/// Who answers, each once: `db-0`, `3 Pods of Deployment web`, an address.
pub(super) fn answers(answer: &Answer<'_>) -> Vec<String> {
    let mut told: Vec<(String, usize)> = Vec::new();
    for record in &answer.records {
        let who = match (&record.data, &record.who) {
            (Data::Cname(target), _) => target.clone(),
            (_, Who::Pod(pod)) => match &pod.name {
                Some(name) => name.clone(),
                None => format!("Pod of {}", name_of(pod.workload)),
            },
            (_, Who::Written { address, .. }) => address.clone(),
            (_, Who::Service(service)) => match service.cluster_ip.as_deref() {
                Some(ip) if !ip.is_empty() => ip.to_owned(),
                _ => "cluster IP".to_owned(),
            },
        };
        match told.iter_mut().find(|(known, _)| *known == who) {
            Some((_, count)) => *count += 1,
            None => told.push((who, 1)),
        }
    }
    let several = |(who, count): (String, usize)| match who.strip_prefix("Pod of ") {
        Some(maker) if count > 1 => format!("{count} Pods of {maker}"),
        Some(maker) => format!("a Pod of {maker}"),
        None => who,
    };
    told.into_iter().map(several).collect()
}
