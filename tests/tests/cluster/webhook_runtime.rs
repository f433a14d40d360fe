//! Policies and configurations that are bad, or come while the webhook runs;
//! and an API server that goes away.

use headlint_tests::cluster::{Cluster, Webhook, mismatched_service, review, until};
use headlint_tests::guest::Guest;
use hyper::StatusCode;
use serde_json::Value;

use crate::Test::{self, Alone, Sharing};
use crate::webhook_requests::{MISMATCH, ids, service, set};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_policy_that_fails_is_never_a_silent_pass", Sharing(a_policy_that_fails)),
    ("a_policy_that_loops_holds_nobody_up", Sharing(a_policy_that_loops)),
    ("related_objects_cost_no_answer", Sharing(related_objects_cost_no_answer)),
    ("the_abandoned_take_no_place", Sharing(the_abandoned_take_no_place)),
    ("a_bad_policy_is_left_out_until_it_is_good", Sharing(a_bad_policy)),
    ("a_bad_configuration_changes_nothing", Sharing(a_bad_configuration)),
    ("what_is_known_outlives_the_api_server", Alone(what_is_known_outlives_the_api_server)),
];

/// Puts a policy into use.
fn add(webhook: &Webhook<'_>, guest: &Guest) {
    let generation = || webhook.metric("headlint_config_generation");
    let before = generation();
    webhook.write_policy(guest.name, &guest.component());
    until("the policy to be in use", || (generation() > before).then_some(()));
}

/// A metric of a policy.
fn of(webhook: &Webhook<'_>, metric: &str, policy: &str) -> f64 {
    let series = format!("headlint_policy_{metric}{{policy=\"{policy}\"}}");
    webhook.metric(&series).unwrap_or_default()
}

fn a_policy_that_fails(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    add(&webhook, &Guest::evaluating("trap", "unreachable"));
    let outcome = namespace.dry_run(&service("db", 8000)).succeeded();
    let warnings = outcome.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let failed = "headlint: the policy trap judged nothing: trapped: wasm `unreachable`";
    assert!(warnings[0].starts_with(failed), "{warnings:?}");
    assert_eq!(ids(&outcome), [MISMATCH], "the others go on");
    assert!(of(&webhook, "faults_total", "trap") >= 1.0);
    let fault = "kind=\"Service\",operation=\"CREATE\",verdict=\"fault\"";
    assert_eq!(webhook.metric(&format!("headlint_requests_total{{{fault}}}")), Some(1.0));

    webhook.configure("onFault: deny");
    let outcome = namespace.dry_run(&service("db", 80));
    let denial = outcome.denial().unwrap_or_default();
    assert!(denial.starts_with(failed), "{}", outcome.stderr);
    // What it doesn't judge, it can't fail on.
    let outcome = namespace.apply(&set("lone", "nobody").to_string()).succeeded();
    assert_eq!(ids(&outcome), ["statefulset-service-missing"], "{}", outcome.stderr);
}

fn a_policy_that_loops(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "evaluationDeadlineMilliseconds: 200");
    add(&webhook, &Guest::evaluating("endless", "(loop $again br $again) unreachable"));
    for (attempt, reason) in ["gave no answer within 200 ms"; 3]
        .into_iter()
        .chain(["isn't asked for 30 s"; 3])
        .enumerate()
    {
        let outcome = namespace.dry_run(&service("db", 8000)).succeeded();
        let failed = format!("headlint: the policy endless judged nothing: {reason}");
        let warnings = outcome.warnings();
        assert!(warnings[0].starts_with(&failed), "{attempt}: {warnings:?}");
        assert_eq!(ids(&outcome), [MISMATCH], "the others go on: {warnings:?}");
    }
    assert_eq!(of(&webhook, "evaluations_total", "endless"), 3.0);
    assert_eq!(of(&webhook, "faults_total", "endless"), 3.0);
    assert!(webhook.is_ready(0));
    // One that is mended is another policy: nobody waits for its rest to end.
    let mut mended = Guest::evaluating("endless", format!("i32.const {}", Guest::DATA));
    mended.data = Guest::findings(1, b"endless", b"$.spec", b"mended");
    add(&webhook, &mended);
    let outcome = namespace.dry_run(&service("db", 80)).succeeded();
    assert_eq!(outcome.warnings(), ["endless: mended [$.spec]; mended"]);
}

/// What is said of the object under review doesn't wait for what takes too long
/// to say of others.
fn related_objects_cost_no_answer(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "evaluationDeadlineMilliseconds: 20000");
    let _ = namespace.apply(&set("db", "db").to_string()).succeeded();
    webhook.knows("StatefulSet", 1);
    let endless = Guest::evaluating("endless", "(loop $again br $again) unreachable");
    add(&webhook, &Guest { kinds: ["StatefulSet", "DaemonSet"], ..endless });
    let service = review(namespace.name(), "services", &mismatched_service("db"));
    let (status, body) = webhook.post(0, "/validate?timeout=4s", &service.to_string());
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body.contains(MISMATCH), "{body}");
    assert_eq!(webhook.metric("headlint_related_objects_omitted_total"), Some(1.0));
}

/// A policy that goes on after its request gave up leaves the others their place.
fn the_abandoned_take_no_place(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let config = "concurrency: 1\nevaluationDeadlineMilliseconds: 20000";
    let webhook = Webhook::start(&namespace, config);
    let endless = Guest::evaluating("endless", "(loop $again br $again) unreachable");
    add(&webhook, &Guest { kinds: ["StatefulSet", "DaemonSet"], ..endless });
    let post = |timeout: &str, plural, object: &Value| {
        let review = review(namespace.name(), plural, object).to_string();
        webhook.post(0, &format!("/validate?timeout={timeout}"), &review)
    };
    let (status, body) = post("1s", "statefulsets", &set("db", "db"));
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    let (status, body) = post("15s", "services", &mismatched_service("db"));
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body.contains(MISMATCH) && !body.contains("judged nothing"), "{body}");
}

fn a_bad_policy(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let usable = |expected: f64| {
        until("the folder of policies to be read", || {
            let usable = webhook.metric("headlint_reload_success{source=\"policies\"}");
            (usable == Some(expected)).then_some(())
        });
    };
    let generation = || webhook.metric("headlint_config_generation");
    usable(1.0);
    let before = generation();
    webhook.write_policy("mine", b"\0asm, or so it says");
    usable(0.0);
    assert!(webhook.is_ready(0));
    assert_eq!(generation(), before);
    assert!(webhook.log().contains("mine.wasm"), "the log names it");
    namespace.warns_with(MISMATCH, &service("db", 8000));
    // What is good can be put into use as long as it is not all that is new.
    let mut mine = Guest::evaluating("mine", format!("i32.const {}", Guest::DATA));
    mine.data = Guest::findings(1, b"mine", b"$.spec", b"mine");
    webhook.write_policy("mine", &mine.component());
    usable(1.0);
    let outcome = namespace.dry_run(&service("db", 80)).succeeded();
    assert_eq!(outcome.warnings(), ["mine: mine [$.spec]; mine"]);
    assert!(generation() > before);
}

fn a_bad_configuration(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let deny = format!("rules: {{{MISMATCH}: deny}}");
    let webhook = Webhook::start(&namespace, &deny);
    let usable = |expected: f64| {
        until("the configuration to be read", || {
            let usable = webhook.metric("headlint_reload_success{source=\"config\"}");
            (usable == Some(expected)).then_some(())
        });
    };
    usable(1.0);
    namespace.denies_with(MISMATCH, &service("db", 8000));
    for bad in ["enforcement: maybe", "rules: {no-such-rule: warn}", "rules: [", "rulez: {}"] {
        let before = webhook.metric("headlint_config_generation");
        webhook.write_config(bad);
        usable(0.0);
        assert!(webhook.is_ready(0), "{bad}");
        let outcome = namespace.dry_run(&service("db", 8000));
        assert!(outcome.denial().is_some(), "{bad}: {}", outcome.stderr);
        assert_eq!(webhook.metric("headlint_config_generation"), before, "{bad}");
        webhook.write_config(&deny);
        usable(1.0);
    }
    assert!(webhook.log().contains("can't be used, and the last good one stays"));
    webhook.configure(&format!("rules: {{{MISMATCH}: none}}"));
    namespace.accepts(&service("db", 8000));
}

fn what_is_known_outlives_the_api_server(cluster: &mut Cluster) {
    let cluster = &*cluster;
    let namespace = cluster.namespace();
    let mut webhook = Webhook::start(&namespace, "");
    let _ = namespace.apply(&service("db", 80)).succeeded();
    webhook.knows("Service", 1);
    let restarts = |webhook: &Webhook<'_>| webhook.sum("headlint_context_watch_restarts");
    let before = restarts(&webhook);
    cluster.kill_api_server();
    until("the webhook to notice", || (restarts(&webhook) > before).then_some(()));
    webhook.process(0).assert_running();
    cluster.restart_api_server();
    // It may not be asked before the API server has read who is to be asked.
    until("the API server to ask again", || {
        (ids(&namespace.dry_run(&service("db", 8000))) == [MISMATCH]).then_some(())
    });
    let _ = namespace.apply(&service("new", 80)).succeeded();
    webhook.knows("Service", 2);
    until("nothing to be unknown", || {
        (webhook.sum("headlint_context_unknown{") < 1.0).then_some(())
    });
    let outcome = namespace.apply(&set("new", "new").to_string()).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);
    let outcome = namespace.apply(&set("lone", "nobody").to_string()).succeeded();
    assert_eq!(ids(&outcome), ["statefulset-service-missing"], "{}", outcome.stderr);
    assert!(webhook.is_ready(0));
}
