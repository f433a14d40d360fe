//! The only door to k8s-openapi: the version of Kubernetes is chosen here.
//!
//! An API version doesn't matter to the model: kinds are known by group and
//! name, and their fields have been the same since they became stable.

use k8s_openapi::api::{
    admissionregistration::v1 as admission, apps::v1 as apps, autoscaling::v2 as autoscaling,
    batch::v1 as batch, certificates::v1 as certificates,
    certificates::v1beta1 as certificates_beta, coordination::v1 as coordination, core::v1 as core,
    discovery::v1 as discovery, events::v1 as events, flowcontrol::v1 as flowcontrol,
    networking::v1 as networking, node::v1 as node, policy::v1 as policy, rbac::v1 as rbac,
    resource::v1 as resource, scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as aggregation;
use k8s_openapi::{ClusterResourceScope, Resource};

/// The minor version of Kubernetes that the model follows: v1.36.
pub const MINOR: u32 = 36;

/// The label with the name of a StatefulSet's Pod.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/apps/v1/types.go`
/// (`StatefulSetPodNameLabel`).
pub const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";

macro_rules! kinds {
    ($($kind:ident: $type:ty,)*) => {
        /// The kinds that the model reads more of than metadata.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "they are Kubernetes' own names")]
        pub enum Kind { $($kind,)* }

        const KINDS: &[(&str, &str, Kind)] =
            &[$((<$type>::GROUP, <$type>::KIND, Kind::$kind),)*];
    };
}

kinds! {
    ApiService: aggregation::APIService,
    ConfigMap: core::ConfigMap,
    CronJob: batch::CronJob,
    CustomResourceDefinition: extensions::CustomResourceDefinition,
    DaemonSet: apps::DaemonSet,
    Deployment: apps::Deployment,
    EndpointSlice: discovery::EndpointSlice,
    Endpoints: core::Endpoints,
    HorizontalPodAutoscaler: autoscaling::HorizontalPodAutoscaler,
    Ingress: networking::Ingress,
    Job: batch::Job,
    MutatingWebhookConfiguration: admission::MutatingWebhookConfiguration,
    NetworkPolicy: networking::NetworkPolicy,
    Pod: core::Pod,
    ReplicaSet: apps::ReplicaSet,
    ReplicationController: core::ReplicationController,
    Secret: core::Secret,
    Service: core::Service,
    StatefulSet: apps::StatefulSet,
    ValidatingWebhookConfiguration: admission::ValidatingWebhookConfiguration,
}

const fn cluster_scoped<T: Resource<Scope = ClusterResourceScope>>() -> (&'static str, &'static str)
{
    (T::GROUP, T::KIND)
}

/// Kinds without a namespace, as far as they stand in manifests.
const CLUSTER_SCOPED: &[(&str, &str)] = &[
    cluster_scoped::<admission::MutatingAdmissionPolicy>(),
    cluster_scoped::<admission::MutatingAdmissionPolicyBinding>(),
    cluster_scoped::<admission::MutatingWebhookConfiguration>(),
    cluster_scoped::<admission::ValidatingAdmissionPolicy>(),
    cluster_scoped::<admission::ValidatingAdmissionPolicyBinding>(),
    cluster_scoped::<admission::ValidatingWebhookConfiguration>(),
    cluster_scoped::<aggregation::APIService>(),
    cluster_scoped::<certificates::CertificateSigningRequest>(),
    cluster_scoped::<certificates_beta::ClusterTrustBundle>(),
    cluster_scoped::<core::Namespace>(),
    cluster_scoped::<core::Node>(),
    cluster_scoped::<core::PersistentVolume>(),
    cluster_scoped::<extensions::CustomResourceDefinition>(),
    cluster_scoped::<flowcontrol::FlowSchema>(),
    cluster_scoped::<flowcontrol::PriorityLevelConfiguration>(),
    cluster_scoped::<networking::IPAddress>(),
    cluster_scoped::<networking::IngressClass>(),
    cluster_scoped::<networking::ServiceCIDR>(),
    cluster_scoped::<node::RuntimeClass>(),
    cluster_scoped::<rbac::ClusterRole>(),
    cluster_scoped::<rbac::ClusterRoleBinding>(),
    cluster_scoped::<resource::DeviceClass>(),
    cluster_scoped::<resource::ResourceSlice>(),
    cluster_scoped::<scheduling::PriorityClass>(),
    cluster_scoped::<storage::CSIDriver>(),
    cluster_scoped::<storage::CSINode>(),
    cluster_scoped::<storage::StorageClass>(),
    cluster_scoped::<storage::VolumeAttachment>(),
    cluster_scoped::<storage::VolumeAttributesClass>(),
];

/// Groups that kube-apiserver itself serves. Other groups end in `.k8s.io`
/// too, but are custom resources: `gateway.networking.k8s.io` for one.
const OWN_GROUPS: &[&str] = &[
    core::Pod::GROUP,
    admission::ValidatingWebhookConfiguration::GROUP,
    aggregation::APIService::GROUP,
    apps::Deployment::GROUP,
    autoscaling::HorizontalPodAutoscaler::GROUP,
    batch::Job::GROUP,
    certificates::CertificateSigningRequest::GROUP,
    coordination::Lease::GROUP,
    discovery::EndpointSlice::GROUP,
    events::Event::GROUP,
    extensions::CustomResourceDefinition::GROUP,
    flowcontrol::FlowSchema::GROUP,
    networking::NetworkPolicy::GROUP,
    node::RuntimeClass::GROUP,
    policy::PodDisruptionBudget::GROUP,
    rbac::Role::GROUP,
    resource::DeviceClass::GROUP,
    scheduling::PriorityClass::GROUP,
    storage::StorageClass::GROUP,
    "authentication.k8s.io",
    "authorization.k8s.io",
    // Gone from Kubernetes, but not from manifests.
    "extensions",
    "internal.apiserver.k8s.io",
    "storagemigration.k8s.io",
];

/// The group of an API version: empty for `v1`, `apps` for `apps/v1`.
pub fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The kind, if it is one that the model reads.
pub fn kind(api_version: &str, kind: &str) -> Option<Kind> {
    let group = group(api_version);
    KINDS.iter().find(|known| known.0 == group && known.1 == kind).map(|known| known.2)
}

/// The names of all kinds that the model reads, sorted.
pub fn known_kinds() -> Vec<&'static str> {
    let mut names: Vec<_> = KINDS.iter().map(|known| known.1).collect();
    names.sort_unstable();
    names
}

/// Whether the group is Kubernetes' own.
pub fn is_own_group(group: &str) -> bool {
    OWN_GROUPS.contains(&group)
}

/// Whether a kind is known to have no namespace. False for custom kinds, whose
/// scope manifests don't tell.
pub fn is_cluster_scoped(api_version: &str, kind: &str) -> bool {
    CLUSTER_SCOPED.contains(&(group(api_version), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_group_and_name() {
        assert_eq!(kind("v1", "Service"), Some(Kind::Service));
        assert_eq!(kind("apps/v1", "StatefulSet"), Some(Kind::StatefulSet));
        assert_eq!(kind("batch/v1beta1", "CronJob"), Some(Kind::CronJob));
        assert_eq!(kind("apiregistration.k8s.io/v1", "APIService"), Some(Kind::ApiService));
        assert_eq!(kind("serving.knative.dev/v1", "Service"), None);
        assert_eq!(kind("crd.projectcalico.org/v1", "NetworkPolicy"), None);
    }

    #[test]
    fn a_custom_group_may_end_like_kubernetes_own() {
        assert!(is_own_group("networking.k8s.io"));
        assert!(is_own_group(""));
        assert!(!is_own_group("gateway.networking.k8s.io"));
        assert!(!is_own_group("autoscaling.k8s.io"));
    }

    #[test]
    fn scope_is_known_for_kubernetes_own_kinds() {
        assert!(is_cluster_scoped("v1", "Namespace"));
        assert!(is_cluster_scoped("apiextensions.k8s.io/v1", "CustomResourceDefinition"));
        assert!(!is_cluster_scoped("v1", "Service"));
        assert!(!is_cluster_scoped("example.com/v1", "Namespace"));
    }
}
