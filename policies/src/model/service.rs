//! Services.

use std::sync::Arc;

use super::decode::{owned, port};
use super::{Decoded, Fields, IntOrString, Label, Metadata, TypeError, labels};
use crate::manifest::Node;

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Its metadata.
    pub meta: Arc<Metadata>,
    /// `spec.type`, `ClusterIP` when missing.
    pub service_type: String,
    /// `spec.clusterIP`; none when missing or null.
    pub cluster_ip: Option<String>,
    /// `spec.clusterIPs`.
    pub cluster_ips: Vec<String>,
    /// Empty when missing, null or `{}`: all three mean "no selector".
    pub selector: Vec<Label>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready_addresses: bool,
    /// `spec.externalName`; none when empty.
    pub external_name: Option<String>,
    /// `spec.sessionAffinity`; none when empty.
    pub session_affinity: Option<String>,
    /// `spec.internalTrafficPolicy`; none when empty.
    pub internal_traffic_policy: Option<String>,
    /// `spec.ipFamilies`.
    pub ip_families: Vec<String>,
    /// `spec.ipFamilyPolicy`; none when empty.
    pub ip_family_policy: Option<String>,
    /// Of `clusterIP` and of fields of the ports, in this order.
    pub type_errors: Vec<TypeError>,
}

/// One entry of `spec.ports`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServicePort {
    /// Empty when missing.
    pub name: String,
    /// `TCP` when missing.
    pub protocol: String,
    /// The number that clients of a VIP use.
    pub port: Option<i64>,
    /// None when missing, null, 0 or "": the API server then copies `port`.
    pub target_port: Option<IntOrString>,
    /// `nodePort`.
    pub node_port: Option<i64>,
}

impl Service {
    /// # Source
    /// kubernetes v1.36 `pkg/api/service/warnings.go`: type ClusterIP, and
    /// `clusterIP` exactly `None`.
    pub fn is_headless(&self) -> bool {
        self.service_type == "ClusterIP" && self.cluster_ip.as_deref() == Some("None")
    }
}

pub(super) fn decode(root: &Node, meta: Arc<Metadata>) -> Decoded<'_, Service> {
    let mut service = Service { meta, service_type: "ClusterIP".to_owned(), ..Service::default() };
    let Some(spec) = root.object("spec")? else { return Ok(service) };
    let own = |text: &str| text.to_owned();

    let errors = &mut service.type_errors;
    service.cluster_ip = owned(spec.text("clusterIP"), root, errors).map(own);
    let ports = spec.objects("ports")?;
    service.ports.reserve_exact(ports.len());
    for entry in ports {
        service.ports.push(ServicePort {
            name: owned(entry.text("name"), root, errors).unwrap_or_default().to_owned(),
            protocol: owned(entry.filled("protocol"), root, errors).unwrap_or("TCP").to_owned(),
            port: owned(entry.int("port"), root, errors),
            target_port: owned(port(entry, "targetPort"), root, errors).filter(is_set),
            node_port: owned(entry.int("nodePort"), root, errors),
        });
    }
    if let Some(service_type) = spec.filled("type")? {
        service.service_type = service_type.to_owned();
    }
    service.cluster_ips = strings(spec, "clusterIPs")?;
    service.selector = labels(spec, "selector")?;
    service.publish_not_ready_addresses = spec.flag("publishNotReadyAddresses")?;
    service.external_name = spec.filled("externalName")?.map(own);
    service.session_affinity = spec.filled("sessionAffinity")?.map(own);
    service.internal_traffic_policy = spec.filled("internalTrafficPolicy")?.map(own);
    service.ip_families = strings(spec, "ipFamilies")?;
    service.ip_family_policy = spec.filled("ipFamilyPolicy")?.map(own);
    Ok(service)
}

/// # Source
/// kubernetes v1.36 `pkg/apis/core/v1/defaults.go` (`SetDefaults_Service`): 0
/// and "" are defaulted to `port`.
fn is_set(port: &IntOrString) -> bool {
    match port {
        IntOrString::Int(number) => *number != 0,
        IntOrString::Text(name) => !name.is_empty(),
    }
}

fn strings<'n>(parent: &'n Node, key: &str) -> Decoded<'n, Vec<String>> {
    Ok(parent.texts(key)?.into_iter().map(|(_, text)| text.to_owned()).collect())
}
