//! An immutable, indexed world.

mod answers;

use std::collections::{HashMap, HashSet};

use super::Inventory;
use super::index::{At, Shelf};
use crate::k8s;
use crate::model::custom::{Reach, reach};
use crate::model::{ClusterProfile, Object, ObjectRef, Projected, Reference};

/// How far a snapshot can be relied on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Nothing exists beyond the snapshot, but what custom kinds produce.
    pub complete: bool,
    /// Part of the input could not be read.
    pub unreadable: bool,
    /// Kinds that are never read, such as `Secret`.
    pub unwatched: Vec<String>,
    /// The cluster.
    pub profile: ClusterProfile,
}

/// One unchanging world, built once from all its objects.
#[derive(Debug)]
pub struct Snapshot {
    /// Ordered by kind, namespace and name.
    objects: Vec<Object>,
    /// Ordered by holder, then by path.
    references: Vec<Reference>,
    /// By namespace; the empty one has what is cluster-scoped.
    shelves: HashMap<String, Shelf>,
    services_named: HashMap<String, Vec<At>>,
    /// Whether a custom kind may produce objects in any namespace.
    produced: bool,
    /// Whether one may in some namespace.
    produced_somewhere: bool,
    knowledge: Knowledge,
}

/// Whether two objects are one: the version of the API doesn't count.
fn identity(object: &ObjectRef) -> (&str, &str, &str, &str) {
    (k8s::group(&object.api_version), &object.kind, &object.namespace, &object.name)
}

/// The order of every answer. Objects without a name differ in the rest.
fn order(object: &Object) -> (&str, &str, &str, &Object) {
    let ObjectRef { kind, namespace, name, .. } = &object.meta().object_ref;
    (kind, namespace, name, object)
}

impl Snapshot {
    /// Builds it. Of two objects with the same kind, namespace and name the
    /// later counts, as it would if both were applied; otherwise their order
    /// doesn't matter. A workload whose owner is there too is left out: the
    /// owner's template stands for it.
    pub fn build<'p>(
        objects: impl IntoIterator<Item = &'p Projected>,
        knowledge: Knowledge,
    ) -> Self {
        let mut objects = without_owned(without_duplicates(objects.into_iter().collect()));
        objects.sort_by(|a, b| order(&a.object).cmp(&order(&b.object)));

        let mut snapshot = Self {
            objects: Vec::with_capacity(objects.len()),
            references: Vec::new(),
            shelves: HashMap::new(),
            services_named: HashMap::new(),
            produced: false,
            produced_somewhere: false,
            knowledge,
        };
        for projected in &objects {
            snapshot.note(projected);
        }
        for (at, projected) in (0..).zip(&objects) {
            let mut object = projected.object.clone();
            snapshot.situate(&mut object);
            snapshot.insert(object, at);
        }
        snapshot.index_selectors();

        let references = objects.iter().flat_map(|one| snapshot.references_in(one)).collect();
        snapshot.insert_references(references);
        snapshot
    }

    /// Facts of one object about others.
    fn note(&mut self, projected: &Projected) {
        let ObjectRef { api_version, kind, namespace, name } = &projected.meta().object_ref;
        match reach(api_version, kind) {
            Reach::Nothing => {}
            Reach::Namespace => {
                self.shelf(namespace).produced = true;
                self.produced_somewhere = true;
            }
            Reach::Everywhere => self.produced = true,
        }
        if let Some(target) = &projected.scales {
            self.shelf(namespace).scaled.insert(target.clone());
        }
        if api_version == "v1" && kind == "Namespace" && projected.meta().traits.injected {
            self.shelf(name).injected = true;
        }
    }

    fn shelf(&mut self, namespace: &str) -> &mut Shelf {
        if !self.shelves.contains_key(namespace) {
            self.shelves.insert(namespace.to_owned(), Shelf::default());
        }
        self.shelves.get_mut(namespace).expect("it has just been put there")
    }

    fn insert(&mut self, object: Object, at: At) {
        let ObjectRef { namespace, name, .. } = &object.meta().object_ref;
        if matches!(object, Object::Service(_)) && !name.is_empty() {
            self.services_named.entry(name.clone()).or_default().push(at);
        }
        self.shelf(namespace).insert(&object, at);
        self.objects.push(object);
    }

    fn index_selectors(&mut self) {
        let objects = &self.objects;
        for shelf in self.shelves.values_mut() {
            let places = shelf.service_places().to_vec();
            let services = places.into_iter().filter_map(|at| match &objects[at as usize] {
                Object::Service(service) => Some((at, service)),
                _ => None,
            });
            shelf.index_selectors(services);
        }
    }

    fn insert_references(&mut self, mut references: Vec<Reference>) {
        references.sort_by(|a, b| {
            let (x, y) = (&a.holder.object_ref, &b.holder.object_ref);
            (&x.kind, &x.namespace, &x.name, &a.path, a.range, a).cmp(&(
                &y.kind,
                &y.namespace,
                &y.name,
                &b.path,
                b.range,
                b,
            ))
        });
        for (at, reference) in (0..).zip(&references) {
            let shelf = self.shelves.entry(reference.namespace.clone()).or_default();
            shelf.references.entry(reference.service.clone()).or_default().push(at);
        }
        self.references = references;
    }
}

/// All but the last of each object.
fn without_duplicates(objects: Vec<&Projected>) -> Vec<&Projected> {
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(objects.len());
    for one in objects.into_iter().rev() {
        let object = &one.meta().object_ref;
        if object.name.is_empty() || seen.insert(identity(object)) {
            kept.push(one);
        }
    }
    kept
}

/// All but the workloads whose owner is there too.
fn without_owned(mut objects: Vec<&Projected>) -> Vec<&Projected> {
    let known: HashSet<_> = objects.iter().map(|one| identity(&one.meta().object_ref)).collect();
    objects.retain(|one| match (&one.object, &one.controller) {
        (Object::Workload(_), Some(owner)) => !known.contains(&identity(owner)),
        _ => true,
    });
    objects
}

#[cfg(test)]
mod tests;
