//! `headlint.yaml`: what it changes, and what is said of a wrong one.

use std::fs;
use std::path::Path;

use headlint::config::Written;
use headlint::{Output, Terminal};
use insta::assert_snapshot;

use crate::buffer::Buffer;

/// Has one warning.
pub(crate) const PORT: &str = include_str!("../fixtures/port.yaml");
pub(crate) const RULE: &str = "headless-port-target-mismatch";

/// A folder with a configuration and manifests.
pub(crate) fn folder(config: &str, manifests: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("headlint.yaml"), config).unwrap();
    for manifest in manifests {
        let path = folder.path().join(manifest);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, PORT).unwrap();
    }
    folder
}

/// What is said, with paths as if the folder were the current one, and the exit
/// code.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> (String, u8) {
    let said = Buffer::default();
    let mut terminal =
        Terminal { stdout: Output::pipe(said.clone()), stderr: Output::pipe(said.clone()) };
    let exit = headlint::run(["headlint"].iter().chain(arguments), &mut terminal);
    (said.text().replace(&format!("{}/", folder.display()), ""), exit.code())
}

pub(crate) fn lint(folder: &Path, arguments: &[&str]) -> (String, u8) {
    run(folder, &[&["lint", folder.to_str().unwrap()], arguments].concat())
}

#[test]
fn severities_fail_levels_and_rules_are_those_of_the_file_until_something_is_typed() {
    for (config, arguments, found, code) in [
        ("", &[][..], 1, 1),
        ("failOn: error", &[], 1, 0),
        ("failOn: error", &["--fail-on", "warning"], 1, 1),
        ("severities: {headless-port-target-mismatch: error}\nfailOn: error", &[], 1, 1),
        ("severities: {headless-port-target-mismatch: info}", &[], 0, 0),
        ("severities: {headless-port-target-mismatch: off}", &["--hints"], 0, 0),
        ("severities: {headless-port-target-mismatch: off}", &["--enable", RULE], 1, 1),
        ("severities: {headless-port-target-mismatch: off}", &["--only", RULE], 1, 1),
    ] {
        let folder = folder(config, &["a.yaml"]);
        let (said, is) = lint(folder.path(), arguments);
        assert_eq!((said.matches(RULE).count(), is), (found, code), "{config} {arguments:?}{said}");
        assert!(!said.contains("skipped"), "the file itself is no manifest: {said}");
    }
}

#[test]
fn what_is_excluded_is_left_out_of_folders_and_read_when_it_is_named() {
    let manifests = ["a.yaml", "vendor/b.yaml", "apps/c.yaml", "apps/deep/d.yaml", "apps/e.yaml"];
    let folder = folder("exclude: [vendor/, '**/deep', 'apps/*', '!apps/e.yaml']", &manifests);
    let files = |arguments: &[&str]| -> Vec<String> {
        let (said, _) = lint(folder.path(), arguments);
        let files = said.lines().filter_map(|line| line.trim().strip_prefix("--> "));
        files.map(|at| at.split(':').next().unwrap().to_owned()).collect()
    };
    assert_eq!(files(&[]), ["a.yaml", "apps/e.yaml"]);
    let named = folder.path().join("vendor/b.yaml");
    assert_eq!(files(&[named.to_str().unwrap()]), ["a.yaml", "apps/e.yaml", "vendor/b.yaml"]);
}

#[test]
fn exemptions_cover_what_their_conditions_say_until_they_expire() {
    for (conditions, code) in [
        ("rules: [headless-port-target-mismatch]", 0),
        ("rules: [statefulset-service-missing]", 1),
        ("namespaces: [default]", 0),
        ("namespaces: [prod]", 1),
        ("expression: '$.spec.ports[?@.port == 80]'", 0),
        ("expression: '$.spec.ports[?@.port == 81]'", 1),
        ("labelSelector: {matchExpressions: [{key: x, operator: Exists}]}", 1),
        ("expires: 2999-12-31", 0),
        ("expires: 2020-12-31", 1),
    ] {
        let folder = folder(&format!("exemptions: [{{reason: known, {conditions}}}]"), &["a.yaml"]);
        let (said, is) = lint(folder.path(), &[]);
        assert_eq!(is, code, "{conditions}: {said}");
    }
    // The rules about text ask the same.
    let folder = folder("exemptions: [{reason: known, rules: [yaml-duplicate-key]}]", &[]);
    let twice = PORT.replacen("spec:", "spec: {}\nspec:", 1);
    fs::write(folder.path().join("a.yaml"), twice).unwrap();
    let (said, _) = lint(folder.path(), &["--only", "yaml-duplicate-key"]);
    assert!(said.starts_with("no findings"), "{said}");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_would_be_right() {
    let wrong = [
        "failOn: erorr",
        "fail-on: error",
        "severities: [headless-port-target-mismatch]",
        "severities:\n  headless-port-target-mismach: off",
        "severities: {headless-port-target-mismatch: warn}",
        "enabledRules: [headless-port]",
        "exclude: vendor",
        "exclude: ['a{b']",
        "cluster: {zone: x, minor: 36}",
        "exemptions:\n  - rules: []",
        "exemptions:\n  - reason: x\n    expires: soon",
        "policies: {port-consistancy: {}}",
        "policies: {port-consistency: {settings: {colour: red}}}",
        "policies: {port-consistency: {colour: red}}",
        "failOn: error\nfailOn: error",
    ];
    let told: Vec<_> = wrong
        .iter()
        .map(|text| {
            let folder = folder(text, &["a.yaml"]);
            let (said, code) = lint(folder.path(), &[]);
            assert_eq!(code, 2, "{text}: {said}");
            format!("{text}\n{said}")
        })
        .collect();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn another_file_may_be_named_and_has_to_be_there() {
    let folder = folder("failOn: error", &["a.yaml"]);
    let other = folder.path().join("other.yaml");
    fs::write(&other, "failOn: warning").unwrap();
    let other = other.to_str().unwrap();
    assert_eq!(lint(folder.path(), &[]).1, 0);
    assert_eq!(lint(folder.path(), &["--config", other]).1, 1);
    assert_eq!(lint(folder.path(), &["--config", &format!("{other}.gone")]).1, 2);
}

#[test]
fn the_one_that_init_writes_changes_nothing_and_is_never_written_over_another() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), PORT).unwrap();
    let before = lint(folder.path(), &[]);
    let init = || run(folder.path(), &["init", folder.path().to_str().unwrap()]);
    assert_eq!(init(), ("wrote headlint.yaml\n".to_owned(), 0));
    assert_eq!(lint(folder.path(), &[]), before);
    let (said, code) = init();
    assert!(said.contains("there is a") && code == 2, "{said}");

    // What it has as examples, is right too.
    let file = folder.path().join("headlint.yaml");
    let commented = fs::read_to_string(&file).unwrap();
    let examples: String = commented
        .replace("{}\n#", "\n#")
        .replace("[]\n#", "\n#")
        .lines()
        .filter(|line| !line.starts_with("# ") || line.starts_with("#  "))
        .map(|line| format!("{}\n", line.replacen('#', "", usize::from(line.starts_with('#')))))
        .filter(|line| !line.contains("my-policy") && !line.contains("settings"))
        .collect();
    fs::write(&file, &examples).unwrap();
    let (said, code) = lint(folder.path(), &[]);
    assert_eq!(code, 1, "{said}\n{examples}");
}

#[test]
fn the_schema_is_that_of_the_types() {
    let path = "schema/headlint-config.v1.json";
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Written)).unwrap() + "\n";
    if std::env::var_os("INSTA_UPDATE").is_some_and(|it| it == "always") {
        fs::write(path, &schema).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap();
    assert_eq!(kept, schema, "INSTA_UPDATE=always writes it anew");
}
