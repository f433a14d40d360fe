//! What else exists.

use std::cell::{OnceCell, RefCell};

use crate::bindings::host;
pub use crate::bindings::host::{QueryError, QueryMatch, UnknownReason, Version};
use crate::types::{
    ClusterProfile, Endpoints, Label, LabelSelector, NetworkPolicy, Object, Reference, Service,
    Workload,
};

/// The answer to a look-up. Not finding a thing is no proof that it doesn't
/// exist, so every rule has to say what it does with all three.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<T> {
    /// It is there. A list has at least one entry.
    Found(T),
    /// It is certain that there is none.
    Absent,
    /// None was seen, which proves nothing.
    Unknown(UnknownReason),
}

impl<T> Answer<T> {
    /// What was found, if anything.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

impl<T> Answer<Vec<T>> {
    /// What was seen: empty unless found.
    pub fn seen(self) -> Vec<T> {
        self.found().unwrap_or_default()
    }
}

/// The view of an immutable snapshot that a rule gets. Each call crosses the
/// sandbox's boundary: keep what it answers.
pub trait Context {
    /// The Service of that name.
    fn service(&self, namespace: &str, name: &str) -> Answer<Service>;
    /// The Services of that name in any namespace, in order of namespace.
    fn services_named(&self, name: &str) -> Answer<Vec<Service>>;
    /// The Services with a selector that these labels of a Pod satisfy.
    fn services_selecting(&self, namespace: &str, labels: &[Label]) -> Answer<Vec<Service>>;
    /// The workloads whose Pods a Service with this selector selects.
    fn workloads_matching(&self, namespace: &str, selector: &[Label]) -> Answer<Vec<Workload>>;
    /// The workloads whose Pods take their names from a Service: StatefulSets
    /// by `serviceName`, others by `subdomain`.
    fn workloads_naming(&self, namespace: &str, service: &str) -> Answer<Vec<Workload>>;
    /// The workloads whose Pods this selector of a NetworkPolicy selects.
    fn workloads_selected(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Answer<Vec<Workload>>;
    /// The Endpoints and EndpointSlices of a Service.
    fn endpoints_of(&self, namespace: &str, service: &str) -> Answer<Vec<Endpoints>>;
    /// The NetworkPolicies of a namespace.
    fn network_policies(&self, namespace: &str) -> Answer<Vec<NetworkPolicy>>;
    /// Who refers to the Service of that name, which need not exist.
    fn references_to(&self, namespace: &str, service: &str) -> Answer<Vec<Reference>>;
    /// The references in the object under review, in order of place.
    fn references(&self) -> Vec<Reference>;
    /// The objects of a kind in a namespace; empty for cluster-scoped ones.
    fn objects(&self, kind: &str, namespace: &str) -> Answer<Vec<Object>>;
    /// Facts of the cluster that manifests can't tell.
    fn cluster(&self) -> ClusterProfile;
    /// The object under review as JSON.
    fn raw(&self, version: Version) -> Option<String>;
    /// A JSONPath query over the object under review.
    ///
    /// # Errors
    /// When the query is no JSONPath, could cost too much, or there is no
    /// object of that version.
    fn query(&self, version: Version, path: &str) -> Result<Vec<QueryMatch>, QueryError>;
}

/// The context that the host provides. Only where the policy runs as a
/// component: natively every call aborts the process.
///
/// Several rules ask the same. The snapshot doesn't change, so that what was
/// answered is kept: to copy it costs less than to cross the boundary again.
#[derive(Debug, Default)]
pub(crate) struct Host {
    services: Kept<(String, String), Answer<Service>>,
    matching: Kept<(String, Vec<Label>), Answer<Vec<Workload>>>,
    naming: Kept<(String, String), Answer<Vec<Workload>>>,
    referring: Kept<(String, String), Answer<Vec<Reference>>>,
    references: OnceCell<Vec<Reference>>,
    cluster: OnceCell<ClusterProfile>,
}

/// Answers to one kind of question. An evaluation has few of them.
#[derive(Debug)]
struct Kept<K, V>(RefCell<Vec<(K, V)>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K, V: Clone> Kept<K, V> {
    fn answer(
        &self,
        is: impl Fn(&K) -> bool,
        key: impl FnOnce() -> K,
        ask: impl FnOnce() -> V,
    ) -> V {
        let known = self.0.borrow().iter().find(|(key, _)| is(key)).map(|(_, known)| known.clone());
        known.unwrap_or_else(|| {
            let answer = ask();
            self.0.borrow_mut().push((key(), answer.clone()));
            answer
        })
    }
}

impl<V: Clone> Kept<(String, String), V> {
    fn by_name(&self, namespace: &str, name: &str, ask: impl FnOnce() -> V) -> V {
        self.answer(
            |(known, other)| known == namespace && other == name,
            || (namespace.to_owned(), name.to_owned()),
            ask,
        )
    }
}

/// A version of the object under review.
pub(crate) fn reviewed(version: Version) -> Option<Object> {
    host::reviewed(version)
}

/// The answers of the contract differ only in what they hold.
macro_rules! answer {
    ($answer:expr, $kind:ident) => {
        match $answer {
            host::$kind::Found(found) => Answer::Found(found),
            host::$kind::Absent => Answer::Absent,
            host::$kind::Unknown(reason) => Answer::Unknown(reason),
        }
    };
}

impl Context for Host {
    fn service(&self, namespace: &str, name: &str) -> Answer<Service> {
        let ask = || answer!(host::service_by_name(namespace, name), ServiceAnswer);
        self.services.by_name(namespace, name, ask)
    }

    fn services_named(&self, name: &str) -> Answer<Vec<Service>> {
        answer!(host::services_named(name), ServicesAnswer)
    }

    fn services_selecting(&self, namespace: &str, labels: &[Label]) -> Answer<Vec<Service>> {
        answer!(host::services_selecting(namespace, labels), ServicesAnswer)
    }

    fn workloads_matching(&self, namespace: &str, selector: &[Label]) -> Answer<Vec<Workload>> {
        self.matching.answer(
            |(known, labels)| known == namespace && labels == selector,
            || (namespace.to_owned(), selector.to_vec()),
            || answer!(host::workloads_matching(namespace, selector), WorkloadsAnswer),
        )
    }

    fn workloads_naming(&self, namespace: &str, service: &str) -> Answer<Vec<Workload>> {
        let ask = || answer!(host::workloads_naming(namespace, service), WorkloadsAnswer);
        self.naming.by_name(namespace, service, ask)
    }

    fn workloads_selected(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Answer<Vec<Workload>> {
        answer!(host::workloads_selected(namespace, selector), WorkloadsAnswer)
    }

    fn endpoints_of(&self, namespace: &str, service: &str) -> Answer<Vec<Endpoints>> {
        answer!(host::endpoints_of(namespace, service), EndpointsAnswer)
    }

    fn network_policies(&self, namespace: &str) -> Answer<Vec<NetworkPolicy>> {
        answer!(host::network_policies_in(namespace), NetworkPoliciesAnswer)
    }

    fn references_to(&self, namespace: &str, service: &str) -> Answer<Vec<Reference>> {
        let ask = || answer!(host::references_to(namespace, service), ReferencesAnswer);
        self.referring.by_name(namespace, service, ask)
    }

    fn references(&self) -> Vec<Reference> {
        self.references.get_or_init(host::own_references).clone()
    }

    fn objects(&self, kind: &str, namespace: &str) -> Answer<Vec<Object>> {
        answer!(host::objects_of(kind, namespace), ObjectsAnswer)
    }

    fn cluster(&self) -> ClusterProfile {
        self.cluster.get_or_init(host::cluster).clone()
    }

    fn raw(&self, version: Version) -> Option<String> {
        host::raw(version)
    }

    fn query(&self, version: Version, path: &str) -> Result<Vec<QueryMatch>, QueryError> {
        host::query(version, path)
    }
}
