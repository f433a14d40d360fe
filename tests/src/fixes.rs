//! What `headlint lint --fix` does to a file, held against what it promises.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use headlint_policies::finding::{Report, Safety};
use headlint_policies::lint::Options;

use crate::cases::{documents, lint_text, root};

/// What became of the findings of a file that have edits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Findings all of whose edits were to be made.
    pub offered: usize,
    /// Findings that are gone.
    pub gone: usize,
}

/// Mends a copy of a file with the built binary, twice, and checks that the
/// second time changes nothing, that no finding is new, that as many are gone
/// as is said, and that documents in which nothing was found are as they were.
///
/// # Errors
/// The first promise that isn't kept.
///
/// # Panics
/// When the binary isn't there, or a file can't be written.
pub fn mend(text: &str, options: &Options, safety: Safety) -> Result<Mended, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.yaml");
    fs::write(&file, text).expect("it can be written");
    let told = fix(&file, options, safety);
    let after = fs::read_to_string(&file).expect("it can be read");
    fix(&file, options, safety);
    if fs::read_to_string(&file).expect("it can be read") != after {
        return Err(format!("a second time changes it again:\n{after}"));
    }

    let lint = |text: &str| lint_text("a.yaml", text, options).report;
    let (old, new) = (lint(text), lint(&after));
    let (before, counts) = (counts(&old), counts(&new));
    for (key, count) in &counts {
        if count > before.get(key).unwrap_or(&0) {
            return Err(format!("{key} is new ({told}):\n{after}"));
        }
    }
    if new.errors.len() > old.errors.len() || new.summary.objects != old.summary.objects {
        return Err(format!("it is read in another way:\n{after}"));
    }
    let gone = old.findings.len() - new.findings.len();
    let plural = if gone == 1 { "" } else { "s" };
    if !told.starts_with(&format!("mended {gone} finding{plural} ")) {
        return Err(format!("{gone} are gone, and it says: {told}"));
    }
    if gone == 0 && after != text {
        return Err(format!("it is changed for nothing:\n{after}"));
    }
    untouched(text, &after, &old)?;
    let mendable = old.findings.iter().filter(|finding| {
        let mut edits = finding.edits.iter();
        !finding.edits.is_empty()
            && (safety == Safety::Proposed || edits.all(|edit| edit.safety == Safety::Safe))
    });
    Ok(Mended { offered: mendable.count(), gone })
}

/// What it says on standard error.
fn fix(file: &Path, options: &Options, safety: Safety) -> String {
    let mut command = Command::new(root().join("target/release/headlint"));
    command.args(["lint", "--fix", "--namespace", &options.default_namespace]).arg(file);
    if options.complete {
        command.arg("--complete");
    }
    if safety == Safety::Proposed {
        command.arg("--unsafe-fixes");
    }
    for rule in &options.rules.enable {
        command.args(["--enable", rule]);
    }
    let output = command.output().expect("the binary was built");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Findings by rule and object.
fn counts(report: &Report) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for finding in &report.findings {
        *counts.entry(format!("{} of {}", finding.rule, finding.object)).or_default() += 1;
    }
    counts
}

/// Documents in which nothing was found are as they were, byte for byte.
fn untouched(before: &str, after: &str, report: &Report) -> Result<(), String> {
    let (old, new) = (documents(before), documents(after));
    if old.len() != new.len() {
        return Err(format!("there are {} documents instead of {}", new.len(), old.len()));
    }
    let mut at = 0;
    for (old, new) in old.iter().zip(&new) {
        let start = at + before[at..].find(old.as_str()).unwrap_or(0);
        at = start + old.len();
        // What has no edit at first may have one when something else was mended.
        let has_findings = report.findings.iter().any(|finding| {
            let place = finding.location.as_ref();
            place.is_some_and(|place| (start..=at).contains(&place.bytes.start))
        });
        if old != new && !has_findings {
            return Err(format!("what nothing is found in was changed:\n{new}"));
        }
    }
    Ok(())
}
