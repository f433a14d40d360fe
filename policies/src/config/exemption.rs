//! Findings that somebody has decided to live with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Location, Problem, Spanned, check_rule};
use crate::engine::Subject;
use crate::engine::query::{Query, Refusal};
use crate::manifest::{Source, Span};
use crate::model::{Label, LabelRequirement, LabelSelector};

/// What an expression may cost on one object: some milliseconds.
const BUDGET: u64 = 1_000_000;

/// An exemption as it is written. It covers a finding if all of its conditions
/// hold; a condition that isn't given always holds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Exemption")]
pub struct WrittenExemption {
    /// Ids of rules; all rules if it isn't given.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub rules: Vec<Spanned<String>>,
    /// Names of namespaces; all namespaces if it isn't given.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// The labels that the object has.
    #[serde(default)]
    pub label_selector: Labels,
    /// A JSONPath query (RFC 9535) over the object that finds something. It covers
    /// nothing that the change of another object brings: of an object that isn't
    /// under review, only namespace and labels are known.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub expression: Option<Spanned<String>>,
    /// Why it is right to live with the findings.
    #[schemars(with = "String")]
    pub reason: Spanned<String>,
    /// The last day on which it counts, such as 2027-01-31, in UTC.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub expires: Option<Spanned<String>>,
}

/// A label selector, as everywhere in Kubernetes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "LabelSelector")]
pub struct Labels {
    /// Labels with their values.
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels.
    pub match_expressions: Vec<Requirement>,
}

/// One condition on one label.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LabelRequirement")]
pub struct Requirement {
    key: String,
    operator: Operator,
    /// Given with `In` and `NotIn`.
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl From<Labels> for LabelSelector {
    fn from(labels: Labels) -> Self {
        let match_labels =
            labels.match_labels.into_iter().map(|(key, value)| Label { key, value }).collect();
        let requirement = |requirement: Requirement| LabelRequirement {
            key: requirement.key,
            operator: format!("{:?}", requirement.operator),
            values: requirement.values,
        };
        Self {
            match_labels,
            match_expressions: labels.match_expressions.into_iter().map(requirement).collect(),
        }
    }
}

/// An exemption that can be asked.
#[derive(Debug)]
pub struct Exemption {
    rules: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    labels: LabelSelector,
    expression: Option<Query>,
    reason: String,
    expires: Option<Date>,
    /// Where its reason stands in the file.
    at: Location,
    uses: AtomicU64,
}

impl Exemption {
    /// Checks an exemption against the rules that there are.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn resolve(written: WrittenExemption, rules: &[&str]) -> Result<Self, Problem> {
        for rule in &written.rules {
            check_rule(rule, rules)?;
        }
        if written.reason.value.trim().is_empty() {
            return Err(Problem::at(
                written.reason.referenced,
                "the reason is empty: say why it is right to live with the findings",
            ));
        }
        for Requirement { key, operator, values } in &written.label_selector.match_expressions {
            let takes_values = matches!(operator, Operator::In | Operator::NotIn);
            if takes_values == values.is_empty() {
                let wrong = if takes_values { "has no values" } else { "takes no values" };
                let message = format!("the expression `{key} {operator:?}` {wrong}");
                return Err(Problem::at(written.reason.referenced, message));
            }
        }
        let expression = written.expression.as_ref().map(|expression| {
            Query::parse(&expression.value).map_err(|refusal| {
                let why = match refusal {
                    // The parser draws the query over several lines.
                    Refusal::Invalid(why) => why
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .trim_start_matches([' ', '='])
                        .to_owned(),
                    Refusal::TooCostly => "it costs too much".to_owned(),
                };
                let message = format!("`{}` is no JSONPath query: {why}", expression.value);
                Problem::at(expression.referenced, message)
            })
        });
        let expires = written.expires.as_ref().map(|expires| {
            expires.value.parse().map_err(|_| {
                let message = format!("`{}` is no day such as 2027-01-31", expires.value);
                Problem::at(expires.referenced, message)
            })
        });
        Ok(Self {
            rules: written.rules.into_iter().map(|rule| rule.value).collect(),
            namespaces: written.namespaces.into_iter().collect(),
            labels: written.label_selector.into(),
            expression: expression.transpose()?,
            expires: expires.transpose()?,
            at: written.reason.referenced,
            reason: written.reason.value,
            uses: AtomicU64::new(0),
        })
    }

    /// Why it is right to live with the findings.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Where it stands in the file, counting from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.at.line()
    }

    /// Its reason in the file, or the line that it is on.
    pub(crate) fn place(&self, source: &Source) -> Span {
        let lines = source.text.split_inclusive('\n');
        let line = usize::try_from(self.at.line()).unwrap_or(1).saturating_sub(1);
        let start: usize = lines.clone().take(line).map(str::len).sum();
        let text = lines.clone().nth(line).unwrap_or_default().trim_end();
        let column = usize::try_from(self.at.column()).unwrap_or(1).saturating_sub(1);
        let skipped = text.char_indices().nth(column).map_or(0, |(at, _)| at);
        Span::new(start + skipped, start + text.len())
    }

    /// The rules that it is about; none if it is about all.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(String::as_str)
    }

    /// The last day on which it counts.
    #[must_use]
    pub fn expires(&self) -> Option<Date> {
        self.expires
    }

    /// Whether it no longer counts.
    #[must_use]
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|expires| expires < today)
    }

    /// How many findings it has covered, in a linter's run or since it is there.
    /// One that covers none is stale.
    pub fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    fn covers(&self, rule: &str, subject: &Subject) -> bool {
        let meta = subject.projected().meta();
        (self.rules.is_empty() || self.rules.contains(rule))
            && (self.namespaces.is_empty() || self.namespaces.contains(&meta.object_ref.namespace))
            && self.labels.matches(&meta.labels)
            && self.expression.as_ref().is_none_or(|query| finds(query, subject))
    }
}

/// A query that costs too much finds nothing: the finding stands.
fn finds(query: &Query, subject: &Subject) -> bool {
    let Some((object, extent)) = subject.json(false) else { return false };
    query.run(object, *extent, &mut BUDGET.clone()).is_ok_and(|found| !found.is_empty())
}

/// The current day in UTC, by which exemptions expire.
#[must_use]
pub fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// All exemptions, in the order of the file.
#[derive(Debug, Default)]
pub struct Exemptions {
    list: Vec<Exemption>,
    source: Option<Arc<Source>>,
}

impl Exemptions {
    /// In the order given.
    #[must_use]
    pub fn new(list: Vec<Exemption>) -> Self {
        Self { list, source: None }
    }

    /// The same, of a file that findings may point at.
    #[must_use]
    pub fn in_file(self, source: Arc<Source>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The file that they stand in, where findings may point at it.
    pub(crate) fn source(&self) -> Option<&Arc<Source>> {
        self.source.as_ref()
    }

    /// The first that covers a finding of this rule on this object, and counts
    /// the use. One that has expired covers nothing.
    pub fn covering(&self, rule: &str, subject: &Subject, today: Date) -> Option<&Exemption> {
        let counts = |one: &&Exemption| !one.is_expired(today) && one.covers(rule, subject);
        let found = self.list.iter().find(counts)?;
        found.uses.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// Begins to count their uses anew.
    pub(crate) fn begin(&self) {
        for one in &self.list {
            one.uses.store(0, Ordering::Relaxed);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Exemption> {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::{Origin, Version};
    use crate::manifest::Node;
    use crate::model::project;

    fn exemptions(text: &str) -> Exemptions {
        let written: Vec<WrittenExemption> = super::super::read(text.as_bytes()).unwrap();
        let resolve = |one| Exemption::resolve(one, &["rule-a", "rule-b"]).unwrap();
        Exemptions::new(written.into_iter().map(resolve).collect())
    }

    fn service() -> Subject {
        let object = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "db", "namespace": "prod", "labels": {"app": "db"}},
            "spec": {"clusterIP": "None", "ports": [{"port": 80}]},
        });
        let node: Node = serde_json::from_value(object.clone()).unwrap();
        let projected = Arc::new(project(&node, "default").unwrap());
        let version = Version::new(projected, Box::new(move || object.clone()));
        Subject::created(version, Origin::Lint)
    }

    const TODAY: Date = Date::constant(2026, 11, 24);

    #[test]
    fn every_condition_that_is_given_has_to_hold() {
        let subject = service();
        for (conditions, covered) in [
            ("", true),
            ("rules: [rule-a]", true),
            ("rules: [rule-b]", false),
            ("namespaces: [prod, stage]", true),
            ("namespaces: [stage]", false),
            ("labelSelector: {matchLabels: {app: db}}", true),
            ("labelSelector: {matchLabels: {app: web}}", false),
            ("labelSelector: {matchExpressions: [{key: app, operator: Exists}]}", true),
            (
                "labelSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}",
                false,
            ),
            ("expression: '$.spec.ports[?@.port == 80]'", true),
            ("expression: '$.spec.ports[?@.port == 81]'", false),
            // Too costly on any object.
            ("expression: '$..*..*..*..*[?search(@.a, @.b)]'", false),
            ("expires: 2026-11-24", true),
            ("expires: 2026-11-23", false),
            ("rules: [rule-a], namespaces: [stage]", false),
        ] {
            let comma = if conditions.is_empty() { "" } else { ", " };
            let exemptions = exemptions(&format!("- {{reason: known{comma}{conditions}}}"));
            let found = exemptions.covering("rule-a", &subject, TODAY).map(Exemption::reason);
            assert_eq!(found, covered.then_some("known"), "{conditions}");
            assert_eq!(exemptions.iter().map(Exemption::uses).sum::<u64>(), u64::from(covered));
        }
    }

    #[test]
    fn only_the_first_that_covers_a_finding_is_used() {
        let exemptions =
            exemptions("- {reason: first, rules: [rule-b]}\n- reason: second\n- reason: third");
        let subject = service();
        let found = exemptions.covering("rule-a", &subject, TODAY).map(Exemption::line);
        assert_eq!(found, Some(2));
        assert_eq!(exemptions.iter().map(Exemption::uses).collect::<Vec<_>>(), [0, 1, 0]);
    }
}
