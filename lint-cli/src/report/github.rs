//! Workflow commands, which GitHub Actions shows as annotations of a change.
//!
//! # Source
//! docs.github.com "Workflow commands for GitHub Actions"; the escapes are those
//! of `command.ts` in actions/toolkit.

use std::fmt::Write;

use headlint_policies::finding::{Location, Report, Severity};

use super::relative;
use super::text::harmless;

/// One line for each finding, input error and fault.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let place = finding.location.as_ref().map(place).unwrap_or_default();
        let text = [&finding.message, &finding.why, &finding.help];
        let text: Vec<_> = text.into_iter().filter(|it| !it.is_empty()).cloned().collect();
        command(&mut out, level, &place, &finding.rule, &text.join("\n"));
    }
    for error in &report.errors {
        let location = Location {
            file: error.file.clone(),
            line: error.line.unwrap_or(1),
            column: error.column.unwrap_or(1),
            ..Location::default()
        };
        command(&mut out, "error", &place(&location), "can't be read", &error.message);
    }
    for fault in &report.faults {
        command(&mut out, "error", "", &format!("policy {} failed", fault.policy), &fault.reason);
    }
    out
}

/// Columns are shown of what stands on one line.
fn place(location: &Location) -> String {
    let Location { file, line, column, end_line, end_column, .. } = location;
    let mut place = format!("file={},line={line}", property(&relative(file)));
    let written = match (end_line, end_column) {
        (0, _) => write!(place, ",col={column}"),
        (end, last) if end == line => write!(place, ",col={column},endColumn={last}"),
        (end, _) => write!(place, ",endLine={end}"),
    };
    written.expect("a String takes all");
    place
}

fn command(out: &mut String, level: &str, place: &str, title: &str, text: &str) {
    let comma = if place.is_empty() { "" } else { "," };
    let (title, text) = (property(title), data(text));
    writeln!(out, "::{level} {place}{comma}title={title}::{text}").expect("a String takes all");
}

fn data(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(harmless).collect();
    lines.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
