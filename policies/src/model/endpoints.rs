//! Endpoints and EndpointSlices.

use std::sync::Arc;

use super::{Decoded, Fields, Metadata, selector};
use crate::manifest::Node;

/// The label that ties an EndpointSlice to its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that keeps Endpoints from being mirrored, with the value `true`.
const SKIP_MIRROR: &str = "endpointslice.kubernetes.io/skip-mirror";

/// An Endpoints object or an EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoints {
    /// Its metadata.
    pub meta: Arc<Metadata>,
    /// The Service that it belongs to: its own name, or the label
    /// `kubernetes.io/service-name` of a slice; empty without one.
    pub service: String,
    /// `IPv4`, `IPv6` or `FQDN` for a slice; none for Endpoints.
    pub address_type: Option<String>,
    /// One for a slice.
    pub subsets: Vec<EndpointSubset>,
    /// Endpoints that carry `endpointslice.kubernetes.io/skip-mirror: "true"`.
    pub skip_mirror: bool,
}

/// Addresses that share a list of ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointSubset {
    /// In the manifest's order.
    pub ports: Vec<EndpointPort>,
    /// How many addresses serve; counted, never listed.
    pub ready: u32,
    /// How many don't.
    pub not_ready: u32,
}

/// One port of a subset.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointPort {
    /// Empty when missing.
    pub name: String,
    /// `TCP` when missing.
    pub protocol: String,
    /// The number that clients dial.
    pub port: Option<i64>,
}

pub(super) fn decode_endpoints(root: &Node, meta: Arc<Metadata>) -> Decoded<'_, Endpoints> {
    let mut subsets = Vec::new();
    for subset in root.objects("subsets")? {
        subsets.push(EndpointSubset {
            ports: ports(subset)?,
            ready: count(subset.objects("addresses")?.len()),
            not_ready: count(subset.objects("notReadyAddresses")?.len()),
        });
    }
    Ok(Endpoints {
        service: meta.object_ref.name.clone(),
        address_type: None,
        subsets,
        skip_mirror: selector::value_of(&meta.labels, SKIP_MIRROR) == Some("true"),
        meta,
    })
}

/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/discovery/v1/types.go`: a nil
/// `conditions.ready` "should be interpreted as true".
pub(super) fn decode_slice(root: &Node, meta: Arc<Metadata>) -> Decoded<'_, Endpoints> {
    let mut subset = EndpointSubset { ports: ports(root)?, ..EndpointSubset::default() };
    for endpoint in root.objects("endpoints")? {
        let addresses = count(endpoint.texts("addresses")?.len());
        let conditions = endpoint.object("conditions")?;
        let ready = match conditions.filter(|conditions| conditions.present("ready").is_some()) {
            Some(conditions) => conditions.flag("ready")?,
            None => true,
        };
        if ready {
            subset.ready += addresses;
        } else {
            subset.not_ready += addresses;
        }
    }
    Ok(Endpoints {
        service: selector::value_of(&meta.labels, SERVICE_NAME).unwrap_or_default().to_owned(),
        address_type: root.filled("addressType")?.map(str::to_owned),
        subsets: vec![subset],
        skip_mirror: false,
        meta,
    })
}

fn ports(parent: &Node) -> Decoded<'_, Vec<EndpointPort>> {
    parent
        .objects("ports")?
        .iter()
        .map(|port| {
            Ok(EndpointPort {
                name: port.text("name")?.unwrap_or_default().to_owned(),
                protocol: port.filled("protocol")?.unwrap_or("TCP").to_owned(),
                port: port.int("port")?,
            })
        })
        .collect()
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
