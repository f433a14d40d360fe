//! Manifests with one defect each: one edit of the text, at random places, and
//! whether the rule that names the defect finds it there.
//!
//! ```text
//! file ─bundle─▶ Bundle ─kinds─▶ Mutation, many ─some of them─▶ text ─lint─▶ found?
//! ```

mod bundle;
mod endpoints;
mod kinds;
mod names;
mod policies;
mod ports;
mod selectors;
mod sets;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headlint_policies::finding::{Finding, Location, Severity};
use headlint_policies::manifest::{Source, Splice};
use rayon::prelude::*;

pub use self::bundle::Bundle;
pub use self::kinds::KINDS;
use crate::cases::{defaults, lint_text};
use crate::random::Random;

/// The most mutations of a kind in one file.
const MOST: usize = 3;

/// A defect that one edit makes, and who names it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// In a few words.
    pub name: &'static str,
    /// The rules of which one has to find it.
    pub rules: &'static [&'static str],
    /// All places in a bundle that had it by that edit. What is there isn't wrong
    /// before, as far as can be told without the rules.
    pub sites: fn(&Bundle) -> Vec<Mutation>,
}

/// One edit.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// What it does.
    pub splice: Splice,
    /// Bytes of the original text, besides those of the edit, on whose line it may
    /// be told: that of the other object, or of the key around what went away.
    pub spots: Vec<usize>,
}

/// What became of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The right rule tells it at the right line.
    Found,
    /// The right rule tells it at another line.
    Elsewhere,
    /// The right rule has a hint, which nobody sees by default.
    Hinted,
    /// Only other rules have something new to say.
    Misnamed,
    /// Nothing new is said.
    Silent,
}

/// What became of all mutations of a kind.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    fates: BTreeMap<Fate, usize>,
    /// Where those are that weren't found, the text that took the place of
    /// another, and what is said instead.
    missed: Vec<String>,
}

impl Tally {
    /// All of them.
    #[must_use]
    pub fn applied(&self) -> usize {
        self.fates.values().sum()
    }

    /// Those that are found.
    #[must_use]
    pub fn found(&self) -> usize {
        self.fates.get(&Fate::Found).copied().unwrap_or_default()
    }
}

/// What became of all mutations, in the order of [`KINDS`].
#[derive(Clone, Debug)]
pub struct Trial {
    /// Each kind with its name.
    pub kinds: Vec<(&'static str, Tally)>,
}

impl Trial {
    /// Mutates files, each one by itself.
    ///
    /// # Panics
    /// When a file can't be read.
    #[must_use]
    pub fn of(files: &[PathBuf]) -> Self {
        let tallies: Vec<_> = files.par_iter().map(|file| of_file(file)).collect();
        let mut kinds: Vec<_> = KINDS.iter().map(|kind| (kind.name, Tally::default())).collect();
        for fates in tallies {
            for (at, fate, missed) in fates {
                let tally = &mut kinds[at].1;
                *tally.fates.entry(fate).or_default() += 1;
                tally.missed.extend(missed);
            }
        }
        Self { kinds }
    }

    /// All mutations.
    #[must_use]
    pub fn applied(&self) -> usize {
        self.kinds.iter().map(|(_, tally)| tally.applied()).sum()
    }

    /// Those that are found.
    #[must_use]
    pub fn found(&self) -> usize {
        self.kinds.iter().map(|(_, tally)| tally.found()).sum()
    }
}

/// The number of a kind, what became of one of its mutations, and what to tell of
/// it if it wasn't found.
type Judged = (usize, Fate, Option<String>);

fn of_file(file: &Path) -> Vec<Judged> {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let Ok(source) = Source::new("-", bytes) else { return Vec::new() };
    let source = Arc::new(source);
    let bundle = Bundle::read(&source);
    let before = said(&source.text);
    let mut all = Vec::new();
    for (at, kind) in KINDS.iter().enumerate() {
        let mut sites = (kind.sites)(&bundle);
        // The same places whatever other kinds and files there are.
        let mut random = Random::new(source.text.len() as u64);
        while sites.len() > MOST {
            sites.swap_remove(random.below(sites.len()));
        }
        for mutation in sites {
            let (fate, told) = judge(&source.text, &before, kind, &mutation);
            let line = line(&source.text, mutation.splice.range.start);
            let missed = (fate != Fate::Found).then(|| {
                format!("{}:{line}: {:?}: {fate:?} {told}", file.display(), mutation.splice.text)
            });
            all.push((at, fate, missed));
        }
    }
    all
}

fn said(text: &str) -> Vec<Finding> {
    lint_text("-", text, &defaults()).report.findings
}

/// Whether the mutated text is found out, and what is said of it that wasn't said
/// before.
fn judge(text: &str, before: &[Finding], kind: &Kind, mutation: &Mutation) -> (Fate, String) {
    let Splice { range, text: new } = &mutation.splice;
    let mutated = [&text[..range.start], new, &text[range.end..]].concat();
    let mut known = BTreeMap::new();
    for finding in before {
        *known.entry(identity(finding)).or_insert(0) += 1;
    }
    let mut new_findings = said(&mutated);
    new_findings.retain(|finding| match known.get_mut(&identity(finding)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    let lines = lines(&mutated, mutation);
    let mut fate = Fate::Silent;
    for finding in &new_findings {
        let is_right = kind.rules.contains(&finding.rule.as_str());
        let here = |place: &Option<Location>| {
            place.as_ref().is_some_and(|place| lines.contains(&(place.line as usize)))
        };
        let is_here =
            here(&finding.location) || finding.related.iter().any(|place| here(&place.location));
        fate = fate.min(match (is_right, finding.severity) {
            (false, Severity::Info) => Fate::Silent,
            (false, _) => Fate::Misnamed,
            (true, Severity::Info) => Fate::Hinted,
            (true, _) if is_here => Fate::Found,
            (true, _) => Fate::Elsewhere,
        });
    }
    let told: Vec<_> = new_findings
        .iter()
        .map(|finding| {
            let at = finding.location.as_ref().map_or(0, |place| place.line);
            format!("{} {} at {at}", finding.severity, finding.rule)
        })
        .collect();
    (fate, format!("{told:?}"))
}

/// Rule, object and path; an object that is renamed is another one.
fn identity(finding: &Finding) -> (String, String, String) {
    (finding.rule.clone(), finding.object.to_string(), finding.path.clone())
}

/// The lines of the mutated text where the defect may be told.
fn lines(mutated: &str, mutation: &Mutation) -> BTreeSet<usize> {
    let Splice { range, text: new } = &mutation.splice;
    let edited = range.start..range.start + new.trim_end().len();
    let moved = |at: usize| match at < range.end {
        true => at.min(range.start),
        false => at - range.end + range.start + new.len(),
    };
    let mut lines: BTreeSet<_> = lines_of(mutated, &edited).collect();
    lines.extend(mutation.spots.iter().map(|at| line(mutated, moved(*at))));
    lines
}

fn lines_of(text: &str, bytes: &Range<usize>) -> Range<usize> {
    line(text, bytes.start)..line(text, bytes.end) + 1
}

/// Counting from 1.
fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<36}{:>8}{:>6}{:>7}{:>10}{:>7}{:>9}{:>7}",
            "mutation", "applied", "found", "missed", "elsewhere", "hinted", "misnamed", "silent"
        )?;
        let mut sum = BTreeMap::new();
        for (name, tally) in &self.kinds {
            row(f, name, &tally.fates)?;
            for (fate, count) in &tally.fates {
                *sum.entry(*fate).or_insert(0) += count;
            }
        }
        row(f, "all", &sum)?;
        for (name, tally) in &self.kinds {
            for missed in &tally.missed {
                writeln!(f, "{name}: {missed}")?;
            }
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, fates: &BTreeMap<Fate, usize>) -> fmt::Result {
    let count = |fate| fates.get(&fate).copied().unwrap_or_default();
    let applied: usize = fates.values().sum();
    let found = count(Fate::Found);
    writeln!(
        f,
        "{name:<36}{applied:>8}{found:>6}{:>7}{:>10}{:>7}{:>9}{:>7}",
        applied - found,
        count(Fate::Elsewhere),
        count(Fate::Hinted),
        count(Fate::Misnamed),
        count(Fate::Silent)
    )
}
