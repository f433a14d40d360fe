//! Findings that rest on another object's absence, looked at again when that
//! object had its time to come.
//!
//! ```text
//! Context ─Reviewable─▶ due? ─Look─▶ Judge ─Verdict, later─▶ Event
//!   uid, since when           beside the present snapshot    │
//!                                      headlint_pending_findings
//! ```
//!
//! Nothing is remembered of the admission: what pends is what the present
//! snapshot shows. So a restart forgets nothing, and of several replicas each
//! finds the same; the name of an Event follows from object, rule and path, and
//! the API server takes it once. One that has expired there is made again.
//!
//! An object is looked at when it has been as it is for the grace time; then
//! once in each grace time while something of it stands, or when something has
//! changed in its namespace; and every tenth grace time anyhow, for what changed
//! elsewhere. One object is looked at at a time, on a thread for blocking work.

mod event;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use headlint_policies::engine::{Origin, Subject, Timing, Verdict, Version};
use headlint_policies::finding::Severity;
use headlint_policies::inventory::Inventory;
use headlint_policies::model::ObjectRef;
use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::Value;
use tracing::{debug, info, warn};

use crate::context::{Arrival, Context, Reviewable, resource};

/// How often objects are looked for that are due.
const ROUND: Duration = Duration::from_secs(1);

/// How long an Event is taken to be there. The API server drops it in an hour
/// (`--event-ttl`), and what still stands then is told anew, by the same name.
const EVENT_AGAIN: Duration = Duration::from_secs(600);

/// In how many grace times everything is looked at, whatever has changed.
const FULL: u32 = 10;

/// Judges a stored object as the present configuration wants it.
pub trait Judge: Send + Sync + 'static {
    /// Whether some rule reports on objects of this kind.
    fn wants(&self, kind: &str) -> bool;

    /// What counts: without what is switched off, exempt or ignored. Called on a
    /// thread that may block.
    fn judge(
        &self,
        subject: &Arc<Subject>,
        inventory: &Arc<dyn Inventory + Send + Sync>,
    ) -> Vec<Verdict>;
}

/// What looks at objects again.
pub struct Pending {
    context: Arc<Context>,
    judge: Arc<dyn Judge>,
    client: Client,
    grace: Duration,
    standing: AtomicUsize,
}

/// The last look at an object.
#[derive(Debug)]
struct Look {
    uid: String,
    /// Since when the object was as it was then.
    since: Timestamp,
    at: Timestamp,
    /// The names of the Events about what stood.
    standing: BTreeSet<String>,
    /// Those of them that the API server has, and since when that is known.
    posted: BTreeMap<String, Timestamp>,
}

impl Pending {
    /// `grace` is how long an object has to be as it is before what it lacks is
    /// told.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        judge: Arc<dyn Judge>,
        client: Client,
        grace: Duration,
    ) -> Self {
        Self { context, judge, client, grace, standing: AtomicUsize::new(0) }
    }

    /// How many findings stand after their grace time: what
    /// `headlint_pending_findings` shows.
    #[must_use]
    pub fn standing(&self) -> usize {
        self.standing.load(Ordering::Relaxed)
    }

    /// Looks, and never ends by itself.
    pub async fn run(&self) {
        let mut looks = HashMap::new();
        let mut refused = false;
        loop {
            tokio::time::sleep(ROUND).await;
            if self.context.is_ready() {
                self.round(&mut looks, &mut refused).await;
            }
        }
    }

    /// Looks at what is due, the longest due first.
    async fn round(&self, looks: &mut HashMap<ObjectRef, Look>, refused: &mut bool) {
        let objects = self.context.reviewable(|kind| self.judge.wants(kind));
        let there: HashMap<_, _> = objects.iter().map(|one| (&one.object, &one.uid)).collect();
        looks.retain(|object, look| there.get(object).is_some_and(|uid| **uid == look.uid));

        let now = Timestamp::now();
        let mut due: Vec<_> = objects
            .iter()
            .filter_map(|one| {
                let look = looks.get(&one.object);
                let change = self.context.last_change(&one.object.namespace);
                Some((due_since(one, look, change, self.grace, now)?, one))
            })
            .collect();
        due.sort_by_key(|(since, _)| *since);
        // Old ones may wait for the next round, where there are many.
        due.truncate(self.share(objects.len()));
        for (_, one) in due {
            let look = self.look(one, looks.remove(&one.object), refused).await;
            looks.insert(one.object.clone(), look);
        }
        let standing = looks.values().map(|look| look.standing.len()).sum();
        self.standing.store(standing, Ordering::Relaxed);
    }

    /// How many objects of so many are looked at in a round, at most: all of
    /// them in half a grace time.
    fn share(&self, objects: usize) -> usize {
        let rounds = (self.grace.as_secs() / (2 * ROUND.as_secs())).max(1);
        objects.div_ceil(usize::try_from(rounds).unwrap_or(usize::MAX)).max(16)
    }

    async fn look(&self, one: &Reviewable, before: Option<Look>, refused: &mut bool) -> Look {
        let at = Timestamp::now();
        let verdicts = self.verdicts(one).await;
        let mut look = Look {
            uid: one.uid.clone(),
            since: one.since,
            at,
            standing: BTreeSet::new(),
            posted: BTreeMap::new(),
        };
        let mut posted = before.map(|look| fresh(look.posted, at)).unwrap_or_default();
        for verdict in verdicts {
            let event = event::event(one, &verdict);
            let name = event.metadata.name.clone().unwrap_or_default();
            if !look.standing.insert(name.clone()) {
                continue;
            }
            if let Some(known) = posted.remove(&name) {
                look.posted.insert(name, known);
            } else if self.post(one, &verdict.rule, &event, refused).await {
                look.posted.insert(name, at);
            }
        }
        look
    }

    /// What stands of an object, and was to be told only now.
    async fn verdicts(&self, one: &Reviewable) -> Vec<Verdict> {
        // Most objects are judged without their JSON, which isn't kept. Where a
        // policy asks for it, the answer of that time is void.
        let Some((verdicts, complete)) = self.judge(&one.object, None).await else {
            return Vec::new();
        };
        let verdicts = if complete {
            verdicts
        } else {
            let Some(json) = self.fetch(one).await else { return Vec::new() };
            self.judge(&one.object, Some(json)).await.map_or(Vec::new(), |(verdicts, _)| verdicts)
        };
        let tells = |verdict: &Verdict| {
            matches!(verdict.timing, Timing::Later | Timing::NowAndLater)
                && verdict.severity != Severity::Info
        };
        verdicts.into_iter().filter(tells).collect()
    }

    /// With whether no policy asked for the JSON in vain. None where the object
    /// isn't there any more.
    async fn judge(&self, object: &ObjectRef, json: Option<Value>) -> Option<(Vec<Verdict>, bool)> {
        let (live, judge) = (Arc::clone(self.context.live()), Arc::clone(&self.judge));
        let object = object.clone();
        let judged = tokio::task::spawn_blocking(move || {
            let snapshot = live.snapshot();
            let mut projected = Arc::clone(snapshot.projected(&object)?);
            if projected.meta().traits.deleting {
                return None;
            }
            if let Some(situated) = snapshot.situated(&projected.object) {
                Arc::make_mut(&mut projected).object = situated;
            }
            let asked = Arc::new(AtomicBool::new(false));
            let told = json.is_some();
            let note = Arc::clone(&asked);
            let read = Box::new(move || {
                note.store(true, Ordering::Relaxed);
                json.clone().unwrap_or_default()
            });
            let subject = Arc::new(Subject::created(Version::new(projected, read), Origin::Audit));
            let inventory: Arc<dyn Inventory + Send + Sync> = Arc::new(snapshot);
            let verdicts = judge.judge(&subject, &inventory);
            Some((verdicts, told || !asked.load(Ordering::Relaxed)))
        });
        judged.await.expect("policies are judged without a panic, and nobody aborts that")
    }

    /// The object as the API server has it; none where that is another one now,
    /// or can't be had. A list of one needs no permission beyond those of a
    /// watch.
    async fn fetch(&self, one: &Reviewable) -> Option<Value> {
        let ObjectRef { api_version, kind, namespace, name } = &one.object;
        let resource = resource(kind)?;
        let api: Api<Arrival> = if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        };
        let params = ListParams::default().fields(&format!("metadata.name={name}")).limit(1);
        match api.list(&params).await {
            Ok(list) => {
                let found = list.items.into_iter().find(|item| item.uid() == one.uid)?;
                Some(found.into_node(api_version, kind).to_json())
            }
            Err(error) => {
                debug!(object = %one.object, %error, "can't be read for another look");
                None
            }
        }
    }

    /// Tells whether the API server has the Event now. A failure is logged when
    /// it is the first after a success.
    async fn post(&self, one: &Reviewable, rule: &str, event: &Event, refused: &mut bool) -> bool {
        let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
        let api = Api::<Event>::namespaced(self.client.clone(), namespace);
        match api.create(&PostParams::default(), event).await {
            Ok(_) => {
                *refused = false;
                info!(object = %one.object, rule, "finding stands after the grace time");
                true
            }
            // It was told before a restart, or by another replica.
            Err(kube::Error::Api(status)) if status.code == 409 => true,
            Err(error) => {
                if !std::mem::replace(refused, true) {
                    warn!(object = %one.object, rule, %error, "an Event can't be made");
                }
                false
            }
        }
    }
}

/// Since when an object is due, if it is.
fn due_since(
    one: &Reviewable,
    look: Option<&Look>,
    change: Option<Timestamp>,
    grace: Duration,
    now: Timestamp,
) -> Option<Timestamp> {
    let ripe = after(one.since, grace);
    let due = match look {
        Some(look) if look.since == one.since => {
            let changed = change.is_some_and(|change| change >= look.at);
            let restless = changed || !look.standing.is_empty();
            after(look.at, if restless { grace } else { grace.saturating_mul(FULL) })
        }
        _ => ripe,
    };
    // What changes all the time is looked at when it comes to rest.
    let due = due.max(ripe);
    (due <= now).then_some(due)
}

/// Without the Events that may have expired.
fn fresh(mut posted: BTreeMap<String, Timestamp>, now: Timestamp) -> BTreeMap<String, Timestamp> {
    posted.retain(|_, known| after(*known, EVENT_AGAIN) > now);
    posted
}

fn after(at: Timestamp, time: Duration) -> Timestamp {
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn due(since: i64, look: Option<(i64, i64, bool)>, change: Option<i64>) -> Option<i64> {
        let object = ObjectRef::default();
        let one = Reviewable { object, uid: "u".to_owned(), since: at(since) };
        let look = look.map(|(since, looked, stands)| Look {
            uid: "u".to_owned(),
            since: at(since),
            at: at(looked),
            standing: stands.then(|| "finding".to_owned()).into_iter().collect(),
            posted: BTreeMap::new(),
        });
        let due = due_since(&one, look.as_ref(), change.map(at), GRACE, at(10_000));
        due.map(Timestamp::as_second)
    }

    #[test]
    fn an_event_is_made_anew_when_it_may_have_expired() {
        let posted = [("old", 9_400), ("new", 9_401)];
        let posted = posted.map(|(name, second)| (name.to_owned(), at(second)));
        let fresh = fresh(posted.into(), at(10_000));
        assert_eq!(fresh.into_keys().collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn an_object_has_its_grace_time() {
        assert_eq!(due(9_940, None, None), Some(10_000));
        assert_eq!(due(9_941, None, None), None);
    }

    #[test]
    fn a_changed_object_has_it_again() {
        assert_eq!(due(9_950, Some((9_000, 9_060, true)), None), None);
        assert_eq!(due(9_930, Some((9_000, 9_060, true)), None), Some(9_990));
    }

    #[test]
    fn another_look_takes_a_reason_or_a_long_time() {
        let quiet = |looked, change| due(9_000, Some((9_000, looked, false)), change);
        assert_eq!(quiet(9_500, None), None);
        assert_eq!(quiet(9_500, Some(9_499)), None);
        assert_eq!(quiet(9_500, Some(9_500)), Some(9_560));
        assert_eq!(quiet(9_960, Some(9_970)), None);
        assert_eq!(quiet(9_400, None), Some(10_000));
        assert_eq!(due(9_000, Some((9_000, 9_900, true)), None), Some(9_960));
    }
}
