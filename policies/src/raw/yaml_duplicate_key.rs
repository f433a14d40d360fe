//! Rule `yaml-duplicate-key`.

use super::{Defect, Judged, Rule};
use crate::finding::Severity;
use crate::k8s::{self, Kind};
use crate::manifest::{Duplicate, Node, Span, Value};
use crate::model::decode::{Step, path, walk};

/// A key stands twice in one mapping.
pub(super) const RULE: Rule = Rule {
    id: "yaml-duplicate-key",
    severity: Severity::Error,
    kinds: k8s::known_kinds,
    summary: "a key is written twice, and only the last one counts",
    documentation: include_str!("yaml-duplicate-key.md"),
    check,
};

fn check(judged: &Judged<'_>) -> Vec<Defect> {
    let duplicates = &judged.manifest.duplicates;
    if duplicates.is_empty() {
        return Vec::new();
    }
    let mut defects = Vec::new();
    // What an alias repeats is written once, and visited first at its anchor.
    let mut seen = Vec::new();
    walk(&judged.manifest.root, &mut |node: &Node, steps| {
        let Value::Mapping(entries) = &node.value else { return };
        for entry in entries {
            let written = written(duplicates, &entry.key, entry.key_span);
            let mut steps = steps.to_vec();
            steps.push(Step::Key(&entry.key));
            if written.is_empty() || seen.contains(&entry.key_span) || !is_kept(judged.kind, &steps)
            {
                continue;
            }
            seen.push(entry.key_span);
            defects.push(defect(judged, &written, entry.key_span, &steps));
        }
    });
    defects
}

/// The duplicates of a key, the last one first.
fn written<'d>(duplicates: &'d [Duplicate], key: &str, token: Span) -> Vec<&'d Duplicate> {
    let mut written = Vec::new();
    let mut last = token;
    // Each one overrides one that is further up.
    for duplicate in duplicates.iter().rev() {
        if duplicate.last == last && duplicate.key == key {
            last = duplicate.first;
            written.push(duplicate);
        }
    }
    written
}

/// Whether the API server stores what stands there, and it has to do with
/// Services: a status is dropped when a manifest is applied, and the schemas
/// of a custom resource are its own affair.
fn is_kept(kind: Kind, steps: &[Step<'_>]) -> bool {
    let key = |at: usize| match steps.get(at) {
        Some(Step::Key(key)) => Some(*key),
        _ => None,
    };
    match (key(0), key(1)) {
        (Some("status"), Some(_)) | (Some("metadata"), Some("managedFields")) => false,
        (Some("spec"), Some(field)) if kind == Kind::CustomResourceDefinition => {
            field == "conversion" || steps.len() == 2
        }
        _ => true,
    }
}

fn defect(judged: &Judged<'_>, written: &[&Duplicate], token: Span, steps: &[Step<'_>]) -> Defect {
    let text = &judged.manifest.document.source().text;
    let spelling = |span: Span| text.get(span.range()).unwrap_or_default();
    let path = path(steps);
    let key = &written[0].key;
    let name = judged.name();
    let bare = |span| spelling(span).trim_matches(['"', '\'']);
    let collapsed = written.iter().any(|duplicate| bare(duplicate.first) != bare(token));
    let count = match written.len() {
        1 => "twice".to_owned(),
        more => format!("{} times", more + 1),
    };
    let is_lost = written.iter().any(|duplicate| !duplicate.same);
    let what = if collapsed {
        let spellings = spellings(written, token, spelling);
        format!("the keys {spellings} of {name} are one: YAML 1.1 reads them as `{key}`")
    } else {
        format!("`{key}` stands {count} in one mapping of {name}")
    };
    Defect {
        severity: if is_lost { RULE.severity } else { Severity::Info },
        span: token,
        what,
        why: if is_lost && collapsed {
            "kubectl and Helm keep one of them and drop the others without a word".to_owned()
        } else if is_lost {
            "kubectl and Helm take the last one and drop the others without a word".to_owned()
        } else {
            "the values are the same, so that nothing is lost, but kustomize refuses the file"
                .to_owned()
        },
        help: if collapsed {
            "put the keys in quotes".to_owned()
        } else if is_lost {
            "keep one of them, or merge what they hold".to_owned()
        } else {
            "remove all but one".to_owned()
        },
        related: written
            .iter()
            .rev()
            .map(|duplicate| {
                (duplicate.first, format!("overridden: `{}`", spelling(duplicate.first)))
            })
            .collect(),
        edit: None,
        path,
    }
}

/// Each spelling once, in the order of the text.
fn spellings<'t>(
    written: &[&Duplicate],
    token: Span,
    spelling: impl Fn(Span) -> &'t str,
) -> String {
    let mut spellings: Vec<String> = Vec::new();
    for span in written.iter().rev().map(|duplicate| duplicate.first).chain([token]) {
        let spelled = format!("`{}`", spelling(span));
        if !spellings.contains(&spelled) {
            spellings.push(spelled);
        }
    }
    spellings.join(" and ")
}
