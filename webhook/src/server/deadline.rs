//! When a request has to be answered.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/admissionregistration/v1/types.go`
/// (`TimeoutSeconds`): 10 by default, 30 at most.
const DEFAULT: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(30);

/// A tenth of the time is left for the way back. The API server rounds the time
/// that it gives up to whole seconds.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go`
/// (`callHook`).
const MARGIN: u32 = 10;

/// The point in time until which a request that arrived at `arrival` has to be
/// answered. `query` is that of its URI.
pub(super) fn deadline(arrival: Instant, query: Option<&str>) -> Instant {
    let timeout = query.and_then(timeout).unwrap_or(DEFAULT).min(LONGEST);
    arrival + (timeout - timeout / MARGIN)
}

/// `timeout` as Go prints a duration, such as `1m30s`. What can't be read is
/// taken for absent, for a refusal would help nobody.
fn timeout(query: &str) -> Option<Duration> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("timeout="))?;
    let duration: SignedDuration = value.parse().ok()?;
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_tenths_of_the_time_that_the_api_server_gives_are_for_the_answer() {
        let arrival = Instant::now();
        for (query, milliseconds) in [
            (None, 9_000),
            (Some(""), 9_000),
            (Some("timeout=5s"), 4_500),
            (Some("dryRun=All&timeout=1s"), 900),
            (Some("timeout=1m30s"), 27_000),
            (Some("timeout=1m0s"), 27_000),
            (Some("timeout=500ms"), 450),
            (Some("timeout=1.5s"), 1_350),
            (Some("timeout=0s"), 9_000),
            (Some("timeout=-1s"), 9_000),
            (Some("timeout=soon"), 9_000),
        ] {
            let wanted = arrival + Duration::from_millis(milliseconds);
            assert_eq!(deadline(arrival, query), wanted, "{query:?}");
        }
    }
}
