//! Manifests that are applied together, in namespaces of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use headlint_policies::dns::{Bundle, Options};
use headlint_policies::k8s;
use headlint_policies::manifest::{self, Source};
use headlint_policies::model::ClusterProfile;
use hyper::Method;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Where manifests come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Made for tests.
    Ours,
    /// What a chart makes that others use.
    Chart,
}

/// Manifests, and how they are called.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Tells them from others.
    pub name: String,
    /// Where they come from.
    pub origin: Origin,
    objects: Vec<Value>,
}

/// Kinds that DNS depends on, and where the API server has them. A CronJob makes
/// no Pod before its time.
const APPLIED: &[(&str, &str, &str)] = &[
    ("v1", "Endpoints", "/api/v1/namespaces/{}/endpoints"),
    ("v1", "Pod", "/api/v1/namespaces/{}/pods"),
    ("v1", "ReplicationController", "/api/v1/namespaces/{}/replicationcontrollers"),
    ("v1", "Service", "/api/v1/namespaces/{}/services"),
    ("apps/v1", "DaemonSet", "/apis/apps/v1/namespaces/{}/daemonsets"),
    ("apps/v1", "Deployment", "/apis/apps/v1/namespaces/{}/deployments"),
    ("apps/v1", "ReplicaSet", "/apis/apps/v1/namespaces/{}/replicasets"),
    ("apps/v1", "StatefulSet", "/apis/apps/v1/namespaces/{}/statefulsets"),
    ("batch/v1", "Job", "/apis/batch/v1/namespaces/{}/jobs"),
    (
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    ),
];

impl Parcel {
    /// Reads manifests. Each of their namespaces becomes one of this number's own.
    ///
    /// # Panics
    /// When they aren't UTF-8.
    #[must_use]
    pub fn new(name: &str, number: usize, origin: Origin, bytes: Vec<u8>) -> Self {
        let source = Arc::new(Source::new(name, bytes).expect("manifests are text"));
        let mut objects: Vec<_> =
            manifest::load(source).manifests.iter().map(|it| it.root.to_json()).collect();
        for object in &mut objects {
            let text = |object: &Value, key: &str| object[key].as_str().unwrap_or("").to_owned();
            let (version, kind) = (text(object, "apiVersion"), text(object, "kind"));
            if kind == "Namespace" {
                let own = format!("p{number}-{}", text(&object["metadata"], "name"));
                object["metadata"]["name"] = own.into();
            } else if !k8s::is_cluster_scoped(&version, &kind) && object["metadata"].is_object() {
                let namespace = text(&object["metadata"], "namespace");
                let namespace = if namespace.is_empty() { "default".to_owned() } else { namespace };
                object["metadata"]["namespace"] = format!("p{number}-{namespace}").into();
            }
            // An alias may lead to a Service beside it.
            if let Some(alias) = object["spec"]["externalName"].as_str()
                && let [service, namespace, rest @ ..] =
                    alias.split('.').collect::<Vec<_>>().as_slice()
                && rest.first() == Some(&"svc")
            {
                let own = format!("{service}.p{number}-{namespace}.{}", rest.join("."));
                object["spec"]["externalName"] = own.into();
            }
        }
        Self { name: name.to_owned(), origin, objects }
    }

    /// How many Pods its manifests ask for, as far as they say a number.
    #[must_use]
    pub fn replicas(&self) -> u64 {
        self.objects.iter().filter_map(|object| object["spec"]["replicas"].as_u64()).sum()
    }

    /// As headlint reads it: nothing exists beside it.
    #[must_use]
    pub fn bundle(&self, cluster: &ClusterProfile) -> Bundle {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": self.objects});
        let source = Source::new(self.name.as_str(), list.to_string().into_bytes());
        let options = Options {
            complete: true,
            default_namespace: "default".to_owned(),
            cluster: cluster.clone(),
        };
        Bundle::read(vec![source.map(Arc::new)], options)
    }

    /// Applies what DNS depends on. What the API server refuses isn't part of the
    /// parcel from then on, unless headlint says that it is refused; returns those.
    pub(super) fn apply(&mut self, cluster: &Cluster, profile: &ClusterProfile) -> Vec<String> {
        let namespaces: BTreeSet<_> =
            self.objects.iter().filter_map(|it| it["metadata"]["namespace"].as_str()).collect();
        for namespace in namespaces {
            cluster.ensure_namespace(namespace);
        }
        let bundle = self.bundle(profile);
        let told: BTreeSet<_> = bundle
            .refused()
            .into_iter()
            .map(|(it, _)| (it.kind.clone(), it.namespace.clone(), it.name.clone()))
            .collect();
        let mut refused = Vec::new();
        self.objects.retain(|object| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let kind = text(&object["kind"]);
            let place = APPLIED
                .iter()
                .find(|(version, name, _)| object["apiVersion"] == *version && kind == *name);
            let Some((_, _, path)) = place else { return true };
            let (namespace, name) =
                (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
            let applied = cluster.call(Method::POST, &path.replace("{}", &namespace), object);
            let is_told = told.contains(&(kind.clone(), namespace, name.clone()));
            match applied {
                Ok(_) if is_told => {
                    panic!("{}: {kind} {name} isn't refused", self.name)
                }
                Ok(_) => true,
                Err(kube::Error::Api(_)) if is_told => true,
                Err(kube::Error::Api(status)) => {
                    refused.push(format!("{}: {kind} {name}: {}", self.name, status.message));
                    false
                }
                Err(error) => panic!("{}: {kind} {name}: {error}", self.name),
            }
        });
        refused
    }
}
