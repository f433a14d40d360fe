//! Look-ups.

use std::sync::Arc;

use super::super::index::{At, Shelf};
use super::super::matching::{policy_selects, service_selects};
use super::super::{Answer, Inventory, UnknownReason};
use super::Snapshot;
use crate::model::{
    ClusterProfile, Endpoints, Label, LabelSelector, NetworkPolicy, Object, Projected, Reference,
    ScaleTarget, Service, Workload, labels_satisfy,
};
use crate::names::{self, Known};

fn as_service(object: &Object) -> Option<&Service> {
    match object {
        Object::Service(service) => Some(service),
        _ => None,
    }
}

fn as_workload(object: &Object) -> Option<&Workload> {
    match object {
        Object::Workload(workload) => Some(workload),
        _ => None,
    }
}

fn as_endpoints(object: &Object) -> Option<&Endpoints> {
    match object {
        Object::Endpoints(endpoints) => Some(endpoints),
        _ => None,
    }
}

fn as_network_policy(object: &Object) -> Option<&NetworkPolicy> {
    match object {
        Object::NetworkPolicy(policy) => Some(policy),
        _ => None,
    }
}

impl Snapshot {
    fn in_namespace(&self, namespace: &str) -> Option<&Shelf> {
        self.shelves.get(namespace)
    }

    /// The objects at some places, as one of their kinds.
    fn at<'s, T>(
        &'s self,
        places: impl IntoIterator<Item = At>,
        of: fn(&'s Object) -> Option<&'s T>,
    ) -> Vec<&'s T> {
        places.into_iter().filter_map(|at| of(&self.objects[at as usize])).collect()
    }

    /// What was found in a namespace. `kind` is what it is made of.
    fn answer<T>(&self, found: Vec<T>, namespace: &str, kind: &str) -> Answer<Vec<T>> {
        if found.is_empty() { self.missing(Some(namespace), kind) } else { Answer::Found(found) }
    }

    /// What it means that nothing was found in a namespace, or in any.
    fn missing<T>(&self, namespace: Option<&str>, kind: &str) -> Answer<T> {
        let produced = self.produced
            || match namespace {
                Some(namespace) => self.in_namespace(namespace).is_some_and(|shelf| shelf.produced),
                None => self.produced_somewhere,
            };
        Answer::Unknown(if self.knowledge.unwatched.iter().any(|unwatched| unwatched == kind) {
            UnknownReason::Unwatched
        } else if produced {
            UnknownReason::Produced
        } else if self.knowledge.unreadable {
            UnknownReason::Unreadable
        } else if !self.knowledge.complete {
            UnknownReason::Elsewhere
        } else {
            return Answer::Absent;
        })
    }
}

impl Inventory for Snapshot {
    fn service(&self, namespace: &str, name: &str) -> Answer<&Service> {
        match self.seen(namespace, name) {
            Some(service) => Answer::Found(service),
            None => self.missing(Some(namespace), "Service"),
        }
    }

    fn services_named(&self, name: &str) -> Answer<Vec<&Service>> {
        match self.services_named.get(name) {
            Some(places) => Answer::Found(self.at(places.iter().copied(), as_service)),
            None => self.missing(None, "Service"),
        }
    }

    fn services_selecting(&self, namespace: &str, labels: &[Label]) -> Answer<Vec<&Service>> {
        let mut places = Vec::new();
        if let Some(shelf) = self.in_namespace(namespace) {
            let posted = labels.iter().map(|label| shelf.selecting.get(&label.key, &label.value));
            places.extend(posted.flatten());
            places.sort_unstable();
        }
        let mut found = self.at(places, as_service);
        found.retain(|service| labels_satisfy(labels, &service.selector));
        self.answer(found, namespace, "Service")
    }

    fn workloads_matching(&self, namespace: &str, selector: &[Label]) -> Answer<Vec<&Workload>> {
        let shelf = self.in_namespace(namespace);
        let candidates = shelf.and_then(|shelf| shelf.candidates(selector)).unwrap_or_default();
        let mut found = self.at(candidates, as_workload);
        found.retain(|workload| service_selects(selector, workload));
        self.answer(found, namespace, "Pod")
    }

    fn workloads_naming(&self, namespace: &str, service: &str) -> Answer<Vec<&Workload>> {
        let places = self.in_namespace(namespace).and_then(|shelf| shelf.naming.get(service));
        let found = self.at(places.into_iter().flatten().copied(), as_workload);
        self.answer(found, namespace, "Pod")
    }

    fn workloads_selected(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Answer<Vec<&Workload>> {
        let shelf = self.in_namespace(namespace);
        let candidates = shelf.map(|shelf| shelf.selected_candidates(selector)).unwrap_or_default();
        let mut found = self.at(candidates, as_workload);
        found.retain(|workload| policy_selects(selector, workload));
        self.answer(found, namespace, "Pod")
    }

    fn endpoints_of(&self, namespace: &str, service: &str) -> Answer<Vec<&Endpoints>> {
        let places = self.in_namespace(namespace).and_then(|shelf| shelf.endpoints.get(service));
        let found = self.at(places.into_iter().flatten().copied(), as_endpoints);
        self.answer(found, namespace, "Endpoints")
    }

    fn network_policies_in(&self, namespace: &str) -> Answer<Vec<&NetworkPolicy>> {
        let places = self.in_namespace(namespace).map(|shelf| &shelf.policies);
        let found = self.at(places.into_iter().flatten().copied(), as_network_policy);
        self.answer(found, namespace, "NetworkPolicy")
    }

    fn references_to(&self, namespace: &str, service: &str) -> Answer<Vec<&Reference>> {
        let places = self.in_namespace(namespace).and_then(|shelf| shelf.references.get(service));
        let places = places.map_or(&[][..], Vec::as_slice);
        let found: Vec<_> = places.iter().map(|&at| &self.references[at as usize]).collect();
        // Every kind may hold one: any that isn't read may be the one.
        let unread = self.knowledge.unwatched.first().map_or("", String::as_str);
        self.answer(found, namespace, unread)
    }

    fn references_in(&self, holder: &Projected) -> Vec<Reference> {
        if holder.mentions.is_empty() {
            return Vec::new();
        }
        let meta = Arc::new(holder.meta().clone());
        holder.mentions.iter().flat_map(|mention| names::resolve(mention, &meta, self)).collect()
    }

    fn situate(&self, object: &mut Object) {
        let Object::Workload(workload) = object else { return };
        let name = &workload.meta.object_ref;
        let Some(shelf) = self.in_namespace(&name.namespace) else { return };
        let target = ScaleTarget { kind: name.kind.clone(), name: name.name.clone() };
        workload.autoscaled |= shelf.scaled.contains(&target);
        workload.template.injected |= shelf.injected;
        workload.meta.traits.injected |= shelf.injected;
    }

    fn objects_of(&self, kind: &str, namespace: &str) -> Answer<Vec<&Object>> {
        let places = self.in_namespace(namespace).and_then(|shelf| shelf.kinds.get(kind));
        let found = self.at(places.into_iter().flatten().copied(), Some);
        self.answer(found, namespace, kind)
    }

    fn population(&self, namespace: &str) -> usize {
        self.in_namespace(namespace).map_or(0, Shelf::population)
    }

    fn cluster(&self) -> &ClusterProfile {
        &self.knowledge.profile
    }
}

impl Known for Snapshot {
    fn seen(&self, namespace: &str, name: &str) -> Option<&Service> {
        let at = *self.in_namespace(namespace)?.services.get(name)?;
        as_service(&self.objects[at as usize])
    }

    fn workloads_with_pod(&self, namespace: &str, host: &str) -> Vec<&Workload> {
        let Some(shelf) = self.in_namespace(namespace) else { return Vec::new() };
        self.at(shelf.with_pod(host), as_workload)
    }

    fn services_labelled(
        &self,
        namespaces: Option<&[String]>,
        selector: &LabelSelector,
    ) -> Vec<&Service> {
        let shelves: Vec<_> = match namespaces {
            Some(names) => names.iter().filter_map(|name| self.in_namespace(name)).collect(),
            None => self.shelves.values().collect(),
        };
        let mut places: Vec<_> =
            shelves.into_iter().flat_map(|shelf| shelf.labelled_candidates(selector)).collect();
        places.sort_unstable();
        places.dedup();
        let mut found = self.at(places, as_service);
        found.retain(|service| selector.matches(&service.meta.labels));
        found
    }

    fn zone(&self) -> &str {
        &self.knowledge.profile.zone
    }
}
