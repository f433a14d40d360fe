//! Which findings are new: the ratchet of admission, and of related objects.
//!
//! An object is changed far from what was wrong with it before, and list entries
//! move. So findings are compared by what they are about, not by where it stands.

use std::collections::HashMap;

use crate::engine::Verdict;
use crate::manifest::Node;
use crate::path::{Path, Segment};

/// What makes findings of two versions of an object the same defect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    rule: String,
    /// With the element's own name for an index, or without the index.
    path: String,
    /// The offending value as JSON; empty where the field is missing.
    value: String,
}

impl Mark {
    /// Of a verdict on the object with this tree.
    #[must_use]
    pub fn of(verdict: &Verdict, root: &Node) -> Self {
        let resolved = verdict.path.resolve(root);
        let value = match (resolved.exact, &verdict.range, resolved.node.as_str()) {
            (false, ..) => String::new(),
            (true, Some(range), Some(text)) => text.get(range.clone()).unwrap_or(text).to_owned(),
            (true, ..) => resolved.node.to_json().to_string(),
        };
        Self { rule: verdict.rule.clone(), path: steady(&verdict.path, root), value }
    }

    /// Of a verdict on an object that is the same in both worlds, so that its
    /// paths are too.
    #[must_use]
    pub fn of_unchanged(verdict: &Verdict) -> Self {
        let value = verdict.range.as_ref().map(|range| format!("{range:?}")).unwrap_or_default();
        Self { rule: verdict.rule.clone(), path: verdict.path.to_string(), value }
    }
}

/// Lists whose entries have a name of their own, with the field that holds it.
///
/// # Source
/// `patchMergeKey` in kubernetes v1.36 `staging/src/k8s.io/api/core/v1/types.go`.
/// A port of a container and one of a Service are told apart by their fields.
const MERGE_KEYS: &[(&str, &str)] = &[
    ("containers", "name"),
    ("env", "name"),
    ("ephemeralContainers", "name"),
    ("hostAliases", "ip"),
    ("initContainers", "name"),
    ("ports", "containerPort"),
    ("ports", "port"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];

/// A path that an entry keeps when others are added or removed before it.
pub(crate) fn steady(path: &Path, root: &Node) -> String {
    let mut steady = Path::default();
    let mut node = Some(root);
    let mut list = "";
    for segment in path.segments() {
        match segment {
            Segment::Key(key) => {
                node = node.and_then(|node| node.get(key));
                list = key;
                steady = steady.child(key);
            }
            Segment::Index(index) => {
                node = node.and_then(|node| node.as_sequence()?.get(*index));
                let names = MERGE_KEYS.iter().filter(|(of, _)| *of == list);
                let mut found = names.filter_map(|(_, key)| node?.get(key));
                if let Some(name) = found.next() {
                    steady = steady.child(name.to_json().to_string());
                }
            }
        }
    }
    steady.to_string()
}

/// What of `after` wasn't there `before`, each as often as it is new.
pub fn new_only<T>(before: impl IntoIterator<Item = Mark>, after: Vec<(Mark, T)>) -> Vec<T> {
    let mut known: HashMap<Mark, usize> = HashMap::new();
    for mark in before {
        *known.entry(mark).or_default() += 1;
    }
    let is_new = |(mark, item): (Mark, T)| match known.get_mut(&mark) {
        Some(left) if *left > 0 => {
            *left -= 1;
            None
        }
        _ => Some(item),
    };
    after.into_iter().filter_map(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(path: &str, json: serde_json::Value) -> String {
        let root: Node = serde_json::from_value(json).unwrap();
        steady(&path.parse().unwrap(), &root)
    }

    #[test]
    fn a_list_entry_keeps_its_path_when_others_come_before_it() {
        let one = serde_json::json!({"spec": {"ports": [{"name": "a", "port": 80}]}});
        let two = serde_json::json!({"spec": {"ports": [{"port": 1}, {"name": "a", "port": 80}]}});
        let before = path_of("$.spec.ports[0].targetPort", one);
        assert_eq!(before, path_of("$.spec.ports[1].targetPort", two));
        assert_eq!(before, "$.spec.ports['80'].targetPort");
        let containers = serde_json::json!({"containers": [{"name": "c", "args": ["x", "y"]}]});
        assert_eq!(path_of("$.containers[0].args[1]", containers), "$.containers['\"c\"'].args");
    }

    #[test]
    fn findings_are_compared_as_often_as_they_stand() {
        let mark =
            |rule: &str| Mark { rule: rule.to_owned(), path: "$".to_owned(), value: String::new() };
        let after = vec![(mark("a"), 1), (mark("a"), 2), (mark("b"), 3)];
        assert_eq!(new_only([mark("a"), mark("c")], after), [2, 3]);
    }
}
