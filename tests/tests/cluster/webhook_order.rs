//! Objects that have to do with each other: in which order they come, who made
//! them, and what is said of one when another changes.

use std::collections::BTreeSet;
use std::fs;

use headlint_tests::cases::{documents, root};
use headlint_tests::cluster::{Cluster, Namespace, Webhook, until};
use serde_json::{Value, json};

use crate::Test::{self, Sharing};
use crate::webhook_requests::{ids, service, set};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_workload_tells_of_the_service_that_it_breaks", Sharing(a_workload_tells_of_the_service)),
    ("endpoints_tell_of_the_service_that_they_break", Sharing(endpoints_tell_of_the_service)),
    ("objects_of_controllers_are_never_judged", Sharing(objects_of_controllers)),
    ("changes_that_do_nothing_or_harm_are_told", Sharing(changes_are_told)),
    ("a_correct_install_is_quiet_in_every_order", Sharing(a_correct_install_is_quiet)),
    ("what_stands_after_the_grace_time_becomes_an_event", Sharing(what_stands_becomes_an_event)),
    ("what_heals_in_time_becomes_no_event", Sharing(what_heals_becomes_no_event)),
    ("replicas_and_restarts_make_one_event", Sharing(replicas_and_restarts_make_one_event)),
];

const UNRESOLVED: &str = "named-target-port-unresolved";

fn deployment(name: &str, pod: Value) -> Value {
    let mut template = json!({"metadata": {"labels": {"app": name}}, "spec": pod});
    template["spec"]["containers"] = json!([{
        "name": "main", "image": "main", "ports": [{"name": "sql", "containerPort": 80}],
    }]);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    })
}

/// The names of the Events that the webhook made here, and what they are about.
fn events(namespace: &Namespace<'_>) -> Vec<Value> {
    let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", namespace.name());
    let events = namespace.cluster().get(&path).unwrap();
    let events = events["items"].as_array().unwrap().iter();
    events.filter(|event| event["reportingController"] == "headlint").cloned().collect()
}

/// Of an Event: the rule's reason and the object's name.
fn about(event: &Value) -> (&str, &str) {
    let text = |value: &'static str| event.pointer(value).and_then(Value::as_str).unwrap();
    (text("/reason"), text("/regarding/name"))
}

fn a_workload_tells_of_the_service(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, &format!("rules: {{{UNRESOLVED}: deny}}"));
    let named = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"},
        "spec": {"clusterIP": "None", "selector": {"app": "db"},
                 "ports": [{"name": "http", "port": 80, "targetPort": "pg"}]},
    })
    .to_string();
    // The Service first: the set is what is applied, and can't be to blame.
    let _ = namespace.apply(&named).succeeded();
    let outcome = namespace.apply(&set("db", "db").to_string()).succeeded();
    assert_eq!(ids(&outcome), [UNRESOLVED], "{}", outcome.stderr);
    let warning = outcome.warnings()[0];
    let of = format!("{UNRESOLVED}: Service/{}/db: Service `db`", namespace.name());
    let of_short = format!("{UNRESOLVED}: Service {}/db: ", namespace.name());
    assert!(warning.starts_with(&of) || warning.contains(&of_short), "{warning}");
    // It is known now, and told once.
    let scaled = json!({"spec": {"replicas": 2}});
    let outcome = namespace.patch("statefulset/db", &scaled).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);
    // The other way round the Service is what is applied.
    let _ = namespace.delete(&named).succeeded();
    webhook.knows("Service", 0);
    let _ = namespace.apply(&named).denied_by(UNRESOLVED);
}

fn endpoints_tell_of_the_service(cluster: &Cluster) {
    let rule = "endpoints-port-number-mismatch";
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, &format!("rules: {{{rule}: deny}}"));
    let selectorless = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy"},
        "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]},
    })
    .to_string();
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "legacy"},
        "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"name": "http", "port": 8080}]}],
    })
    .to_string();
    let outcome = namespace.apply(&selectorless).succeeded();
    assert_eq!(ids(&outcome), ["selectorless-without-endpoints"], "{}", outcome.stderr);
    let outcome = namespace.apply(&endpoints).succeeded();
    assert_eq!(ids(&outcome), [rule], "{}", outcome.stderr);
    assert!(outcome.warnings().iter().any(|it| it.contains("legacy: ")), "{}", outcome.stderr);
    // Its Endpoints would go with it.
    let _ = namespace.delete(&selectorless).succeeded();
    let _ = namespace.delete(&endpoints).succeeded();
    webhook.knows("Service", 0);
    webhook.knows("Endpoints", 0);
    let outcome = namespace.apply(&endpoints).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);
    let _ = namespace.apply(&selectorless).denied_by(rule);
}

fn objects_of_controllers(cluster: &Cluster) {
    let rule = "pod-fqdn-too-long";
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let long = json!({
        "setHostnameAsFQDN": true, "hostname": "h".repeat(40), "subdomain": "s".repeat(40),
    });
    let owner = deployment("long", long);
    let outcome = namespace.apply(&owner.to_string()).succeeded();
    assert_eq!(ids(&outcome), [rule], "{}", outcome.stderr);
    let pods = || namespace.kubectl(&["get", "pods", "-o", "name"], "").succeeded().stdout;
    until("the Pod of the Deployment", || (pods().lines().count() == 1).then_some(()));
    // From now on no such Pod could be made, if controllers were asked.
    webhook.configure(&format!("enforcement: deny\nrules: {{{rule}: deny}}"));
    let scale = json!({"spec": {"replicas": 3}});
    let outcome = namespace.patch("deployment/long", &scale).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);
    until("all Pods of the Deployment", || (pods().lines().count() == 3).then_some(()));
    let mut pod = owner["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("bare");
    namespace.denies_with(rule, &pod.to_string());
    for kind in ["Pod", "ReplicaSet"] {
        let labels = format!("kind=\"{kind}\",operation=\"CREATE\"");
        let counted = |verdict| {
            let series = format!("headlint_requests_total{{{labels},verdict=\"{verdict}\"}}");
            webhook.metric(&series).unwrap_or_default()
        };
        assert!(counted("allowed") >= 1.0, "{kind}");
        assert!(counted("warned") < 1.0, "{kind}");
    }
}

fn changes_are_told(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "");
    let _ = namespace.apply(&service("db", 80)).succeeded();
    let mut dropped: Value = serde_json::from_str(&service("db", 80)).unwrap();
    dropped["spec"].as_object_mut().unwrap().remove("clusterIP");
    for way in [&["--dry-run=server"][..], &[]] {
        let args = [&["apply", "-f", "-"], way].concat();
        let outcome = namespace.kubectl(&args, &dropped.to_string()).succeeded();
        assert_eq!(ids(&outcome), ["cluster-ip-none-dropped-no-op"], "{}", outcome.stderr);
    }
    // It was told.
    dropped["metadata"]["labels"] = json!({"changed": "yes"});
    let outcome = namespace.apply(&dropped.to_string()).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);

    let frozen = json!({"spec": {"selector": null}});
    let outcome = namespace.patch("service/db", &frozen).succeeded();
    let told = ids(&outcome);
    assert!(told.contains(&"selector-removed-freezes-endpoints"), "{}", outcome.stderr);

    let _ = namespace.apply(&set("db", "db").to_string()).succeeded();
    webhook.knows("StatefulSet", 1);
    let deleted = namespace.kubectl(&["delete", "service/db"], "").succeeded();
    assert_eq!(ids(&deleted), ["governing-service-deleted"], "{}", deleted.stderr);
    // Who takes the set away first leaves nothing behind.
    let _ = namespace.apply(&service("db", 80)).succeeded();
    let _ = namespace.kubectl(&["delete", "statefulset/db"], "").succeeded();
    webhook.knows("StatefulSet", 0);
    let deleted = namespace.kubectl(&["delete", "service/db"], "").succeeded();
    assert_eq!(ids(&deleted), [""; 0], "{}", deleted.stderr);
}

/// The objects of a manifest of the tree, moved to a namespace.
fn moved(file: &str, from: &str, namespace: &Namespace<'_>) -> Vec<String> {
    let text = fs::read_to_string(root().join("tests/manifests").join(file)).unwrap();
    let to = namespace.name();
    let text = text.replace(&format!("namespace: {from}\n"), &format!("namespace: {to}\n"));
    documents(&text.replace(&format!(".{from}."), &format!(".{to}.")))
}

fn a_correct_install_is_quiet(cluster: &Cluster) {
    for (file, from, hint) in [
        ("headless-and-client-service.yaml", "catalog", "statefulset-service-missing"),
        ("manual-endpoints-correct.yaml", "billing", "selectorless-without-endpoints"),
    ] {
        for reverse in [false, true] {
            let namespace = cluster.namespace();
            let webhook = Webhook::start(&namespace, "graceSeconds: 20");
            let mut objects = moved(file, from, &namespace);
            assert!(objects.len() >= 3, "{file}");
            if reverse {
                objects.reverse();
            }
            let mut told = Vec::new();
            for object in &objects {
                let outcome = namespace.apply(object).succeeded();
                told.extend(ids(&outcome).into_iter().map(str::to_owned));
            }
            // Helm applies Services first, and Endpoints last.
            let expected = match (hint, reverse) {
                ("statefulset-service-missing", true)
                | ("selectorless-without-endpoints", false) => vec![hint.to_owned()],
                _ => Vec::new(),
            };
            assert_eq!(told, expected, "{file}, reverse: {reverse}");
            // What stands is told of after what was applied before it.
            let _ = namespace.apply(&service("alone", 80)).succeeded();
            let told = until("an Event", || Some(events(&namespace)).filter(|it| !it.is_empty()));
            let told: BTreeSet<_> = told.iter().map(about).collect();
            assert_eq!(told, BTreeSet::from([("SelectorMatchesNothing", "alone")]), "{file}");
            drop(webhook);
        }
    }
}

fn what_stands_becomes_an_event(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "graceSeconds: 1");
    let pending = |count: f64| {
        until(&format!("{count} pending findings"), || {
            (webhook.metric("headlint_pending_findings") == Some(count)).then_some(())
        });
    };
    pending(0.0);
    // Nothing is said at once of what only lacks Pods.
    let outcome = namespace.apply(&service("alone", 80)).succeeded();
    assert_eq!(ids(&outcome), [""; 0], "{}", outcome.stderr);
    // These two say at once what makes them right.
    let selectorless = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy"},
        "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]},
    });
    let outcome = namespace.apply(&selectorless.to_string()).succeeded();
    assert_eq!(ids(&outcome), ["selectorless-without-endpoints"], "{}", outcome.stderr);
    let outcome = namespace.apply(&set("lone", "nobody").to_string()).succeeded();
    assert_eq!(ids(&outcome), ["statefulset-service-missing"], "{}", outcome.stderr);
    pending(3.0);
    let told = events(&namespace);
    let expected = [
        ("SelectorMatchesNothing", "alone"),
        ("SelectorlessWithoutEndpoints", "legacy"),
        ("StatefulsetServiceMissing", "lone"),
    ];
    let mut found: Vec<_> = told.iter().map(about).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
    for event in &told {
        assert_eq!(event["type"], "Warning", "{event}");
        assert!(event["regarding"]["uid"].is_string(), "{event}");
    }
    // Each goes when what it lacks is there.
    let _ = namespace.apply(&deployment("alone", json!({})).to_string()).succeeded();
    pending(2.0);
    let _ = namespace.apply(&service("nobody", 80)).succeeded();
    pending(1.0);
    let _ = namespace.delete(&selectorless.to_string()).succeeded();
    pending(0.0);
    let mut found: Vec<_> = events(&namespace);
    found.sort_by(|a, b| about(a).cmp(&about(b)));
    assert_eq!(found.iter().map(about).collect::<Vec<_>>(), expected, "no more, and none twice");
}

fn what_heals_becomes_no_event(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = Webhook::start(&namespace, "graceSeconds: 8");
    let objects = [
        service("late", 80),
        set("early", "named").to_string(),
        deployment("late", json!({})).to_string(),
        service("named", 80),
    ];
    let outcome = namespace.apply(&objects.join("\n---\n")).succeeded();
    assert_eq!(ids(&outcome), ["statefulset-service-missing"], "{}", outcome.stderr);
    let _ = namespace.apply(&service("alone", 80)).succeeded();
    let told = until("an Event", || Some(events(&namespace)).filter(|it| !it.is_empty()));
    let told: Vec<_> = told.iter().map(about).collect();
    assert_eq!(told, [("SelectorMatchesNothing", "alone")], "{}", webhook.log());
}

fn replicas_and_restarts_make_one_event(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let mut webhook = Webhook::replicas(&namespace, "graceSeconds: 1", 2);
    let _ = namespace.apply(&service("alone", 80)).succeeded();
    let pending = |webhook: &Webhook<'_>, replica| {
        until("a replica to find it", || {
            let found = webhook.metric_of(replica, "headlint_pending_findings");
            (found == Some(1.0)).then_some(())
        });
    };
    (0..2).for_each(|replica| pending(&webhook, replica));
    let first = events(&namespace);
    assert_eq!(first.iter().map(about).collect::<Vec<_>>(), [("SelectorMatchesNothing", "alone")]);
    for (replica, signal) in [(0, "TERM"), (1, "KILL")] {
        let status = webhook.end(replica, signal);
        assert_eq!(status.success(), signal == "TERM", "{signal}: {status}");
        webhook.restart(replica);
        pending(&webhook, replica);
    }
    assert_eq!(events(&namespace), first, "it is the same Event, and nobody touched it");
}
