//! JUnit's XML: a suite for each file, a case for each finding in it.

use std::collections::BTreeMap;

use headlint_policies::finding::{Finding, Report, Severity};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

/// `files` are those that were read, so that one without findings is a case
/// that has passed. What is below the fail level has passed too, and says what
/// it found.
pub fn render<'r>(
    report: &'r Report,
    files: impl IntoIterator<Item = &'r str>,
    fail_on: Severity,
) -> String {
    let mut suites: BTreeMap<&str, Vec<TestCase>> =
        files.into_iter().map(|file| (file, Vec::new())).collect();
    for finding in &report.findings {
        let file = finding.location.as_ref().map_or("-", |at| at.file.as_str());
        suites.entry(file).or_default().push(of_finding(finding, file, fail_on));
    }
    for error in &report.errors {
        let at = error.line.map(|line| format!(" on line {line}")).unwrap_or_default();
        let case = broken(&error.file, &format!("can be read{at}"), &error.message);
        suites.entry(&error.file).or_default().push(case);
    }
    for fault in &report.faults {
        let case = broken(&fault.policy, "judges", &fault.reason);
        suites.entry("policies").or_default().push(case);
    }
    let mut junit = quick_junit::Report::new("headlint");
    for (file, cases) in suites {
        let mut suite = TestSuite::new(file);
        if cases.is_empty() {
            let mut case = TestCase::new("no findings", TestCaseStatus::success());
            case.set_classname(file);
            suite.add_test_case(case);
        }
        suite.add_test_cases(cases);
        junit.add_test_suite(suite);
    }
    junit.to_string().expect("what is written to is a String")
}

fn of_finding(finding: &Finding, file: &str, fail_on: Severity) -> TestCase {
    let place = finding.location.as_ref();
    let at = place.map(|at| format!(" at {}:{}", at.line, at.column)).unwrap_or_default();
    let place = place.map(|at| format!("{}:{}:{}", at.file, at.line, at.column));
    let text = [
        format!("{}: {}", finding.severity, finding.message),
        finding.why.clone(),
        finding.help.clone(),
        format!("{}, {}", finding.object, finding.path),
        place.unwrap_or_default(),
    ];
    let text: Vec<_> = text.into_iter().filter(|line| !line.is_empty()).collect();
    let text = text.join("\n");
    let fails = finding.severity >= fail_on;
    let mut status = TestCaseStatus::success();
    if fails {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(finding.message.as_str());
        status.set_type(finding.rule.as_str());
        status.set_description(text.as_str());
    }
    let mut case = TestCase::new(format!("{}{at}", finding.rule), status);
    case.set_classname(file);
    if !fails {
        case.set_system_out(text);
    }
    case
}

fn broken(of: &str, name: &str, reason: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(reason);
    let mut case = TestCase::new(name, status);
    case.set_classname(of);
    case
}
