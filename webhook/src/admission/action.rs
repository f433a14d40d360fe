//! What is done with what was said.

use headlint_policies::engine::{Action, RuleInfo, Timing};
use headlint_policies::finding::Severity;

use super::judge::{Event, Told};
use crate::config::{Enforcement, RuleAction};
use crate::runtime::{Runtime, today};

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
    let verdict = &told.verdict;
    let Some(rule) = told.policy.rules().iter().find(|rule| rule.id == verdict.rule) else {
        return Decision::Silence;
    };
    if verdict.severity == Severity::Info || verdict.timing == Timing::Later {
        return Decision::Silence;
    }
    let decision = match configured(runtime, event, rule) {
        // Whoever applies this object can't mend another one with it.
        Decision::Deny if told.related => Decision::Warn,
        decision => decision,
    };
    if decision == Decision::Silence {
        return decision;
    }
    let config = runtime.config();
    let ignored = told.subject.projected().ignored.contains(&rule.id)
        && (decision == Decision::Warn || config.ignore_annotation_silences_denials);
    if ignored || config.exemptions.covering(&rule.id, &told.subject, today()).is_some() {
        return Decision::Silence;
    }
    decision
}

/// What the configuration says about findings of a rule.
fn configured(runtime: &Runtime, event: &Event, rule: &RuleInfo) -> Decision {
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
        Action::EnforceOnCreate if enforced && matches!(event, Event::Create(_)) => Decision::Deny,
        Action::Warn | Action::Enforce | Action::EnforceOnCreate => Decision::Warn,
    }
}
