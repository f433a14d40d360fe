//! One watch: a kind, in one namespace or in all.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use headlint_policies::inventory::Change;
use headlint_policies::model::{ObjectRef, project};
use jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};

use super::arrival::Arrival;
use super::kinds::Kind;
use super::ledger::{Key, Ledger, Reviewable, Stamp};
use super::pulse::Pulse;
use super::{KindStatus, State};

/// How long the API server keeps one call of a watch open, at most.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(90);

/// Objects of one page, where the API server can't send them one by one.
const PAGE: u32 = 100;

/// What a watch has to tell.
#[derive(Debug)]
pub(super) enum Message {
    /// About an object.
    Change(Change),
    /// The watch with this number is in this state, once all that it told
    /// before has taken effect.
    State(usize, State),
}

/// Where a watch tells it. It waits there while too much is on the way.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    watch: usize,
    sender: Sender<Message>,
}

/// Nobody listens any more.
struct Closed;

type Told = Result<(), Closed>;

impl Outlet {
    pub(super) fn new(watch: usize, sender: Sender<Message>) -> Self {
        Self { watch, sender }
    }

    async fn change(&self, change: Change) -> Told {
        self.sender.send(Message::Change(change)).await.map_err(|_| Closed)
    }

    async fn state(&self, state: State) -> Told {
        self.sender.send(Message::State(self.watch, state)).await.map_err(|_| Closed)
    }
}

#[derive(Debug)]
pub(super) struct Watch {
    kind: Kind,
    /// None for all.
    namespace: Option<String>,
    stale_after: Duration,
    pulse: Arc<Pulse>,
    ledger: Mutex<Ledger>,
    /// As it has taken effect in the inventory.
    state: Mutex<State>,
    restarts: AtomicU64,
}

/// Why a stream of events is at its end.
enum Turn {
    /// The API server can't send a list as a stream.
    Paged,
    /// It was silent for too long.
    Silent,
}

impl Watch {
    pub(super) fn new(kind: Kind, namespace: Option<String>, stale_after: Duration) -> Self {
        Self {
            kind,
            namespace,
            stale_after: stale_after.max(Duration::from_secs(2)),
            pulse: Arc::new(Pulse::new()),
            ledger: Mutex::default(),
            state: Mutex::new(State::Starting),
            restarts: AtomicU64::new(0),
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(super) fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the one before.
    pub(super) fn set_state(&self, state: State) -> State {
        let mut current = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, state)
    }

    /// Whether what it doesn't know doesn't exist.
    pub(super) fn proves_absence(&self) -> bool {
        self.state() == State::Live && self.ledger().malformed() == 0
    }

    pub(super) fn status(&self) -> KindStatus {
        let ledger = self.ledger();
        KindStatus {
            kind: self.kind.kind,
            state: self.state(),
            objects: ledger.objects(),
            malformed: ledger.malformed(),
            heard: self.pulse.heard(),
            restarts: self.restarts.load(Ordering::Relaxed),
        }
    }

    pub(super) fn reviewable(&self) -> Vec<Reviewable> {
        let ledger = self.ledger();
        let stamped = ledger.stamped().map(|(key, stamp)| Reviewable {
            object: self.object_ref(key),
            uid: stamp.uid.to_string(),
            since: stamp.since,
        });
        stamped.collect()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object_ref(&self, (namespace, name): &Key) -> ObjectRef {
        ObjectRef {
            api_version: self.kind.api_version(),
            kind: self.kind.kind.to_owned(),
            namespace: namespace.to_string(),
            name: name.to_string(),
        }
    }

    /// Watches until nobody listens any more.
    pub(super) async fn run(self: Arc<Self>, client: Client, outlet: Outlet) {
        let client = Arc::clone(&self.pulse).listen(client);
        let resource = self.kind.resource();
        let api = match &self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let (mut streaming, mut state) = (true, State::Starting);
        loop {
            match self.follow(api.clone(), streaming, &mut state, &outlet).await {
                Ok(Turn::Paged) => streaming = false,
                Ok(Turn::Silent) => {
                    state = State::Down;
                    if self.lose(&outlet, state).await.is_err() {
                        return;
                    }
                }
                Err(Closed) => return,
            }
        }
    }

    fn config(&self, streaming: bool) -> Config {
        // Two calls fit into the silence that is borne.
        let call = (self.stale_after / 2).min(LONGEST_CALL).as_secs().max(1);
        let mut config = Config::default().timeout(u32::try_from(call).unwrap_or(1));
        if let Some(labels) = self.kind.labels {
            config = config.labels(labels);
        }
        if streaming { config.streaming_lists() } else { config.page_size(PAGE) }
    }

    /// Follows one stream of events, which the library resumes by itself where
    /// it can. The state is as told, which is ahead of what has taken effect.
    async fn follow(
        &self,
        api: Api<Arrival>,
        streaming: bool,
        state: &mut State,
        outlet: &Outlet,
    ) -> Result<Turn, Closed> {
        let mut events = pin!(watcher(api, self.config(streaming)).default_backoff());
        let mut checks = interval(self.stale_after / 4);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listed = false;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = checks.tick() => {
                    let silent = self.pulse.silence().is_some_and(|time| time > self.stale_after);
                    if *state == State::Live && silent {
                        return Ok(Turn::Silent);
                    }
                    continue;
                }
            };
            match event {
                Some(Ok(Event::Init)) => {
                    self.pulse.begin();
                    self.ledger().begin();
                    listed = false;
                }
                Some(Ok(Event::InitApply(arrival) | Event::Apply(arrival))) => {
                    self.put(arrival, listed, *state, outlet).await?;
                }
                Some(Ok(Event::Delete(arrival))) => {
                    let key = key(&arrival);
                    self.strike(&key, *state, outlet).await?;
                }
                Some(Ok(Event::InitDone)) => {
                    let gone = self.ledger().finish();
                    for key in gone {
                        outlet.change(Change::Remove(self.object_ref(&key))).await?;
                    }
                    self.pulse.finish();
                    listed = true;
                    *state = State::Live;
                    outlet.state(*state).await?;
                }
                Some(Err(error)) => {
                    self.restarts.fetch_add(1, Ordering::Relaxed);
                    let code = code(&error);
                    debug!(kind = self.kind.kind, namespace = self.namespace, %error, "watch failed");
                    // An API server over an etcd older than 3.4.25 has no
                    // progress requests, and only finds out in the stream.
                    let refused = matches!(code, Some(400 | 422 | 500));
                    if streaming && !listed && refused {
                        return Ok(Turn::Paged);
                    }
                    let refused = match code {
                        Some(403) => Some(State::Forbidden),
                        Some(404) => Some(State::Missing),
                        _ => None,
                    };
                    // An API server that has just started refuses everybody for
                    // a moment: what is known stays so while it isn't stale.
                    let news = |one: &State| *state != State::Live && *state != *one;
                    if let Some(refused) = refused.filter(news) {
                        *state = refused;
                        self.lose(outlet, refused).await?;
                    }
                }
                None => unreachable!("a watcher never ends"),
            }
        }
    }

    /// The kind is unknown from now on, and nothing of it is found.
    async fn lose(&self, outlet: &Outlet, state: State) -> Told {
        outlet.state(state).await?;
        let known = self.ledger().clear();
        for key in known {
            outlet.change(Change::Remove(self.object_ref(&key))).await?;
        }
        Ok(())
    }

    /// `live` where the object changed just now.
    async fn put(&self, arrival: Arrival, live: bool, state: State, outlet: &Outlet) -> Told {
        let key = key(&arrival);
        if arrival.name().is_empty() {
            warn!(kind = self.kind.kind, "an object without a name is left out");
            return Ok(());
        }
        if arrival.is_stood_for(&self.kind) {
            return self.strike(&key, state, outlet).await;
        }
        let digest = arrival.digest();
        if self.ledger().see(&key, digest) {
            return Ok(());
        }
        let stamp = (!arrival.is_controlled()).then(|| stamp(&arrival, live));
        let node = arrival.into_node(&self.kind.api_version(), self.kind.kind);
        let projected = project(&node, &key.0);
        drop(node);
        let malformed = self.ledger().malformed();
        let change = match projected {
            Ok(projected) => {
                self.ledger().enter(key, digest, true, stamp);
                Change::Put(Arc::new(projected))
            }
            Err(error) => {
                let object = self.object_ref(&key);
                warn!(%object, %error, "can't be read, and is left out: its kind isn't known completely");
                self.ledger().enter(key, digest, false, None);
                Change::Remove(object)
            }
        };
        outlet.change(change).await?;
        self.tell_malformed(malformed, state, outlet).await
    }

    async fn strike(&self, key: &Key, state: State, outlet: &Outlet) -> Told {
        let malformed = self.ledger().malformed();
        let known = self.ledger().strike(key);
        if known {
            outlet.change(Change::Remove(self.object_ref(key))).await?;
        }
        self.tell_malformed(malformed, state, outlet).await
    }

    /// Lets it be known that absence proves more, or less, than before.
    async fn tell_malformed(&self, before: usize, state: State, outlet: &Outlet) -> Told {
        if (before == 0) == (self.ledger().malformed() == 0) {
            return Ok(());
        }
        outlet.state(state).await
    }
}

fn key(arrival: &Arrival) -> Key {
    (arrival.namespace().into(), arrival.name().into())
}

fn stamp(arrival: &Arrival, live: bool) -> Stamp {
    let now = Timestamp::now();
    let since = if live { now } else { arrival.created().map_or(now, |at| at.min(now)) };
    Stamp { uid: arrival.uid().into(), since }
}

/// The HTTP status that the API server answered with.
fn code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}
