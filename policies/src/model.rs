//! What policies see: plain records that mirror the contract
//! (`wasm-policies/wit/v1/policy.wit`), read from manifests by [`project()`].
//!
//! ```text
//! Node ─project─▶ Projected { object, controller, mentions, scales }
//!                   │ decode: leniently, as the API server does
//!                   │ traits: what labels and annotations say
//!                   └ names:  which Services its strings may mean
//! ```
//!
//! Everything here is pure, and the same for the linter and for admission.
//! Lists of labels are sorted by key, which is unique; all other lists keep
//! the order of the manifest.

pub mod custom;
pub(crate) mod decode;
mod endpoints;
mod network_policy;
mod project;
mod reference;
mod selector;
mod service;
mod traits;
mod workload;

use std::sync::Arc;

pub use self::decode::{DecodeError, TypeError};
pub use self::endpoints::{EndpointPort, EndpointSubset, Endpoints};
pub use self::network_policy::{
    IpBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule,
};
pub use self::project::{Projected, ScaleTarget, project};
pub use self::reference::{ByteRange, Reference, Via};
pub use self::selector::{LabelRequirement, LabelSelector, labels_satisfy};
pub use self::service::{Service, ServicePort};
pub use self::traits::Traits;
pub use self::workload::{
    Container, ContainerPort, ContainerRole, PodTemplate, StatefulSet, Workload,
};
pub use crate::finding::ObjectRef;

pub(crate) use self::decode::{Decoded, Fields, labels, port};
pub(crate) use self::selector::selector;
pub(crate) use self::workload::template;

/// One label, or one pair of a selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Such as `app.kubernetes.io/name`.
    pub key: String,
    /// May be empty.
    pub value: String,
}

/// What every object has. References share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metadata {
    /// Whose metadata.
    pub object_ref: ObjectRef,
    /// `metadata.labels`, shared with a template that has the same.
    pub labels: Arc<[Label]>,
    /// What labels, annotations and owners tell.
    pub traits: Traits,
}

/// A port where Kubernetes takes a number or a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntOrString {
    /// A number; not yet checked to be in 1..65535.
    Int(i64),
    /// A name.
    Text(String),
}

/// An object as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A Service.
    Service(Service),
    /// A Pod, or something that makes Pods from a template.
    Workload(Workload),
    /// An Endpoints object or an EndpointSlice.
    Endpoints(Endpoints),
    /// A NetworkPolicy of `networking.k8s.io`.
    NetworkPolicy(NetworkPolicy),
    /// Everything else.
    Other(Arc<Metadata>),
}

impl Object {
    /// Its metadata.
    pub fn meta(&self) -> &Arc<Metadata> {
        match self {
            Self::Service(service) => &service.meta,
            Self::Workload(workload) => &workload.meta,
            Self::Endpoints(endpoints) => &endpoints.meta,
            Self::NetworkPolicy(policy) => &policy.meta,
            Self::Other(meta) => meta,
        }
    }
}

/// Facts of the cluster that manifests can't tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterProfile {
    /// The DNS zone.
    pub zone: String,
    /// Kubernetes minor version: 36 for v1.36.
    pub minor: u32,
    /// None when unknown.
    pub dual_stack: Option<bool>,
    /// The API server runs with `--enable-aggregator-routing`.
    pub aggregator_routing: bool,
    /// How long clients may keep an answer of the cluster's DNS, in seconds.
    pub dns_ttl: u32,
}

impl Default for ClusterProfile {
    /// The DNS that kubeadm sets up, and the version that the model follows.
    fn default() -> Self {
        Self {
            zone: "cluster.local".to_owned(),
            minor: crate::k8s::MINOR,
            dual_stack: None,
            aggregator_routing: false,
            dns_ttl: 30,
        }
    }
}
