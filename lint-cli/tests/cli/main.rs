//! Command lines, from the arguments to the exit code. Paths are relative to
//! this package, where cargo runs its tests.

#![allow(clippy::unwrap_used)]

use std::io::{self, Write};
use std::process::{Command, Stdio};

use headlint::{Output, Terminal};
use insta::assert_snapshot;

mod adopting;
mod buffer;
mod changes;
mod config;
mod dns;
mod fixing;
mod formats;
mod rendering;
mod reviewing;
mod small;

use buffer::Buffer;

/// What a run wrote, and how it ended.
struct Ran {
    stdout: String,
    stderr: String,
    code: u8,
}

fn run(arguments: &[&str]) -> Ran {
    let (stdout, stderr) = (Buffer::default(), Buffer::default());
    let mut terminal =
        Terminal { stdout: Output::pipe(stdout.clone()), stderr: Output::pipe(stderr.clone()) };
    let exit = headlint::run(["headlint"].iter().chain(arguments), &mut terminal);
    Ran { stdout: stdout.text(), stderr: stderr.text(), code: exit.code() }
}

/// As a terminal shows it.
fn transcript(lines: &[&[&str]]) -> String {
    let shown = lines.iter().map(|arguments| {
        let Ran { stdout, stderr, code } = run(arguments);
        let stream = |name: &str, text: &str| match text {
            "" => String::new(),
            text => format!("-- {name}\n{}\n", text.trim_end()),
        };
        let line = arguments.join(" ");
        let (stdout, stderr) = (stream("stdout", &stdout), stream("stderr", &stderr));
        format!("$ headlint {line}\n{stdout}{stderr}-- exit code {code}\n")
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// A stream that refuses everything.
struct Refuses(io::ErrorKind);

impl Write for Refuses {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const CLEAN: &str = "tests/fixtures/service.yaml";

/// Has one warning.
const WARNING: &str = "tests/fixtures/port.yaml";

#[test]
fn help() {
    assert_snapshot!(transcript(&[&["--help"], &["lint", "--help"], &["dns", "--help"]]));
}

#[test]
fn wrong_arguments_are_explained() {
    assert_snapshot!(transcript(&[
        &["lint", "--namespace", "Prod_1", CLEAN],
        &["lint", "--jobs", "0", CLEAN],
        &["lint", "--format", "xml", CLEAN],
        &["lnit", CLEAN],
    ]));
}

#[test]
fn unknown_rules_are_refused() {
    assert_snapshot!(transcript(&[
        &["lint", "--only", "zzz", CLEAN],
        &["lint", "--skip", "statefulset-service-mising", CLEAN],
        &["explain", "statefulset_service_missing"],
    ]));
}

#[test]
fn the_exit_code_follows_the_fail_level_and_the_choice_of_rules() {
    let rule = "headless-port-target-mismatch";
    for (arguments, code) in [
        (vec![CLEAN], 0),
        (vec![WARNING], 1),
        (vec![CLEAN, WARNING], 1),
        (vec!["--fail-on", "info", WARNING], 1),
        (vec!["--fail-on", "error", WARNING], 0),
        (vec!["--skip", rule, WARNING], 0),
        (vec!["--only", rule, WARNING], 1),
        (vec!["--only", "statefulset-service-missing", WARNING], 0),
        (vec![WARNING, "tests/fixtures/tab.yaml"], 2),
        (vec!["--policy", "gone.wasm", WARNING], 2),
    ] {
        let ran = run(&[&["lint"], arguments.as_slice()].concat());
        assert_eq!(ran.code, code, "{arguments:?}\n{}", ran.stdout);
    }
}

#[test]
fn reports_of_all_rules_follow_the_schema() {
    let schema = serde_json::from_str(include_str!("../../schema/headlint.dev.v1.json"));
    let validator =
        jsonschema::validator_for(&schema.expect("the schema is JSON")).expect("it is a schema");
    let ran = run(&["lint", "--format", "json", "../wasm-policies/builtin", "tests/fixtures"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("only JSON");
    let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(report["findings"].as_array().is_some_and(|findings| findings.len() > 10));
}

#[test]
fn unreadable_input_is_no_pass() {
    assert_snapshot!(transcript(&[
        &["lint", "tests/fixtures/gone.yaml", CLEAN],
        &["lint", "tests/fixtures/tab.yaml"],
    ]));
}

#[test]
fn policies_that_cannot_be_loaded_are_no_pass() {
    assert_snapshot!(transcript(&[
        &["lint", "--policy", "gone.wasm", "--policy", "tests/fixtures/broken.wasm", CLEAN],
        &["lint", "--policy", "gone.wasm", "--only", "my-rule", CLEAN],
        &["lint", "--policy-dir", "gone", CLEAN],
        &["lint", "--policy-dir", "src", CLEAN],
        &["explain", "--policy", "gone.wasm", "my-rule"],
    ]));
    assert_eq!(run(&["rules", "--policy", "gone.wasm"]).code, 2);
}

#[test]
fn a_folder_without_manifests_is_told() {
    assert_snapshot!(transcript(&[&["lint", "src/report"]]));
}

#[test]
fn every_rule_is_listed_and_explained() {
    let rules = run(&["rules", "--format", "json"]);
    assert_eq!((rules.code, rules.stderr.as_str()), (0, ""));
    let rules: Vec<serde_json::Value> = serde_json::from_str(&rules.stdout).expect("JSON");
    assert!(!rules.is_empty());
    let table = run(&["rules"]).stdout;
    assert_eq!(table.lines().count(), rules.len() + 1, "{table}");
    for rule in rules {
        let keys: Vec<_> = rule.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(keys, ["action", "healsLater", "id", "kinds", "policy", "severity", "summary"]);
        let explained = run(&["explain", rule["id"].as_str().expect("a string")]);
        assert_eq!(explained.code, 0);
        assert!(!explained.stdout.trim().is_empty(), "{rule}");
    }
}

#[test]
fn the_profile_goes_to_standard_error() {
    let ran = run(&["lint", "--profile", "--format", "json", CLEAN]);
    assert!(ran.stderr.starts_with("policy  "), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().next().map(|it| it.split("  ").count() >= 4), Some(true));
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("only JSON");
    assert_eq!(report["schema"], "headlint.dev/v1");
}

#[test]
fn a_reader_that_has_seen_enough_changes_no_verdict() {
    for (path, code) in [(CLEAN, 0), ("tests/fixtures/tab.yaml", 2)] {
        let mut terminal = Terminal {
            stdout: Output::pipe(Refuses(io::ErrorKind::BrokenPipe)),
            stderr: Output::pipe(io::sink()),
        };
        let exit = headlint::run(["headlint", "lint", path], &mut terminal);
        assert_eq!(exit.code(), code);
    }
}

#[test]
fn a_report_that_cannot_be_written_is_no_pass() {
    let stderr = Buffer::default();
    let mut terminal = Terminal {
        stdout: Output::pipe(Refuses(io::ErrorKind::StorageFull)),
        stderr: Output::pipe(stderr.clone()),
    };
    let exit = headlint::run(["headlint", "lint", CLEAN], &mut terminal);
    assert_eq!(exit.code(), 2);
    assert_snapshot!(stderr.text());
}

#[test]
fn the_binary_reads_standard_input_and_writes_without_colours_into_a_pipe() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_headlint"))
        .args(["lint", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let manifest = std::fs::read("tests/fixtures/tab.yaml").expect("it is there");
    child.stdin.take().expect("it is a pipe").write_all(&manifest).expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert!(stdout.contains("--> -:4:1"), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
}
