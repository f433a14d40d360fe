//! Mends what can be mended, and nothing else.
//!
//! ```text
//! findings ─▶ changes that don't touch each other ─▶ texts ─▶ judged again
//!    ▲                                                           │ gone, and
//!    └──── until no change stands the test ◀─────────────────────┘ none new
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
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
    /// Edits that would bring other findings.
    pub(crate) left_out: usize,
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
    let mut hopeless = HashSet::new();
    loop {
        let mut mends = mends(&lint.report, &sources, safety, may_edit);
        let all = mends.len();
        mends.retain(|mend| !hopeless.contains(&mend.identity()));
        let (made, alone) = (Vec::new(), Vec::new());
        let mut round = Round { sources: &sources, lint, made, alone, judge };
        round.attempt(mends.iter().collect());
        let (made, alone) = (round.made.len(), round.alone.len());
        hopeless.extend(round.alone.iter().map(|mend| mend.identity()));
        let texts = round.texts(&[]);
        lint = round.lint;
        sources = texts;
        // Without those that fail alone, others may stand the test.
        if made == 0 && alone == 0 {
            let findings = before.saturating_sub(lint.report.findings.len());
            return Fixed { lint, sources, findings, left_out: all };
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
        if source.encoded("").is_none() || !may_edit(&source.name) {
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

impl Mend {
    /// What it is known by when others were made.
    fn identity(&self) -> (Key, String) {
        (self.key.clone(), self.splice.text.clone())
    }

    /// The object that it changes.
    fn object(&self) -> (&ObjectRef, &str) {
        let (_, object, file) = &self.key;
        (object, file)
    }
}

/// Changes that are made in one set of texts.
struct Round<'r, 'm> {
    sources: &'r [Arc<Source>],
    /// Of the texts with what was made.
    lint: Lint,
    made: Vec<&'m Mend>,
    /// What failed with nothing else.
    alone: Vec<&'m Mend>,
    judge: &'r dyn Fn(&[Arc<Source>]) -> Lint,
}

impl<'m> Round<'_, 'm> {
    /// Makes all that stand the test. Where something is worse afterwards, the
    /// changes of the objects that are worse are tried apart from the others;
    /// where none of them is, halves are.
    fn attempt(&mut self, mends: Vec<&'m Mend>) {
        if mends.is_empty() {
            return;
        }
        let lint = (self.judge)(&self.texts(&mends));
        let Some(worse) = worse(&self.lint.report, &lint.report, &mends) else {
            self.lint = lint;
            self.made.extend(mends);
            return;
        };
        if let [one] = mends[..] {
            self.alone.push(one);
            return;
        }
        let is_blamed = |mend: &&Mend| {
            let (object, file) = mend.object();
            worse.contains(&(object.clone(), file.to_owned()))
        };
        let (blamed, others): (Vec<_>, Vec<_>) = mends.into_iter().partition(is_blamed);
        if blamed.is_empty() {
            let (left, right) = others.split_at(others.len() / 2);
            self.attempt(left.to_vec());
            self.attempt(right.to_vec());
            return;
        }
        let were_alone = others.is_empty();
        self.attempt(others);
        match &layers(blamed)[..] {
            // Each object is worse by its own change.
            [_] if were_alone => {}
            layers => layers.iter().for_each(|layer| self.attempt(layer.clone())),
        }
    }

    /// The texts with what was made, and with these changes.
    fn texts(&self, more: &[&'m Mend]) -> Vec<Arc<Source>> {
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
            let changed = source
                .encoded(&text)
                .and_then(|bytes| Source::new(source.name.clone(), bytes).map(Arc::new).ok());
            sources[file] = changed.unwrap_or_else(|| Arc::clone(source));
        }
        sources
    }
}

/// The changes in groups that have one of each object at most.
fn layers(mends: Vec<&Mend>) -> Vec<Vec<&Mend>> {
    let mut layers: Vec<Vec<&Mend>> = Vec::new();
    let mut seen: HashMap<(&ObjectRef, &str), usize> = HashMap::new();
    for mend in mends {
        let layer = seen.entry(mend.object()).or_default();
        if layers.len() == *layer {
            layers.push(Vec::new());
        }
        layers[*layer].push(mend);
        *layer += 1;
    }
    layers
}

/// The objects, with their files, that are worse afterwards; none if each finding
/// that was mended is gone, and nothing is new.
fn worse(before: &Report, after: &Report, mends: &[&Mend]) -> Option<HashSet<(ObjectRef, String)>> {
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
    let counts = count(after).into_iter();
    let new = counts.filter(|(key, count)| *count > allowed.get(key).copied().unwrap_or(0));
    let worse: HashSet<_> = new.map(|((_, object, file), _)| (object, file)).collect();
    let is_good = worse.is_empty()
        && allowed.values().all(|left| *left >= 0)
        && after.errors.len() <= before.errors.len()
        && after.faults.len() <= before.faults.len()
        && after.skipped.len() == before.skipped.len()
        && after.summary.objects == before.summary.objects;
    (!is_good).then_some(worse)
}

/// Whether a name is that of a file, or of standard input: a pipe can't be read
/// twice, nor written to.
pub(crate) fn is_file(name: &str) -> bool {
    name == "-" || std::fs::metadata(name).is_ok_and(|metadata| metadata.is_file())
}

/// Whether a file is a template of a Helm chart.
pub(crate) fn is_template(file: &str) -> bool {
    let path = Path::new(file).canonicalize().unwrap_or_else(|_| file.into());
    let in_templates = |chart: &Path| path.starts_with(chart.join("templates"));
    path.ancestors()
        .skip(1)
        .any(|folder| folder.join("Chart.yaml").is_file() && in_templates(folder))
}
