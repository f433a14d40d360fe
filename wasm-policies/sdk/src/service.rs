//! What a Service is, as the API server, CoreDNS and kube-proxy see it.

use crate::context::Context;
use crate::labels::{Reach, reach};
use crate::policy::Review;
use crate::types::{IntOrString, Metadata, Service, ServicePort, Traits, Workload};

/// Whether it has no virtual IP by intention: DNS answers with Pod addresses.
///
/// # Source
/// kubernetes v1.36 `pkg/api/service/warnings.go`: type ClusterIP and
/// `clusterIP` exactly `None`.
#[must_use]
pub fn headless(service: &Service) -> bool {
    service.service_type == "ClusterIP" && service.cluster_ip.as_deref() == Some("None")
}

/// Whether no controller fills its endpoints. A missing, null and empty
/// selector are the same: `{}` becomes nil in storage.
#[must_use]
pub fn selectorless(service: &Service) -> bool {
    service.selector.is_empty()
}

/// Whether a value of `clusterIP` is `None`, misspelled: in another case, or
/// with white space around it. The API server takes it for an IP address.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/core/validation/validation.go`
/// `ValidateServiceClusterIPsRelatedFields`: only `None` itself is exempt.
#[must_use]
pub fn misspelled_none(cluster_ip: &str) -> bool {
    cluster_ip != "None" && cluster_ip.trim().eq_ignore_ascii_case("none")
}

/// Why the API server refuses `clusterIPs` next to this `clusterIP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterIpsConflict {
    /// They are only copied from `clusterIP`, never to it.
    WithoutClusterIp,
    /// `None` is not the only entry.
    NoneAmongOthers,
    /// The first entry isn't `clusterIP`.
    FirstDiffers,
}

/// Whether the API server refuses `clusterIPs` next to this `clusterIP`.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/core/validation/validation.go`
/// `ValidateServiceClusterIPsRelatedFields`,
/// `pkg/registry/core/service/storage/storage.go` `normalizeClusterIPs`.
#[must_use]
pub fn cluster_ips_conflict(service: &Service) -> Option<ClusterIpsConflict> {
    let first = service.cluster_ips.first()?;
    match service.cluster_ip.as_deref().filter(|ip| !ip.is_empty()) {
        None => Some(ClusterIpsConflict::WithoutClusterIp),
        Some(ip) if ip != first => Some(ClusterIpsConflict::FirstDiffers),
        Some(_)
            if service.cluster_ips.len() > 1
                && service.cluster_ips.iter().any(|ip| ip == "None") =>
        {
            Some(ClusterIpsConflict::NoneAmongOthers)
        }
        Some(_) => None,
    }
}

/// Whether the API server refuses the Service for its type and cluster IPs,
/// or can't decode it. False where only the cluster can tell.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/core/validation/validation.go` `validateService`.
#[must_use]
pub fn cluster_ip_refused(service: &Service) -> bool {
    let ip = service.cluster_ip.as_deref().unwrap_or_default();
    if !service.type_errors.is_empty() || misspelled_none(ip) {
        return true;
    }
    match service.service_type.as_str() {
        "ClusterIP" => cluster_ips_conflict(service).is_some(),
        "NodePort" | "LoadBalancer" => ip == "None" || cluster_ips_conflict(service).is_some(),
        "ExternalName" => !ip.is_empty() || !service.cluster_ips.is_empty(),
        _ => true,
    }
}

/// Whether an object has at least one of these traits.
#[must_use]
pub fn has(meta: &Metadata, traits: Traits) -> bool {
    meta.traits.bits() & traits.bits() != 0
}

/// Whether a value is filled in later, such as `${PORT}`: nothing is known
/// of it, and nothing may be concluded from it.
#[must_use]
pub fn placeholder(value: &str) -> bool {
    value.as_bytes().windows(2).any(|two| matches!(two, b"{{" | b"${" | b"$("))
}

/// Why the API server refuses an entry of `spec.ports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortFault {
    /// There are several entries, and this one has no name.
    NameMissing,
    /// The name isn't a DNS-1123 label.
    NameInvalid,
    /// An earlier entry has the name.
    NameDuplicate {
        /// Index of that entry.
        first: usize,
    },
    /// `port` is missing, or outside of 1 to 65535.
    NumberInvalid,
    /// An earlier entry has the same protocol and `port`.
    NumberDuplicate {
        /// Index of that entry.
        first: usize,
    },
    /// Not TCP, UDP or SCTP.
    ProtocolUnsupported,
    /// `targetPort` is a string of digits.
    TargetQuoted,
    /// `targetPort` is a number outside of 1 to 65535, or no name of a port.
    TargetInvalid,
    /// `nodePort` with type ClusterIP.
    NodePortForbidden,
}

impl PortFault {
    /// The key of the entry that is at fault.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::NameMissing | Self::NameInvalid | Self::NameDuplicate { .. } => "name",
            Self::NumberInvalid | Self::NumberDuplicate { .. } => "port",
            Self::ProtocolUnsupported => "protocol",
            Self::TargetQuoted | Self::TargetInvalid => "targetPort",
            Self::NodePortForbidden => "nodePort",
        }
    }
}

/// What the API server refuses in `spec.ports`, as index and fault, in order;
/// at most one for each key of an entry. Values of a wrong type are in
/// `type_errors` instead; placeholders are left out.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/core/validation/validation.go` `ValidateService`,
/// `validateServicePort`, `ValidatePortNumOrName`.
#[must_use]
pub fn port_faults(service: &Service) -> Vec<(usize, PortFault)> {
    let mut faults = Vec::new();
    for (index, port) in service.ports.iter().enumerate() {
        let earlier = &service.ports[..index];
        let found = [
            name_fault(port, earlier, service.ports.len()),
            number_fault(port, earlier),
            (!["TCP", "UDP", "SCTP"].contains(&port.protocol.as_str())
                && !placeholder(&port.protocol))
            .then_some(PortFault::ProtocolUnsupported),
            target_fault(port),
            (service.service_type == "ClusterIP" && port.node_port.is_some_and(|node| node != 0))
                .then_some(PortFault::NodePortForbidden),
        ];
        faults.extend(
            found
                .into_iter()
                .flatten()
                .filter(|fault| !wrongly_typed(service, index, fault.field()))
                .map(|fault| (index, fault)),
        );
    }
    faults
}

/// Whether the field is only missing because its value had a wrong type.
fn wrongly_typed(service: &Service, index: usize, field: &str) -> bool {
    let entry = format!("$.spec.ports[{index}]");
    let field = format!("{entry}.{field}");
    service.type_errors.iter().any(|error| error.path == entry || error.path == field)
}

fn name_fault(port: &ServicePort, earlier: &[ServicePort], count: usize) -> Option<PortFault> {
    if port.name.is_empty() {
        return (count > 1).then_some(PortFault::NameMissing);
    }
    if placeholder(&port.name) {
        return None;
    }
    if !dns_label(&port.name) {
        return Some(PortFault::NameInvalid);
    }
    earlier
        .iter()
        .position(|other| other.name == port.name)
        .map(|first| PortFault::NameDuplicate { first })
}

fn number_fault(port: &ServicePort, earlier: &[ServicePort]) -> Option<PortFault> {
    match port.port {
        Some(number) if port_number(number) => earlier
            .iter()
            .position(|other| other.port == Some(number) && other.protocol == port.protocol)
            .map(|first| PortFault::NumberDuplicate { first }),
        _ => Some(PortFault::NumberInvalid),
    }
}

fn target_fault(port: &ServicePort) -> Option<PortFault> {
    match &port.target_port {
        None => None,
        Some(IntOrString::Int(number)) => {
            (!port_number(*number)).then_some(PortFault::TargetInvalid)
        }
        Some(IntOrString::Text(name)) if placeholder(name) => None,
        Some(IntOrString::Text(name)) if name.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(PortFault::TargetQuoted)
        }
        Some(IntOrString::Text(name)) => (!port_name(name)).then_some(PortFault::TargetInvalid),
    }
}

fn port_number(number: i64) -> bool {
    (1..=65535).contains(&number)
}

/// DNS-1123 label: what the name of a Service's port has to be.
///
/// # Source
/// apimachinery v0.36 `pkg/util/validation/validation.go` `IsDNS1123Label`.
#[must_use]
pub fn dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// What a named `targetPort`, and the name of a container port, has to be.
///
/// # Source
/// apimachinery v0.36 `pkg/util/validation/validation.go` `IsValidPortName`.
#[must_use]
pub fn port_name(name: &str) -> bool {
    name.len() <= 15
        && dns_label(name)
        && !name.contains("--")
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Whether the API server refuses the Service for a reason that a rule
/// names: such a Service never exists, so nothing else is worth saying.
#[must_use]
pub fn refused(service: &Service) -> bool {
    cluster_ip_refused(service) || !port_faults(service).is_empty()
}

/// The Service under review, if it is headless with a selector, the API server
/// takes it, and nobody else has the last word on it.
#[must_use]
pub fn settled_headless(review: &Review) -> Option<&Service> {
    let unsettled = Traits::OPERATOR_MANAGED | Traits::DELETING;
    review.service().filter(|service| {
        headless(service)
            && !selectorless(service)
            && !refused(service)
            && !has(&service.meta, unsettled)
    })
}

/// The workloads behind a Service. None where none was seen, and where it
/// depends on a label that only a controller adds whether one is behind it.
#[must_use]
pub fn workloads(service: &Service, context: &Context) -> Option<Vec<Workload>> {
    if selectorless(service) || service.service_type == "ExternalName" {
        return None;
    }
    let found =
        context.workloads_matching(&service.meta.ref_.namespace, &service.selector).found()?;
    let mut behind = Vec::with_capacity(found.len());
    for workload in found {
        if has(&workload.meta, Traits::DELETING) {
            continue;
        }
        match reach(&service.selector, &workload) {
            Reach::All | Reach::Some => behind.push(workload),
            Reach::None => {}
            Reach::Unknown => return None,
        }
    }
    (!behind.is_empty()).then_some(behind)
}
