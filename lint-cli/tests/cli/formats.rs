//! Every format, and several at once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::run;

/// Findings with related places and edits, a file that can't be read, and a
/// policy that can't be loaded.
const LINT: [&str; 6] = [
    "lint",
    "tests/fixtures/port.yaml",
    "tests/fixtures/misspelled.yaml",
    "tests/fixtures/tab.yaml",
    "--policy",
    "tests/fixtures/broken.wasm",
];

const RULES: &str = "cluster-ip-none-misspelled,headless-port-target-mismatch";

fn told(format: &str) -> String {
    let arguments = [&LINT[..], &["--only", RULES, "--format", format]].concat();
    let ran = run(&arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""), "{format}");
    ran.stdout
}

#[test]
fn github_annotations() {
    assert_snapshot!(told("github"));
}

#[test]
fn gitlab_code_quality() {
    let told = told("gitlab");
    assert_snapshot!(told);
    let issues: Vec<Value> = serde_json::from_str(&told).expect("a list");
    let mut fingerprints: Vec<_> = issues.iter().map(|it| it["fingerprint"].as_str()).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), issues.len(), "GitLab drops all but one of a fingerprint");
}

#[test]
fn junit() {
    let told = told("junit");
    assert_snapshot!(told);
    let report = quick_junit::Report::deserialize_from_str(&told).expect("it is JUnit's XML");
    assert_eq!(report.test_suites.len(), 4);
}

#[test]
fn sarif() {
    let told = told("sarif");
    // The documentation is long, and is held elsewhere.
    let mut sarif: Value = serde_json::from_str(&told).expect("JSON");
    for rule in sarif["runs"][0]["tool"]["driver"]["rules"].as_array_mut().expect("rules") {
        let text = rule["help"]["text"].as_str().expect("a text").to_owned();
        assert_eq!(rule["help"]["markdown"], text.as_str());
        let first = text.lines().next().expect("a line");
        rule["help"]["text"] = first.into();
        rule["help"]["markdown"] = first.into();
    }
    assert_snapshot!(serde_json::to_string_pretty(&sarif).expect("JSON"));
}

/// The schema as the crate `serde-sarif` carries it; it is never compiled.
fn sarif_schema() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|it| it["name"] == "serde-sarif").expect("it is locked");
    let manifest = PathBuf::from(package["manifest_path"].as_str().expect("a path"));
    let schema = fs::read(manifest.with_file_name("src/schema.json")).expect("it has the schema");
    let mut schema: Value = serde_json::from_slice(&schema).expect("JSON");
    // These patterns are no regular expressions: there is a `]` too much.
    for part in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][part]["properties"]["language"];
        assert!(language.as_object_mut().expect("an object").remove("pattern").is_some());
    }
    schema
}

#[test]
fn sarif_of_all_rules_follows_the_published_schema() {
    let validator = jsonschema::validator_for(&sarif_schema()).expect("it is a schema");
    let all = ["lint", "--format", "sarif", "../wasm-policies/builtin", "tests/fixtures"];
    for told in [told("sarif"), run(&all).stdout] {
        let sarif: Value = serde_json::from_str(&told).expect("JSON");
        let errors: Vec<_> = validator.iter_errors(&sarif).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let sarif: Value = serde_json::from_str(&run(&all).stdout).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() > 100);
    assert!(results.iter().any(|result| result["fixes"].is_array()));
    assert!(results.iter().any(|result| result["relatedLocations"].is_array()));
    // It does fail on what is none.
    let mut broken = sarif.clone();
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!validator.is_valid(&broken));
}

#[test]
fn several_formats_at_once_are_those_of_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let formats = ["json", "sarif", "junit", "github", "gitlab"];
    let mut arguments: Vec<String> = LINT.iter().map(|it| (*it).to_owned()).collect();
    arguments.extend(["--only", RULES, "--format", "text"].map(str::to_owned));
    for format in formats {
        arguments.extend(["--format".to_owned(), format!("{format}={}", file(format))]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = run(&arguments);
    assert_eq!((ran.code, ran.stdout), (2, told("text")));
    for format in formats {
        let written = fs::read_to_string(file(format)).expect("it was written");
        assert_eq!(written, told(format), "{format}");
    }
}

#[test]
fn wrong_formats_are_refused() {
    assert_snapshot!(crate::transcript(&[
        &["lint", "--format", "xml", crate::CLEAN],
        &["lint", "--format", "text", "--format", "json", crate::CLEAN],
        &["lint", "--format", "sarif=gone/out.sarif", crate::CLEAN],
        &["lint", "--format", "sarif=", crate::CLEAN],
    ]));
}
