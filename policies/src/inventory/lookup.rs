//! What an inventory was asked, so that it can be asked again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Answer, Inventory, Snapshot};
use crate::model::{
    ClusterProfile, Endpoints, Label, LabelSelector, NetworkPolicy, Object, Projected, Reference,
    Service, Workload,
};

/// A question to an inventory. What an answer costs is none, nor are the facts of
/// the cluster, which stay.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lookup {
    Service(String, String),
    ServicesNamed(String),
    ServicesSelecting(String, Vec<Label>),
    WorkloadsMatching(String, Vec<Label>),
    WorkloadsNaming(String, String),
    WorkloadsSelected(String, LabelSelector),
    EndpointsOf(String, String),
    NetworkPoliciesIn(String),
    ReferencesTo(String, String),
    /// Of the object under review.
    References,
    ObjectsOf(String, String),
}

impl Lookup {
    /// Whether two views answer it alike. `subject` is the object under review.
    pub(crate) fn is_alike(&self, subject: &Projected, one: &Snapshot, other: &Snapshot) -> bool {
        match self {
            Self::Service(namespace, name) => {
                one.service(namespace, name) == other.service(namespace, name)
            }
            Self::ServicesNamed(name) => one.services_named(name) == other.services_named(name),
            Self::ServicesSelecting(namespace, labels) => {
                one.services_selecting(namespace, labels)
                    == other.services_selecting(namespace, labels)
            }
            Self::WorkloadsMatching(namespace, selector) => {
                one.workloads_matching(namespace, selector)
                    == other.workloads_matching(namespace, selector)
            }
            Self::WorkloadsNaming(namespace, service) => {
                one.workloads_naming(namespace, service)
                    == other.workloads_naming(namespace, service)
            }
            Self::WorkloadsSelected(namespace, selector) => {
                one.workloads_selected(namespace, selector)
                    == other.workloads_selected(namespace, selector)
            }
            Self::EndpointsOf(namespace, service) => {
                one.endpoints_of(namespace, service) == other.endpoints_of(namespace, service)
            }
            Self::NetworkPoliciesIn(namespace) => {
                one.network_policies_in(namespace) == other.network_policies_in(namespace)
            }
            Self::ReferencesTo(namespace, service) => {
                one.references_to(namespace, service) == other.references_to(namespace, service)
            }
            Self::References => one.references_in(subject) == other.references_in(subject),
            Self::ObjectsOf(kind, namespace) => {
                one.objects_of(kind, namespace) == other.objects_of(kind, namespace)
            }
        }
    }
}

/// A view that notes what it is asked while one object is judged.
#[derive(Debug)]
pub(crate) struct Noting {
    view: Arc<Snapshot>,
    asked: Mutex<HashSet<Lookup>>,
}

impl Noting {
    pub(crate) fn new(view: &Arc<Snapshot>) -> Self {
        Self { view: Arc::clone(view), asked: Mutex::default() }
    }

    /// What it was asked so far, each once, in no order.
    pub(crate) fn asked(&self) -> Vec<Lookup> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().cloned().collect()
    }

    fn note(&self, lookup: Lookup) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(lookup);
    }
}

impl Inventory for Noting {
    fn service(&self, namespace: &str, name: &str) -> Answer<&Service> {
        self.note(Lookup::Service(namespace.to_owned(), name.to_owned()));
        self.view.service(namespace, name)
    }

    fn services_named(&self, name: &str) -> Answer<Vec<&Service>> {
        self.note(Lookup::ServicesNamed(name.to_owned()));
        self.view.services_named(name)
    }

    fn services_selecting(&self, namespace: &str, labels: &[Label]) -> Answer<Vec<&Service>> {
        self.note(Lookup::ServicesSelecting(namespace.to_owned(), labels.to_owned()));
        self.view.services_selecting(namespace, labels)
    }

    fn workloads_matching(&self, namespace: &str, selector: &[Label]) -> Answer<Vec<&Workload>> {
        self.note(Lookup::WorkloadsMatching(namespace.to_owned(), selector.to_owned()));
        self.view.workloads_matching(namespace, selector)
    }

    fn workloads_naming(&self, namespace: &str, service: &str) -> Answer<Vec<&Workload>> {
        self.note(Lookup::WorkloadsNaming(namespace.to_owned(), service.to_owned()));
        self.view.workloads_naming(namespace, service)
    }

    fn workloads_selected(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Answer<Vec<&Workload>> {
        self.note(Lookup::WorkloadsSelected(namespace.to_owned(), selector.clone()));
        self.view.workloads_selected(namespace, selector)
    }

    fn endpoints_of(&self, namespace: &str, service: &str) -> Answer<Vec<&Endpoints>> {
        self.note(Lookup::EndpointsOf(namespace.to_owned(), service.to_owned()));
        self.view.endpoints_of(namespace, service)
    }

    fn network_policies_in(&self, namespace: &str) -> Answer<Vec<&NetworkPolicy>> {
        self.note(Lookup::NetworkPoliciesIn(namespace.to_owned()));
        self.view.network_policies_in(namespace)
    }

    fn references_to(&self, namespace: &str, service: &str) -> Answer<Vec<Reference>> {
        self.note(Lookup::ReferencesTo(namespace.to_owned(), service.to_owned()));
        self.view.references_to(namespace, service)
    }

    fn references_in(&self, holder: &Projected) -> Vec<Reference> {
        self.note(Lookup::References);
        self.view.references_in(holder)
    }

    fn situated(&self, object: &Object) -> Option<Object> {
        self.view.situated(object)
    }

    fn objects_of(&self, kind: &str, namespace: &str) -> Answer<Vec<&Object>> {
        self.note(Lookup::ObjectsOf(kind.to_owned(), namespace.to_owned()));
        self.view.objects_of(kind, namespace)
    }

    fn population(&self, namespace: &str) -> usize {
        self.view.population(namespace)
    }

    fn cluster(&self) -> &ClusterProfile {
        self.view.cluster()
    }
}
