//! Configuration files: what is wrong with them, what their author should know,
//! and how they are put into use.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use headlint_policies::engine::Limits;
use headlint_webhook::args::CheckConfigArgs;
use headlint_webhook::check_config;
use headlint_webhook::config::{Enforcement, OnFault, Written};
use headlint_webhook::metrics::Metrics;
use headlint_webhook::runtime::{Live, Loader};
use tempfile::TempDir;

/// What `check-config` says of a file.
fn check(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, text).unwrap();
    said(&folder, CheckConfigArgs { file, policy_dir: None })
}

fn said(folder: &TempDir, args: CheckConfigArgs) -> String {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let code = check_config(&args, &mut stdout, &mut stderr);
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(code == 0, stderr.is_empty(), "{stderr}");
    let shown = format!("{stdout}{stderr}exit code {code}\n");
    shown.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_would_be_right() {
    let wrong = [
        "enforcment: deny",
        "zzz: 1",
        "enforcement: dney",
        "enforcement: [deny]",
        "graceSeconds: soon",
        "graceSeconds: -1",
        "evaluationDeadlineMilliseconds: 0",
        "concurrency: 0",
        "queue: 70000",
        "rules: [statefulset-name-too-long]",
        "rules:\n  statefulset-name-to-long: deny",
        "rules:\n  zzz: deny",
        "rules:\n  statefulset-name-too-long: forbid",
        "rules:\n  statefulset-name-too-long: deny\n  statefulset-name-too-long: warn",
        "enabledRules: [statefulset_name_too_long]",
        "enforcement: warn\nenforcement: deny",
        "optionalKinds: [Secret]",
        "optionalKinds: [configmap]",
        "ignoreAnnotationSilencesDenials: perhaps",
        "cluster: {zone: cluster.local, minor: 36}",
        "cluster: {kubernetesMinor: \"1.36\"}",
        "exemptions: {reason: x}",
        "exemptions:\n  - namespaces: [prod]",
        "exemptions:\n  - reason: ' '",
        "exemptions:\n  - reason: x\n    rules: [headless-port-target-mismach]",
        "exemptions:\n  - reason: x\n    expression: spec.ports",
        "exemptions:\n  - reason: x\n    expression: $.spec[?@.a ==]",
        "exemptions:\n  - reason: x\n    expires: tomorrow",
        "exemptions:\n  - reason: x\n    expires: 2026-02-30",
        "exemptions:\n  - reason: x\n    labelSelector: {app: db}",
        "exemptions:\n  - reason: x\n    labelSelector: {matchExpressions: [{key: a, operator: Is}]}",
        "enforcement: warn\n---\nenforcement: deny",
        "enforcement: 'warn",
        "- enforcement",
        "just a text",
    ];
    let told: String = wrong.iter().map(|text| format!("{text}\n  {}\n", check(text))).collect();
    insta::assert_snapshot!(told);
    for text in wrong {
        assert!(check(text).ends_with("exit code 2\n"), "{text}");
    }
}

#[test]
fn a_file_that_is_no_text_or_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let args = || CheckConfigArgs { file: file.clone(), policy_dir: None };
    let gone = said(&folder, args());
    fs::write(&file, b"enforcement: warn\n\xff").unwrap();
    let binary = said(&folder, args());
    insta::assert_snapshot!(gone + &binary);
}

#[test]
fn a_good_file_is_good_and_an_empty_one_too() {
    for text in ["", "\n", "# nothing\n", "---\n", "{}", "null"] {
        assert_eq!(check(text), "exit code 0\n", "{text:?}");
    }
    let example = fs::read_to_string("schema/example.yaml").unwrap();
    assert!(check(&example).ends_with("exit code 0\n"), "{}", check(&example));
}

#[test]
fn the_author_is_told_where_order_matters_and_what_has_no_effect() {
    insta::assert_snapshot!(check(
        "enforcement: deny
rules:
  statefulset-service-missing: deny
  statefulset-service-not-headless: warn
  yaml-duplicate-key: deny
exemptions:
  - reason: the legacy database goes away
    namespaces: [legacy]
    expires: 2025-12-31
"
    ));
}

#[test]
fn policies_that_cannot_be_used_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, "").unwrap();
    let policies = folder.path().join("policies");
    let args = || CheckConfigArgs { file: file.clone(), policy_dir: Some(policies.clone()) };
    let gone = said(&folder, args());
    fs::create_dir(&policies).unwrap();
    let empty = said(&folder, args());
    fs::write(policies.join("broken.wasm"), "no module").unwrap();
    fs::write(policies.join("notes.txt"), "not looked at").unwrap();
    let broken = said(&folder, args());
    insta::assert_snapshot!(format!("{gone}{empty}{broken}"));
}

#[test]
fn the_schema_is_that_of_the_types() {
    let path = "schema/headlint-webhook-config.v1.json";
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Written)).unwrap() + "\n";
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        fs::write(path, &schema).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap();
    assert_eq!(kept, schema, "INSTA_UPDATE=always writes it anew");
}

/// A loader over a folder, and what it has put into use.
struct Loaded {
    folder: TempDir,
    loader: Loader,
    live: Live,
    metrics: Arc<Metrics>,
}

impl Loaded {
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, policies) = (folder.path().join("config.yaml"), folder.path().join("policies"));
        fs::write(&file, config).unwrap();
        fs::create_dir(&policies).unwrap();
        let metrics = Arc::new(Metrics::new());
        let mut loader = Loader::new(Some(&file), Some(&policies), Arc::clone(&metrics));
        let (runtime, faults) = loader.start().unwrap();
        assert_eq!(faults, []);
        Self { folder, loader, live: ArcSwap::from_pointee(runtime), metrics }
    }

    fn write(&mut self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
        self.loader.reload(&self.live);
    }

    /// Generation, enforcement, and whether config and policies could be used.
    fn state(&self) -> (u64, Enforcement, [bool; 2]) {
        let text = self.metrics.encode();
        let success = |source: &str| {
            text.contains(&format!("headlint_reload_success{{source=\"{source}\"}} 1\n"))
        };
        let generation = format!("headlint_config_generation {}\n", self.live.load().generation());
        assert!(text.contains(&generation), "{text}");
        let runtime = self.live.load();
        (
            runtime.generation(),
            runtime.config().enforcement,
            [success("config"), success("policies")],
        )
    }
}

#[test]
fn what_changes_is_swapped_as_one_and_what_is_bad_changes_nothing() {
    use Enforcement::{Deny, Warn};
    let mut loaded = Loaded::start("");
    assert_eq!(loaded.state(), (1, Warn, [true, true]));
    let engine = |loaded: &Loaded| std::ptr::from_ref(loaded.live.load().engine());
    let first = engine(&loaded);

    loaded.write("config.yaml", "enforcement: deny");
    assert_eq!(loaded.state(), (2, Deny, [true, true]));
    // An engine that has the right policies stays.
    assert_eq!(engine(&loaded), first);
    loaded.loader.reload(&loaded.live);
    assert_eq!(loaded.state(), (2, Deny, [true, true]));

    loaded.write("config.yaml", "enforcement: never");
    assert_eq!(loaded.state(), (2, Deny, [false, true]));
    loaded.write("config.yaml", "onFault: deny");
    assert_eq!(loaded.state(), (3, Warn, [true, true]));
    assert_eq!(loaded.live.load().config().on_fault, OnFault::Deny);

    loaded.write("policies/broken.wasm", "no module");
    assert_eq!(loaded.state(), (3, Warn, [true, false]));
    // As long as it is there, nothing that changes is put into use: it would
    // not be what the folder and the file say together.
    loaded.write("config.yaml", "enforcement: deny");
    assert_eq!(loaded.state(), (3, Warn, [true, false]));
    fs::remove_file(loaded.folder.path().join("policies/broken.wasm")).unwrap();
    loaded.loader.reload(&loaded.live);
    assert_eq!(loaded.state(), (4, Deny, [true, true]));
}

#[test]
fn a_folder_that_went_away_changes_nothing() {
    let mut loaded = Loaded::start("enforcement: deny");
    fs::remove_dir(loaded.folder.path().join("policies")).unwrap();
    loaded.loader.reload(&loaded.live);
    assert_eq!(loaded.state(), (1, Enforcement::Deny, [true, false]));
    fs::remove_file(loaded.folder.path().join("config.yaml")).unwrap();
    loaded.loader.reload(&loaded.live);
    assert_eq!(loaded.state().0, 1);
}

#[test]
fn an_engine_follows_the_deadline_that_is_configured() {
    let mut loaded = Loaded::start("evaluationDeadlineMilliseconds: 100");
    let limits = loaded.live.load().config().limits;
    assert_eq!(limits, Limits::within(Duration::from_millis(100)).in_slices());
    let first = std::ptr::from_ref(loaded.live.load().engine());
    let held = loaded.live.load_full();
    loaded.write("config.yaml", "evaluationDeadlineMilliseconds: 200");
    assert_ne!(std::ptr::from_ref(loaded.live.load().engine()), first);
    assert_eq!(held.generation(), 1);
}

#[test]
fn a_replica_starts_without_the_policies_that_it_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.wasm"), "no module").unwrap();
    let metrics = Arc::new(Metrics::new());
    let mut loader = Loader::new(None, Some(folder.path()), Arc::clone(&metrics));
    let (runtime, faults) = loader.start().unwrap();
    assert_eq!(faults.len(), 1);
    assert!(!runtime.engine().policies().is_empty());
    assert!(metrics.encode().contains("headlint_reload_success{source=\"policies\"} 0\n"));
}

#[test]
fn keys_that_count_from_the_next_start_on_are_named() {
    let old = Loaded::start("");
    let new = Loaded::start(
        "{namespaces: [a], optionalKinds: [Ingress], cluster: {zone: example.test}, concurrency: 3, queue: 3, graceSeconds: 3}",
    );
    let (old, new) = (old.live.load_full(), new.live.load_full());
    assert_eq!(
        new.config().needs_restart(old.config()),
        ["namespaces", "optionalKinds", "graceSeconds", "cluster", "concurrency", "queue"]
    );
    assert!(new.config().needs_restart(new.config()).is_empty());
}
