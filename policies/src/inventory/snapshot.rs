//! An immutable view of a world, maybe with a few objects changed.

mod answers;

use std::sync::Arc;

use super::Change;
use super::entry::Entry;
use super::world::World;
use crate::model::{ClusterProfile, ObjectRef, Projected, Reference, Service};
use crate::names::{self, monitored};

/// How far a snapshot can be relied on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Nothing exists beyond the snapshot, but what custom kinds produce.
    pub complete: bool,
    /// Part of the input could not be read.
    pub unreadable: bool,
    /// Kinds that are never read, such as `Secret`.
    pub unwatched: Vec<String>,
    /// The only kinds that are read; empty for all.
    pub kinds: Vec<String>,
    /// The only namespaces that are read, beside what is cluster-scoped; empty
    /// for all.
    pub namespaces: Vec<String>,
    /// The cluster.
    pub profile: ClusterProfile,
}

/// One unchanging view. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Snapshot {
    world: Arc<World>,
    /// What would be different.
    over: Option<Over>,
    knowledge: Arc<Knowledge>,
}

/// Changes, on top of a world that doesn't have them.
#[derive(Clone, Debug)]
struct Over {
    /// The last one of each object.
    changes: Vec<Change>,
    /// Objects that are there, each instead of what the world below has of its
    /// name.
    world: Arc<World>,
}

impl Over {
    /// Whether an object of the world below is there no more.
    fn hides(&self, object: &ObjectRef) -> bool {
        let is_removal = |change: &Change| match change {
            Change::Remove(removed) => removed.identity() == object.identity(),
            Change::Put(_) => false,
        };
        // Without a name it is never the same as another.
        !object.name.is_empty()
            && (self.world.find(object).is_some() || self.changes.iter().any(is_removal))
    }
}

impl Knowledge {
    /// Whether objects of a kind are read.
    fn reads_kind(&self, kind: &str) -> bool {
        let named = |kinds: &[String]| kinds.iter().any(|one| one == kind);
        !named(&self.unwatched) && (self.kinds.is_empty() || named(&self.kinds))
    }

    /// Whether a namespace is read; without one, whether all are.
    fn reads(&self, namespace: Option<&str>) -> bool {
        self.namespaces.is_empty()
            || namespace.is_some_and(|name| {
                name.is_empty() || self.namespaces.iter().any(|read| read == name)
            })
    }
}

impl Snapshot {
    /// Builds it. Of two objects with the same kind, namespace and name the
    /// later counts, as it would if both were applied; otherwise their order
    /// doesn't matter. A workload whose owner is there too is left out, for the
    /// owner's template stands for it; so is a slice that mirrors Endpoints.
    pub fn build(objects: impl IntoIterator<Item = Arc<Projected>>, knowledge: Knowledge) -> Self {
        let world = World::build(objects, &knowledge.profile.zone);
        Self::of(Arc::new(world), Arc::new(knowledge))
    }

    pub(super) fn of(world: Arc<World>, knowledge: Arc<Knowledge>) -> Self {
        Self { world, over: None, knowledge }
    }

    /// The same world as if this had happened to it: the view that the API
    /// server asks about. Costs as much as there are changes on top already.
    ///
    /// What the object tells of others (that it scales them, or that its
    /// namespace has containers injected) doesn't count here.
    #[must_use]
    pub fn over(&self, change: &Change) -> Self {
        self.over_all([change])
    }

    /// The same for several changes, in order.
    #[must_use]
    pub fn over_all<'c>(&self, changes: impl IntoIterator<Item = &'c Change>) -> Self {
        let mut all = self.over.as_ref().map(|over| over.changes.clone()).unwrap_or_default();
        for change in changes {
            let object = change.object();
            if !object.name.is_empty() {
                all.retain(|one| one.object().identity() != object.identity());
            }
            all.push(change.clone());
        }
        let mut world = World::new(&self.knowledge.profile.zone);
        for change in &all {
            if let Change::Put(projected) = change
                && !self.world.stands_for(projected)
            {
                world.show_as(projected, self.world.facts(&projected.object));
            }
        }
        let over = Some(Over { changes: all, world: Arc::new(world) });
        Self { world: Arc::clone(&self.world), over, knowledge: Arc::clone(&self.knowledge) }
    }

    /// The object with this identity, as it was read; none where its owner
    /// stands for it.
    #[must_use]
    pub fn projected(&self, object: &ObjectRef) -> Option<&Arc<Projected>> {
        self.gather(|world| world.find(object)).first().map(|entry| entry.projected())
    }

    /// What a search finds in the world as it would be, in order.
    fn gather<'s, F: IntoIterator<Item = &'s Arc<Entry>>>(
        &'s self,
        search: impl Fn(&'s World) -> F,
    ) -> Vec<&'s Arc<Entry>> {
        let mut found: Vec<_> = search(&self.world).into_iter().collect();
        if let Some(over) = &self.over {
            found.retain(|entry| !over.hides(entry.name()));
            found.extend(search(&over.world));
        }
        found
    }

    /// The same in the order of every answer, each once.
    fn gather_sorted<'s, F: IntoIterator<Item = &'s Arc<Entry>>>(
        &'s self,
        search: impl Fn(&'s World) -> F,
    ) -> Vec<&'s Arc<Entry>> {
        let mut found = self.gather(search);
        found.sort_by(|a, b| a.order(b));
        found.dedup_by(|a, b| Arc::ptr_eq(a, b));
        found
    }

    /// The references to a Service, in order.
    fn referring(&self, namespace: &str, service: &str) -> Vec<Reference> {
        let mut found = Vec::new();
        let mut worlds = vec![&self.world];
        worlds.extend(self.over.as_ref().map(|over| &over.world));
        for world in worlds {
            for (entry, mention) in world.mentions(namespace, service) {
                if self.is_gone(world, entry) {
                    continue;
                }
                let resolved = names::resolve(mention, entry.object().meta(), self);
                found.extend(resolved.into_iter().filter(|reference| {
                    reference.namespace == namespace && reference.service == service
                }));
            }
            let Some(service) = self.seen_service(namespace, service) else { continue };
            let shelf = world.in_namespace(namespace);
            let monitors = shelf.into_iter().flat_map(|shelf| shelf.monitors.iter());
            for (entry, mention) in monitors.chain(world.everywhere().iter()) {
                if !self.is_gone(world, entry) {
                    found.extend(monitored(mention, entry.object().meta(), service));
                }
            }
        }
        found.sort_by(|a, b| {
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
        found
    }

    /// Whether an entry of the world below isn't there any more.
    fn is_gone(&self, world: &Arc<World>, entry: &Entry) -> bool {
        let below = Arc::ptr_eq(world, &self.world);
        below && self.over.as_ref().is_some_and(|over| over.hides(entry.name()))
    }

    fn seen_service(&self, namespace: &str, name: &str) -> Option<&Service> {
        let found = self.gather(|world| world.in_namespace(namespace)?.service(name));
        found.first().and_then(|entry| entry.service())
    }
}

#[cfg(test)]
mod tests;
