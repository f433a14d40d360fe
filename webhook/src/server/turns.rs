//! Bounded concurrency with a bounded queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Capacity;

/// Gives requests their turn in order of arrival.
#[derive(Debug)]
pub struct Turns {
    capacity: Capacity,
    /// One permit for each request that is judged or waits.
    places: Arc<Semaphore>,
    /// One permit for each request that is judged.
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Smoothed time that a turn takes, in nanoseconds.
    usual: AtomicU64,
}

/// A request that was let in: it has its turn, or waits for it.
#[derive(Debug)]
pub struct Place(
    #[allow(dead_code, reason = "it is given back when dropped")] OwnedSemaphorePermit,
);

/// A request that is being judged.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    start: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Why a request isn't judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many as may wait are waiting.
    #[error("{running} requests are being judged and {queued} are waiting: no more are let in")]
    Full {
        /// Judged at once.
        running: usize,
        /// Waiting at most.
        queued: usize,
    },
    /// By what requests usually take, its turn would come too late.
    #[error("its turn would come in about {expected:?}, but the answer is due in {left:?}")]
    Hopeless {
        /// How long it would wait.
        expected: Duration,
        /// How long it can.
        left: Duration,
    },
    /// Its turn didn't come in time.
    #[error("its turn didn't come in time")]
    Late,
}

impl Turns {
    /// All places are free.
    #[must_use]
    pub fn new(capacity: Capacity) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            places: Arc::new(Semaphore::new(capacity.running + capacity.queued)),
            turns: Arc::new(Semaphore::new(capacity.running)),
            waiting: AtomicUsize::new(0),
            usual: AtomicU64::new(0),
        })
    }

    /// A place, if there is one.
    ///
    /// # Errors
    /// [`Refused::Full`].
    pub fn enter(&self) -> Result<Place, Refused> {
        let Capacity { running, queued } = self.capacity;
        let permit = Arc::clone(&self.places).try_acquire_owned();
        permit.map(Place).map_err(|_| Refused::Full { running, queued })
    }

    /// Waits for the turn of a request that has a place.
    ///
    /// # Errors
    /// [`Refused::Hopeless`] at once, or [`Refused::Late`] at the deadline.
    pub async fn turn(self: &Arc<Self>, _: &Place, deadline: Instant) -> Result<Turn, Refused> {
        if let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(self.begin(permit));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let waiting = Waiting::start(&self.waiting);
        let expected = self.expected(waiting.before);
        if expected > left {
            return Err(Refused::Hopeless { expected, left });
        }
        match timeout_at(deadline, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(self.begin(permit)),
            Ok(Err(_)) | Err(_) => Err(Refused::Late),
        }
    }

    /// How many wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn begin(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Turn {
        Turn { turns: Arc::clone(self), start: Instant::now(), _permit: permit }
    }

    /// How long a request waits that has so many before it, if all take what
    /// they usually take.
    fn expected(&self, before: usize) -> Duration {
        let usual = Duration::from_nanos(self.usual.load(Ordering::Relaxed));
        let rounds = (before + 1).div_ceil(self.capacity.running);
        usual.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }

    fn took(&self, time: Duration) {
        // A weight of an eighth: one slow request doesn't change the picture,
        // a dozen of them do.
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let smooth = |usual: u64| Some(usual - usual / 8 + time / 8);
        let _ = self.usual.fetch_update(Ordering::Relaxed, Ordering::Relaxed, smooth);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.took(self.start.elapsed());
    }
}

/// Counts one that waits, also when it stops waiting because its client left.
struct Waiting<'t> {
    count: &'t AtomicUsize,
    before: usize,
}

impl<'t> Waiting<'t> {
    fn start(count: &'t AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn turns(running: usize, queued: usize) -> Arc<Turns> {
        Turns::new(Capacity { running, queued })
    }

    fn far() -> Instant {
        Instant::now() + 3_600 * SECOND
    }

    #[tokio::test]
    async fn what_comes_when_all_places_are_taken_is_refused_at_once() {
        let turns = turns(1, 1);
        let first = turns.enter().unwrap();
        let turn = turns.turn(&first, far()).await.unwrap();
        let second = turns.enter().unwrap();
        let refused = turns.enter().unwrap_err();
        assert_eq!(refused, Refused::Full { running: 1, queued: 1 });

        drop((turn, first));
        assert!(turns.turn(&second, far()).await.is_ok());
        assert!(turns.enter().is_ok());
    }

    #[tokio::test]
    async fn a_turn_that_does_not_come_in_time_is_given_up_at_the_deadline() {
        let turns = turns(1, 2);
        let first = turns.enter().unwrap();
        let _turn = turns.turn(&first, far()).await.unwrap();
        let second = turns.enter().unwrap();
        let now = Instant::now();
        assert_eq!(turns.turn(&second, now).await.unwrap_err(), Refused::Late);
        assert_eq!(turns.waiting(), 0);
    }

    #[tokio::test]
    async fn a_turn_that_would_come_too_late_is_refused_at_once() {
        let turns = turns(2, 8);
        let wait = |before| turns.expected(before);
        assert_eq!(wait(100), Duration::ZERO);
        turns.usual.store(4_000_000_000, Ordering::Relaxed);
        assert_eq!([wait(0), wait(1), wait(2)], [4 * SECOND, 4 * SECOND, 8 * SECOND]);

        let places: Vec<_> = (0..3).map(|_| turns.enter().unwrap()).collect();
        let first = turns.turn(&places[0], far()).await.unwrap();
        let _second = turns.turn(&places[1], far()).await.unwrap();
        let due = Instant::now() + 3 * SECOND;
        let refused = turns.turn(&places[2], due).await.unwrap_err();
        assert!(matches!(refused, Refused::Hopeless { .. }), "{refused}");

        // A free turn is taken, whatever the past was like.
        drop(first);
        assert!(turns.turn(&places[2], due).await.is_ok());
    }

    #[test]
    fn what_is_usual_follows_what_requests_take() {
        let turns = turns(1, 0);
        for _ in 0..100 {
            turns.took(SECOND);
        }
        assert!(turns.expected(0) > SECOND * 9 / 10);
        for _ in 0..100 {
            turns.took(Duration::ZERO);
        }
        assert!(turns.expected(0) < SECOND / 10);
    }
}
