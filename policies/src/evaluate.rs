//! The entry point that both doors share: one object, all policies, one
//! unchanging inventory.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::{
    Cost, Engine, FaultReason, Patience, Policy, RuleInfo, Situation, Subject, Verdict,
};
use crate::inventory::Inventory;

/// Which rules count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// If not empty, only these; being named enables a rule as well.
    pub only: BTreeSet<String>,
    /// Not these.
    pub skip: BTreeSet<String>,
    /// These too, although they are off by default.
    pub enable: BTreeSet<String>,
}

impl RuleFilter {
    /// Whether findings of this rule count.
    #[must_use]
    pub fn admits(&self, rule: &RuleInfo) -> bool {
        let wanted = if self.only.is_empty() {
            rule.default_on || self.enable.contains(&rule.id)
        } else {
            self.only.contains(&rule.id)
        };
        wanted && !self.skip.contains(&rule.id)
    }
}

/// What one policy said about one object.
#[derive(Debug)]
pub struct Judgement<'e> {
    /// Which policy.
    pub policy: &'e Policy,
    /// Its verdicts, one for each rule and path, or how it failed.
    pub verdicts: Result<Vec<Verdict>, FaultReason>,
    /// What it took.
    pub cost: Cost,
}

/// A policy, and which of its rules are asked about an object.
#[derive(Debug)]
pub struct Asked<'p> {
    /// Which policy.
    pub policy: &'p Policy,
    /// Positions in the list of its rules, not none.
    pub rules: Vec<u32>,
}

/// One object, as the policies are asked about it.
pub struct Question<'e> {
    filter: &'e RuleFilter,
    situation: Arc<Situation>,
}

impl<'e> Question<'e> {
    /// About an object beside all others.
    pub fn new(
        filter: &'e RuleFilter,
        subject: &Arc<Subject>,
        inventory: &Arc<dyn Inventory + Send + Sync>,
    ) -> Self {
        let situation = Situation::new(Arc::clone(subject), Arc::clone(inventory));
        Self { filter, situation: Arc::new(situation) }
    }

    /// The policies that have anything to say about such an object, in order of
    /// name: none if a controller wrote it.
    pub fn policies<'p>(&self, engine: &'p Engine) -> Vec<Asked<'p>> {
        let subject = &self.situation.subject;
        if subject.projected().is_controlled() {
            return Vec::new();
        }
        let (kind, operation) = (subject.kind(), subject.operation());
        let is_asked = |rule: &RuleInfo| {
            rule.kinds.iter().any(|it| it == kind)
                && rule.operations.contains(&operation)
                && self.filter.admits(rule)
                && rule.only_if.iter().all(|condition| self.situation.meets(condition))
        };
        let wanting = engine.policies().iter().filter(|policy| policy.wants(kind));
        let asked = wanting.map(|policy| {
            let rules = (0..).zip(policy.rules()).filter(|(_, rule)| is_asked(rule));
            Asked { policy, rules: rules.map(|(at, _)| at).collect() }
        });
        asked.filter(|asked| !asked.rules.is_empty()).collect()
    }

    /// Asks one policy.
    pub fn ask<'p>(&self, asked: &Asked<'p>, patience: Patience) -> Judgement<'p> {
        let Asked { policy, rules } = asked;
        let evaluation = policy.evaluate(rules.clone(), &self.situation, patience);
        let verdicts = evaluation.verdicts.map(|mut verdicts| {
            let is_asked =
                |id: &str| rules.iter().any(|rule| policy.rules()[*rule as usize].id == id);
            let mut seen = BTreeSet::new();
            verdicts.retain(|verdict| {
                let range = verdict.range.as_ref().map(|range| (range.start, range.end));
                is_asked(&verdict.rule)
                    && seen.insert((verdict.rule.clone(), verdict.path.to_string(), range))
            });
            verdicts
        });
        Judgement { policy, verdicts, cost: evaluation.cost }
    }
}

/// Asks every policy that wants objects of this kind, in order of name.
/// `admits` is asked for each of them before it runs.
pub fn evaluate<'e>(
    engine: &'e Engine,
    filter: &RuleFilter,
    subject: &Arc<Subject>,
    inventory: &Arc<dyn Inventory + Send + Sync>,
    admits: impl Fn(&Policy) -> bool,
) -> Vec<Judgement<'e>> {
    let question = Question::new(filter, subject, inventory);
    let asked = question.policies(engine).into_iter().filter(|asked| admits(asked.policy));
    asked.map(|asked| question.ask(&asked, Patience::Deadline)).collect()
}
