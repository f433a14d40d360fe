//! What each policy cost.

use headlint_policies::lint::PolicyProfile;

use super::table;

/// A table, the policy that took the most CPU time first.
pub(crate) fn render(profile: &[PolicyProfile]) -> String {
    let mut profile: Vec<_> = profile.iter().collect();
    profile.sort_by(|a, b| b.cpu_time.cmp(&a.cpu_time).then_with(|| a.policy.cmp(&b.policy)));
    let rows = profile.into_iter().map(|policy| {
        [
            policy.policy.clone(),
            policy.calls.to_string(),
            format!("{:.3} ms", policy.cpu_time.as_secs_f64() * 1e3),
            format!("{} KiB", policy.peak_memory.div_ceil(1024)),
        ]
    });
    table::render(["policy", "calls", "CPU time", "peak memory"], rows)
}
