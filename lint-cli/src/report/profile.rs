//! What each policy cost.

use headlint_policies::lint::PolicyProfile;

use super::table;

/// A table, the slowest policy first.
pub(crate) fn render(profile: &[PolicyProfile]) -> String {
    let mut profile: Vec<_> = profile.iter().collect();
    profile.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.policy.cmp(&b.policy)));
    let rows = profile.into_iter().map(|policy| {
        [
            policy.policy.clone(),
            policy.calls.to_string(),
            format!("{:.3} ms", policy.time.as_secs_f64() * 1e3),
            format!("{} KiB", policy.peak_memory.div_ceil(1024)),
        ]
    });
    table::render(["policy", "calls", "time", "peak memory"], rows)
}
