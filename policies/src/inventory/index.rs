//! What a namespace holds, found by what is asked for. Objects are known by
//! their place in the snapshot's ordered list, and so are lists of them ordered.

use std::collections::{BTreeSet, HashMap};

use super::matching::numbered;
use crate::model::{
    Label, LabelRequirement, LabelSelector, Object, ScaleTarget, Service, Workload,
};

/// Place of an object, or of a reference, in the snapshot's list.
pub(super) type At = u32;

/// By key, then by value.
#[derive(Debug, Default)]
pub(super) struct Pairs(HashMap<String, HashMap<String, Vec<At>>>);

impl Pairs {
    fn insert(&mut self, label: &Label, at: At) {
        let values = self.0.entry(label.key.clone()).or_default();
        values.entry(label.value.clone()).or_default().push(at);
    }

    pub(super) fn get(&self, key: &str, value: &str) -> &[At] {
        self.0.get(key).and_then(|values| values.get(value)).map_or(&[], Vec::as_slice)
    }

    fn with_key(&self, key: &str) -> impl Iterator<Item = At> {
        self.0.get(key).into_iter().flat_map(|values| values.values()).flatten().copied()
    }
}

/// One namespace.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By name; without those that only have a `generateName`.
    pub(super) services: HashMap<String, At>,
    all_services: Vec<At>,
    /// Services by one pair of their selector, the rarest.
    pub(super) selecting: Pairs,
    /// Services by their own labels.
    labelled: Pairs,
    workloads: Vec<At>,
    /// Workloads by the labels of their template.
    templates: Pairs,
    /// Workloads by the keys that their controller adds.
    added: HashMap<String, Vec<At>>,
    /// Workloads by a host name of a Pod.
    hosts: HashMap<String, Vec<At>>,
    /// Workloads by the name in front of their Pods' ordinals.
    numbered: HashMap<String, Vec<At>>,
    /// Workloads by the Service that their Pods take their names from.
    pub(super) naming: HashMap<String, Vec<At>>,
    /// By Service.
    pub(super) endpoints: HashMap<String, Vec<At>>,
    pub(super) policies: Vec<At>,
    pub(super) kinds: HashMap<String, Vec<At>>,
    /// References by Service.
    pub(super) references: HashMap<String, Vec<At>>,
    /// What is scaled by something.
    pub(super) scaled: BTreeSet<ScaleTarget>,
    /// Whether Pods get containers injected.
    pub(super) injected: bool,
    /// Whether a custom kind may produce objects.
    pub(super) produced: bool,
}

impl Shelf {
    pub(super) fn insert(&mut self, object: &Object, at: At) {
        let name = &object.meta().object_ref;
        self.kinds.entry(name.kind.clone()).or_default().push(at);
        match object {
            Object::Service(service) => {
                if !name.name.is_empty() {
                    self.services.insert(name.name.clone(), at);
                }
                self.all_services.push(at);
                for label in &service.meta.labels {
                    self.labelled.insert(label, at);
                }
            }
            Object::Workload(workload) => self.insert_workload(workload, at),
            Object::Endpoints(endpoints) => {
                self.endpoints.entry(endpoints.service.clone()).or_default().push(at);
            }
            Object::NetworkPolicy(_) => self.policies.push(at),
            Object::Other(_) => {}
        }
    }

    pub(super) fn population(&self) -> usize {
        self.workloads.len() + self.all_services.len()
    }

    fn insert_workload(&mut self, workload: &Workload, at: At) {
        self.workloads.push(at);
        for label in &workload.template.labels {
            self.templates.insert(label, at);
        }
        for key in &workload.template.added_labels {
            self.added.entry(key.clone()).or_default().push(at);
        }
        let service = match &workload.stateful_set {
            Some(set) => set.service_name.as_ref(),
            None => workload.template.subdomain.as_ref(),
        };
        if let Some(service) = service {
            self.naming.entry(service.clone()).or_default().push(at);
        }
        let name = &workload.meta.object_ref;
        if workload.stateful_set.is_some() || (workload.indexed && name.kind == "Job") {
            self.numbered.entry(name.name.clone()).or_default().push(at);
        } else if let Some(hostname) = &workload.template.hostname {
            self.hosts.entry(hostname.clone()).or_default().push(at);
        } else if name.kind == "Pod" {
            self.hosts.entry(name.name.clone()).or_default().push(at);
        }
    }

    /// Once all Services are in: each goes to the pair that the fewest select
    /// by, and of those to the first.
    pub(super) fn index_selectors<'s>(
        &mut self,
        services: impl Iterator<Item = (At, &'s Service)>,
    ) {
        let services: Vec<_> = services.filter(|(_, s)| !s.selector.is_empty()).collect();
        let mut uses: HashMap<&Label, usize> = HashMap::new();
        for label in services.iter().flat_map(|(_, service)| &service.selector) {
            *uses.entry(label).or_default() += 1;
        }
        for (at, service) in &services {
            if let Some(rarest) = service.selector.iter().min_by_key(|label| uses[label]) {
                self.selecting.insert(rarest, *at);
            }
        }
    }

    pub(super) fn service_places(&self) -> &[At] {
        &self.all_services
    }

    /// All Services with labels that may satisfy a selector, and maybe others.
    pub(super) fn labelled_candidates(&self, selector: &LabelSelector) -> Vec<At> {
        let of_label = |label: &Label| self.labelled.get(&label.key, &label.value).to_vec();
        let all = || self.all_services.clone();
        selector.match_labels.iter().map(of_label).min_by_key(Vec::len).unwrap_or_else(all)
    }

    /// All workloads that a selector of pairs may select, and maybe others.
    pub(super) fn candidates(&self, selector: &[Label]) -> Option<Vec<At>> {
        let cost = |label: &&Label| {
            self.templates.get(&label.key, &label.value).len() + self.with_added(&label.key).len()
        };
        let label = selector.iter().min_by_key(cost)?;
        let found = self.templates.get(&label.key, &label.value);
        Some(merged(found.iter().chain(self.with_added(&label.key)).copied()))
    }

    /// The same for a selector with expressions.
    pub(super) fn selected_candidates(&self, selector: &LabelSelector) -> Vec<At> {
        if let Some(candidates) = self.candidates(&selector.match_labels) {
            return candidates;
        }
        let positive = |one: &&LabelRequirement| matches!(one.operator.as_str(), "In" | "Exists");
        match selector.match_expressions.iter().find(positive) {
            Some(LabelRequirement { key, operator, values }) if operator == "In" => {
                let listed = values.iter().flat_map(|value| self.templates.get(key, value));
                merged(listed.chain(self.with_added(key)).copied())
            }
            Some(LabelRequirement { key, .. }) => {
                merged(self.templates.with_key(key).chain(self.with_added(key).iter().copied()))
            }
            None => self.workloads.clone(),
        }
    }

    fn with_added(&self, key: &str) -> &[At] {
        self.added.get(key).map_or(&[], Vec::as_slice)
    }

    /// The workloads that may have a Pod with that host name, whatever the
    /// number of their replicas.
    pub(super) fn with_pod(&self, host: &str) -> impl Iterator<Item = At> {
        let numbered = numbered(host).and_then(|(name, _)| self.numbered.get(name));
        self.hosts.get(host).into_iter().chain(numbered).flatten().copied()
    }
}

fn merged(places: impl Iterator<Item = At>) -> Vec<At> {
    let mut places: Vec<_> = places.collect();
    places.sort_unstable();
    places.dedup();
    places
}
