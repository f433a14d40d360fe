//! Mends what can be mended, and nothing else.
//!
//! ```text
//! findings ─▶ changes that don't touch each other ─▶ texts ─▶ judged again
//!    ▲                                                           │ gone, and
//!    └──── until no change stands the test ◀─────────────────────┘ none new
//! ```

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use headlint_policies::finding::{Finding, ObjectRef, Report, Safety};
use headlint_policies::fix::Editable;
use headlint_policies::lint::Lint;
use headlint_policies::manifest::{Source, Splice};

/// What was mended.
pub(crate) struct Fixed {
    /// What is left, judged in the new texts.
    pub(crate) lint: Lint,
    /// The texts, in the order in which they were read.
    pub(crate) sources: Vec<Arc<Source>>,
    /// Findings that are gone.
    pub(crate) findings: usize,
}

/// A change that would mend one finding.
struct Mend {
    /// Of the source.
    file: usize,
    splice: Splice,
    key: Key,
}

/// What findings are counted by: lines and paths may move.
type Key = (String, ObjectRef, String);

/// Mends until nothing more can be: so a second call changes nothing. `judge`
/// gets all texts. What `may_edit` doesn't allow by its name stays as it is.
pub(crate) fn fix(
    mut lint: Lint,
    mut sources: Vec<Arc<Source>>,
    safety: Safety,
    may_edit: &dyn Fn(&str) -> bool,
    judge: &dyn Fn(&[Arc<Source>]) -> Lint,
) -> Fixed {
    let before = lint.report.findings.len();
    loop {
        let mends = mends(&lint.report, &sources, safety, may_edit);
        let mut round = Round { sources: &sources, lint, made: Vec::new(), judge };
        round.attempt(&mends);
        let done = round.made.is_empty();
        let texts = round.texts(&[]);
        lint = round.lint;
        sources = texts;
        if done {
            let findings = before.saturating_sub(lint.report.findings.len());
            return Fixed { lint, sources, findings };
        }
    }
}

/// The changes of all findings, in the order of the text; none touches another.
fn mends(
    report: &Report,
    sources: &[Arc<Source>],
    safety: Safety,
    may_edit: &dyn Fn(&str) -> bool,
) -> Vec<Mend> {
    let mut by_file: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| !finding.edits.is_empty()) {
        if let Some(at) = &finding.location {
            by_file.entry(&at.file).or_default().push(finding);
        }
    }
    let mut mends = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let Some(findings) = by_file.get(source.name.as_str()) else { continue };
        if !may_edit(&source.name) {
            continue;
        }
        let editable = Editable::of(source);
        let found = findings.iter().filter_map(|finding| {
            let splice = editable.change(finding, safety)?;
            Some(Mend { file, splice, key: key(finding) })
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|mend| (mend.splice.range.start, mend.splice.range.end));
        let mut free = 0;
        found.retain(|mend| {
            let Range { start, end } = mend.splice.range;
            let is_free = start >= free;
            if is_free {
                // What begins where another ends may be the same line.
                free = end + 1;
            }
            is_free
        });
        mends.extend(found);
    }
    mends
}

fn key(finding: &Finding) -> Key {
    let file = finding.location.as_ref().map(|at| at.file.clone()).unwrap_or_default();
    (finding.rule.clone(), finding.object.clone(), file)
}

/// Changes that are made in one set of texts.
struct Round<'r, 'm> {
    sources: &'r [Arc<Source>],
    /// Of the texts with what was made.
    lint: Lint,
    made: Vec<&'m Mend>,
    judge: &'r dyn Fn(&[Arc<Source>]) -> Lint,
}

impl<'m> Round<'_, 'm> {
    /// Makes all that stand the test, found by halves.
    fn attempt(&mut self, mends: &'m [Mend]) {
        if mends.is_empty() {
            return;
        }
        let mends_of: Vec<_> = mends.iter().collect();
        let lint = (self.judge)(&self.texts(&mends_of));
        if is_better(&self.lint.report, &lint.report, mends) {
            self.lint = lint;
            self.made.extend(mends);
        } else if let [_, _, ..] = mends {
            let (left, right) = mends.split_at(mends.len() / 2);
            self.attempt(left);
            self.attempt(right);
        }
    }

    /// The texts with what was made, and with these changes.
    fn texts(&self, more: &[&Mend]) -> Vec<Arc<Source>> {
        let mut changes: BTreeMap<usize, Vec<&Splice>> = BTreeMap::new();
        for mend in self.made.iter().chain(more) {
            changes.entry(mend.file).or_default().push(&mend.splice);
        }
        let mut sources = self.sources.to_vec();
        for (file, mut splices) in changes {
            splices.sort_by_key(|splice| splice.range.start);
            let source = &sources[file];
            let mut text = String::with_capacity(source.text.len());
            let mut at = 0;
            for splice in splices {
                text += &source.text[at..splice.range.start];
                text += &splice.text;
                at = splice.range.end;
            }
            text += &source.text[at..];
            if let Ok(changed) = Source::new(source.name.clone(), text.into_bytes()) {
                sources[file] = Arc::new(changed);
            }
        }
        sources
    }
}

/// Whether each finding that was mended is gone, and nothing is new.
fn is_better(before: &Report, after: &Report, mends: &[Mend]) -> bool {
    let count = |report: &Report| {
        let mut counts: HashMap<Key, isize> = HashMap::new();
        for finding in &report.findings {
            *counts.entry(key(finding)).or_default() += 1;
        }
        counts
    };
    let mut allowed = count(before);
    for mend in mends {
        *allowed.entry(mend.key.clone()).or_default() -= 1;
    }
    count(after).iter().all(|(key, count)| *count <= allowed.get(key).copied().unwrap_or(0))
        && allowed.values().all(|left| *left >= 0)
        && after.errors.len() <= before.errors.len()
        && after.faults.len() <= before.faults.len()
        && after.skipped.len() == before.skipped.len()
        && after.summary.objects == before.summary.objects
}

/// Whether a file is a template of a Helm chart.
pub(crate) fn is_template(file: &str) -> bool {
    let path = Path::new(file).canonicalize().unwrap_or_else(|_| file.into());
    let in_templates = |chart: &Path| path.starts_with(chart.join("templates"));
    path.ancestors()
        .skip(1)
        .any(|folder| folder.join("Chart.yaml").is_file() && in_templates(folder))
}
