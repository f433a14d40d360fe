//! The clock of the deadlines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// So many ticks without an evaluation, and the clock stops until the next one.
const IDLE_TICKS: u32 = 50;

/// Advances an engine's epoch while something runs in it.
#[derive(Debug)]
pub(crate) struct Ticker {
    clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Clock {
    running: AtomicUsize,
    stopped: AtomicBool,
    over: AtomicBool,
}

/// As long as it lives, the clock goes.
pub(crate) struct Running<'t>(&'t Ticker);

impl Ticker {
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(engine: &wasmtime::Engine, tick: Duration) -> std::io::Result<Self> {
        let engine = engine.weak();
        let clock = Arc::new(Clock::default());
        let shared = Arc::clone(&clock);
        let thread =
            thread::Builder::new().name("headlint-ticker".to_owned()).spawn(move || {
                let mut idle = 0;
                while !shared.over.load(Ordering::SeqCst) {
                    thread::park_timeout(tick);
                    let Some(engine) = engine.upgrade() else { return };
                    engine.increment_epoch();
                    let runs = shared.running.load(Ordering::SeqCst) > 0;
                    idle = if runs { 0 } else { idle + 1 };
                    if idle > IDLE_TICKS {
                        shared.rest();
                        idle = 0;
                    }
                }
            })?;
        Ok(Self { clock, thread: Some(thread) })
    }

    /// Called before an evaluation begins.
    pub(crate) fn run(&self) -> Running<'_> {
        self.clock.running.fetch_add(1, Ordering::SeqCst);
        if self.clock.stopped.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Running(self)
    }
}

impl Clock {
    /// Waits until something runs. Whoever starts to run after `stopped` is set
    /// wakes the thread; whoever did before is seen here.
    fn rest(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.over.load(Ordering::SeqCst) {
            thread::park();
        }
        self.stopped.store(false, Ordering::SeqCst);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.clock.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clock.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A ticker that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}
