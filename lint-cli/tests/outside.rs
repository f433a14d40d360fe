//! A policy crate outside of this tree, made of CONTRIBUTING.md's own text: it
//! is built, loaded and treated like any other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-unknown-unknown";

/// A Service of one team, and Pods of another.
const MANIFEST: &str = "\
apiVersion: v1
kind: Service
metadata: {name: db, labels: {example.com/team: red}}
spec: {clusterIP: none, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db, example.com/team: blue}}
    spec: {containers: [{name: db, image: \"db:1\", ports: [{containerPort: 5432}]}]}
";

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("it is there")
}

/// The first block of a language in a part of CONTRIBUTING.md.
fn block(section: &str, language: &str) -> String {
    let (_, behind) = section.split_once(&format!("```{language}\n")).expect("it has the block");
    behind.split_once("```").expect("it ends").0.to_owned()
}

/// Builds the crate in a folder of its own, and returns the module.
fn build(folder: &Path, name: &str, cargo_toml: &str, lib: &str) -> PathBuf {
    let folder = folder.join(name);
    fs::create_dir_all(folder.join("src")).expect("it can be made");
    let cargo_toml =
        cargo_toml.replace("<this tree>", &tree().display().to_string()).replace("my-policy", name);
    fs::write(folder.join("Cargo.toml"), cargo_toml).expect("it can be written");
    fs::write(folder.join("src/lib.rs"), lib).expect("it can be written");
    // The same versions of dependencies, which are here already.
    fs::copy(tree().join("Cargo.lock"), folder.join("Cargo.lock")).expect("it can be copied");
    let target = tree().join("target/outside");
    let output = Command::new(tree().join("wasm-policies/cargo.sh"))
        .args(["build", "--release", "--target", TARGET, "--target-dir"])
        .arg(&target)
        .current_dir(&folder)
        // Of the test's own build.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join(TARGET).join("release").join(name.replace('-', "_") + ".wasm")
}

struct Ran {
    code: Option<i32>,
    stdout: String,
}

fn headlint(cache: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_headlint"))
        .args(arguments)
        .env("XDG_CACHE_HOME", cache)
        .output()
        .expect("the binary was built");
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    Ran { code: output.status.code(), stdout }
}

#[test]
fn a_policy_made_of_the_documentation_is_a_peer_of_the_built_in_ones() {
    let text = fs::read_to_string(tree().join("CONTRIBUTING.md")).expect("it is there");
    let (_, section) = text.split_once("## Write a policy of your own").expect("it has the part");
    let (cargo_toml, lib) = (block(section, "toml"), block(section, "rust"));
    let folder = tempfile::tempdir().expect("a folder");
    let mine = build(folder.path(), "my-policy", &cargo_toml, &lib);
    // The same, but for what it does with an object, and only when asked for.
    let (head, _) = lib.split_once("fn check").expect("it has a check");
    let failing = format!(
        "{head}fn check(review: &Review, context: &dyn Context, findings: &mut Findings) {{\n\
         let _ = (TEAM, context.cluster(), findings.add(Finding::new(&RULE, \"$\")));\n\
         panic!(\"{{review:?}}\");\n}}\n\
         headlint_policy_sdk::policy! {{ name: \"bad-policy\", rules: [RULE] }}\n"
    )
    .replace("service-team-differs", "service-breaks-policy")
    .replace("default_on: true", "default_on: false");
    let bad = build(folder.path(), "bad-policy", &cargo_toml, &failing);

    let manifest = folder.path().join("db.yaml");
    fs::write(&manifest, MANIFEST).expect("it can be written");
    let [manifest, mine, bad] = [&manifest, &mine, &bad].map(|it| it.to_str().expect("text"));
    let run = |arguments: &[&str]| headlint(folder.path(), arguments);
    let rule = "service-team-differs";
    let says = "Service `db` is of team red, and `web` behind it of blue";
    let builtin = "cluster-ip-none-misspelled";

    let ran = run(&["lint", "--policy", mine, manifest]);
    assert_eq!(ran.code, Some(1));
    for text in [rule, says, builtin] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    let explained = run(&["explain", "--policy", mine, rule]);
    assert!(explained.code == Some(0) && explained.stdout.contains("Who is paged"));
    assert!(run(&["rules", "--policy", mine]).stdout.contains(rule));
    let skipped = run(&["lint", "--policy", mine, "--skip", rule, manifest]);
    assert!(!skipped.stdout.contains(rule) && skipped.stdout.contains(builtin));
    let only = run(&["lint", "--policy", mine, "--only", rule, manifest]);
    assert!(only.stdout.contains(says) && !only.stdout.contains(builtin));

    // One that fails is quiet until it is enabled, and then nobody's else trouble.
    let both = ["lint", "--policy", mine, "--policy", bad, manifest];
    let quiet = run(&both);
    assert_eq!((quiet.code, &quiet.stdout), (Some(1), &ran.stdout));
    let failed = run(&[&both[..], &["--enable", "service-breaks-policy"]].concat());
    assert_eq!(failed.code, Some(2), "{}", failed.stdout);
    for text in ["bad-policy", "trapped", says, builtin] {
        assert!(failed.stdout.contains(text), "{text}: {}", failed.stdout);
    }
}
