//! What was admitted a moment ago. `kubectl apply` sends one object after
//! another within milliseconds, and the watches tell of the first one after the
//! second has been asked about.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headlint_policies::inventory::{Change, Snapshot};

/// How long a change is believed that the watches don't tell of: it may have
/// been denied by another webhook.
const BELIEVED: Duration = Duration::from_secs(2);

/// So many are kept: each is laid over the world with every request.
const MOST: usize = 32;

/// Changes that this replica has admitted, oldest first, one for each object.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<(Instant, Change)>>);

impl Recent {
    /// Notes what has been admitted.
    pub(super) fn note(&self, change: Change) {
        let mut changes = self.changes();
        changes.retain(|(_, one)| one.object() != change.object());
        changes.push_back((Instant::now(), change));
        if changes.len() > MOST {
            changes.pop_front();
        }
    }

    /// The world with what it is going to be told.
    pub(super) fn over(&self, world: Snapshot) -> Snapshot {
        let mut changes = self.changes();
        if changes.is_empty() {
            return world;
        }
        changes.retain(|(at, change)| {
            let told = match change {
                Change::Put(new) => world.projected(change.object()) == Some(new),
                Change::Remove(object) => world.projected(object).is_none(),
            };
            !told && at.elapsed() < BELIEVED
        });
        if changes.is_empty() {
            return world;
        }
        world.over_all(changes.iter().map(|(_, change)| change))
    }

    fn changes(&self) -> MutexGuard<'_, VecDeque<(Instant, Change)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
