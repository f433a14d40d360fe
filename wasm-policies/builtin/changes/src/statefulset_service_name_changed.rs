//! A StatefulSet that is to take its names from another Service.

use headlint_policy_sdk::service::{has, placeholder};
use headlint_policy_sdk::types::{Object, Traits};
use headlint_policy_sdk::{Action, Context, Finding, Findings, Operations, Review, Rule, Severity};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-service-name-changed",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["StatefulSet"],
    operations: Operations::UPDATE,
    only_if: &[],
    summary: "a change gives a StatefulSet another `serviceName`, which is immutable",
    documentation: include_str!("statefulset-service-name-changed.md"),
    check,
};

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let (Some(set), Some(Object::Workload(old))) = (review.workload(), &review.old) else { return };
    let name = |set: &Option<headlint_policy_sdk::types::StatefulSet>| {
        set.as_ref().and_then(|set| set.service_name.clone()).unwrap_or_default()
    };
    let (before, after) = (name(&old.stateful_set), name(&set.stateful_set));
    if before == after
        || placeholder(&before)
        || placeholder(&after)
        || has(&set.meta, Traits::DELETING)
    {
        return;
    }
    let shown = |name: &str| if name.is_empty() { "none".to_owned() } else { format!("`{name}`") };
    findings.add(
        Finding::new(&RULE, "$.spec.serviceName")
            .what(format!(
                "StatefulSet `{}` is to take the names of its Pods from {} instead of {}",
                set.meta.ref_.name,
                shown(&after),
                shown(&before)
            ))
            .why(
                "the API server refuses the whole change: \"updates to statefulset spec for fields \
                other than … are forbidden\"",
            )
            .help(
                "write the name that it had; to change it, delete the set with \
                `--cascade=orphan` and create it anew, which restarts its Pods",
            ),
    );
}
