//! What the webhook answers, whatever the API server asks.

use std::fs;

use headlint_tests::cluster::{AUDIT_LOG, Cluster, Outcome, Webhook, until};
use serde_json::{Value, json};

use crate::Test::{self, Sharing};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("creates_updates_and_deletes_are_judged", Sharing(creates_updates_and_deletes_are_judged)),
    ("an_object_without_a_name_yet_is_judged", Sharing(an_object_without_a_name_yet_is_judged)),
    ("what_is_not_judged_is_admitted", Sharing(what_is_not_judged_is_admitted)),
    ("a_malformed_request_is_told_what_is_wrong", Sharing(a_malformed_request)),
    ("many_findings_stay_within_limits", Sharing(many_findings_stay_within_limits)),
    ("the_audit_log_has_rules_and_policies", Sharing(the_audit_log_has_rules_and_policies)),
    ("thousands_of_addresses_are_judged", Sharing(thousands_of_addresses_are_judged)),
];

/// What nobody doubts, and no other object has to do with.
pub(crate) const MISMATCH: &str = "headless-port-target-mismatch";

/// A headless Service whose only port has this target.
pub(crate) fn service(name: &str, target: u16) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {
            "clusterIP": "None", "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": target}],
        },
    })
    .to_string()
}

/// A StatefulSet with one Pod, and the Service that it names.
pub(crate) fn set(name: &str, service: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "serviceName": service,
            "selector": {"matchLabels": {"app": service}},
            "template": {
                "metadata": {"labels": {"app": service}},
                "spec": {"containers": [{
                    "name": "db", "image": "db",
                    "ports": [{"name": "http", "containerPort": 80}],
                }]},
            },
        },
    })
}

/// The ids that warnings begin with, in order.
pub(crate) fn ids(outcome: &Outcome) -> Vec<&str> {
    let warnings = outcome.warnings().into_iter();
    let rules = headlint_tests::cases::rule_ids();
    warnings
        .filter_map(|it| Some(it.split_once(": ")?.0))
        .filter(|id| rules.contains(*id))
        .collect()
}

fn creates_updates_and_deletes_are_judged(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    namespace.accepts(&service("db", 80));
    namespace.warns_with(MISMATCH, &service("db", 8000));
    let _ = namespace.apply(&service("db", 80)).succeeded();
    for way in
        [["apply", "--dry-run=server"], ["apply", "--server-side"], ["apply", "--wait=false"]]
    {
        let _ = namespace.kubectl(
            &["apply", "--server-side", "--force-conflicts", "-f", "-"],
            &service("db", 80),
        );
        let args = [&way[..], &["-f", "-"]].concat();
        let outcome = namespace.kubectl(&args, &service("db", 8000)).succeeded();
        assert_eq!(ids(&outcome), [MISMATCH], "{way:?}: {}", outcome.stderr);
    }
    let _ = namespace.apply(&service("db", 80)).succeeded();
    let _ = namespace.apply(&set("db", "db").to_string()).succeeded();
    webhook.knows("StatefulSet", 1);
    for way in [&["--dry-run=server"][..], &["--wait=true"]] {
        let args = [&["delete", "service", "db"], way].concat();
        let outcome = namespace.kubectl(&args, "").succeeded();
        assert_eq!(ids(&outcome), ["governing-service-deleted"], "{way:?}: {}", outcome.stderr);
    }
    let counted = |operation, verdict| {
        let labels = format!("kind=\"Service\",operation=\"{operation}\",verdict=\"{verdict}\"");
        webhook.metric(&format!("headlint_requests_total{{{labels}}}"))
    };
    assert_eq!(counted("CREATE", "warned"), Some(3.0));
    assert_eq!(counted("UPDATE", "warned"), Some(3.0));
    assert_eq!(counted("DELETE", "warned"), Some(2.0));
}

fn an_object_without_a_name_yet_is_judged(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let nameless = |target| {
        let mut object: Value = serde_json::from_str(&service("db", target)).unwrap();
        object["metadata"] = json!({"generateName": "db-"});
        object.to_string()
    };
    for dry_run in ["none", "server"] {
        let args = ["create", &format!("--dry-run={dry_run}"), "-f", "-"];
        let outcome = namespace.kubectl(&args, &nameless(8000)).succeeded();
        assert_eq!(ids(&outcome), [MISMATCH], "{}", outcome.stderr);
        assert!(outcome.stdout.starts_with("service/db-"), "{}", outcome.stdout);
        let outcome = namespace.kubectl(&args, &nameless(80)).succeeded();
        assert_eq!(outcome.warnings(), [""; 0]);
    }
    // An API server may ask before it has made the name up.
    let review = review(json!({
        "operation": "CREATE", "kind": {"group": "", "version": "v1", "kind": "Service"},
        "namespace": namespace.name(),
        "object": serde_json::from_str::<Value>(&nameless(8000)).unwrap(),
    }));
    let answer = answer(&webhook, &review);
    assert_eq!(answer["allowed"], true);
    let warnings = answer["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{answer}");
    assert!(warnings[0].as_str().unwrap().starts_with(&format!("{MISMATCH}: ")), "{answer}");
}

/// An AdmissionReview with this request.
fn review(mut request: Value) -> String {
    request["uid"] = json!("c0ffee");
    let kind = "AdmissionReview";
    json!({"apiVersion": "admission.k8s.io/v1", "kind": kind, "request": request}).to_string()
}

/// The response to an AdmissionReview.
fn answer(webhook: &Webhook<'_>, review: &str) -> Value {
    let (status, text) = webhook.post(0, "/validate?timeout=10s", review);
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["response"]["uid"], "c0ffee", "{text}");
    answer["response"].clone()
}

fn what_is_not_judged_is_admitted(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "enforcement: deny\nonFault: deny");
    let _ = namespace.apply(&service("db", 80)).succeeded();
    let _ = namespace.apply(&set("db", "db").to_string()).succeeded();
    let status = json!({"status": {"conditions": []}}).to_string();
    let args = ["patch", "service/db", "--subresource=status", "--type=merge", "-p", &status];
    let outcome = namespace.kubectl(&args, "").succeeded();
    let polite = |what| {
        format!(
            "headlint: doesn't judge the subresource `{what}`; take it out of the webhook's rules"
        )
    };
    assert_eq!(outcome.warnings(), [polite("status")]);
    let outcome = namespace.kubectl(&["scale", "statefulset/db", "--replicas=2"], "").succeeded();
    assert_eq!(outcome.warnings(), [polite("scale")]);
    assert_eq!(namespace.get("statefulset/db").unwrap()["spec"]["replicas"], 2);

    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "mine"},
        "spec": {"holderIdentity": "me"},
    });
    let before = webhook.sum("headlint_requests_total{");
    namespace.accepts(&lease.to_string());
    assert!(webhook.sum("headlint_requests_total{") >= before + 3.0, "it was asked");
    for request in [
        json!({
            "operation": "CREATE", "namespace": "n", "name": "x",
            "kind": {"group": "example.com", "version": "v7", "kind": "Gadget"},
            "object": {"apiVersion": "example.com/v7", "kind": "Gadget", "metadata": {"name": "x"},
                       "spec": {"ports": "none", "selector": 7}},
        }),
        json!({
            "operation": "CONNECT", "namespace": "n", "name": "x", "subResource": "exec",
            "kind": {"group": "", "version": "v1", "kind": "PodExecOptions"},
            "object": {"apiVersion": "v1", "kind": "PodExecOptions", "stdin": true},
        }),
    ] {
        let answer = answer(&webhook, &review(request));
        assert_eq!(answer["allowed"], true, "{answer}");
    }
}

fn a_malformed_request(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let typed = |object: Value| {
        review(json!({"operation": "CREATE", "kind": {"kind": "Service"}, "object": object}))
    };
    let service = |spec: Value| {
        let metadata = json!({"name": "db"});
        typed(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}))
    };
    for (body, problem) in [
        (String::new(), "the body is no AdmissionReview: EOF"),
        ("{\"kind\":".to_owned(), "the body is no AdmissionReview: EOF"),
        (r#"{"kind":"Pod","apiVersion":"v1"}"#.to_owned(), "the body is `Pod` of `v1`, not `AdmissionReview`"),
        (
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"1"}}"#
                .to_owned(),
            "not `AdmissionReview` of `admission.k8s.io/v1`",
        ),
        (
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}"#.to_owned(),
            "has no `request`",
        ),
        (
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}"#
                .to_owned(),
            "`request.uid` is empty",
        ),
        (review(json!({"operation": "CREATE"})), "`request.object` is missing, which CREATE needs"),
        (
            review(json!({"operation": "DELETE", "object": {}})),
            "`request.oldObject` is missing, which DELETE needs",
        ),
        (service(json!({"ports": "eighty"})), "`request.object`: "),
        (service(json!({"selector": {"app": 7}})), "`request.object`: "),
    ] {
        let (status, text) = webhook.post(0, "/validate", &body);
        assert_eq!(status, 400, "{body}: {text}");
        assert!(text.contains(problem), "{body}: {text}, not {problem}");
    }
    let labels = "kind=\"unread\",operation=\"unread\",verdict=\"malformed\"";
    let counted = webhook.metric(&format!("headlint_requests_total{{{labels}}}"));
    assert_eq!(counted, Some(10.0));
    // One of them breaks nothing for the others.
    namespace.warns_with(MISMATCH, &self::service("db", 8000));
}

fn many_findings_stay_within_limits(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _webhook = Webhook::start(&namespace, "");
    let ports: Vec<_> = (0..120)
        .map(|index| json!({"name": format!("p{index}"), "port": 100 + index, "targetPort": 9000 + index}))
        .collect();
    let mut object: Value = serde_json::from_str(&service("db", 80)).unwrap();
    object["spec"]["ports"] = json!(ports);
    let outcome = namespace.dry_run(&object.to_string()).succeeded();
    let warnings = outcome.warnings();
    let (last, told) = warnings.split_last().unwrap();
    assert!(told.len() > 5, "{warnings:?}");
    for warning in told {
        assert!(warning.starts_with(&format!("{MISMATCH}: headless Service `db`")), "{warning}");
        assert!(warning.chars().count() <= 256, "{warning}");
    }
    // All that the API server lets through without cutting anything, and half of it for others.
    let length: usize = warnings.iter().map(|warning| warning.chars().count()).sum();
    assert!(length < 2_048 + 100, "{length}");
    assert_eq!(*last, format!("headlint: {} more, which `headlint lint` shows", 120 - told.len()));
}

fn the_audit_log_has_rules_and_policies(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _webhook = Webhook::start(&namespace, "");
    let _ = namespace.apply(&service("db", 8000)).succeeded();
    let entry = until("the audit log to tell", || {
        let log = fs::read_to_string(cluster.folder().join(AUDIT_LOG)).ok()?;
        let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.into_iter().find(|entry| {
            entry["objectRef"]["namespace"] == namespace.name()
                && entry["objectRef"]["resource"] == "services"
                && entry["verb"] == "create"
        })
    });
    let annotations = &entry["annotations"];
    // What is told only later was found all the same.
    let rules = format!("{MISMATCH},selector-matches-nothing");
    assert_eq!(annotations["validate.headlint.dev/rules"], rules, "{entry}");
    let policies = annotations["validate.headlint.dev/policies"].as_str().unwrap();
    let judged: Vec<_> =
        policies.split(',').map(|policy| policy.split_once("@sha256:").unwrap()).collect();
    assert!(judged.iter().all(|(_, digest)| digest.len() == 64), "{policies}");
    assert!(judged.iter().any(|(name, _)| *name == "port-consistency"), "{policies}");
}

fn thousands_of_addresses_are_judged(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let selectorless = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy"},
        "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]},
    });
    let _ = namespace.apply(&selectorless.to_string()).succeeded();
    webhook.knows("Service", 1);
    let endpoints = |port: u16, label: &str| {
        let addresses: Vec<_> = (0..3_000)
            .map(|index| json!({"ip": format!("10.20.{}.{}", index / 250, index % 250 + 1)}))
            .collect();
        json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": "legacy", "labels": {"of": label}},
            "subsets": [{"addresses": addresses, "ports": [{"name": "http", "port": port}]}],
        })
        .to_string()
    };
    let outcome = namespace.apply(&endpoints(8080, "first")).succeeded();
    let told = ["endpoints-over-capacity", "endpoints-port-number-mismatch"];
    assert_eq!(ids(&outcome), told, "{}", outcome.stderr);
    let outcome = namespace.apply(&endpoints(8080, "second")).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);
    let outcome = namespace.apply(&endpoints(80, "third")).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);
    webhook.knows("Endpoints", 1);
}
