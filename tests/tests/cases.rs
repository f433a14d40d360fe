//! Every rule fires where it should and is quiet where it should, through the
//! real engine; and none is without cases and documentation.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;

use headlint_policies::dns;
use headlint_policies::finding::{Report, Severity};
use headlint_policies::lint::Options;
use headlint_policies::manifest::Source;
use headlint_tests::cases::{self, brief, documents, joined, lint_text, told};
use headlint_tests::changes;
use headlint_tests::truth::{self, Pair, Truth};

#[test]
fn every_case_gives_just_what_it_expects() {
    let cases = cases::all();
    let mut wrong = String::new();
    for case in &cases {
        let name = case.path.file_name().unwrap().to_string_lossy();
        let report = case.report();
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

#[test]
fn every_rule_has_an_id_of_its_own_and_says_where_it_can_be_seen() {
    let rules = cases::engine().rules();
    assert_eq!(cases::rule_ids().len(), rules.len(), "ids are unique");
    let declared = truth::declared();
    let mut wrong = String::new();
    for (_, rule) in rules {
        let id = &rule.id;
        match declared.get(id) {
            None => writeln!(wrong, "{id}: no {}.yaml beside its cases", truth::FILE).unwrap(),
            Some(Truth::Unseen(reason)) if reason.unseen.trim().is_empty() => {
                writeln!(wrong, "{id}: no reason").unwrap();
            }
            Some(Truth::Unseen(_)) => {}
            Some(Truth::Seen(pair)) => wrong += &mistakes(id, pair),
            Some(Truth::OnNode(seen)) => wrong += &mistakes(id, &seen.node),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is wrong with how a rule is said to be seen.
fn mistakes<F>(rule: &str, pair: &Pair<F>) -> String {
    let mut wrong = String::new();
    if pair.fires.shows.is_empty() {
        writeln!(wrong, "{rule}: nothing is seen").unwrap();
    }
    for (scene, fires) in [(&pair.fires, true), (&pair.quiet, false)] {
        if truth::case(rule, &scene.case).is_none_or(|case| case.fires != fires) {
            writeln!(wrong, "{rule}: {} is no such case", scene.case).unwrap();
        }
    }
    wrong
}

/// A defect of an object is nobody's business any more once it goes away: only
/// what it leaves behind is.
#[test]
fn of_what_is_deleted_only_the_deletion_is_told() {
    let mut told = 0;
    for case in cases::all().into_iter().filter(|case| case.old.is_none()) {
        let all = documents(&case.text);
        for deleted in 0..all.len() {
            let mut left = all.clone();
            left.remove(deleted);
            let report = changes::report_deleted(&case.text, &joined(&left), &case.options);
            assert_eq!(report.faults, [], "{}", case.path.display());
            for finding in report.findings {
                let at = case.path.display();
                assert_eq!(finding.rule, "governing-service-deleted", "{at}: {finding:?}");
                told += 1;
            }
        }
    }
    assert!(told > 0, "some case has a Service that a StatefulSet names");
}

/// What every firing case prints, so that a change of any message is seen.
#[test]
fn messages_are_as_recorded() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for case in cases::all().into_iter().filter(|case| case.fires) {
        let name = case.path.file_stem().unwrap().to_string_lossy().into_owned();
        let report = case.report();
        let mut text = String::new();
        for finding in report.findings.iter().filter(|finding| finding.rule == case.rule) {
            let place = finding.location.as_ref();
            assert_eq!(place.is_none(), case.old.is_some(), "{name}: where it stands");
            let at = place.map_or_else(String::new, |at| format!(" at {}:{}", at.line, at.column));
            writeln!(text, "{}{at}", brief(finding)).unwrap();
            writeln!(text, "  what: {}\n  why:  {}", finding.message, finding.why).unwrap();
            writeln!(text, "  help: {}", finding.help).unwrap();
            for related in &finding.related {
                let place = related.location.as_ref();
                let at = place.map_or_else(String::new, |place| format!("line {}, ", place.line));
                let (object, path, label) = (&related.object, &related.path, &related.label);
                writeln!(text, "  {at}{object} {path}: {label}").unwrap();
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

/// How a YAML block begins that is the old version of the block behind it.
const BEFORE: &str = "# before\n";

fn section<'d>(documentation: &'d str, heading: &str) -> &'d str {
    let section = documentation.split_once(heading).map(|(_, rest)| rest).unwrap_or_default();
    section.split("\n## ").next().unwrap_or_default()
}

/// The YAML blocks of one section, and what its scripts print, each with what the
/// linter says of it, or of the change where it has an old version.
fn examples(documentation: &str, heading: &str, options: &Options) -> Vec<(String, Report)> {
    let blocks = section(documentation, heading).split("```").skip(1).step_by(2);
    let (mut old, mut examples) = (None, Vec::new());
    for block in blocks {
        let block = match block.split_once('\n') {
            Some(("yaml", yaml)) => yaml.to_owned(),
            Some(("bash", script)) => printed(script),
            _ => continue,
        };
        if block.starts_with(BEFORE) {
            assert_eq!(old.replace(block), None, "two old versions");
            continue;
        }
        let mut options = options.clone();
        cases::apply_cluster(&mut options, &block);
        let report = match old.take() {
            Some(old) => changes::report(&old, &block, &options),
            None => lint_text("example.yaml", &block, &options).report,
        };
        examples.push((block, report));
    }
    assert_eq!(old, None, "nothing comes after it");
    examples
}

/// What a script prints: an example that is too long to be read.
fn printed(script: &str) -> String {
    let output = Command::new("bash").args(["-euc", script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn documentation_has_its_sections_and_its_examples_are_true() {
    for (policy, rule) in cases::engine().rules() {
        let (id, text) = (&rule.id, &rule.documentation);
        assert!(text.starts_with(&format!("# {id}\n")), "{id}: the first line is its id");
        let at: Vec<_> = HEADINGS.iter().map(|heading| text.find(heading)).collect();
        assert!(at.iter().all(Option::is_some), "{id}: a section is missing of {HEADINGS:?}");
        assert!(at.is_sorted(), "{id}: the sections are in order");
        let blind = section(text, HEADINGS[4]);
        assert!(blind.contains("The verdict reads "), "{id}: which kinds its verdict reads");
        assert!(!rule.summary.is_empty() && !rule.summary.contains('\n'), "{id}: one line");

        let mut options = cases::defaults();
        options.rules.enable.insert(id.clone());
        let firing = examples(text, HEADINGS[2], &options);
        assert!(!firing.is_empty(), "{id}: no example");
        for (block, report) in firing {
            assert_eq!(report.errors, [], "{id}");
            assert!(report.findings.iter().any(|f| f.rule == *id), "{id} of {policy:?}:\n{block}");
        }
        for (block, report) in examples(text, HEADINGS[3], &options) {
            assert_eq!(report.errors, [], "{id}");
            let loud = report.findings.iter().find(|f| f.severity > Severity::Info);
            assert!(loud.is_none(), "{id}: {loud:?}\n{block}");
        }
    }
}

#[test]
fn the_front_door_names_every_rule_as_it_is() {
    let readme = std::fs::read_to_string(cases::root().join("README.md")).unwrap();
    let listed: Vec<_> = readme
        .lines()
        .filter(|line| {
            line.starts_with("| `") && line.ends_with(" |") && line.matches(" | ").count() == 2
        })
        .collect();
    let rules: Vec<_> = cases::engine()
        .rules()
        .into_iter()
        .map(|(_, rule)| format!("| `{}` | {} | {} |", rule.id, rule.severity, rule.summary))
        .collect();
    assert_eq!(listed, rules);
}

#[test]
fn dns_refers_to_rules_that_exist() {
    let rules = cases::rule_ids();
    let mut named = BTreeSet::new();
    for case in cases::all() {
        let source = Source::new("case.yaml", case.text.into_bytes());
        let Options { default_namespace, cluster, .. } = case.options;
        let options = dns::Options { complete: true, default_namespace, cluster };
        let table = dns::Bundle::read(vec![source.map(Arc::new)], options).table();
        named.extend(table.missing.iter().filter_map(|missing| missing.rule));
    }
    assert!(named.len() > 5, "{named:?}");
    assert!(named.iter().all(|rule| rules.contains(*rule)), "{named:?}");
}
