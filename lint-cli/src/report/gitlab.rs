//! GitLab's code quality report.
//!
//! # Source
//! docs.gitlab.com "Code Quality", "Code Quality report format".

use headlint_policies::finding::{Fingerprint, ObjectRef, Report, Severity};
use serde::Serialize;

use super::{json, relative};

#[derive(Serialize)]
struct Issue<'r> {
    description: String,
    check_name: &'r str,
    fingerprint: String,
    severity: &'static str,
    location: Place,
}

#[derive(Serialize)]
struct Place {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// A list of issues: findings, input errors and faults.
pub fn render(report: &Report) -> String {
    let place = |file, line| Place { path: relative(file), lines: Lines { begin: line } };
    let findings = report.findings.iter().map(|finding| Issue {
        description: match finding.why.as_str() {
            "" => finding.message.clone(),
            why => format!("{}: {why}", finding.message),
        },
        check_name: &finding.rule,
        fingerprint: finding.fingerprint.to_string(),
        severity: match finding.severity {
            Severity::Error => "critical",
            Severity::Warning => "major",
            Severity::Info => "info",
        },
        location: match &finding.location {
            Some(at) => place(&at.file, at.line),
            None => place("-", 1),
        },
    });
    let fingerprint = |kind, about: &str, text: &str| {
        Fingerprint::new(kind, &ObjectRef::default(), about, text).to_string()
    };
    let errors = report.errors.iter().map(|error| Issue {
        description: error.message.clone(),
        check_name: "input-error",
        fingerprint: fingerprint("input-error", &error.file, &error.message),
        severity: "blocker",
        location: place(&error.file, error.line.unwrap_or(1)),
    });
    let faults = report.faults.iter().map(|fault| Issue {
        description: format!("the policy {}: {}", fault.policy, fault.reason),
        check_name: "policy-fault",
        fingerprint: fingerprint("policy-fault", &fault.policy, &fault.reason),
        severity: "blocker",
        location: place("-", 1),
    });
    json::render(&findings.chain(errors).chain(faults).collect::<Vec<_>>())
}
