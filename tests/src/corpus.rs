//! Any folder of manifests: what we find in it, and whether we read it as
//! kubectl does.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headlint_policies::finding::{Report, Severity, Summary};
use headlint_policies::lint::lint;
use headlint_policies::manifest::Source;

use crate::cases::{defaults, engine};
use crate::kubectl::{ask, difference, ours};

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Findings of each rule and severity.
    pub findings: BTreeMap<(String, Severity), usize>,
    /// Input errors and skipped documents, counted by their text without what
    /// stands behind its first colon.
    pub unread: BTreeMap<String, usize>,
    /// Policies that failed.
    pub faults: Vec<String>,
    /// Sums over all files.
    pub summary: Summary,
    /// Files that kubectl reads in another way, and how.
    pub differences: Vec<(PathBuf, String)>,
}

/// The manifests below a folder, or the file itself, ordered by path.
///
/// # Panics
/// When a folder can't be read.
#[must_use]
pub fn manifests(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let is_manifest = |path: &PathBuf| {
        path.is_dir()
            || path.extension().is_some_and(|it| it == "yaml" || it == "yml" || it == "json")
    };
    paths.into_iter().filter(is_manifest).flat_map(|path| manifests(&path)).collect()
}

/// Lints every file by itself, and asks kubectl about each.
///
/// # Panics
/// When a file can't be read.
#[must_use]
pub fn survey(files: &[PathBuf]) -> Survey {
    let mut survey = Survey::default();
    for (file, theirs) in files.iter().zip(ask(files)) {
        let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let source = Source::new(file.display().to_string(), bytes.clone()).map(Arc::new);
        survey.add(lint(engine(), vec![source], &defaults(), &|_, _| {}).report);
        survey
            .differences
            .extend(difference(&ours(bytes), &theirs).map(|text| (file.clone(), text)));
    }
    survey
}

impl Survey {
    fn add(&mut self, report: Report) {
        for finding in report.findings {
            *self.findings.entry((finding.rule, finding.severity)).or_default() += 1;
        }
        let errors = report.errors.into_iter().map(|error| error.message);
        for text in errors.chain(report.skipped.into_iter().map(|skipped| skipped.reason)) {
            let text = text.split(':').next().unwrap_or_default().to_owned();
            *self.unread.entry(text).or_default() += 1;
        }
        self.faults
            .extend(report.faults.into_iter().map(|it| format!("{}: {}", it.policy, it.reason)));
        let (sum, more) = (&mut self.summary, report.summary);
        sum.files += more.files;
        sum.documents += more.documents;
        sum.objects += more.objects;
        sum.errors += more.errors;
        sum.warnings += more.warnings;
        sum.hints += more.hints;
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { files, documents, objects, errors, warnings, hints, .. } = self.summary;
        writeln!(f, "{files} files, {documents} documents, {objects} objects")?;
        writeln!(f, "{errors} errors, {warnings} warnings, {hints} hints")?;
        for ((rule, severity), count) in &self.findings {
            writeln!(f, "{count:>8} {severity:<7} {rule}")?;
        }
        if !self.unread.is_empty() {
            writeln!(f, "not read:")?;
        }
        for (text, count) in &self.unread {
            writeln!(f, "{count:>8} {text}")?;
        }
        for fault in &self.faults {
            writeln!(f, "fault: {fault}")?;
        }
        writeln!(f, "{} files that kubectl reads in another way", self.differences.len())?;
        for (file, difference) in &self.differences {
            writeln!(f, "{}: {difference}", file.display())?;
        }
        Ok(())
    }
}
