//! What a namespace holds, found by what is asked for.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::entry::{Entry, Facts, Posting};
use super::few::Few;
use super::matching::numbered;
use crate::model::{
    Label, LabelRequirement, LabelSelector, Object, ObjectRef, ScaleTarget, Service, Workload,
};
use crate::names::Mention;

/// What happens to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    In,
    Out,
}

impl Step {
    pub(super) fn count(self, number: &mut usize) {
        match self {
            Self::In => *number += 1,
            Self::Out => *number = number.saturating_sub(1),
        }
    }
}

/// Entries by a text.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<String, Posting>);

impl Index {
    pub(super) fn post(&mut self, key: &str, entry: &Arc<Entry>, step: Step) {
        match (self.0.get_mut(key), step) {
            (Some(posting), Step::In) => posting.insert(entry),
            (None, Step::In) => self.0.entry(key.to_owned()).or_default().insert(entry),
            (Some(posting), Step::Out) => {
                if posting.remove(entry) {
                    self.0.remove(key);
                }
            }
            (None, Step::Out) => {}
        }
    }

    pub(super) fn get(&self, key: &str) -> &[Arc<Entry>] {
        self.0.get(key).map_or(&[], Posting::entries)
    }

    /// Those at a key that have this name.
    fn named(&self, key: &str, name: &str) -> &[Arc<Entry>] {
        self.0.get(key).map_or(&[], |posting| posting.named(name))
    }
}

/// Entries by key, then by value.
#[derive(Debug, Default)]
struct Pairs(HashMap<String, Index>);

impl Pairs {
    fn post(&mut self, label: &Label, entry: &Arc<Entry>, step: Step) {
        match self.0.get_mut(&label.key) {
            Some(values) => {
                values.post(&label.value, entry, step);
                if values.0.is_empty() {
                    self.0.remove(&label.key);
                }
            }
            None if step == Step::In => {
                self.0.entry(label.key.clone()).or_default().post(&label.value, entry, step);
            }
            None => {}
        }
    }

    fn get(&self, label: &Label) -> &[Arc<Entry>] {
        self.value(&label.key, &label.value)
    }

    fn value(&self, key: &str, value: &str) -> &[Arc<Entry>] {
        self.0.get(key).map_or(&[], |values| values.get(value))
    }

    fn with_key(&self, key: &str) -> impl Iterator<Item = &Arc<Entry>> {
        let values = self.0.get(key).into_iter().flat_map(|values| values.0.values());
        values.flat_map(Posting::entries)
    }
}

/// Mentions, in no order.
#[derive(Debug, Default)]
pub(super) struct Mentions(Few<(Arc<Entry>, usize)>);

impl Mentions {
    /// Adds one mention of an entry, or takes all of them out.
    pub(super) fn post(&mut self, entry: &Arc<Entry>, mention: usize, step: Step) {
        match step {
            Step::In => self.0.insert(self.0.as_slice().len(), (Arc::clone(entry), mention)),
            Step::Out => self.0.retain(|(one, _)| !Arc::ptr_eq(one, entry)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Entry>, &Mention)> {
        let mentions = self.0.as_slice().iter();
        mentions.filter_map(|(entry, at)| Some((entry, entry.mentions().get(*at)?)))
    }
}

/// Mentions by a hash of the Service that they may mean, for most of these
/// Services don't exist, and their names would take more room than the rest.
#[derive(Debug, Default)]
pub(super) struct Meant {
    hasher: RandomState,
    by_hash: HashMap<u64, Mentions>,
}

impl Meant {
    /// Notes that a mention of an entry may mean this Service of a namespace,
    /// which need not exist either.
    pub(super) fn post(
        &mut self,
        service: (&str, &str),
        entry: &Arc<Entry>,
        mention: usize,
        step: Step,
    ) {
        let key = self.hasher.hash_one(service);
        match step {
            Step::In => self.by_hash.entry(key).or_default().post(entry, mention, step),
            Step::Out => {
                let Some(mentions) = self.by_hash.get_mut(&key) else { return };
                mentions.post(entry, mention, step);
                if mentions.0.as_slice().is_empty() {
                    self.by_hash.remove(&key);
                }
            }
        }
    }

    /// What may mean this Service, and maybe others.
    pub(super) fn of(
        &self,
        namespace: &str,
        service: &str,
    ) -> impl Iterator<Item = (&Arc<Entry>, &Mention)> {
        let meant = self.by_hash.get(&self.hasher.hash_one((namespace, service)));
        meant.into_iter().flat_map(Mentions::iter)
    }
}

/// One namespace; the one with the empty name has what is cluster-scoped.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By kind.
    kinds: Index,
    all_services: Posting,
    /// Services by one pair of their selector, the rarest when they came.
    selecting: Pairs,
    /// Services by their own labels.
    labelled: Pairs,
    workloads: Posting,
    /// Workloads by the labels of their template.
    templates: Pairs,
    /// Workloads by the keys that their controller adds.
    added: Index,
    /// Workloads by a host name of a Pod.
    hosts: Index,
    /// Workloads by the name in front of their Pods' ordinals.
    numbered: Index,
    /// Workloads by the Service that their Pods take their names from.
    naming: Index,
    /// By Service.
    endpoints: Index,
    policies: Posting,
    /// ServiceMonitors that look for Services in this namespace.
    pub(super) monitors: Mentions,
    /// How much scales a target.
    scaled: HashMap<ScaleTarget, usize>,
    /// Whether Pods get containers injected.
    pub(super) injected: bool,
    /// How many custom objects may produce others.
    pub(super) produced: usize,
}

impl Shelf {
    /// Puts an entry in every place where it is looked for, or takes it out.
    pub(super) fn post(&mut self, entry: &Arc<Entry>, step: Step) {
        self.kinds.post(&entry.name().kind, entry, step);
        match entry.object() {
            Object::Service(service) => {
                post(&mut self.all_services, entry, step);
                for label in &*service.meta.labels {
                    self.labelled.post(label, entry, step);
                }
                self.post_selector(service, entry, step);
            }
            Object::Workload(workload) => self.post_workload(workload, entry, step),
            Object::Endpoints(endpoints) => self.endpoints.post(&endpoints.service, entry, step),
            Object::NetworkPolicy(_) => post(&mut self.policies, entry, step),
            Object::Other(_) => {}
        }
    }

    fn post_selector(&mut self, service: &Service, entry: &Arc<Entry>, step: Step) {
        let uses = |label: &&Label| self.selecting.get(label).len();
        match (step, service.selector.iter().min_by_key(uses)) {
            (Step::In, Some(rarest)) => self.selecting.post(rarest, entry, step),
            // Which one was the rarest then isn't known any more.
            (Step::Out, _) => {
                for label in &service.selector {
                    self.selecting.post(label, entry, step);
                }
            }
            (Step::In, None) => {}
        }
    }

    fn post_workload(&mut self, workload: &Workload, entry: &Arc<Entry>, step: Step) {
        post(&mut self.workloads, entry, step);
        for label in &*workload.template.labels {
            self.templates.post(label, entry, step);
        }
        for key in &workload.template.added_labels {
            self.added.post(key, entry, step);
        }
        let service = match &workload.stateful_set {
            Some(set) => set.service_name.as_ref(),
            None => workload.template.subdomain.as_ref(),
        };
        if let Some(service) = service {
            self.naming.post(service, entry, step);
        }
        let name = &workload.meta.object_ref;
        if workload.stateful_set.is_some() || (workload.indexed && name.kind == "Job") {
            self.numbered.post(&name.name, entry, step);
        } else if let Some(hostname) = &workload.template.hostname {
            self.hosts.post(hostname, entry, step);
        } else if name.kind == "Pod" {
            self.hosts.post(&name.name, entry, step);
        }
    }

    /// Notes that something scales a target, and tells whether that is news.
    pub(super) fn post_scaled(&mut self, target: &ScaleTarget, step: Step) -> bool {
        let scaled = self.scaled.entry(target.clone()).or_default();
        let before = *scaled;
        step.count(scaled);
        let after = *scaled;
        if after == 0 {
            self.scaled.remove(target);
        }
        (before == 0) != (after == 0)
    }

    /// What other objects tell of this one.
    pub(super) fn facts(&self, object: &Object) -> Facts {
        let Object::Workload(workload) = object else { return Facts::default() };
        let ObjectRef { kind, name, .. } = &workload.meta.object_ref;
        let target = || ScaleTarget { kind: kind.clone(), name: name.clone() };
        Facts {
            scaled: !self.scaled.is_empty() && self.scaled.contains_key(&target()),
            injected: self.injected,
        }
    }

    pub(super) fn population(&self) -> usize {
        self.workloads.entries().len() + self.all_services.entries().len()
    }

    /// The object with just this identity.
    pub(super) fn find(&self, object: &ObjectRef) -> Option<&Arc<Entry>> {
        let named = self.kinds.named(&object.kind, &object.name).iter();
        named.into_iter().find(|entry| entry.name().identity() == object.identity())
    }

    pub(super) fn service(&self, name: &str) -> Option<&Arc<Entry>> {
        self.all_services.named(name).first()
    }

    pub(super) fn workload(&self, target: &ScaleTarget) -> Option<&Arc<Entry>> {
        let named = self.kinds.named(&target.kind, &target.name).iter();
        named.into_iter().find(|entry| entry.workload().is_some())
    }

    pub(super) fn workloads(&self) -> &[Arc<Entry>] {
        self.workloads.entries()
    }

    pub(super) fn of_kind(&self, kind: &str) -> &[Arc<Entry>] {
        self.kinds.get(kind)
    }

    pub(super) fn naming(&self, service: &str) -> &[Arc<Entry>] {
        self.naming.get(service)
    }

    pub(super) fn endpoints(&self, service: &str) -> &[Arc<Entry>] {
        self.endpoints.get(service)
    }

    pub(super) fn policies(&self) -> &[Arc<Entry>] {
        self.policies.entries()
    }

    /// All Services that these labels may satisfy, and maybe others.
    pub(super) fn selecting(&self, labels: &[Label]) -> Vec<&Arc<Entry>> {
        labels.iter().flat_map(|label| self.selecting.get(label)).collect()
    }

    /// All Services with labels that may satisfy a selector, and maybe others.
    pub(super) fn labelled_candidates(&self, selector: &LabelSelector) -> &[Arc<Entry>] {
        let postings = selector.match_labels.iter().map(|label| self.labelled.get(label));
        let shortest = postings.min_by_key(|entries| entries.len());
        shortest.unwrap_or_else(|| self.all_services.entries())
    }

    /// All workloads that a selector of pairs may select, and maybe others.
    pub(super) fn candidates(&self, selector: &[Label]) -> Option<Vec<&Arc<Entry>>> {
        let cost =
            |label: &&Label| self.templates.get(label).len() + self.added.get(&label.key).len();
        let label = selector.iter().min_by_key(cost)?;
        Some(self.templates.get(label).iter().chain(self.added.get(&label.key)).collect())
    }

    /// The same for a selector with expressions.
    pub(super) fn selected_candidates(&self, selector: &LabelSelector) -> Vec<&Arc<Entry>> {
        if let Some(candidates) = self.candidates(&selector.match_labels) {
            return candidates;
        }
        let positive = |one: &&LabelRequirement| matches!(one.operator.as_str(), "In" | "Exists");
        match selector.match_expressions.iter().find(positive) {
            Some(LabelRequirement { key, operator, values }) if operator == "In" => {
                let listed = values.iter().flat_map(|value| self.templates.value(key, value));
                listed.chain(self.added.get(key)).collect()
            }
            Some(LabelRequirement { key, .. }) => {
                self.templates.with_key(key).chain(self.added.get(key)).collect()
            }
            None => self.workloads.entries().iter().collect(),
        }
    }

    /// The workloads that may have a Pod with that host name, whatever the
    /// number of their replicas.
    pub(super) fn with_pod(&self, host: &str) -> impl Iterator<Item = &Arc<Entry>> {
        let numbered = numbered(host).map_or(&[][..], |(name, _)| self.numbered.get(name));
        self.hosts.get(host).iter().chain(numbered)
    }
}

fn post(posting: &mut Posting, entry: &Arc<Entry>, step: Step) {
    match step {
        Step::In => posting.insert(entry),
        Step::Out => {
            posting.remove(entry);
        }
    }
}
