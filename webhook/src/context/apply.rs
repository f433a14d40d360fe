//! What watches tell, put into the inventory.

use std::sync::Arc;

use headlint_policies::inventory::Change;
use headlint_policies::model::ObjectRef;
use jiff::Timestamp;
use tokio::sync::mpsc::Receiver;
use tracing::{info, warn};

use super::watch::Message;
use super::{Context, State};

/// How much may be on the way from the watches.
pub(super) const QUEUE: usize = 1024;

/// How many changes are made at once: a reader of the world before waits for
/// none of them, but they wait for it.
const BATCH: usize = 512;

impl Context {
    /// Until all watches have ended.
    pub(super) async fn apply(&self, mut messages: Receiver<Message>) {
        let mut batch = Vec::with_capacity(BATCH);
        while messages.recv_many(&mut batch, BATCH).await > 0 {
            let mut changes = Vec::new();
            for message in batch.drain(..) {
                match message {
                    Message::Change(change) => changes.push(change),
                    Message::State(watch, state) => {
                        // What it knows before what that proves.
                        self.make(std::mem::take(&mut changes)).await;
                        self.turn(watch, state);
                    }
                }
            }
            self.make(changes).await;
        }
    }

    async fn make(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let now = Timestamp::now();
        for change in &changes {
            let ObjectRef { namespace, .. } = match change {
                Change::Put(projected) => &projected.meta().object_ref,
                Change::Remove(object) => object,
            };
            let mut changed = self.changed();
            match changed.get_mut(namespace) {
                Some(at) => *at = now,
                None => {
                    changed.insert(namespace.clone(), now);
                }
            }
        }
        let live = Arc::clone(&self.live);
        // It waits for readers.
        tokio::task::spawn_blocking(move || live.apply(changes))
            .await
            .expect("changes can be made without a panic, and nobody aborts that");
    }

    fn turn(&self, watch: usize, state: State) {
        let watch = &self.watches[watch];
        let before = watch.set_state(state);
        self.tell_what_is_known();
        if before == state {
            return;
        }
        let (kind, namespace) = (watch.kind().kind, watch.namespace());
        match state {
            State::Starting => {}
            State::Live if before == State::Starting => {
                info!(kind, namespace, objects = watch.status().objects, "kind is known");
            }
            State::Live => info!(kind, namespace, "kind is known again"),
            State::Forbidden => warn!(
                kind,
                namespace, "kind is unknown: the API server doesn't let us list and watch it"
            ),
            State::Missing => {
                warn!(kind, namespace, "kind is unknown: the API server doesn't have it");
            }
            State::Down => warn!(
                kind,
                namespace, "kind is unknown: the API server hasn't been heard of it for too long"
            ),
        }
    }
}
