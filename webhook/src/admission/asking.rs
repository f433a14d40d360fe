//! Asks the policies without holding a worker of the runtime for long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headlint_policies::engine::{FaultReason, Patience, Policy, Subject, Verdict};
use headlint_policies::evaluate::{Asked, Judgement, Question};
use headlint_policies::inventory::{Inventory, Snapshot};
use tokio::sync::Semaphore;
use tokio::task;

use crate::metrics::Metrics;
use crate::runtime::Runtime;

/// How long a worker of the runtime is held before others get their turn.
const SLICE: Duration = Duration::from_millis(1);

/// What one policy says of one object.
pub(super) struct Answer<'r> {
    pub(super) policy: &'r Policy,
    pub(super) verdicts: Result<Vec<Verdict>, Failure>,
}

/// Why a policy said nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It failed.
    #[error("{0}")]
    Fault(FaultReason),
    /// It isn't asked for a while.
    #[error("isn't asked for {} s, after {DEADLINES} objects that it gave no answer on", REST.as_secs())]
    Suspended,
}

/// Who asks, in one request.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'r> {
    pub(crate) runtime: &'r Arc<Runtime>,
    pub(crate) suspensions: &'r Arc<Suspensions>,
    pub(crate) elsewhere: &'r Arc<Semaphore>,
    pub(crate) metrics: &'r Metrics,
}

/// Asks every policy that wants this object.
pub(super) async fn ask<'r>(
    asker: Asker<'r>,
    subject: &Arc<Subject>,
    world: &Snapshot,
) -> Vec<Answer<'r>> {
    let Asker { runtime, suspensions, metrics, .. } = asker;
    let inventory: Arc<dyn Inventory + Send + Sync> = Arc::new(world.clone());
    let question = Question::new(runtime.rules(), subject, &inventory);
    let mut answers = Vec::new();
    let mut held = Instant::now();
    for asked in question.policies(runtime.engine()) {
        let policy = asked.policy;
        if suspensions.hold(policy) {
            answers.push(Answer { policy, verdicts: Err(Failure::Suspended) });
            continue;
        }
        let mut judgement = question.ask(&asked, Patience::Slice);
        if judgement.verdicts.as_ref().is_err_and(FaultReason::is_deadline) {
            judgement = ask_elsewhere(asker, &asked, subject, &inventory).await;
            held = Instant::now();
        }
        metrics.evaluation(&judgement);
        answers.push(Answer { policy, verdicts: judgement.verdicts.map_err(Failure::Fault) });
        if held.elapsed() >= SLICE {
            task::yield_now().await;
            held = Instant::now();
        }
    }
    answers
}

/// Asks once more on a thread that nobody waits for, until the policy's own
/// deadline: it is a pure function. It goes on when the request gives up, so that
/// it needs a place that outlives the request's.
async fn ask_elsewhere<'r>(
    asker: Asker<'r>,
    asked: &Asked<'r>,
    subject: &Arc<Subject>,
    inventory: &Arc<dyn Inventory + Send + Sync>,
) -> Judgement<'r> {
    let (shared, suspensions) = (Arc::clone(asker.runtime), Arc::clone(asker.suspensions));
    let place = Arc::clone(asker.elsewhere).acquire_owned().await;
    let place = place.expect("nobody closes it");
    let policy = asked.policy;
    let (name, rules) = (policy.name().to_owned(), asked.rules.clone());
    let (subject, inventory) = (Arc::clone(subject), Arc::clone(inventory));
    let asked = task::spawn_blocking(move || {
        let question = Question::new(shared.rules(), &subject, &inventory);
        let policy = shared.engine().policies().iter().find(|policy| policy.name() == name)?;
        let judgement = question.ask(&Asked { policy, rules }, Patience::Deadline);
        drop(place);
        suspensions.note(policy, judgement.verdicts.as_ref().err());
        Some((judgement.verdicts, judgement.cost))
    });
    let (verdicts, cost) = asked
        .await
        .ok()
        .flatten()
        .expect("an evaluation doesn't panic, and a runtime keeps its policies");
    Judgement { policy, verdicts, cost }
}

/// So many objects in a row without an answer in time, and a policy gets a rest.
const DEADLINES: u32 = 3;

/// How long it isn't asked then.
const REST: Duration = Duration::from_secs(30);

/// Policies that ran into their deadline. Each time costs as long as a request
/// may take, and one that loops would loop on every object. One that was mended
/// is another policy.
#[derive(Debug, Default)]
pub(crate) struct Suspensions {
    /// Whether there are any: nearly never.
    any: AtomicBool,
    by_digest: Mutex<HashMap<String, Suspension>>,
}

#[derive(Debug, Default)]
struct Suspension {
    deadlines: u32,
    until: Option<Instant>,
}

impl Suspensions {
    /// Whether a policy isn't to be asked now.
    fn hold(&self, policy: &Policy) -> bool {
        self.any.load(Ordering::Relaxed)
            && self
                .by_digest()
                .get(policy.digest())
                .and_then(|suspension| suspension.until)
                .is_some_and(|until| Instant::now() < until)
    }

    /// Notes how a policy ended that had taken more than a slice of time.
    fn note(&self, policy: &Policy, failed: Option<&FaultReason>) {
        let mut by_digest = self.by_digest();
        if !failed.is_some_and(FaultReason::is_deadline) {
            by_digest.remove(policy.digest());
            self.any.store(!by_digest.is_empty(), Ordering::Relaxed);
            return;
        }
        let suspension = by_digest.entry(policy.digest().to_owned()).or_default();
        suspension.deadlines += 1;
        if suspension.deadlines >= DEADLINES {
            suspension.until = Some(Instant::now() + REST);
            // The next time it is asked decides at once.
            suspension.deadlines = DEADLINES - 1;
        }
        self.any.store(true, Ordering::Relaxed);
    }

    fn by_digest(&self) -> MutexGuard<'_, HashMap<String, Suspension>> {
        self.by_digest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
