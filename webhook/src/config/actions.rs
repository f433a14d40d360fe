//! What is sent of which finding.

use std::collections::HashMap;

use headlint_policies::engine::{Action, Engine, Operation};

use super::{Enforcement, RuleAction};

/// What is sent of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A warning.
    Warning,
    /// A denial.
    Denial,
    /// Nothing.
    Nothing,
}

/// What is sent of each rule's findings.
#[derive(Debug)]
pub struct Actions {
    /// What the configuration says of a rule.
    chosen: HashMap<String, RuleAction>,
    /// What counts where it says nothing.
    usual: HashMap<String, Action>,
    enforcement: Enforcement,
}

impl Actions {
    pub(super) fn new(
        engine: &Engine,
        enforcement: Enforcement,
        chosen: impl Iterator<Item = (String, RuleAction)>,
    ) -> Self {
        let usual = engine.rules().into_iter().map(|(_, rule)| (rule.id.clone(), rule.action));
        Self { chosen: chosen.collect(), usual: usual.collect(), enforcement }
    }

    /// What is sent of a finding of this rule.
    #[must_use]
    pub fn of(&self, rule: &str, operation: Operation) -> Sent {
        match self.chosen(rule) {
            Some(RuleAction::Warn) => return Sent::Warning,
            Some(RuleAction::Deny) => return Sent::Denial,
            Some(RuleAction::None) => return Sent::Nothing,
            None => {}
        }
        let enforced = self.enforcement == Enforcement::Deny;
        match self.usual.get(rule) {
            Some(Action::None) => Sent::Nothing,
            Some(Action::Enforce) if enforced => Sent::Denial,
            Some(Action::EnforceOnCreate) if enforced && operation == Operation::Create => {
                Sent::Denial
            }
            Some(Action::Warn | Action::Enforce | Action::EnforceOnCreate) | None => Sent::Warning,
        }
    }

    /// What the configuration says of a rule, if it names it.
    #[must_use]
    pub fn chosen(&self, rule: &str) -> Option<RuleAction> {
        self.chosen.get(rule).copied()
    }
}
