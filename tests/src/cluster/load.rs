//! Requests at a steady pace, each one counted.
//!
//! ```text
//! Load ─┬ stream ─┬ Asker   one connection, one request at a time
//!       │         └ Asker
//!       └ stream …
//! ```
//!
//! Nothing is ever sent twice: what fails, fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{Cluster, until};

/// So many failures are kept with their reason.
const MOST_REASONS: usize = 10;

/// Sends one request after another.
pub trait Asker: Send + 'static {
    /// Sends one and checks the answer. The error says what was wrong.
    fn ask(&mut self) -> impl Future<Output = Result<(), String>> + Send;
}

/// Streams of requests that flow until it is dropped.
pub struct Load {
    runtime: Handle,
    streams: Vec<Arc<Stream>>,
    tasks: JoinSet<()>,
}

struct Stream {
    name: String,
    /// Requests a second.
    rate: u32,
    good: AtomicUsize,
    failed: AtomicUsize,
    reasons: Mutex<Vec<String>>,
}

impl Load {
    /// Without streams.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let runtime = cluster.runtime.handle().clone();
        Self { runtime, streams: Vec::new(), tasks: JoinSet::new() }
    }

    /// Lets requests flow, so many a second in all. Where the machine is too
    /// slow for that, each asker sends the next one when it has the answer.
    pub fn add<A: Asker>(&mut self, name: &str, rate: u32, askers: Vec<A>) {
        let stream = Arc::new(Stream {
            name: name.to_owned(),
            rate,
            good: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            reasons: Mutex::default(),
        });
        let number = u32::try_from(askers.len()).unwrap_or(u32::MAX);
        let period = Duration::from_secs(1) * number / rate;
        for asker in askers {
            self.tasks.spawn_on(flow(asker, period, Arc::clone(&stream)), &self.runtime);
        }
        self.streams.push(stream);
    }

    /// Waits until every stream has had as many answers as it should have in
    /// so many seconds, and they have passed. Prints what was counted, and
    /// returns that as well: all requests, over all streams.
    ///
    /// # Panics
    /// When a request failed, or no answers come any more.
    #[allow(clippy::print_stdout, reason = "what was counted is for whoever runs the test")]
    pub fn flow(&self, what: &str, seconds: u32) -> usize {
        let (start, before) = (Instant::now(), self.answers());
        let least = |stream: &Stream| (stream.rate * seconds) as usize;
        for (stream, before) in self.streams.iter().zip(&before) {
            while stream.good.load(Ordering::Relaxed) < before + least(stream) {
                let now = stream.good.load(Ordering::Relaxed);
                until(&format!("answers, {what}"), || {
                    self.assert_none_failed(what);
                    (stream.good.load(Ordering::Relaxed) > now).then_some(())
                });
            }
        }
        let time = Duration::from_secs(seconds.into());
        std::thread::sleep(time.saturating_sub(start.elapsed()));
        self.assert_none_failed(what);
        let took = start.elapsed().as_secs_f64();
        let mut all = 0;
        for ((stream, before), now) in self.streams.iter().zip(before).zip(self.answers()) {
            let answers = now - before;
            all += answers;
            let rate = answers as f64 / took;
            println!(
                "{what}: {}: {answers} requests in {took:.1} s ({rate:.0}/s), none failed",
                stream.name
            );
        }
        all
    }

    /// All that were answered as they should.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.answers().iter().sum()
    }

    /// # Panics
    /// When a request failed.
    #[track_caller]
    pub fn assert_none_failed(&self, what: &str) {
        for stream in &self.streams {
            let failed = stream.failed.load(Ordering::Relaxed);
            let reasons = stream.reasons.lock().unwrap_or_else(PoisonError::into_inner);
            let good = stream.good.load(Ordering::Relaxed);
            assert!(
                failed == 0,
                "{what}: {}: {failed} failed, {good} not: {reasons:#?}",
                stream.name
            );
        }
    }

    fn answers(&self) -> Vec<usize> {
        self.streams.iter().map(|stream| stream.good.load(Ordering::Relaxed)).collect()
    }
}

async fn flow<A: Asker>(mut asker: A, period: Duration, stream: Arc<Stream>) {
    let mut turns = interval(period);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        match asker.ask().await {
            Ok(()) => {
                stream.good.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => {
                stream.failed.fetch_add(1, Ordering::Relaxed);
                let mut reasons = stream.reasons.lock().unwrap_or_else(PoisonError::into_inner);
                if reasons.len() < MOST_REASONS {
                    reasons.push(reason);
                }
            }
        }
    }
}
