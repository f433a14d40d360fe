//! All objects, indexed, and kept so while they come and go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Change;
use super::entry::{Entry, Facts, Identity};
use super::shelf::{Index, Meant, Mentions, Shelf, Step};
use crate::model::custom::{Reach, reach};
use crate::model::{Object, ObjectRef, Projected};
use crate::names::{Mention, Target, candidates};

/// The objects, and what of them is looked for. Which changes led to a world,
/// and in which order, can't be told from it.
#[derive(Debug, Default)]
pub(super) struct World {
    /// By namespace; the empty one has what is cluster-scoped.
    shelves: HashMap<String, Shelf>,
    services_named: Index,
    /// What may name a Service, whether that exists or not.
    meant: Meant,
    /// ServiceMonitors that look for Services in all namespaces.
    everywhere: Mentions,
    /// Workloads and slices of Endpoints whose owner is there too, which stands
    /// for them.
    hidden: HashMap<Identity, Arc<Projected>>,
    /// The same by their owner, hidden or not.
    dependents: HashMap<Identity, Vec<Arc<Projected>>>,
    /// How many custom objects may produce others in any namespace.
    produced: usize,
    /// How many may do so in some namespace.
    produced_somewhere: usize,
    /// The DNS zone, which tells what a name may mean.
    zone: String,
}

impl World {
    pub(super) fn new(zone: &str) -> Self {
        Self { zone: zone.to_owned(), ..Self::default() }
    }

    /// A world of all these objects. Of two that are one the later counts, as
    /// it would if both were applied.
    pub(super) fn build(objects: impl IntoIterator<Item = Arc<Projected>>, zone: &str) -> Self {
        let mut world = Self::new(zone);
        let mut objects = without_duplicates(objects.into_iter().collect());
        // What is already in order is put where it belongs without a search.
        objects.sort_by(|a, b| {
            let (a, b) = (&a.meta().object_ref, &b.meta().object_ref);
            (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name))
        });
        // With all facts known, no object has to be looked at twice.
        for projected in &objects {
            world.note(projected, Step::In);
        }
        let known: HashSet<_> =
            objects.iter().map(|one| one.meta().object_ref.identity()).collect();
        for projected in &objects {
            let owner = owner(projected);
            if let Some(owner) = owner {
                let dependents = world.dependents.entry(Identity::of(owner)).or_default();
                dependents.push(Arc::clone(projected));
            }
            if owner.is_some_and(|owner| known.contains(&owner.identity())) {
                world.hide(projected);
            } else {
                world.show(projected);
            }
        }
        world
    }

    /// Makes a change, and whatever follows from it.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(projected) => self.put(projected),
            Change::Remove(object) => self.remove(object),
        }
    }

    fn put(&mut self, projected: &Arc<Projected>) {
        let object = &projected.meta().object_ref;
        let shown = self.find(object).map(|entry| entry.projected());
        let known = shown.or_else(|| self.hidden.get(&Identity::of(object)));
        if known.is_some_and(|known| known == projected) {
            // Most updates of a live object are of its status.
            return;
        }
        let news = self.take(object).is_none();
        self.settle(projected, Step::In);
        if let Some(owner) = owner(projected) {
            let dependents = self.dependents.entry(Identity::of(owner)).or_default();
            dependents.push(Arc::clone(projected));
        }
        if self.stands_for(projected) {
            self.hide(projected);
        } else {
            self.show(projected);
        }
        if news && let Some(dependents) = self.dependents.get(&Identity::of(object)) {
            for dependent in dependents.clone() {
                self.unshow(&dependent.meta().object_ref);
                self.hide(&dependent);
            }
        }
    }

    fn remove(&mut self, object: &ObjectRef) {
        if self.take(object).is_none() {
            return;
        }
        if let Some(dependents) = self.dependents.get(&Identity::of(object)) {
            for dependent in dependents.clone() {
                self.hidden.remove(&Identity::of(&dependent.meta().object_ref));
                self.show(&dependent);
            }
        }
    }

    /// Takes an object out, wherever it is, but leaves its dependents.
    fn take(&mut self, object: &ObjectRef) -> Option<Arc<Projected>> {
        let shown = self.find(object).map(|entry| Arc::clone(entry.projected()));
        let projected = match shown {
            Some(projected) => {
                self.unshow(object);
                projected
            }
            None => self.hidden.remove(&Identity::of(object))?,
        };
        if let Some(owner) = owner(&projected) {
            let key = Identity::of(owner);
            if let Some(dependents) = self.dependents.get_mut(&key) {
                dependents.retain(|one| !Arc::ptr_eq(one, &projected));
                if dependents.is_empty() {
                    self.dependents.remove(&key);
                }
            }
        }
        self.settle(&projected, Step::Out);
        Some(projected)
    }

    /// Notes what an object tells of others, and tells them.
    fn settle(&mut self, projected: &Projected, step: Step) {
        let before = self.namespace_told(projected);
        let scaled = self.note(projected, step);
        let namespace = &projected.meta().object_ref.namespace;
        if let (true, Some(target)) = (scaled, &projected.scales)
            && let Some(entry) = self.shelves.get(namespace).and_then(|one| one.workload(target))
        {
            let dependent = Arc::clone(entry.projected());
            self.unshow(&dependent.meta().object_ref);
            self.show(&dependent);
        }
        if before != self.namespace_told(projected) {
            let shelf = self.shelves.get(&projected.meta().object_ref.name);
            let inside = shelf.map_or(&[][..], Shelf::workloads).iter();
            let inside: Vec<_> = inside.map(|entry| Arc::clone(entry.projected())).collect();
            for workload in inside {
                self.unshow(&workload.meta().object_ref);
                self.show(&workload);
            }
        }
    }

    /// Whether the namespace that this object is has containers injected.
    fn namespace_told(&self, projected: &Projected) -> bool {
        let ObjectRef { api_version, kind, name, .. } = &projected.meta().object_ref;
        api_version == "v1"
            && kind == "Namespace"
            && self.shelves.get(name).is_some_and(|shelf| shelf.injected)
    }

    /// Facts of one object about others. Tells whether what it scales is so
    /// since now, or no longer.
    fn note(&mut self, projected: &Projected, step: Step) -> bool {
        let ObjectRef { api_version, kind, namespace, name } = &projected.meta().object_ref;
        match reach(api_version, kind) {
            Reach::Nothing => {}
            Reach::Namespace => {
                step.count(&mut self.shelf(namespace).produced);
                step.count(&mut self.produced_somewhere);
            }
            Reach::Everywhere => step.count(&mut self.produced),
        }
        if api_version == "v1" && kind == "Namespace" {
            self.shelf(name).injected = step == Step::In && projected.meta().traits.injected;
        }
        match &projected.scales {
            Some(target) => self.shelf(namespace).post_scaled(target, step),
            None => false,
        }
    }

    fn show(&mut self, projected: &Arc<Projected>) {
        let facts = self.facts(&projected.object);
        self.show_as(projected, facts);
    }

    /// Puts an object in with facts that another world knows, whatever its owner.
    pub(super) fn show_as(&mut self, projected: &Arc<Projected>, facts: Facts) {
        let entry = Arc::new(Entry::new(Arc::clone(projected), facts));
        self.post(&entry, Step::In);
    }

    /// Takes an object out of sight.
    pub(super) fn unshow(&mut self, object: &ObjectRef) {
        if let Some(entry) = self.find(object).cloned() {
            self.post(&entry, Step::Out);
        }
    }

    fn hide(&mut self, projected: &Arc<Projected>) {
        let key = Identity::of(&projected.meta().object_ref);
        self.hidden.insert(key, Arc::clone(projected));
    }

    fn post(&mut self, entry: &Arc<Entry>, step: Step) {
        let ObjectRef { namespace, name, .. } = entry.name();
        if entry.service().is_some() && !name.is_empty() {
            self.services_named.post(name, entry, step);
        }
        self.shelf(namespace).post(entry, step);
        for (at, mention) in entry.mentions().iter().enumerate() {
            match &mention.target {
                Target::Selected { namespaces: Some(namespaces), .. } => {
                    for namespace in namespaces {
                        self.shelf(namespace).monitors.post(entry, at, step);
                    }
                }
                Target::Selected { namespaces: None, .. } => self.everywhere.post(entry, at, step),
                Target::Service { .. } | Target::Host { .. } => {
                    for candidate in candidates(mention, namespace, &self.zone) {
                        self.meant.post(candidate, entry, at, step);
                    }
                }
            }
        }
    }

    fn shelf(&mut self, namespace: &str) -> &mut Shelf {
        shelf(&mut self.shelves, namespace)
    }

    pub(super) fn in_namespace(&self, namespace: &str) -> Option<&Shelf> {
        self.shelves.get(namespace)
    }

    pub(super) fn in_any_namespace(&self) -> impl Iterator<Item = &Shelf> {
        self.shelves.values()
    }

    /// Services by their name.
    pub(super) fn services_named(&self, name: &str) -> &[Arc<Entry>] {
        self.services_named.get(name)
    }

    /// What may mean a Service, and maybe others.
    pub(super) fn mentions(
        &self,
        namespace: &str,
        service: &str,
    ) -> impl Iterator<Item = (&Arc<Entry>, &Mention)> {
        self.meant.of(namespace, service)
    }

    /// What looks for Services in all namespaces.
    pub(super) fn everywhere(&self) -> &Mentions {
        &self.everywhere
    }

    /// The object with just this identity, unless its owner stands for it.
    pub(super) fn find(&self, object: &ObjectRef) -> Option<&Arc<Entry>> {
        self.shelves.get(&object.namespace)?.find(object)
    }

    /// Whether the owner of an object is there, whose template stands for it.
    pub(super) fn stands_for(&self, projected: &Projected) -> bool {
        owner(projected).is_some_and(|owner| self.knows(owner))
    }

    fn knows(&self, object: &ObjectRef) -> bool {
        self.find(object).is_some() || self.hidden.contains_key(&Identity::of(object))
    }

    /// What other objects tell of this one.
    pub(super) fn facts(&self, object: &Object) -> Facts {
        let namespace = &object.meta().object_ref.namespace;
        self.shelves.get(namespace).map(|shelf| shelf.facts(object)).unwrap_or_default()
    }

    /// Whether custom objects may produce others in a namespace, or in any.
    pub(super) fn produces(&self, namespace: Option<&str>) -> bool {
        self.produced > 0
            || match namespace {
                Some(namespace) => {
                    self.shelves.get(namespace).is_some_and(|shelf| shelf.produced > 0)
                }
                None => self.produced_somewhere > 0,
            }
    }
}

fn shelf<'s>(shelves: &'s mut HashMap<String, Shelf>, namespace: &str) -> &'s mut Shelf {
    if !shelves.contains_key(namespace) {
        shelves.insert(namespace.to_owned(), Shelf::default());
    }
    shelves.get_mut(namespace).expect("it has just been put there")
}

/// The owner that may stand for an object.
fn owner(projected: &Projected) -> Option<&ObjectRef> {
    match projected.object {
        Object::Workload(_) => projected.controller.as_deref(),
        // The slices of Endpoints say nothing that those don't; those of a Service
        // tell of its Pods.
        Object::Endpoints(_) => {
            projected.controller.as_deref().filter(|owner| owner.kind == "Endpoints")
        }
        _ => None,
    }
}

/// All but the last of each object.
fn without_duplicates(objects: Vec<Arc<Projected>>) -> Vec<Arc<Projected>> {
    let mut seen = HashSet::new();
    let mut kept: Vec<_> = Vec::with_capacity(objects.len());
    for (at, one) in objects.iter().enumerate().rev() {
        let object = &one.meta().object_ref;
        if object.name.is_empty() || seen.insert(object.identity()) {
            kept.push(at);
        }
    }
    kept.into_iter().map(|at| Arc::clone(&objects[at])).collect()
}
