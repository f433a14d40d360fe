//! Objects that stand twice in one file, in two forms: kubectl applies both. What
//! stands in two files may be meant for two clusters.

use std::sync::Arc;

use serde_json::Value;

use super::locate::location;
use super::{Case, Item, Options};
use crate::finding::{Finding, Fingerprint, Related};
use crate::k8s;
use crate::manifest::Node;
use crate::path::Path;
use crate::raw;

const NAME: &str = "$.metadata.name";

static MISSING: Value = Value::Null;

/// What is told of items with one identity.
pub(super) fn findings(namesakes: &[Vec<&Item>], options: &Options) -> Vec<Finding> {
    if namesakes.is_empty() || !options.rules.admits(raw::duplicate_object()) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for items in namesakes {
        for (at, item) in items.iter().enumerate().skip(1) {
            let source = item.document.source();
            let is_beside = |other: &&&Item| Arc::ptr_eq(other.document.source(), source);
            let before = items[..at].iter().rev().find(is_beside);
            findings.extend(before.and_then(|before| finding(before, item, options)));
        }
    }
    findings
}

/// What is told of the second of two.
fn finding(first: &Item, second: &Item, options: &Options) -> Option<Finding> {
    let rule = raw::duplicate_object();
    let meta = second.projected.meta();
    let object = &meta.object_ref;
    k8s::kind(&object.api_version, &object.kind)?;
    // Hooks come and go, one after the other.
    if meta.traits.hook || first.projected.meta().traits.hook {
        return None;
    }
    let severity =
        options.severity(&rule.id, rule.severity, &Case::there(second, None).subject())?;
    let path = Path::default().child("metadata").child("name");
    let (before, now) = (first.document.tree(), second.document.tree());
    let differs = difference(&written(&before), &written(&now))?;
    let at = |item: &Item, tree| Some(location(&item.document, tree, &path, &None));
    Some(Finding {
        fingerprint: Fingerprint::new(&rule.id, object, NAME, ""),
        rule: rule.id.clone(),
        policy: raw::POLICY.to_owned(),
        severity,
        message: format!(
            "{} `{}` stands twice in this file, in two forms: `{differs}` differs",
            object.kind, object.name
        ),
        why: "kubectl applies one after the other: the last one wins, or is refused where it \
              can't change what the first one made"
            .to_owned(),
        help: "keep one of them, or give them different names".to_owned(),
        location: at(second, &now),
        path: NAME.to_owned(),
        object: object.clone(),
        related: vec![Related {
            location: at(first, &before),
            path: NAME.to_owned(),
            object: object.clone(),
            label: "it stands here first".to_owned(),
        }],
        edits: Vec::new(),
    })
}

/// An object without its namespace, which may be written or left out.
fn written(tree: &Node) -> Value {
    let mut json = tree.to_json();
    if let Some(metadata) = json["metadata"].as_object_mut() {
        metadata.remove("namespace");
    }
    json
}

/// The keys that lead to where two objects differ, with dots between them; none
/// if they don't.
fn difference(first: &Value, second: &Value) -> Option<String> {
    if first == second {
        return None;
    }
    let (Value::Object(first), Value::Object(second)) = (first, second) else {
        return Some(String::new());
    };
    let key = first.keys().chain(second.keys()).find(|key| first.get(*key) != second.get(*key))?;
    let (was, is) = (first.get(key).unwrap_or(&MISSING), second.get(key).unwrap_or(&MISSING));
    let rest = difference(was, is).filter(|rest| !rest.is_empty());
    Some(rest.map_or_else(|| key.clone(), |rest| format!("{key}.{rest}")))
}
