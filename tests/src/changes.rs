//! What all rules say of a change, as admission sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use headlint_policies::engine::{Operation, Origin, Subject, Verdict, Version};
use headlint_policies::evaluate::evaluate;
use headlint_policies::finding::{
    Fault, Finding, Fingerprint, InputError, ObjectRef, Related, Report, SCHEMA, Summary,
};
use headlint_policies::inventory::{Inventory, Knowledge, Snapshot};
use headlint_policies::lint::Options;
use headlint_policies::manifest::{Source, load};
use headlint_policies::model::{Projected, project};
use serde_json::Value;

use crate::cases::engine;

/// What is said when the objects of one text take the place of those of
/// another: objects in both are updated, the others created or deleted. Each
/// change is judged beside what is there afterwards. The findings have no
/// location, as in admission.
///
/// # Panics
/// When a text isn't UTF-8.
#[must_use]
pub fn report(old: &str, new: &str, options: &Options) -> Report {
    judge(old, new, options, |_| true)
}

/// The same, of the objects that are deleted alone.
///
/// # Panics
/// When a text isn't UTF-8.
#[must_use]
pub fn report_deleted(old: &str, new: &str, options: &Options) -> Report {
    judge(old, new, options, |operation| operation == Operation::Delete)
}

/// A version of an object: its projection, and what makes its JSON.
pub(crate) type Item = (Arc<Projected>, Box<dyn Fn() -> Value + Send + Sync>);

fn judge(old: &str, new: &str, options: &Options, wanted: impl Fn(Operation) -> bool) -> Report {
    let mut errors = Vec::new();
    let mut read = |name: &str, text: &str| read(name, text, options, &mut errors);
    let (old, new) = (read("old.yaml", old), read("new.yaml", new));
    Report { errors, ..judge_items(old, new, options, wanted) }
}

/// The same as [`report`], of objects that were read before.
pub(crate) fn judge_items(
    mut old: Vec<Item>,
    mut new: Vec<Item>,
    options: &Options,
    wanted: impl Fn(Operation) -> bool,
) -> Report {
    let mut report = Report {
        schema: SCHEMA,
        findings: Vec::new(),
        errors: Vec::new(),
        faults: Vec::new(),
        skipped: Vec::new(),
        summary: Summary::default(),
    };
    let knowledge = Knowledge {
        complete: options.complete,
        profile: options.cluster.clone(),
        ..Knowledge::default()
    };
    let snapshot = Snapshot::build(new.iter().map(|item| Arc::clone(&item.0)), knowledge);
    for (projected, _) in old.iter_mut().chain(&mut new) {
        if let Some(object) = snapshot.situated(&projected.object) {
            Arc::make_mut(projected).object = object;
        }
    }
    let snapshot: Arc<dyn Inventory + Send + Sync> = Arc::new(snapshot);

    let mut before: BTreeMap<ObjectRef, Version> =
        old.into_iter().map(|item| (item.0.meta().object_ref.clone(), version(item))).collect();
    let mut subjects = Vec::new();
    for item in new {
        let object = item.0.meta().object_ref.clone();
        let new = version(item);
        subjects.push(match before.remove(&object) {
            // What has no name yet is never what was there before.
            Some(old) if !object.name.is_empty() => {
                (Operation::Update, Subject::updated(new, old, Origin::Admission))
            }
            _ => (Operation::Create, Subject::created(new, Origin::Admission)),
        });
    }
    let deleted = |last| (Operation::Delete, Subject::deleted(last, Origin::Admission));
    subjects.extend(before.into_values().map(deleted));

    for (_, subject) in subjects.into_iter().filter(|(operation, _)| wanted(*operation)) {
        let subject = Arc::new(subject);
        let object = &subject.projected().meta().object_ref;
        for judgement in evaluate(engine(), &options.rules, &subject, &snapshot, |_| true) {
            let policy = judgement.policy;
            match judgement.verdicts {
                Ok(verdicts) => report
                    .findings
                    .extend(verdicts.into_iter().map(|it| finding(it, policy.name(), object))),
                Err(reason) => report.faults.push(Fault {
                    policy: policy.name().to_owned(),
                    digest: policy.digest().to_owned(),
                    reason: format!("{reason} (on {object})"),
                }),
            }
        }
    }
    report
}

fn read(name: &str, text: &str, options: &Options, errors: &mut Vec<InputError>) -> Vec<Item> {
    let source = Source::new(name, text.as_bytes().to_vec()).expect("it is UTF-8");
    let loaded = load(Arc::new(source));
    errors.extend(loaded.errors);
    let mut items: Vec<Item> = Vec::new();
    for manifest in loaded.manifests {
        match project(&manifest.root, &options.default_namespace) {
            Ok(projected) => {
                let document = manifest.document;
                items.push((Arc::new(projected), Box::new(move || document.tree().to_json())));
            }
            Err(error) => errors.push(InputError {
                file: name.to_owned(),
                line: None,
                column: None,
                message: error.to_string(),
            }),
        }
    }
    items
}

fn version((projected, json): Item) -> Version {
    Version::new(projected, json)
}

fn finding(verdict: Verdict, policy: &str, object: &ObjectRef) -> Finding {
    Finding {
        fingerprint: Fingerprint::new(&verdict.rule, object, &verdict.path.to_string(), ""),
        rule: verdict.rule,
        policy: policy.to_owned(),
        severity: verdict.severity,
        message: verdict.what,
        why: verdict.why,
        help: verdict.help,
        location: None,
        path: verdict.path.to_string(),
        object: object.clone(),
        related: verdict
            .places
            .into_iter()
            .map(|place| Related {
                location: None,
                path: place.path.to_string(),
                object: place.object,
                label: place.label,
            })
            .collect(),
        edits: verdict.edits,
    }
}
