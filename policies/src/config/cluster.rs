//! Facts of the cluster, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::ClusterProfile;

/// Facts of the cluster that its objects don't tell.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cluster {
    /// The DNS zone.
    zone: String,
    /// The minor version: 36 for Kubernetes 1.36.
    kubernetes_minor: u32,
    /// Whether Services can have addresses of both families; unknown, if it
    /// isn't given.
    dual_stack: Option<bool>,
    /// Whether kube-apiserver runs with --enable-aggregator-routing.
    aggregator_routing: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        let ClusterProfile { zone, minor, dual_stack, aggregator_routing } =
            ClusterProfile::default();
        Self { zone, kubernetes_minor: minor, dual_stack, aggregator_routing }
    }
}

impl From<Cluster> for ClusterProfile {
    fn from(cluster: Cluster) -> Self {
        Self {
            zone: cluster.zone,
            minor: cluster.kubernetes_minor,
            dual_stack: cluster.dual_stack,
            aggregator_routing: cluster.aggregator_routing,
        }
    }
}
