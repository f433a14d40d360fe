//! Rules, as policies describe them.

use std::fmt;

use super::bindings::rules;
use super::{FaultReason, Operation, v1};
use crate::finding::Severity;
use crate::manifest::Texts;

/// What admission does with a finding when nothing is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is sent as a warning.
    Warn,
    /// It is sent as a warning; with enforcement on, it denies.
    Enforce,
    /// As [`Action::Enforce`] for a CREATE, as [`Action::Warn`] for an UPDATE.
    EnforceOnCreate,
    /// It is judged, but not sent.
    None,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warn => "warn",
            Self::Enforce => "enforce",
            Self::EnforceOnCreate => "enforce-on-create",
            Self::None => "none",
        })
    }
}

/// What can be told of an object before a policy is started.
#[derive(Clone, Debug)]
pub enum Condition {
    /// It is a Service with `clusterIP: None`.
    Headless,
    /// It is a Service without a selector.
    Selectorless,
    /// It is a Service that workloads take the names of their Pods from.
    Governing,
    /// It refers to Services.
    Refers,
    /// One of these texts may be in it.
    Has(Texts),
}

/// A rule, as its policy describes it.
#[derive(Clone, Debug)]
pub struct RuleInfo {
    /// Kebab-case; unique over all policies.
    pub id: String,
    /// The usual severity.
    pub severity: Severity,
    /// What admission does with it.
    pub action: Action,
    /// Whether it runs without being enabled by name.
    pub default_on: bool,
    /// Whether an object that is applied later can heal its findings: where
    /// they deny, the order of application matters.
    pub heals_later: bool,
    /// Kinds of the objects that it reports on.
    pub kinds: Vec<String>,
    /// What may happen to such an object.
    pub operations: Vec<Operation>,
    /// What it finds nothing without.
    pub only_if: Vec<Condition>,
    /// One line.
    pub summary: String,
    /// Markdown.
    pub documentation: String,
}

/// The rules of the policy of this name.
///
/// # Errors
/// What it says of itself can't be.
pub(super) fn described(name: &str, rules: Vec<rules::Rule>) -> Result<Vec<RuleInfo>, FaultReason> {
    let rules = rules.into_iter().map(rule_info).collect::<Result<Vec<_>, _>>()?;
    check(name, &rules)?;
    Ok(rules)
}

fn check(name: &str, rules: &[RuleInfo]) -> Result<(), FaultReason> {
    let kebab = |text: &str| {
        text.len() <= 63
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.split('-').all(|part| {
                let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
                !part.is_empty() && part.bytes().all(inner)
            })
    };
    if !kebab(name) {
        return Err(FaultReason::Malformed(format!("the name `{name}`, which is not kebab-case")));
    }
    if rules.is_empty() {
        return Err(FaultReason::Malformed("no rules".to_owned()));
    }
    for (index, rule) in rules.iter().enumerate() {
        if !kebab(&rule.id) {
            return Err(FaultReason::Malformed(format!(
                "the rule id `{}`, which is not kebab-case",
                rule.id
            )));
        }
        if rules[..index].iter().any(|other| other.id == rule.id) {
            return Err(FaultReason::Malformed(format!("the rule id `{}` twice", rule.id)));
        }
        if rule.kinds.is_empty() {
            return Err(FaultReason::Malformed(format!("no kinds for the rule `{}`", rule.id)));
        }
        if rule.operations.is_empty() {
            return Err(FaultReason::Malformed(format!(
                "no operations for the rule `{}`",
                rule.id
            )));
        }
    }
    Ok(())
}

fn condition(rule: &str, condition: rules::Condition) -> Result<Condition, FaultReason> {
    Ok(match condition {
        rules::Condition::Headless => Condition::Headless,
        rules::Condition::Selectorless => Condition::Selectorless,
        rules::Condition::Governing => Condition::Governing,
        rules::Condition::Refers => Condition::Refers,
        rules::Condition::Has(texts) => {
            let texts = Texts::new(texts).map_err(|text| {
                FaultReason::Malformed(format!(
                    "the text `{text}` for the rule `{rule}`, which is not of letters, digits \
                     and `-._/`",
                ))
            })?;
            Condition::Has(texts)
        }
    })
}

fn rule_info(rule: rules::Rule) -> Result<RuleInfo, FaultReason> {
    let only_if = rule.only_if.into_iter().map(|one| condition(&rule.id, one));
    let only_if = only_if.collect::<Result<_, _>>()?;
    Ok(RuleInfo {
        severity: v1::severity(rule.severity),
        action: match rule.action {
            rules::Action::Warn => Action::Warn,
            rules::Action::Enforce => Action::Enforce,
            rules::Action::EnforceOnCreate => Action::EnforceOnCreate,
            rules::Action::None => Action::None,
        },
        id: rule.id,
        default_on: rule.default_on,
        heals_later: rule.heals_later,
        kinds: rule.kinds,
        operations: [
            (rules::Operations::CREATE, Operation::Create),
            (rules::Operations::UPDATE, Operation::Update),
            (rules::Operations::DELETE, Operation::Delete),
        ]
        .into_iter()
        .filter(|(flag, _)| rule.operations.contains(*flag))
        .map(|(_, operation)| operation)
        .collect(),
        only_if,
        summary: rule.summary,
        documentation: rule.documentation,
    })
}
