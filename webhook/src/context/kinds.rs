//! Which kinds are watched.

use std::collections::BTreeSet;

use headlint_policies::k8s;
use kube::core::ApiResource;

use super::Settings;

/// A kind, as its API serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
    /// Only objects with such labels are asked for.
    pub(super) labels: Option<&'static str>,
}

impl Kind {
    const fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self { group, version, kind, plural, namespaced: true, labels: None }
    }

    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    pub(super) fn resource(&self) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

/// Slices that a controller of Kubernetes wrote say nothing that the Service and
/// its Pods, or the Endpoints, don't.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/endpointslice` (`controllerName`) and
/// `pkg/controller/endpointslicemirroring` (`controllerName`).
const BY_HAND: &str = "endpointslice.kubernetes.io/managed-by notin \
                       (endpointslice-controller.k8s.io,endpointslicemirroring-controller.k8s.io)";

const NAMESPACE: Kind =
    Kind { namespaced: false, ..Kind::new("", "v1", "Namespace", "namespaces") };
const ENDPOINT_SLICE: Kind = Kind {
    labels: Some(BY_HAND),
    ..Kind::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
};
const CONFIG_MAP: Kind = Kind::new("", "v1", "ConfigMap", "configmaps");
const INGRESS: Kind = Kind::new("networking.k8s.io", "v1", "Ingress", "ingresses");

/// Owners come before what they own, so that less is kept for a moment only.
const ALWAYS: [Kind; 14] = [
    NAMESPACE,
    Kind::new("", "v1", "Service", "services"),
    Kind::new("apps", "v1", "StatefulSet", "statefulsets"),
    Kind::new("apps", "v1", "Deployment", "deployments"),
    Kind::new("apps", "v1", "DaemonSet", "daemonsets"),
    Kind::new("apps", "v1", "ReplicaSet", "replicasets"),
    Kind::new("batch", "v1", "CronJob", "cronjobs"),
    Kind::new("batch", "v1", "Job", "jobs"),
    Kind::new("", "v1", "ReplicationController", "replicationcontrollers"),
    Kind::new("", "v1", "Pod", "pods"),
    Kind::new("", "v1", "Endpoints", "endpoints"),
    ENDPOINT_SLICE,
    Kind::new("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Kind::new("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
];

/// Workloads that make Pods, by group.
const WORKLOADS: [(&str, &str); 7] = [
    ("", "ReplicationController"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("batch", "CronJob"),
    ("batch", "Job"),
];

pub(super) fn watched(settings: &Settings) -> Vec<Kind> {
    let mut kinds = ALWAYS.to_vec();
    kinds.extend(settings.config_maps.then_some(CONFIG_MAP));
    kinds.extend(settings.ingresses.then_some(INGRESS));
    kinds
}

/// How a kind that may be watched is asked for.
pub(crate) fn resource(kind: &str) -> Option<ApiResource> {
    let all = ALWAYS.iter().chain([&CONFIG_MAP, &INGRESS]);
    all.into_iter().find(|one| one.kind == kind).map(Kind::resource)
}

/// The kinds of the model that aren't among the watched ones. Sorted.
pub(super) fn unwatched(watched: &[Kind]) -> Vec<String> {
    let of_model = k8s::known_kinds().into_iter();
    let missing = of_model.filter(|kind| watched.iter().all(|one| one.kind != *kind));
    missing.map(str::to_owned).collect()
}

/// Whether an object of this kind makes Pods, directly or not, and is watched.
pub(super) fn is_workload(group: &str, kind: &str) -> bool {
    WORKLOADS.contains(&(group, kind))
}

/// Look-ups name one kind where several could answer: Pods for whatever makes
/// them, Endpoints for slices.
pub(super) fn add_implied(unknown: &mut BTreeSet<&'static str>) {
    if unknown.iter().any(|kind| WORKLOADS.iter().any(|(_, workload)| workload == kind)) {
        unknown.insert("Pod");
    }
    if unknown.contains(ENDPOINT_SLICE.kind) {
        unknown.insert("Endpoints");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_is_watched_and_secrets_never() {
        let everything = Settings { config_maps: true, ingresses: true, ..Settings::default() };
        let kinds = watched(&everything);
        for workload in WORKLOADS {
            assert!(kinds.iter().any(|kind| (kind.group, kind.kind) == workload), "{workload:?}");
        }
        let unwatched = unwatched(&kinds);
        assert!(unwatched.contains(&"Secret".to_owned()));
        assert!(!unwatched.contains(&"ConfigMap".to_owned()));
        for kind in kinds {
            assert!(
                kind.kind == "Namespace" || k8s::kind(&kind.api_version(), kind.kind).is_some()
            );
        }
    }

    #[test]
    fn what_could_answer_makes_the_answer_unknown() {
        let implied = |kind| {
            let mut unknown = BTreeSet::from([kind]);
            add_implied(&mut unknown);
            unknown.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(implied("StatefulSet"), ["Pod", "StatefulSet"]);
        assert_eq!(implied("EndpointSlice"), ["EndpointSlice", "Endpoints"]);
        assert_eq!(implied("Service"), ["Service"]);
    }
}
