//! Every rule fires where it should and is quiet where it should, through the
//! real engine; and none is without cases and documentation.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;

use headlint_policies::finding::Severity;
use headlint_tests::cases::{self, brief, lint_text, told};

#[test]
fn every_case_gives_just_what_it_expects() {
    let cases = cases::all();
    let mut wrong = String::new();
    for case in &cases {
        let name = case.path.file_name().unwrap().to_string_lossy();
        let report = lint_text(&name, &case.text, &case.options).report;
        let told = told(&case.rule, &report.findings);
        let at = format!("{}/{name}", case.rule);
        if !report.faults.is_empty() || !report.errors.is_empty() {
            writeln!(wrong, "{at}: {:?} {:?}", report.faults, report.errors).unwrap();
        }
        for missing in case.expected.iter().filter(|line| !told.contains(line)) {
            writeln!(wrong, "{at}: expected, not told: {missing}").unwrap();
        }
        for surplus in told.iter().filter(|line| !case.expected.contains(line)) {
            writeln!(wrong, "{at}: told, not expected: {surplus}").unwrap();
        }
        let fires = case.expected.iter().any(|line| line.starts_with(&format!("{} ", case.rule)));
        if case.fires && !fires {
            writeln!(wrong, "{at}: expects nothing of its rule").unwrap();
        }
        let loud = report.findings.iter().any(|finding| finding.severity > Severity::Info);
        if !case.fires && loud {
            writeln!(wrong, "{at}: a quiet case is loud").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!("{} cases", cases.len());
}

#[test]
fn every_rule_has_cases_that_fire_and_cases_that_are_quiet() {
    let cases = cases::all();
    let rules = cases::rule_ids();
    for rule in &rules {
        let of_rule = |fires| cases.iter().filter(|c| c.rule == *rule && c.fires == fires).count();
        assert!(of_rule(true) > 0, "{rule} has no case that fires");
        assert!(of_rule(false) > 0, "{rule} has no quiet case");
    }
    for case in &cases {
        assert!(rules.contains(&case.rule), "{} is no rule", case.rule);
    }
}

/// What every firing case prints, so that a change of any message is seen.
#[test]
fn messages_are_as_recorded() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for case in cases::all().into_iter().filter(|case| case.fires) {
        let name = case.path.file_stem().unwrap().to_string_lossy().into_owned();
        let report = lint_text(&format!("{name}.yaml"), &case.text, &case.options).report;
        let mut text = String::new();
        for finding in report.findings.iter().filter(|finding| finding.rule == case.rule) {
            let place = finding.location.as_ref().unwrap();
            writeln!(text, "{} at {}:{}", brief(finding), place.line, place.column).unwrap();
            writeln!(text, "  what: {}\n  why:  {}", finding.message, finding.why).unwrap();
            writeln!(text, "  help: {}", finding.help).unwrap();
            for related in &finding.related {
                let line = related.location.as_ref().map_or(0, |place| place.line);
                let (object, path, label) = (&related.object, &related.path, &related.label);
                writeln!(text, "  line {line}, {object} {path}: {label}").unwrap();
            }
            for edit in &finding.edits {
                writeln!(text, "  edit: {}", serde_json::to_string(edit).unwrap()).unwrap();
            }
        }
        settings.set_snapshot_path(case.path.parent().unwrap());
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

const HEADINGS: [&str; 6] = [
    "## What it does",
    "## Why it hurts",
    "## Example that fires",
    "## Use instead",
    "## What it cannot see",
    "## Sources",
];

/// The YAML blocks of one section.
fn blocks(documentation: &str, heading: &str) -> Vec<String> {
    let section = documentation.split_once(heading).map(|(_, rest)| rest).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    section
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()))
        .collect()
}

#[test]
fn documentation_has_its_sections_and_its_examples_are_true() {
    for (policy, rule) in cases::engine().rules() {
        let (id, text) = (&rule.id, &rule.documentation);
        assert!(text.starts_with(&format!("# {id}\n")), "{id}: the first line is its id");
        let at: Vec<_> = HEADINGS.iter().map(|heading| text.find(heading)).collect();
        assert!(at.iter().all(Option::is_some), "{id}: a section is missing of {HEADINGS:?}");
        assert!(at.is_sorted(), "{id}: the sections are in order");
        assert!(!rule.summary.is_empty() && !rule.summary.contains('\n'), "{id}: one line");

        let mut options = cases::defaults();
        options.rules.enable.insert(id.clone());
        let firing = blocks(text, HEADINGS[2]);
        assert!(!firing.is_empty(), "{id}: no example");
        for block in firing {
            let report = lint_text("example.yaml", &block, &options).report;
            assert_eq!(report.errors, [], "{id}");
            assert!(report.findings.iter().any(|f| f.rule == *id), "{id} of {policy:?}:\n{block}");
        }
        for block in blocks(text, HEADINGS[3]) {
            let report = lint_text("example.yaml", &block, &options).report;
            assert_eq!(report.errors, [], "{id}");
            let loud = report.findings.iter().find(|f| f.severity > Severity::Info);
            assert!(loud.is_none(), "{id}: {loud:?}\n{block}");
        }
    }
}
