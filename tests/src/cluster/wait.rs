//! Waiting for conditions.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far beyond what anything takes on a busy machine: only what will never
/// happen takes so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// Asks until there is an answer.
///
/// # Panics
/// When there is none after five minutes.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(10));
    }
}
