//! What is done with what the policies say: by the configuration, by
//! annotation, and for what was wrong before.

use std::process::Command;

use headlint_tests::cases::root;
use headlint_tests::cluster::{Cluster, Namespace, Outcome, Webhook};
use serde_json::{Value, json};

use crate::Test::{self, Sharing};
use crate::webhook_requests::{MISMATCH, ids, service, set};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("enforcement_denies_what_cannot_work", Sharing(enforcement_denies_what_cannot_work)),
    ("a_rule_has_the_action_that_it_is_given", Sharing(a_rule_has_the_action_that_it_is_given)),
    ("exemptions_cover_what_they_name", Sharing(exemptions_cover_what_they_name)),
    ("an_annotation_silences_warnings", Sharing(an_annotation_silences_warnings)),
    ("what_was_wrong_before_is_not_told_again", Sharing(what_was_wrong_before)),
    ("what_is_being_deleted_passes", Sharing(what_is_being_deleted_passes)),
];

const TOO_LONG: &str = "statefulset-name-too-long";
const MISSING: &str = "statefulset-service-missing";

/// A correct Service, that a set can name.
fn with_service(namespace: &Namespace<'_>, webhook: &Webhook<'_>) {
    let _ = namespace.apply(&service("db", 80)).succeeded();
    webhook.knows("Service", 1);
}

fn enforcement_denies_what_cannot_work(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    with_service(&namespace, &webhook);
    let mut long = set(&"x".repeat(60), "db");
    namespace.warns_with(TOO_LONG, &long.to_string());
    webhook.configure("enforcement: deny");
    // It is there already: that is told once, and on CREATE only.
    long["metadata"]["labels"] = json!({"changed": "yes"});
    let outcome = namespace.apply(&long.to_string()).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);
    namespace.denies_with(TOO_LONG, &long.to_string());
    assert!(webhook.log().contains("denied"), "a denial is logged at info");
    // Other rules warn still.
    namespace.warns_with(MISMATCH, &service("other", 8000));
}

/// Runs `headlint-webhook check-config`.
fn check_config(webhook: &Webhook<'_>) -> String {
    let mut command = Command::new(root().join("target/release/headlint-webhook"));
    let output = command.arg("check-config").arg(webhook.config()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn a_rule_has_the_action_that_it_is_given(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let order = format!("{MISSING}: denies what an object that is applied later would heal");
    namespace.warns_with(MISMATCH, &service("db", 8000));
    namespace.warns_with(MISSING, &set("lone", "nobody").to_string());
    assert!(!check_config(&webhook).contains(&order));
    webhook.configure(&format!("rules: {{{MISMATCH}: deny, {MISSING}: deny}}"));
    namespace.denies_with(MISMATCH, &service("db", 8000));
    namespace.denies_with(MISSING, &set("lone", "nobody").to_string());
    assert!(check_config(&webhook).contains(&order), "{}", check_config(&webhook));
    assert!(webhook.log().contains(&order), "the log says it too");
    webhook.configure(&format!("enforcement: deny\nrules: {{{MISMATCH}: none, {TOO_LONG}: warn}}"));
    namespace.accepts(&service("db", 8000));
    let _ = namespace.apply(&service("db", 80)).succeeded();
    webhook.knows("Service", 1);
    namespace.warns_with(TOO_LONG, &set(&"x".repeat(60), "db").to_string());
}

/// A Service that doesn't translate 80 to 8000, with this label and this name
/// of its port.
fn labelled(label: &str, port: &str) -> String {
    let mut object: Value = serde_json::from_str(&service("db", 8000)).unwrap();
    object["metadata"]["labels"] = json!({"tier": label});
    object["spec"]["ports"][0]["name"] = json!(port);
    object.to_string()
}

fn exemptions_cover_what_they_name(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let exemption = |what: &str| {
        format!("rules: {{{MISMATCH}: deny}}\nexemptions: [{{reason: it is known, {what}}}]")
    };
    let name = namespace.name();
    let used = || webhook.sum("headlint_exemption_uses");
    let plain = labelled("new", "http");

    webhook.configure(&exemption(&format!("namespaces: [{name}]")));
    namespace.accepts(&plain);
    assert!(used() >= 3.0, "{}", used());
    webhook.configure(&exemption("namespaces: [elsewhere]"));
    namespace.denies_with(MISMATCH, &plain);
    assert!(used() < 1.0, "{}", used());

    webhook.configure(&exemption("labelSelector: {matchLabels: {tier: legacy}}"));
    namespace.denies_with(MISMATCH, &plain);
    namespace.accepts(&labelled("legacy", "http"));
    webhook.configure(&exemption(
        "labelSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [new]}]}",
    ));
    namespace.denies_with(MISMATCH, &plain);
    namespace.accepts(&labelled("legacy", "http"));

    webhook.configure(&exemption("expression: \"$.spec.ports[?@.name == 'sql']\""));
    namespace.denies_with(MISMATCH, &plain);
    namespace.accepts(&labelled("new", "sql"));

    webhook.configure(&exemption("rules: [selector-matches-nothing]"));
    namespace.denies_with(MISMATCH, &plain);
    webhook.configure(&exemption(&format!("rules: [{MISMATCH}], expires: 2999-12-31")));
    namespace.accepts(&plain);
    assert_eq!(webhook.metric("headlint_exemptions_expired"), Some(0.0));
    webhook.configure(&exemption(&format!("rules: [{MISMATCH}], expires: 2020-12-31")));
    namespace.denies_with(MISMATCH, &plain);
    assert_eq!(webhook.metric("headlint_exemptions_expired"), Some(1.0));
    let checked = check_config(&webhook);
    assert!(checked.contains("has expired on 2020-12-31"), "{checked}");
}

fn an_annotation_silences_warnings(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let ignoring = |rules: &str| {
        let mut object: Value = serde_json::from_str(&service("db", 8000)).unwrap();
        object["metadata"]["annotations"] = json!({"headlint.dev/ignore": rules});
        object.to_string()
    };
    let here = ignoring(&format!("{TOO_LONG}, {MISMATCH}"));
    namespace.accepts(&here);
    namespace.warns_with(MISMATCH, &ignoring(TOO_LONG));
    webhook.configure(&format!("rules: {{{MISMATCH}: deny}}"));
    namespace.denies_with(MISMATCH, &here);
    webhook
        .configure(&format!("rules: {{{MISMATCH}: deny}}\nignoreAnnotationSilencesDenials: true"));
    namespace.accepts(&here);
    namespace.denies_with(MISMATCH, &ignoring(TOO_LONG));
}

/// A headless Service with these ports and targets.
fn published(ports: &[(u16, u16)], label: &str) -> String {
    let mut object: Value = serde_json::from_str(&service("db", 80)).unwrap();
    let ports = ports.iter().map(
        |(port, target)| json!({"name": format!("p{port}"), "port": port, "targetPort": target}),
    );
    object["spec"]["ports"] = ports.collect();
    object["metadata"]["labels"] = json!({"changed": label});
    object.to_string()
}

fn what_was_wrong_before(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let force = |manifest: &str| -> Outcome {
        namespace.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], manifest)
    };
    type Way<'w> = &'w dyn Fn(&str) -> Outcome;
    let ways: [(&str, Way<'_>); 3] = [
        ("apply --dry-run=server", &|manifest| namespace.dry_run(manifest)),
        ("apply --server-side", &force),
        ("apply", &|manifest| namespace.apply(manifest)),
    ];
    for (config, action) in [("", "warn"), ("rules: {headless-port-target-mismatch: deny}", "deny")]
    {
        for (way, hand_over) in &ways {
            webhook.configure(&format!("# {action}, {way}"));
            let _ = namespace.delete(&published(&[(80, 8000)], "no")).succeeded();
            let first = namespace.apply(&published(&[(80, 8000)], "no")).succeeded();
            assert_eq!(ids(&first), [MISMATCH]);
            if !config.is_empty() {
                webhook.configure(config);
            }
            // The same, and the same at another place.
            for ports in [&[(80, 8000)][..], &[(70, 70), (80, 8000)]] {
                let outcome = hand_over(&published(ports, "yes")).succeeded();
                assert_eq!(ids(&outcome), [""; 0], "{action}, {way}: {}", outcome.stderr);
            }
            let outcome = hand_over(&published(&[(70, 7000), (80, 8000)], "yes"));
            if action == "deny" {
                let denial = outcome.denial().unwrap_or_default();
                assert!(denial.starts_with(&format!("{MISMATCH}: ")), "{way}: {}", outcome.stderr);
                assert!(denial.contains("$.spec.ports[0]"), "{way}: {denial}");
                assert!(!denial.contains("$.spec.ports[1]"), "{way}: {denial}");
            } else {
                let outcome = outcome.succeeded();
                assert_eq!(ids(&outcome), [MISMATCH], "{way}: {}", outcome.stderr);
                let warning = outcome.warnings()[0];
                assert!(warning.contains("$.spec.ports[0]"), "{way}: {warning}");
            }
            let changed = hand_over(&published(&[(80, 8001)], "yes"));
            let told = if action == "deny" {
                changed.denial().is_some()
            } else {
                !ids(&changed).is_empty()
            };
            assert!(
                told,
                "another wrong number is a new defect, {action}, {way}: {}",
                changed.stderr
            );
        }
    }
}

fn what_is_being_deleted_passes(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _webhook = Webhook::start(&namespace, &format!("rules: {{{MISMATCH}: deny}}"));
    let mut held: Value = serde_json::from_str(&service("db", 80)).unwrap();
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let _ = namespace.apply(&held.to_string()).succeeded();
    let wrong = json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8000}]}});
    let denied = namespace.patch("service/db", &wrong);
    assert!(denied.denial().is_some(), "{}", denied.stderr);
    let _ = namespace.kubectl(&["delete", "service/db", "--wait=false"], "").succeeded();
    let passed = namespace.patch("service/db", &wrong).succeeded();
    assert_eq!(passed.warnings(), [""; 0]);
    let freed = json!({"metadata": {"finalizers": null}});
    let _ = namespace.patch("service/db", &freed).succeeded();
    assert_eq!(namespace.get("service/db"), None);
}
