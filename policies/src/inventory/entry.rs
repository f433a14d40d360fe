//! One object of a world, and lists of them in the order of every answer.

use std::cmp::Ordering;
use std::sync::Arc;

use super::few::Few;
use crate::model::{Endpoints, NetworkPolicy, Object, ObjectRef, Projected, Service, Workload};
use crate::names::Mention;

/// [`ObjectRef::identity`] as the key of a map.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity(String, String, String, String);

impl Identity {
    pub(super) fn of(object: &ObjectRef) -> Self {
        let (group, kind, namespace, name) = object.identity();
        Self(group.to_owned(), kind.to_owned(), namespace.to_owned(), name.to_owned())
    }
}

/// What only other objects tell of a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Something scales it.
    pub(super) scaled: bool,
    /// Its namespace has containers injected.
    pub(super) injected: bool,
}

impl Facts {
    /// The object with these facts; none where they say nothing new.
    pub(super) fn situate(self, object: &Object) -> Option<Object> {
        let Object::Workload(workload) = object else { return None };
        let known = workload.template.injected && workload.meta.traits.injected;
        if (!self.scaled || workload.autoscaled) && (!self.injected || known) {
            return None;
        }
        let mut workload = workload.clone();
        workload.autoscaled |= self.scaled;
        workload.template.injected |= self.injected;
        if self.injected && !workload.meta.traits.injected {
            Arc::make_mut(&mut workload.meta).traits.injected = true;
        }
        Some(Object::Workload(workload))
    }
}

/// One object of a world.
#[derive(Debug)]
pub(super) struct Entry {
    projected: Arc<Projected>,
    /// With what other objects tell, where that is more: rarely.
    situated: Option<Box<Object>>,
}

impl Entry {
    pub(super) fn new(projected: Arc<Projected>, facts: Facts) -> Self {
        let situated = facts.situate(&projected.object).map(Box::new);
        Self { projected, situated }
    }

    pub(super) fn projected(&self) -> &Arc<Projected> {
        &self.projected
    }

    pub(super) fn object(&self) -> &Object {
        self.situated.as_deref().unwrap_or(&self.projected.object)
    }

    pub(super) fn name(&self) -> &ObjectRef {
        &self.object().meta().object_ref
    }

    /// Places that may name Services.
    pub(super) fn mentions(&self) -> &[Mention] {
        &self.projected.mentions
    }

    pub(super) fn service(&self) -> Option<&Service> {
        match self.object() {
            Object::Service(service) => Some(service),
            _ => None,
        }
    }

    pub(super) fn workload(&self) -> Option<&Workload> {
        match self.object() {
            Object::Workload(workload) => Some(workload),
            _ => None,
        }
    }

    pub(super) fn endpoints(&self) -> Option<&Endpoints> {
        match self.object() {
            Object::Endpoints(endpoints) => Some(endpoints),
            _ => None,
        }
    }

    pub(super) fn network_policy(&self) -> Option<&NetworkPolicy> {
        match self.object() {
            Object::NetworkPolicy(policy) => Some(policy),
            _ => None,
        }
    }

    /// The order of every answer. Objects without a name differ in the rest.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        fn name(entry: &Entry) -> (&str, &str, &str) {
            let ObjectRef { kind, namespace, name, .. } = entry.name();
            (kind, namespace, name)
        }
        name(self).cmp(&name(other)).then_with(|| self.object().cmp(other.object()))
    }
}

/// Entries in the order of every answer.
#[derive(Debug, Default)]
pub(super) struct Posting(Few<Arc<Entry>>);

impl Posting {
    pub(super) fn entries(&self) -> &[Arc<Entry>] {
        self.0.as_slice()
    }

    pub(super) fn insert(&mut self, entry: &Arc<Entry>) {
        let entries = self.entries();
        // A world is mostly built in order.
        let last = entries.last().is_none_or(|last| last.order(entry).is_le());
        let at = if last { entries.len() } else { self.place(entry) };
        self.0.insert(at, Arc::clone(entry));
    }

    /// Takes it out, and tells whether it was the last.
    pub(super) fn remove(&mut self, entry: &Arc<Entry>) -> bool {
        let from = self.place(entry);
        let found = self.entries()[from..].iter().position(|one| Arc::ptr_eq(one, entry));
        if let Some(behind) = found {
            self.0.remove(from + behind);
        }
        self.entries().is_empty()
    }

    /// The first place that isn't before the entry.
    fn place(&self, entry: &Entry) -> usize {
        self.entries().partition_point(|one| one.order(entry).is_lt())
    }

    /// The entries with this name, of whatever API group.
    pub(super) fn named(&self, name: &str) -> &[Arc<Entry>] {
        let entries = self.entries();
        let from = entries.partition_point(|one| one.name().name.as_str() < name);
        let count = entries[from..].iter().take_while(|one| one.name().name == name).count();
        &entries[from..from + count]
    }
}
