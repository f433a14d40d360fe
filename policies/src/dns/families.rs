//! Which address families a Service has.

use std::net::IpAddr;

use crate::model::{ClusterProfile, Service};

/// IPv4 and IPv6. A cluster's first family is taken to be IPv4 unless the Service
/// says otherwise: manifests don't tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Families {
    pub(super) v4: bool,
    pub(super) v6: bool,
    /// The second family is there only if the cluster is dual stack, which isn't
    /// known.
    pub(super) depends: bool,
}

/// # Source
/// kubernetes v1.36 `pkg/registry/core/service/storage/alloc.go`
/// (`initIPFamilyFields`).
pub(super) fn families(service: &Service, cluster: &ClusterProfile) -> Families {
    let given: Vec<IpAddr> = service
        .cluster_ip
        .iter()
        .chain(&service.cluster_ips)
        .filter_map(|text| text.parse().ok())
        .collect();
    let listed = |family: &str, is: fn(&IpAddr) -> bool| {
        service.ip_families.iter().any(|one| one == family) || given.iter().any(is)
    };
    let (v4, v6) = (listed("IPv4", IpAddr::is_ipv4), listed("IPv6", IpAddr::is_ipv6));
    if v4 && v6 {
        return Families { v4, v6, depends: false };
    }
    let first = Families { v4: !v6, v6, depends: false };
    let both = Families { v4: true, v6: true, depends: false };
    match (service.ip_family_policy.as_deref(), cluster.dual_stack) {
        (Some("RequireDualStack"), _) | (Some("PreferDualStack"), Some(true)) => both,
        (Some("PreferDualStack"), None) => Families { depends: true, ..first },
        _ => first,
    }
}
