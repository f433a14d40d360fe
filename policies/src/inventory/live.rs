//! A world that follows a cluster while it is looked at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::world::World;
use super::{Change, Knowledge, Snapshot};

/// How often it is asked whether the last reader has gone.
const PATIENCE: Duration = Duration::from_millis(1);

/// Two worlds that take turns: one is looked at, the other takes the changes.
/// No reader waits for a writer, and a snapshot that is held keeps its world as
/// it is; only the next change waits until it is let go. Objects are shared by
/// both, so the price is a second index.
#[derive(Debug)]
pub struct Live {
    current: ArcSwap<(Arc<World>, Arc<Knowledge>)>,
    spare: Mutex<Spare>,
}

/// The world that nobody looks at, but for those that came before the turn.
#[derive(Debug)]
struct Spare {
    world: Arc<World>,
    /// What the other world has, and this one hasn't yet.
    missed: Vec<Change>,
}

impl Live {
    /// An empty world.
    #[must_use]
    pub fn new(knowledge: Knowledge) -> Self {
        let world = || Arc::new(World::new(&knowledge.profile.zone));
        let spare = Spare { world: world(), missed: Vec::new() };
        let current = ArcSwap::from_pointee((world(), Arc::new(knowledge.clone())));
        Self { current, spare: Mutex::new(spare) }
    }

    /// What is known now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (world, knowledge) = &**self.current.load();
        Snapshot::of(Arc::clone(world), Arc::clone(knowledge))
    }

    /// Makes changes, in order, and shows them all at once. Blocks until no
    /// snapshot of the world before the present one is held.
    pub fn apply(&self, changes: Vec<Change>) {
        let mut spare = self.spare();
        let Spare { world, missed } = &mut *spare;
        while Arc::get_mut(world).is_none() {
            thread::sleep(PATIENCE);
        }
        let next = Arc::get_mut(world).expect("nobody can find it to take hold of it again");
        for change in missed.iter().chain(&changes) {
            next.apply(change);
        }
        *missed = changes;
        let knowledge = Arc::clone(&self.current.load().1);
        let shown = self.current.swap(Arc::new((Arc::clone(world), knowledge)));
        *world = Arc::clone(&shown.0);
    }

    /// Says how far it can be relied on from now on. The DNS zone is that of
    /// the beginning.
    pub fn know(&self, change: impl FnOnce(&mut Knowledge)) {
        let _spare = self.spare();
        let (world, knowledge) = &**self.current.load();
        let mut knowledge = Knowledge::clone(knowledge);
        change(&mut knowledge);
        self.current.store(Arc::new((Arc::clone(world), Arc::new(knowledge))));
    }

    /// Whoever holds it is the only one who changes anything.
    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
