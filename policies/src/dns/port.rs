//! What a client meets behind an address.

use std::fmt;

use super::bundle::Bundle;
use super::endpoints::{Backing, Behind, Endpoint};
use super::pods::name_of;
use crate::model::{ContainerRole, Service, ServicePort, Workload};

/// How it ends for a client.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something accepts the connection.
    Connects,
    /// Nothing listens there.
    Refused,
    /// The name doesn't exist, or has no address.
    NxDomain,
    /// A NetworkPolicy drops the packets.
    TimesOut,
    /// The manifests don't tell.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connects => "connects",
            Self::Refused => "connection refused",
            Self::NxDomain => "NXDOMAIN",
            Self::TimesOut => "times out",
            Self::Unknown => "unknown",
        })
    }
}

/// What a port of one address does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) outcome: Outcome,
    pub(super) why: String,
    /// The port that packets end up at.
    pub(super) number: i64,
    /// What to change, and where in the Service; empty where nothing is wrong.
    pub(super) change: String,
    pub(super) field: String,
}

impl Reached {
    fn new(outcome: Outcome, number: i64, why: String) -> Self {
        Self { outcome, why, number, change: String::new(), field: String::new() }
    }

    fn change(self, change: String, field: String) -> Self {
        Self { change, field, ..self }
    }
}

/// What happens at a port of an endpoint's own address: nothing translates it.
pub(super) fn direct(service: &Service, endpoint: &Endpoint<'_>, asked: i64) -> Reached {
    let who = match &endpoint.who {
        Behind::Pod(pod) => name_of(pod.workload),
        Behind::Written { address, .. } => address.clone(),
    };
    let mut published = endpoint.ports.iter().filter(|port| port.protocol == "TCP");
    if published.any(|port| port.number == asked) {
        let why =
            format!("Service `{}` leads to port {asked} of {who}", service.meta.object_ref.name);
        return Reached::new(Outcome::Connects, asked, why);
    }
    if let Behind::Pod(pod) = &endpoint.who {
        if declares(pod.workload, asked) {
            let why = format!("a container of {who} declares port {asked}");
            return Reached::new(Outcome::Connects, asked, why);
        }
        if pod.workload.template.injected {
            let why = format!("a container that is injected into {who} may listen on {asked}");
            return Reached::new(Outcome::Unknown, asked, why);
        }
    }
    let Some((index, port)) = port_of(service, asked) else {
        let why = format!("nothing in these manifests says who listens on port {asked} of {who}");
        return Reached::new(Outcome::Unknown, asked, why);
    };
    let target = endpoint.ports.iter().find(|it| it.name == port.name && it.protocol == "TCP");
    let Some(target) = target else {
        let why = format!("the target of port {asked} isn't found in {who}");
        return Reached::new(Outcome::Unknown, asked, why);
    };
    let number = target.number;
    let why = format!(
        "a headless Service doesn't translate ports: {who} gets the packet on {asked}, and \
         listens on {number}"
    );
    Reached::new(Outcome::Refused, asked, why).change(
        format!("dial port {number}, or let the Service's port be {number}"),
        format!("$.spec.ports[{index}].port"),
    )
}

/// What happens at a port of a cluster IP, which kube-proxy translates.
///
/// # Source
/// kubernetes v1.36 `pkg/proxy/iptables/proxier.go`, `pkg/proxy/nftables/proxier.go`:
/// a port without endpoints is rejected.
pub(super) fn translated(bundle: &Bundle, service: &Service, asked: i64) -> Reached {
    let name = &service.meta.object_ref.name;
    let Some((index, port)) = port_of(service, asked) else {
        let ports: Vec<_> =
            service.ports.iter().filter_map(|it| Some(it.port?.to_string())).collect();
        let ports = ports.join(", ");
        let why = format!(
            "Service `{name}` has no port {asked}, but {ports}: kube-proxy refuses or drops that, \
             by its mode"
        );
        return Reached::new(Outcome::Unknown, asked, why)
            .change(format!("dial one of its ports: {ports}"), "$.spec.ports".to_owned());
    };
    let field = format!("$.spec.ports[{index}]");
    let backing = Backing::of(bundle, service);
    let joined = backing.endpoints.iter().flat_map(|it| &it.ports);
    let mut joined = joined.filter(|it| it.name == port.name && it.protocol == port.protocol);
    if let Some(target) = joined.next() {
        let number = target.number;
        let why = format!("kube-proxy translates port {asked} of `{name}` to {number}");
        return Reached::new(Outcome::Connects, number, why);
    }
    if !backing.doubts.is_empty() {
        let why = format!("who is behind `{name}` isn't certain: {}", backing.doubts.join("; "));
        return Reached::new(Outcome::Unknown, asked, why);
    }
    match backing.lack {
        Some(lack) => Reached::new(
            Outcome::Refused,
            asked,
            format!("nobody is behind `{name}`: {}", lack.why),
        )
        .change("let somebody be behind it".to_owned(), lack.field.to_owned()),
        None => Reached::new(
            Outcome::Refused,
            asked,
            format!("no endpoint of `{name}` has its port `{}`", port.name),
        )
        .change("name a port that the Pods have".to_owned(), field + ".targetPort"),
    }
}

fn port_of(service: &Service, asked: i64) -> Option<(usize, &ServicePort)> {
    let mut ports = service.ports.iter().enumerate();
    ports.find(|(_, port)| port.port == Some(asked) && port.protocol == "TCP")
}

fn declares(workload: &Workload, number: i64) -> bool {
    let containers = workload.template.containers.iter();
    let serving = containers.filter(|it| it.role != ContainerRole::Init);
    serving
        .flat_map(|container| &container.ports)
        .any(|port| port.container_port == Some(number) && port.protocol == "TCP")
}
