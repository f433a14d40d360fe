//! A policy crate outside of this tree, made of CONTRIBUTING.md's own text: it
//! is built, loaded, configured and treated like any other, at both doors.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arc_swap::ArcSwap;
use headlint_policies::inventory::{Change, Knowledge, Live};
use headlint_policies::manifest::{Manifest, Source, load};
use headlint_policies::model::project;
use headlint_tests::cases::root;
use headlint_webhook::admission::Admission;
use headlint_webhook::metrics::Metrics;
use headlint_webhook::runtime::Loader;
use serde_json::{Value, json};

const TARGET: &str = "wasm32-unknown-unknown";

/// A Service of one team, and Pods of another; both of one owner, and of two
/// centres of cost.
const MANIFEST: &str = "\
apiVersion: v1
kind: Service
metadata: {name: db, labels: {example.com/team: red, owner: ada, cost: a}}
spec: {clusterIP: none, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db, example.com/team: blue, owner: ada, cost: b}}
    spec: {containers: [{name: db, image: \"db:1\", ports: [{containerPort: 5432}]}]}
";

const RULE: &str = "service-team-differs";

/// What the rule says, by the label that it is to look at: none says nothing.
const SAYS: [(&str, Option<&str>); 3] = [
    ("{}", Some("Service `db` is of team red, and `web` behind it of blue")),
    ("{my-policy: {settings: {label: cost}}}", Some("is of team a, and `web` behind it of b")),
    ("{my-policy: {settings: {label: owner}}}", None),
];

/// The first block of a language in a part of CONTRIBUTING.md.
fn block(section: &str, language: &str) -> String {
    let (_, behind) = section.split_once(&format!("```{language}\n")).expect("it has the block");
    behind.split_once("```").expect("it ends").0.to_owned()
}

/// Builds the crate in a folder of its own, and returns the module.
fn build(folder: &Path, name: &str, cargo_toml: &str, lib: &str) -> PathBuf {
    let tree = root().canonicalize().unwrap();
    let folder = folder.join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let cargo_toml =
        cargo_toml.replace("<this tree>", &tree.display().to_string()).replace("my-policy", name);
    fs::write(folder.join("Cargo.toml"), cargo_toml).unwrap();
    fs::write(folder.join("src/lib.rs"), lib).unwrap();
    // The same versions of dependencies, which are here already.
    fs::copy(tree.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let target = tree.join("target/outside");
    let output = Command::new(tree.join("wasm-policies/cargo.sh"))
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
    stderr: String,
}

fn headlint(cache: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(root().join("target/release/headlint"))
        .args(arguments)
        .env("XDG_CACHE_HOME", cache)
        .output()
        .expect("the binary was built");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_policy_made_of_the_documentation_is_a_peer_of_the_built_in_ones() {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let (_, section) = text.split_once("## Write a policy of your own").expect("it has the part");
    let (cargo_toml, lib) = (block(section, "toml"), block(section, "rust"));
    let folder = tempfile::tempdir().unwrap();
    let mine = build(folder.path(), "my-policy", &cargo_toml, &lib);
    // The same, but for what it does with an object, and only when asked for.
    let (head, _) = lib.split_once("fn check").expect("it has a check");
    let failing = format!(
        "{head}fn check(review: &Review, context: &Context, findings: &mut Findings) {{\n\
         let _ = (context.cluster(), findings.add(Finding::new(&RULE, \"$\")));\n\
         panic!(\"{{review:?}}\");\n}}\n\
         headlint_policy_sdk::policy! {{ name: \"bad-policy\", rules: [RULE] }}\n"
    )
    .replace(RULE, "service-breaks-policy")
    .replace("default_on: true", "default_on: false");
    let bad = build(folder.path(), "bad-policy", &cargo_toml, &failing);
    // The same, but that it can't do without a label.
    let (head, tail) = lib.split_once("default)]").expect("it has settings with defaults");
    let strict = format!("{})]{tail}", head.trim_end_matches(", "))
        .replace("\"my-policy\"", "\"strict-policy\"")
        .replace(RULE, "service-of-strict-policy");
    let strict = build(folder.path(), "strict-policy", &cargo_toml, &strict);

    it_is_listed_explained_skipped_and_contained(folder.path(), &mine, &bad);
    its_settings_change_what_the_linter_says(folder.path(), &mine, &strict);
    its_settings_change_what_the_webhook_says(folder.path(), &mine);
}

fn it_is_listed_explained_skipped_and_contained(folder: &Path, mine: &Path, bad: &Path) {
    let manifest = folder.join("db.yaml");
    fs::write(&manifest, MANIFEST).unwrap();
    let [manifest, mine, bad] = [&manifest, mine, bad].map(|it| it.to_str().unwrap());
    let run = |arguments: &[&str]| {
        let ran = headlint(folder, arguments);
        assert_eq!(ran.stderr, "", "{arguments:?}");
        ran
    };
    let says = SAYS[0].1.unwrap();
    let builtin = "cluster-ip-none-misspelled";

    let ran = run(&["lint", "--policy", mine, manifest]);
    assert_eq!(ran.code, Some(1));
    for text in [RULE, says, builtin] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    // wasmtime deletes what is old in the folder that it is given.
    assert!(folder.join("headlint/policies/modules").is_dir());
    let explained = run(&["explain", "--policy", mine, RULE]);
    assert!(explained.code == Some(0) && explained.stdout.contains("Who is paged"));
    assert!(run(&["rules", "--policy", mine]).stdout.contains(RULE));
    let skipped = run(&["lint", "--policy", mine, "--skip", RULE, manifest]);
    assert!(!skipped.stdout.contains(RULE) && skipped.stdout.contains(builtin));
    let only = run(&["lint", "--policy", mine, "--only", RULE, manifest]);
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

fn its_settings_change_what_the_linter_says(folder: &Path, mine: &Path, strict: &Path) {
    let manifest = folder.join("db.yaml").display().to_string();
    let config = folder.join("headlint.yaml");
    let [mine, strict] = [mine, strict].map(|it| it.to_str().unwrap());
    for (policies, says) in SAYS {
        fs::write(&config, format!("policies: {policies}\n")).unwrap();
        let ran = headlint(folder, &["lint", "--policy", mine, "--only", RULE, &manifest]);
        assert_eq!(ran.code, Some(i32::from(says.is_some())), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout.contains(RULE), says.is_some(), "{}", ran.stdout);
        assert!(ran.stdout.contains(says.unwrap_or("no findings")), "{}", ran.stdout);
    }
    for (text, told) in [
        (
            "policies:\n  my-policy:\n    settings:\n      lable: owner\n",
            ":4:7: the policy `my-policy` refuses its settings: unknown field `lable`, expected `label`",
        ),
        (
            "policies: {my-policy: {settings: {label: [owner]}}}\n",
            ":1:35: the policy `my-policy` refuses its settings: invalid type: sequence",
        ),
        (
            "policies: {mypolicy: {}}\n",
            ":1:12: there is no policy `mypolicy`: did you mean `my-policy`?",
        ),
        (
            "policies: {my-policy: {label: x}}\n",
            ":1:24: there is no key `label` here: it takes settings",
        ),
        (
            "severities: {service-team-differ: error}\n",
            ":1:14: there is no rule `service-team-differ`",
        ),
    ] {
        fs::write(&config, text).unwrap();
        let ran = headlint(folder, &["lint", "--policy", mine, &manifest]);
        assert_eq!(ran.code, Some(2), "{text}: {}", ran.stdout);
        assert!(ran.stderr.contains(told), "{text}: {}", ran.stderr);
    }

    // Its rules are configured as others are.
    fs::write(&config, format!("severities: {{{RULE}: info}}\n")).unwrap();
    let ran = headlint(folder, &["lint", "--policy", mine, "--only", RULE, &manifest]);
    assert_eq!((ran.code, ran.stdout.contains("1 hint not shown")), (Some(0), true));
    fs::write(&config, format!("exemptions: [{{reason: both know, rules: [{RULE}]}}]\n")).unwrap();
    let ran = headlint(folder, &["lint", "--policy", mine, "--only", RULE, &manifest]);
    assert_eq!((ran.code, ran.stdout.contains("no findings")), (Some(0), true), "{}", ran.stdout);

    // One that can't do without settings is a fault, never a pass.
    fs::write(&config, "").unwrap();
    let run = || headlint(folder, &["lint", "--policy", strict, &manifest]);
    let ran = run();
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stdout.contains("needs settings"), "{}", ran.stdout);
    fs::write(&config, "policies: {strict-policy: {settings: {label: cost}}}\n").unwrap();
    let ran = run();
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(SAYS[1].1.unwrap()), "{}", ran.stdout);
}

fn its_settings_change_what_the_webhook_says(folder: &Path, mine: &Path) {
    let policies = folder.join("policies");
    fs::create_dir_all(&policies).unwrap();
    fs::copy(mine, policies.join("my-policy.wasm")).unwrap();
    let config = folder.join("webhook.yaml");
    for (settings, says) in SAYS {
        fs::write(&config, format!("policies: {settings}\n")).unwrap();
        let warnings = warnings(&config, &policies);
        let found: Vec<_> = warnings.iter().filter(|it| it.starts_with(RULE)).collect();
        match says {
            Some(says) => assert!(matches!(&found[..], [it] if it.contains(says)), "{warnings:?}"),
            None => assert!(found.is_empty(), "{warnings:?}"),
        }
    }
    fs::write(&config, "policies:\n  my-policy:\n    settings: {lable: owner}\n").unwrap();
    let mut loader = Loader::new(Some(&config), Some(&policies), Arc::new(Metrics::new()));
    let error = loader.start().expect_err("it is refused").to_string();
    let told =
        "webhook.yaml:3:16: the policy `my-policy` refuses its settings: unknown field `lable`";
    assert!(error.contains(told), "{error}");
}

/// What the webhook tells whoever creates the Service beside the Deployment.
fn warnings(config: &Path, policies: &Path) -> Vec<String> {
    let metrics = Arc::new(Metrics::new());
    let mut loader = Loader::new(Some(config), Some(policies), Arc::clone(&metrics));
    let (runtime, faults) = loader.start().unwrap();
    assert_eq!(faults, []);
    let source = Source::new("-", MANIFEST.replace("none", "None").into_bytes()).unwrap();
    let manifests = load(Arc::new(source)).manifests;
    let [service, workload] = &manifests[..] else { panic!("there are two objects") };
    let live = Arc::new(Live::new(Knowledge { complete: true, ..Knowledge::default() }));
    let workload = project(&workload.root, "default").unwrap();
    live.apply(vec![Change::Put(Arc::new(workload))]);
    let admission = Admission::new(Arc::new(ArcSwap::from_pointee(runtime)), live, metrics);
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let due = tokio::time::Instant::now() + std::time::Duration::from_secs(3_600);
    let reply = threads.block_on(admission.review(review(service).to_string().into(), due));
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    let warnings = answer["response"]["warnings"].as_array().cloned().unwrap_or_default();
    warnings.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn review(manifest: &Manifest) -> Value {
    let resource = json!({"group": "", "version": "v1", "resource": "services"});
    let kind = json!({"group": "", "version": "v1", "kind": "Service"});
    let mut object = manifest.root.to_json();
    object["metadata"]["namespace"] = json!("default");
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": "db", "namespace": "default", "operation": "CREATE",
            "userInfo": {"username": "admin"}, "object": object, "dryRun": false,
        },
    })
}
