//! Label selectors.

use super::{Decoded, Fields, Label, labels};
use crate::manifest::Node;

/// `spec.selector` of a workload, or a selector of a NetworkPolicy. Without
/// any condition it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelSelector {
    /// Sorted by key.
    pub match_labels: Vec<Label>,
    /// In the manifest's order.
    pub match_expressions: Vec<LabelRequirement>,
}

/// One condition on one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelRequirement {
    /// The label's key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`; whatever is written.
    pub operator: String,
    /// Empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

impl LabelSelector {
    /// Whether labels satisfy it. An operator that doesn't exist never does.
    ///
    /// # Source
    /// kubernetes v1.36 `apimachinery/pkg/labels/selector.go`
    /// (`Requirement.Matches`): `NotIn` is satisfied where the key is missing.
    pub fn matches(&self, labels: &[Label]) -> bool {
        labels_satisfy(labels, &self.match_labels)
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl LabelRequirement {
    fn matches(&self, labels: &[Label]) -> bool {
        let value = value_of(labels, &self.key);
        let listed = || value.is_some_and(|value| self.values.iter().any(|v| v == value));
        match self.operator.as_str() {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

/// The value of a key. `labels` is sorted by key.
pub(crate) fn value_of<'a>(labels: &'a [Label], key: &str) -> Option<&'a str> {
    let at = labels.binary_search_by(|label| label.key.as_str().cmp(key)).ok()?;
    Some(&labels[at].value)
}

/// Whether each pair of a selector is among the labels, both sorted by key.
/// An empty selector is satisfied; for a Service it means "no selector", which
/// is the caller's to know.
pub fn labels_satisfy(labels: &[Label], selector: &[Label]) -> bool {
    selector.iter().all(|wanted| value_of(labels, &wanted.key) == Some(wanted.value.as_str()))
}

/// A selector with `matchLabels` and `matchExpressions`; none when missing.
pub(crate) fn selector<'n>(parent: &'n Node, key: &str) -> Decoded<'n, Option<LabelSelector>> {
    let Some(node) = parent.object(key)? else { return Ok(None) };
    let mut match_expressions = Vec::new();
    for requirement in node.objects("matchExpressions")? {
        match_expressions.push(LabelRequirement {
            key: requirement.text("key")?.unwrap_or_default().to_owned(),
            operator: requirement.text("operator")?.unwrap_or_default().to_owned(),
            values: requirement
                .texts("values")?
                .into_iter()
                .map(|(_, value)| value.to_owned())
                .collect(),
        });
    }
    Ok(Some(LabelSelector { match_labels: labels(node, "matchLabels")?, match_expressions }))
}
