//! Names of the zone, taken apart and put together.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::answer::UNKNOWN_ADDRESS;
use super::bundle::Bundle;
use super::endpoints::{Behind, Endpoint};
use crate::finding::ObjectRef;
use crate::inventory::Inventory;
use crate::model::Service;

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

impl Part<'_> {
    /// Whether it is about a port of this name.
    ///
    /// # Source
    /// CoreDNS v1.15 `plugin/kubernetes/kubernetes.go` (`matchPortAndProtocol`).
    pub(super) fn names_port(self, name: &str, protocol: &str) -> bool {
        match self {
            Part::Whole | Part::Endpoint(_) | Part::Address { .. } => true,
            Part::Port { port: asked, protocol: by } => {
                (asked.is_empty() || asked.eq_ignore_ascii_case(name))
                    && (by.is_empty() || by.eq_ignore_ascii_case(protocol))
            }
        }
    }
}

impl Bundle {
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

/// The first label of an endpoint in names of its Service.
///
/// # Source
/// CoreDNS v1.15 `plugin/kubernetes/kubernetes.go` (`endpointHostname`).
pub(super) fn host<'e>(endpoint: &'e Endpoint<'_>) -> Cow<'e, str> {
    match (&endpoint.hostname, &endpoint.who) {
        (Some(hostname), _) => hostname.into(),
        (None, Behind::Pod(_)) => UNKNOWN_ADDRESS.into(),
        (None, Behind::Written { address, .. }) if !endpoint.v4 && !endpoint.v6 => {
            address.replace('.', "-").into()
        }
        (None, Behind::Written { address, .. }) => dashed(address).into(),
    }
}

/// An IP address as a label.
fn dashed(address: &str) -> String {
    let dashed = address.replace(['.', ':'], "-");
    if dashed.ends_with('-') { dashed + "0" } else { dashed }
}

/// Whether a label can be the IP address of a Pod.
pub(super) fn is_dashed(label: &str) -> bool {
    label.replace('-', ".").parse::<Ipv4Addr>().is_ok()
        || label.replace('-', ":").parse::<Ipv6Addr>().is_ok()
}
