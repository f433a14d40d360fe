//! What kubectl reads from files, and how that differs from what we read.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use headlint_policies::manifest::{Loaded, Source, load};
use serde_json::{Value, json};

use crate::cases::root;

/// What kubectl makes of one file.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The objects it would send.
    pub objects: Vec<Value>,
    /// Why it wouldn't go on.
    pub error: Option<String>,
}

/// Asks kubectl's own code about files, in their order.
///
/// # Panics
/// When `tests/kubectl/reference` hasn't been built, or fails.
#[must_use]
pub fn ask(files: &[PathBuf]) -> Vec<Answer> {
    let program = root().join("target/kubectl-reference");
    assert!(program.exists(), "no {}: `make kubectl-reference` builds it", program.display());
    let mut names = tempfile::tempfile().expect("a temporary file");
    for file in files {
        writeln!(names, "{}", file.display()).expect("it can be written");
    }
    names.rewind().expect("it can be read");
    let output = run(&program, names);
    let answers: Vec<_> = output.lines().map(answer).collect();
    assert_eq!(answers.len(), files.len(), "one line for each file");
    answers
}

fn run(program: &std::path::Path, names: File) -> String {
    let output = Command::new(program).stdin(names).output().expect("it can be started");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", program.display());
    String::from_utf8(output.stdout).expect("JSON is UTF-8")
}

fn answer(line: &str) -> Answer {
    // serde_json reads no deeper than 127.
    let mut answer: Value = serde_json::from_str(line)
        .unwrap_or_else(|error| json!({"objects": [], "error": format!("not told: {error}")}));
    let Value::Array(objects) = answer["objects"].take() else { panic!("no objects: {line}") };
    Answer { objects, error: answer["error"].as_str().map(str::to_owned) }
}

/// Reads bytes as the linter does.
#[must_use]
pub fn ours(bytes: Vec<u8>) -> Loaded {
    match Source::new("-", bytes) {
        Ok(source) => load(Arc::new(source)),
        Err(error) => Loaded { errors: vec![error], ..Loaded::default() },
    }
}

/// How we differ from kubectl, if we do. Where kubectl refuses something it
/// stops, and we go on: then we must have something to say too, and everything
/// that it read before.
#[must_use]
pub fn difference(ours: &Loaded, theirs: &Answer) -> Option<String> {
    let objects: Vec<Value> = ours.manifests.iter().map(|it| it.root.to_json()).collect();
    let show = |objects: &[Value]| {
        let lines: Vec<_> = objects.iter().map(|object| format!("\n    {object}")).collect();
        lines.concat()
    };
    let both = || format!("ours:{}\n  theirs:{}", show(&objects), show(&theirs.objects));
    match &theirs.error {
        None if !ours.errors.is_empty() => {
            Some(format!("only we refuse it: {}", ours.errors[0].message))
        }
        None if !is_same_list(&objects, &theirs.objects) => Some(both()),
        None => None,
        Some(error) if ours.errors.is_empty() && ours.skipped.is_empty() => {
            Some(format!("only kubectl refuses it: {error}"))
        }
        Some(_) => {
            let mut left = objects.iter();
            let all = theirs.objects.iter().all(|object| left.any(|our| is_same(our, object)));
            (!all).then(both)
        }
    }
}

fn is_same_list(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
}

/// Whether two values are the same JSON, whatever type a number has in memory.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => is_same_list(a, b),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}
