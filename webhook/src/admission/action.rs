//! What is done with what was said.

use headlint_policies::config::today;
use headlint_policies::engine::{Action, Policy, RuleInfo, Subject, Timing, Verdict};
use headlint_policies::finding::Severity;

use super::judge::{Event, Told};
use crate::config::{Enforcement, RuleAction};
use crate::runtime::Runtime;

/// What is done with one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is not sent.
    Silence,
    /// It is sent as a warning.
    Warn,
    /// It denies the request.
    Deny,
}

/// Decides about one finding of a request.
pub(super) fn decide(runtime: &Runtime, event: &Event, told: &Told<'_>) -> Decision {
    if told.verdict.timing == Timing::Later {
        return Decision::Silence;
    }
    let created = matches!(event, Event::Create(_));
    match decide_on(runtime, created, told.policy, &told.subject, &told.verdict) {
        // Whoever applies this object can't mend another one with it.
        Decision::Deny if told.related => Decision::Warn,
        decision => decision,
    }
}

/// Whether a finding on a stored object is told at all.
pub(super) fn is_sent(
    runtime: &Runtime,
    policy: &Policy,
    subject: &Subject,
    verdict: &Verdict,
) -> bool {
    decide_on(runtime, false, policy, subject, verdict) != Decision::Silence
}

fn decide_on(
    runtime: &Runtime,
    created: bool,
    policy: &Policy,
    subject: &Subject,
    verdict: &Verdict,
) -> Decision {
    let Some(rule) = policy.rules().iter().find(|rule| rule.id == verdict.rule) else {
        return Decision::Silence;
    };
    let decision = configured(runtime, created, rule);
    if verdict.severity == Severity::Info || decision == Decision::Silence {
        return Decision::Silence;
    }
    let config = runtime.config();
    let ignored = subject.projected().ignored.contains(&rule.id)
        && (decision == Decision::Warn || config.ignore_annotation_silences_denials);
    if ignored || config.exemptions.covering(&rule.id, subject, today()).is_some() {
        return Decision::Silence;
    }
    decision
}

/// What the configuration says about findings of a rule.
fn configured(runtime: &Runtime, created: bool, rule: &RuleInfo) -> Decision {
    let config = runtime.config();
    match config.rules.get(&rule.id) {
        Some(RuleAction::Deny) => return Decision::Deny,
        Some(RuleAction::Warn) => return Decision::Warn,
        Some(RuleAction::None) => return Decision::Silence,
        None => {}
    }
    let enforced = config.enforcement == Enforcement::Deny;
    match rule.action {
        Action::None => Decision::Silence,
        Action::Enforce if enforced => Decision::Deny,
        Action::EnforceOnCreate if enforced && created => Decision::Deny,
        Action::Warn | Action::Enforce | Action::EnforceOnCreate => Decision::Warn,
    }
}
