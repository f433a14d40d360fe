//! Facts of the cluster, as they are written.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::model::ClusterProfile;

/// Facts of the cluster that its objects don't tell.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cluster {
    /// The DNS zone.
    #[serde(deserialize_with = "zone")]
    zone: String,
    /// The minor version: 36 for Kubernetes 1.36.
    kubernetes_minor: u32,
    /// Whether Services can have addresses of both families; unknown, if it
    /// isn't given.
    dual_stack: Option<bool>,
    /// Whether kube-apiserver runs with --enable-aggregator-routing.
    aggregator_routing: bool,
    /// How long clients may keep an answer of the cluster's DNS, in seconds: `ttl`
    /// of the `kubernetes` block in CoreDNS' Corefile.
    dns_ttl: u32,
}

/// # Errors
/// What can't be the name of a zone.
fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let zone = String::deserialize(deserializer)?;
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&label.len()) && label.chars().all(inner)
    };
    if zone.split('.').all(is_label) {
        Ok(zone)
    } else {
        Err(D::Error::custom(format!("`{zone}` is no DNS zone such as cluster.local")))
    }
}

impl Default for Cluster {
    fn default() -> Self {
        let ClusterProfile { zone, minor, dual_stack, aggregator_routing, dns_ttl } =
            ClusterProfile::default();
        Self { zone, kubernetes_minor: minor, dual_stack, aggregator_routing, dns_ttl }
    }
}

impl From<Cluster> for ClusterProfile {
    fn from(cluster: Cluster) -> Self {
        Self {
            zone: cluster.zone,
            minor: cluster.kubernetes_minor,
            dual_stack: cluster.dual_stack,
            aggregator_routing: cluster.aggregator_routing,
            dns_ttl: cluster.dns_ttl,
        }
    }
}
