//! What else the cluster holds, as far as policies ask: watches that fill the
//! same inventory that the linter builds from files.
//!
//! ```text
//! watch (one a kind and namespace) ─Arrival─▶ Projected ─Change─▶ apply ─▶ Live
//!    │ ledger: what is known, since when                │
//!    └ pulse:  when the API server last spoke           └ which kinds are unknown
//! ```
//!
//! A kind is *known* while every watch of it has a complete list and hears from
//! the API server. Otherwise it is unknown: nothing of it is found, and look-ups
//! that find nothing say so. That is the case before the first list, where the
//! API server refuses (403) or doesn't have the kind (404), and where a watch
//! has heard nothing for [`Settings::stale_after`]. All of these are tried again,
//! at least twice a minute, and heal by themselves. One object that can't be
//! read makes only *absence* of its kind unknown; the others are found.
//!
//! Not everything is kept: only what the model reads of an object, and of
//! workloads only those that no other watched workload stands for. A Pod of a
//! StatefulSet tells nothing that the template doesn't, and there are many: it is
//! dropped as it arrives. Where the owner isn't known, its kind is unknown too,
//! and so is whether there are Pods. A Pod of an operator is kept.
//!
//! # Permissions
//!
//! `list` and `watch`, in all namespaces or in each of the configured ones:
//!
//! | group | resources |
//! |---|---|
//! | core | `services`, `pods`, `endpoints`, `replicationcontrollers`, `namespaces` |
//! | `apps` | `statefulsets`, `deployments`, `replicasets`, `daemonsets` |
//! | `batch` | `jobs`, `cronjobs` |
//! | `discovery.k8s.io` | `endpointslices` |
//! | `networking.k8s.io` | `networkpolicies`; `ingresses` if configured |
//! | `autoscaling` | `horizontalpodautoscalers` |
//! | core | `configmaps` if configured |
//!
//! `namespaces` needs a ClusterRole; without one that kind is unknown. Secrets
//! are never asked for. [`crate::pending`] needs `create` of `events` in
//! `events.k8s.io` besides.
//!
//! The library that watches logs every refusal by itself, which
//! [`crate::logging`] leaves out: so there is one line for each change.

mod apply;
mod arrival;
mod client;
mod kinds;
mod ledger;
mod pulse;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use headlint_policies::inventory::Live;
use jiff::Timestamp;
use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use self::arrival::Arrival;
pub use self::client::{ConnectError, connect};
pub(crate) use self::kinds::resource;
pub use self::ledger::Reviewable;
use self::watch::Watch;

/// What to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Empty for all namespaces.
    pub namespaces: BTreeSet<String>,
    /// Whether ConfigMaps are watched.
    pub config_maps: bool,
    /// Whether Ingresses are watched.
    pub ingresses: bool,
    /// How long a watch may be silent before its kind is unknown; at least two
    /// seconds. A healthy one is asked for a sign of life twice in that time.
    pub stale_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespaces: BTreeSet::new(),
            config_maps: false,
            ingresses: false,
            stale_after: Duration::from_secs(180),
        }
    }
}

/// How a watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Its list is complete, and it hears of changes.
    Live,
    /// The first list isn't complete yet.
    Starting,
    /// The API server doesn't let us list or watch this kind.
    Forbidden,
    /// The API server doesn't have this kind.
    Missing,
    /// It was complete once, and heard nothing for too long.
    Down,
}

/// Numbers of one kind, for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindStatus {
    /// Such as `StatefulSet`.
    pub kind: &'static str,
    /// The worst of its watches.
    pub state: State,
    /// How many objects are kept.
    pub objects: usize,
    /// How many couldn't be read.
    pub malformed: usize,
    /// When the API server was last heard of it, by the watch that heard least;
    /// none before the first complete list.
    pub heard: Option<SystemTime>,
    /// Errors after which a watch was started again.
    pub restarts: u64,
}

/// The watches, and what they fill.
pub struct Context {
    live: Arc<Live>,
    watches: Vec<Arc<Watch>>,
    /// Kinds that are in the model, but never or not now watched.
    unwatched: Vec<String>,
    /// When something in a namespace last changed; the empty one has what is
    /// cluster-scoped.
    changed: Mutex<HashMap<String, Timestamp>>,
}

impl Context {
    /// Watches that have yet to [`run`](Self::run); until then every kind is
    /// unknown.
    #[must_use]
    pub fn new(settings: &Settings, live: Arc<Live>) -> Self {
        let kinds = kinds::watched(settings);
        let unwatched = kinds::unwatched(&kinds);
        let mut watches = Vec::new();
        for kind in kinds {
            if settings.namespaces.is_empty() || !kind.namespaced {
                watches.push(Arc::new(Watch::new(kind, None, settings.stale_after)));
                continue;
            }
            for namespace in &settings.namespaces {
                let namespace = Some(namespace.clone());
                watches.push(Arc::new(Watch::new(kind, namespace, settings.stale_after)));
            }
        }
        let context = Self { live, watches, unwatched, changed: Mutex::default() };
        context.tell_what_is_known();
        context
    }

    /// Watches, and never ends by itself. Dropping the future ends everything.
    ///
    /// Objects are parsed where this runs: a runtime of its own keeps a large
    /// list from holding up requests.
    pub async fn run(&self, client: Client) {
        let (sender, messages) = mpsc::channel(apply::QUEUE);
        let mut tasks = JoinSet::new();
        for (at, watch) in self.watches.iter().enumerate() {
            let outlet = watch::Outlet::new(at, sender.clone());
            tasks.spawn(Arc::clone(watch).run(client.clone(), outlet));
        }
        drop(sender);
        self.apply(messages).await;
    }

    /// Whether every watch had its first complete list, or is refused. It stays
    /// so: what is lost later is unknown, which policies can deal with.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.watches.iter().all(|watch| watch.state() != State::Starting)
    }

    /// Numbers of all kinds, in a fixed order.
    #[must_use]
    pub fn status(&self) -> Vec<KindStatus> {
        let mut all: Vec<KindStatus> = Vec::new();
        for watch in &self.watches {
            let one = watch.status();
            match all.last_mut().filter(|last| last.kind == one.kind) {
                Some(last) => {
                    last.state = last.state.max(one.state);
                    last.objects += one.objects;
                    last.malformed += one.malformed;
                    last.heard = last.heard.min(one.heard);
                    last.restarts += one.restarts;
                }
                None => all.push(one),
            }
        }
        all
    }

    /// What is filled.
    #[must_use]
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The objects of these kinds that nobody controls, in no order.
    #[must_use]
    pub fn reviewable(&self, wants: impl Fn(&str) -> bool) -> Vec<Reviewable> {
        let wanted = self.watches.iter().filter(|watch| wants(watch.kind().kind));
        wanted.flat_map(|watch| watch.reviewable()).collect()
    }

    /// When something in a namespace last changed, as far as that was seen.
    #[must_use]
    pub fn last_change(&self, namespace: &str) -> Option<Timestamp> {
        self.changed().get(namespace).copied()
    }

    fn changed(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kinds whose absence proves nothing now.
    fn unknown(&self) -> BTreeSet<&'static str> {
        let mut states: BTreeMap<&'static str, bool> = BTreeMap::new();
        for watch in &self.watches {
            *states.entry(watch.kind().kind).or_insert(true) &= watch.proves_absence();
        }
        let mut unknown: BTreeSet<_> =
            states.into_iter().filter(|(_, known)| !known).map(|(kind, _)| kind).collect();
        kinds::add_implied(&mut unknown);
        unknown
    }

    /// Says in the inventory which kinds are unknown.
    fn tell_what_is_known(&self) {
        let unknown = self.unknown();
        let unwatched = self.unwatched.iter().map(String::as_str).chain(unknown);
        let unwatched: BTreeSet<_> = unwatched.map(str::to_owned).collect();
        let kinds: BTreeSet<_> = self.watches.iter().map(|watch| watch.kind().kind).collect();
        self.live.know(|knowledge| {
            knowledge.unwatched = unwatched.into_iter().collect();
            knowledge.kinds = kinds.into_iter().map(str::to_owned).collect();
        });
    }
}
