//! The small things: how much is said, colours, completions, manual pages.

use std::process::Command;

use crate::{CLEAN, WARNING, run};

#[test]
fn quiet_says_only_what_is_found_and_verbose_what_it_rests_on() {
    let quiet = run(&["lint", "--quiet", CLEAN]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str(), quiet.code), ("", "", 0));
    let quiet = run(&["lint", "-q", WARNING]);
    assert!(quiet.code == 1 && !quiet.stdout.contains(" in 1 file"), "{}", quiet.stdout);
    let verbose = run(&["lint", "-v", CLEAN, "schema/headlint.dev.v1.json"]);
    let expected = "configuration: no headlint.yaml\nskipped: schema/headlint.dev.v1.json:1: ";
    assert!(verbose.stderr.starts_with(expected), "{}", verbose.stderr);
    assert_eq!(run(&["lint", "-q", "-v", CLEAN]).code, 2);
}

#[test]
fn colours_are_as_they_are_asked_for() {
    for (when, coloured) in [("always", true), ("never", false), ("auto", false)] {
        let output = Command::new(env!("CARGO_BIN_EXE_headlint"))
            .args(["lint", "--color", when, WARNING])
            .env_remove("CLICOLOR_FORCE")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(told.contains('\u{1b}'), coloured, "{when}: {told}");
    }
}

#[test]
fn every_shell_is_completed() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("write-baseline"), "{shell}");
    }
    assert_eq!(run(&["completions", "dos"]).code, 2);
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&["man", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for page in ["headlint.1", "headlint-lint.1", "headlint-dns.1", "headlint-explain.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}");
    }
    assert_eq!(run(&["man", "Cargo.toml/gone"]).code, 2);
}

#[test]
fn rules_in_markdown_are_those_of_the_front_door() {
    let table = run(&["rules", "--markdown"]).stdout;
    let readme = std::fs::read_to_string("../README.md").unwrap();
    assert!(readme.contains(&table), "{table}");
}

#[test]
fn what_others_run_has_arguments_that_there_are() {
    let hooks = std::fs::read_to_string("../.pre-commit-hooks.yaml").unwrap();
    let entries: Vec<_> =
        hooks.lines().filter_map(|it| it.trim().strip_prefix("entry: ")).collect();
    assert_eq!(entries, ["headlint lint", "headlint lint --fix"]);
    for entry in entries {
        let arguments: Vec<_> = entry.split(' ').skip(1).chain([CLEAN]).collect();
        assert_eq!(run(&arguments).code, 0, "{entry}");
    }
    let action = std::fs::read_to_string("../action.yml").unwrap();
    assert!(action.contains("headlint\" lint --format github"), "{action}");
    let folder = tempfile::tempdir().unwrap();
    let sarif = format!("--format=sarif={}", folder.path().join("out.sarif").display());
    assert_eq!(run(&["lint", "--format", "github", &sarif, WARNING]).code, 1);
}
