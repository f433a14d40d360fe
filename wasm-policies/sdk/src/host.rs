//! Look-ups that the host answers.

use std::cell::{OnceCell, RefCell};

use crate::bindings::host;
use crate::context::{Answer, QueryError, QueryMatch, Version};
use crate::types::{
    ClusterProfile, Endpoints, Label, LabelSelector, NetworkPolicy, Object, Reference, Service,
    Workload,
};

/// What the host provides; its look-ups are those of [`crate::fake::Snapshot`], which
/// has their documentation. A policy imports only those that it calls, so that they
/// are no methods of a trait object.
///
/// Several rules ask the same. The snapshot doesn't change, so that what was
/// answered is kept: to copy it costs less than to cross the boundary again.
#[derive(Debug, Default)]
pub struct Host {
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

#[allow(missing_docs)]
impl Host {
    pub fn service(&self, namespace: &str, name: &str) -> Answer<Service> {
        let ask = || answer!(host::service_by_name(namespace, name), ServiceAnswer);
        self.services.by_name(namespace, name, ask)
    }

    pub fn services_named(&self, name: &str) -> Answer<Vec<Service>> {
        answer!(host::services_named(name), ServicesAnswer)
    }

    pub fn services_selecting(&self, namespace: &str, labels: &[Label]) -> Answer<Vec<Service>> {
        answer!(host::services_selecting(namespace, labels), ServicesAnswer)
    }

    pub fn workloads_matching(&self, namespace: &str, selector: &[Label]) -> Answer<Vec<Workload>> {
        self.matching.answer(
            |(known, labels)| known == namespace && labels == selector,
            || (namespace.to_owned(), selector.to_vec()),
            || answer!(host::workloads_matching(namespace, selector), WorkloadsAnswer),
        )
    }

    pub fn workloads_naming(&self, namespace: &str, service: &str) -> Answer<Vec<Workload>> {
        let ask = || answer!(host::workloads_naming(namespace, service), WorkloadsAnswer);
        self.naming.by_name(namespace, service, ask)
    }

    pub fn workloads_selected(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Answer<Vec<Workload>> {
        answer!(host::workloads_selected(namespace, selector), WorkloadsAnswer)
    }

    pub fn endpoints_of(&self, namespace: &str, service: &str) -> Answer<Vec<Endpoints>> {
        answer!(host::endpoints_of(namespace, service), EndpointsAnswer)
    }

    pub fn network_policies(&self, namespace: &str) -> Answer<Vec<NetworkPolicy>> {
        answer!(host::network_policies_in(namespace), NetworkPoliciesAnswer)
    }

    pub fn references_to(&self, namespace: &str, service: &str) -> Answer<Vec<Reference>> {
        let ask = || answer!(host::references_to(namespace, service), ReferencesAnswer);
        self.referring.by_name(namespace, service, ask)
    }

    pub fn references(&self) -> Vec<Reference> {
        self.references.get_or_init(host::own_references).clone()
    }

    pub fn objects(&self, kind: &str, namespace: &str) -> Answer<Vec<Object>> {
        answer!(host::objects_of(kind, namespace), ObjectsAnswer)
    }

    pub fn cluster(&self) -> ClusterProfile {
        self.cluster.get_or_init(host::cluster).clone()
    }

    pub fn raw(&self, version: Version) -> Option<String> {
        host::raw(version)
    }

    pub fn query(&self, version: Version, path: &str) -> Result<Vec<QueryMatch>, QueryError> {
        host::query(version, path)
    }
}
