//! Objects that the API server refuses, so that nothing of them is ever
//! answered. Only reasons that have to do with names and Pods are looked for.

use std::collections::HashSet;

use super::bundle::Bundle;
use crate::finding::ObjectRef;
use crate::model::{ClusterProfile, IntOrString, Service, Workload};

/// Why a Service is refused, and the field.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/core/validation/validation.go` (`ValidateService`,
/// `ValidateServiceClusterIPsRelatedFields`).
pub(super) fn service(
    service: &Service,
    cluster: &ClusterProfile,
) -> Option<(String, &'static str)> {
    if let Some(wrong) = service.type_errors.first() {
        return Some((format!("{} has the wrong type", wrong.path), "$.spec"));
    }
    let cluster_ip = service.cluster_ip.as_deref().filter(|ip| !ip.is_empty());
    let external = service.service_type == "ExternalName";
    let refused = match cluster_ip {
        Some("None") if service.service_type != "ClusterIP" => Some((
            format!("clusterIP: None isn't allowed with type {}", service.service_type),
            "$.spec.type",
        )),
        Some("None") => None,
        Some(ip) if ip.parse::<std::net::IpAddr>().is_err() => {
            Some((format!("`{ip}` is no IP address, nor None"), "$.spec.clusterIP"))
        }
        None if !service.cluster_ips.is_empty() => {
            Some(("clusterIPs needs clusterIP beside it".to_owned(), "$.spec.clusterIPs"))
        }
        _ => None,
    };
    let first = service.cluster_ips.first().map(String::as_str);
    let is_mixed = first.is_some_and(|first| Some(first) != cluster_ip)
        || cluster_ip == Some("None") && service.cluster_ips.len() > 1;
    let refused = refused.or_else(|| {
        is_mixed.then(|| ("clusterIP and clusterIPs disagree".to_owned(), "$.spec.clusterIPs"))
    });
    refused
        .or_else(|| {
            (external && service.external_name.is_none())
                .then(|| ("type ExternalName needs externalName".to_owned(), "$.spec.externalName"))
        })
        .or_else(|| {
            (!external && cluster_ip != Some("None") && service.ports.is_empty())
                .then(|| ("a Service with a cluster IP needs ports".to_owned(), "$.spec.ports"))
        })
        .or_else(|| {
            let dual = service.ip_family_policy.as_deref() == Some("RequireDualStack");
            (dual && cluster.dual_stack == Some(false) && !service.selector.is_empty())
                .then(|| ("this cluster isn't dual stack".to_owned(), "$.spec.ipFamilyPolicy"))
        })
        .or_else(|| ports(service).map(|why| (why, "$.spec.ports")))
}

fn ports(service: &Service) -> Option<String> {
    let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
    for port in &service.ports {
        if port.name.is_empty() && service.ports.len() > 1 {
            return Some("each of several ports needs a name".to_owned());
        }
        if !port.name.is_empty() && !is_label(&port.name) {
            return Some(format!("`{}` is no name for a port", port.name));
        }
        if !["SCTP", "TCP", "UDP"].contains(&port.protocol.as_str()) {
            return Some(format!("there is no protocol `{}`", port.protocol));
        }
        if port.node_port.is_some_and(|it| it != 0) && service.service_type == "ClusterIP" {
            return Some("a nodePort needs type NodePort or LoadBalancer".to_owned());
        }
        if !port.name.is_empty() && !names.insert(&port.name) {
            return Some(format!("two ports are named `{}`", port.name));
        }
        if !numbers.insert((&port.protocol, port.port)) {
            return Some(format!("two ports are {:?}/{}", port.port, port.protocol));
        }
        let valid = |number: i64| (1..=65535).contains(&number);
        if !port.port.is_some_and(valid) {
            return Some("a port is no number from 1 to 65535".to_owned());
        }
        let target = match &port.target_port {
            None => true,
            Some(IntOrString::Int(number)) => valid(*number),
            Some(IntOrString::Text(name)) => {
                name.len() <= 15 && name.bytes().any(|byte| byte.is_ascii_lowercase())
            }
        };
        if !target {
            return Some("a targetPort is neither a number nor a port's name".to_owned());
        }
    }
    None
}

/// Why a workload is refused.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/apps/validation/validation.go`: the kinds of `apps`
/// need a selector that their own Pods satisfy.
pub(super) fn workload(workload: &Workload) -> Option<(String, &'static str)> {
    let object = &workload.meta.object_ref;
    if !object.api_version.starts_with("apps/") {
        return None;
    }
    let named = workload.stateful_set.as_ref().and_then(|set| set.service_name.as_deref());
    if let Some(named) = named.filter(|name| !is_label(name)) {
        return Some((format!("serviceName `{named}` isn't a plain name"), "$.spec.serviceName"));
    }
    match &workload.selector {
        None => Some(("it has no selector".to_owned(), "$.spec.selector")),
        Some(selector)
            if selector.match_labels.is_empty() && selector.match_expressions.is_empty() =>
        {
            Some(("its selector is empty".to_owned(), "$.spec.selector"))
        }
        Some(selector) if !selector.matches(&workload.template.labels) => {
            Some(("its own Pods don't match its selector".to_owned(), "$.spec.selector"))
        }
        Some(_) => None,
    }
}

/// # Source
/// apimachinery v0.36 `pkg/util/validation/validation.go` (`IsDNS1123Label`).
fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

impl Bundle {
    /// The Services and workloads that the API server refuses, and why.
    pub fn refused(&self) -> Vec<(&ObjectRef, String)> {
        let services = self
            .services()
            .filter_map(|one| Some((&one.meta.object_ref, service(one, self.cluster())?.0)));
        let workloads =
            self.workloads().filter_map(|one| Some((&one.meta.object_ref, workload(one)?.0)));
        services.chain(workloads).collect()
    }
}
