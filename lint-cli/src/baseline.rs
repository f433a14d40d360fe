//! Findings that were there when a repository took headlint up: written once,
//! and left out from then on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use headlint_policies::finding::{Fingerprint, Report, Severity};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::replace::replace;
use crate::report::json;

/// Names the shape of the file.
const SCHEMA: &str = "headlint.dev/baseline/v1";

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    schema: String,
    /// In order, so that a change of it shows what has come and gone.
    findings: BTreeSet<Known>,
}

impl Baseline {
    fn fingerprints(self) -> BTreeSet<Fingerprint> {
        self.findings.into_iter().map(|known| known.fingerprint).collect()
    }
}

/// A finding that is known. All but the fingerprint is for people.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    rule: String,
    object: String,
    path: String,
    fingerprint: Fingerprint,
}

/// Writes all findings of a report, which are known then.
///
/// # Errors
/// When it can't be written.
pub(crate) fn write(path: &Path, report: &Report) -> Result<BTreeSet<Fingerprint>, Error> {
    let known = report.findings.iter().map(|finding| Known {
        rule: finding.rule.clone(),
        object: finding.object.to_string(),
        path: finding.path.clone(),
        fingerprint: finding.fingerprint.clone(),
    });
    let baseline = Baseline { schema: SCHEMA.to_owned(), findings: known.collect() };
    replace(path, json::render(&baseline).as_bytes())?;
    Ok(baseline.fingerprints())
}

/// What a baseline knows.
///
/// # Errors
/// When it can't be read, or is none.
pub(crate) fn read(path: &Path) -> Result<BTreeSet<Fingerprint>, Error> {
    let wrong = |reason: String| Error::Baseline { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let baseline: Baseline =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if baseline.schema != SCHEMA {
        return Err(wrong(format!("its schema is {}, and not {SCHEMA}", baseline.schema)));
    }
    Ok(baseline.fingerprints())
}

/// Takes the findings that are known out of a report.
pub(crate) fn subtract(known: &BTreeSet<Fingerprint>, report: &mut Report) {
    let summary = &mut report.summary;
    report.findings.retain(|finding| {
        let is_new = !known.contains(&finding.fingerprint);
        if !is_new {
            *match finding.severity {
                Severity::Error => &mut summary.errors,
                Severity::Warning => &mut summary.warnings,
                Severity::Info => &mut summary.hints,
            } -= 1;
            summary.baseline += 1;
        }
        is_new
    });
}
