//! Look-ups.

use std::sync::Arc;

use super::super::entry::Entry;
use super::super::matching::{policy_selects, service_selects};
use super::super::shelf::Shelf;
use super::super::{Answer, Inventory, UnknownReason};
use super::Snapshot;
use crate::model::{
    ClusterProfile, Endpoints, Label, LabelSelector, NetworkPolicy, Object, Projected, Reference,
    Service, Workload, labels_satisfy,
};
use crate::names::{self, Known};

impl Snapshot {
    /// What a namespace holds of one sort, in order.
    fn in_namespace<'s, F, T>(
        &'s self,
        namespace: &str,
        search: impl Fn(&'s Shelf) -> F,
        of: fn(&'s Entry) -> Option<&'s T>,
    ) -> Vec<&'s T>
    where
        F: IntoIterator<Item = &'s Arc<Entry>>,
    {
        let found =
            self.gather_sorted(|world| world.in_namespace(namespace).into_iter().flat_map(&search));
        found.into_iter().filter_map(|entry| of(entry)).collect()
    }

    /// What was found in a namespace. `kind` is what it is made of.
    fn answer<T>(&self, found: Vec<T>, namespace: &str, kind: &str) -> Answer<Vec<T>> {
        if found.is_empty() { self.missing(Some(namespace), kind) } else { Answer::Found(found) }
    }

    /// What it means that nothing was found in a namespace, or in any.
    fn missing<T>(&self, namespace: Option<&str>, kind: &str) -> Answer<T> {
        Answer::Unknown(if !self.knowledge.reads_kind(kind) || !self.knowledge.reads(namespace) {
            UnknownReason::Unwatched
        } else if self.world.produces(namespace) {
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
        let found = self.gather_sorted(|world| world.services_named(name));
        let found: Vec<_> = found.into_iter().filter_map(|entry| entry.service()).collect();
        if found.is_empty() { self.missing(None, "Service") } else { Answer::Found(found) }
    }

    fn services_selecting(&self, namespace: &str, labels: &[Label]) -> Answer<Vec<&Service>> {
        let mut found =
            self.in_namespace(namespace, |shelf| shelf.selecting(labels), Entry::service);
        found.retain(|service| labels_satisfy(labels, &service.selector));
        self.answer(found, namespace, "Service")
    }

    fn workloads_matching(&self, namespace: &str, selector: &[Label]) -> Answer<Vec<&Workload>> {
        let mut found = self.in_namespace(
            namespace,
            |shelf| shelf.candidates(selector).unwrap_or_default(),
            Entry::workload,
        );
        found.retain(|workload| service_selects(selector, workload));
        self.answer(found, namespace, "Pod")
    }

    fn workloads_naming(&self, namespace: &str, service: &str) -> Answer<Vec<&Workload>> {
        let found = self.in_namespace(namespace, |shelf| shelf.naming(service), Entry::workload);
        self.answer(found, namespace, "Pod")
    }

    fn workloads_selected(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Answer<Vec<&Workload>> {
        let mut found = self.in_namespace(
            namespace,
            |shelf| shelf.selected_candidates(selector),
            Entry::workload,
        );
        found.retain(|workload| policy_selects(selector, workload));
        self.answer(found, namespace, "Pod")
    }

    fn endpoints_of(&self, namespace: &str, service: &str) -> Answer<Vec<&Endpoints>> {
        let found =
            self.in_namespace(namespace, |shelf| shelf.endpoints(service), Entry::endpoints);
        self.answer(found, namespace, "Endpoints")
    }

    fn network_policies_in(&self, namespace: &str) -> Answer<Vec<&NetworkPolicy>> {
        let found = self.in_namespace(namespace, Shelf::policies, Entry::network_policy);
        self.answer(found, namespace, "NetworkPolicy")
    }

    fn references_to(&self, namespace: &str, service: &str) -> Answer<Vec<Reference>> {
        let found = self.referring(namespace, service);
        // Every kind may hold one: any that isn't read may be the one.
        let unread = self.knowledge.unwatched.first().map_or("", String::as_str);
        self.answer(found, namespace, unread)
    }

    fn references_in(&self, holder: &Projected) -> Vec<Reference> {
        if holder.mentions.is_empty() {
            return Vec::new();
        }
        let (mentions, meta) = (holder.mentions.iter(), holder.meta());
        mentions.flat_map(|mention| names::resolve(mention, meta, self)).collect()
    }

    fn situated(&self, object: &Object) -> Option<Object> {
        self.world.facts(object).situate(object)
    }

    fn objects_of(&self, kind: &str, namespace: &str) -> Answer<Vec<&Object>> {
        let found =
            self.in_namespace(namespace, |shelf| shelf.of_kind(kind), |entry| Some(entry.object()));
        self.answer(found, namespace, kind)
    }

    fn population(&self, namespace: &str) -> usize {
        self.world.in_namespace(namespace).map_or(0, Shelf::population)
    }

    fn cluster(&self) -> &ClusterProfile {
        &self.knowledge.profile
    }
}

impl Known for Snapshot {
    fn seen(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.seen_service(namespace, name)
    }

    fn workloads_with_pod(&self, namespace: &str, host: &str) -> Vec<&Workload> {
        self.in_namespace(namespace, |shelf| shelf.with_pod(host), Entry::workload)
    }

    fn services_labelled(
        &self,
        namespaces: Option<&[String]>,
        selector: &LabelSelector,
    ) -> Vec<&Service> {
        let found = self.gather_sorted(|world| {
            let shelves: Vec<_> = match namespaces {
                Some(names) => names.iter().filter_map(|name| world.in_namespace(name)).collect(),
                None => world.in_any_namespace().collect(),
            };
            shelves.into_iter().flat_map(|shelf| shelf.labelled_candidates(selector))
        });
        let services = found.into_iter().filter_map(|entry| entry.service());
        services.filter(|service| selector.matches(&service.meta.labels)).collect()
    }

    fn zone(&self) -> &str {
        &self.knowledge.profile.zone
    }
}
