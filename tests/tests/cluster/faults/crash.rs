//! The webhook, or the API server, is gone all at once.

use headlint_tests::cluster::{
    Asker, Cluster, Direct, Load, MISMATCH, Replica, ThroughApiServer, Trust, mismatched_service,
    review, until,
};
use hyper::Method;
use serde_json::{Value, json};

use super::{CLIENTS, RATE, SECONDS, Seen, hook, in_namespace, register_hook, services};

/// Whether the API server creates an object as a dry run, and what it says
/// otherwise.
fn dry_run(cluster: &Cluster, path: &str, object: &Value) -> Result<(), String> {
    let created = cluster.call(Method::POST, &format!("{path}?dryRun=All"), object);
    created.map(drop).map_err(|error| error.to_string())
}

/// Requests that were judged.
fn judged(replica: &Replica) -> f64 {
    replica.metric("headlint_requests_total", "")
}

pub(super) fn all_goes_on_without_the_webhook_where_failures_are_ignored(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let name = namespace.name();
    let (mut replica, _) = hook(&namespace, "", &[]);
    let condition = json!([{"name": "own", "expression": in_namespace(name)}]);
    register_hook(cluster, name, &json!({"failurePolicy": "Ignore", "matchConditions": condition}));
    let object = mismatched_service("db");
    let asker = ThroughApiServer::new(cluster, &services(name), object, None);
    // Judged before the count begins, but answered after that.
    let in_flight = CLIENTS as f64;
    let mut load = Load::new(cluster);
    load.add("the API server", RATE, vec![asker; CLIENTS]);
    until("the webhook to be asked", || (judged(&replica) > 0.0).then_some(()));
    // What was on its way before that.
    let _ = load.flow("at first", 1);
    let start = judged(&replica);
    let before = load.flow("beside the webhook", SECONDS);
    let asked = judged(&replica) - start;
    assert!(asked + in_flight >= before as f64, "{asked} judged of {before}");

    replica.kill();
    let without = load.flow("without the webhook", SECONDS);

    replica.restart();
    replica.until_ready();
    until("the webhook to be asked again", || (judged(&replica) > 0.0).then_some(()));
    let _ = load.flow("at first", 1);
    let start = judged(&replica);
    let after = load.flow("beside the webhook again", SECONDS);
    let again = judged(&replica) - start;
    assert!(again + in_flight >= after as f64, "{again} judged of {after}");
    println!(
        "{} requests, none failed: {before} beside the webhook, {without} without, {after} beside \
         it again",
        load.answered()
    );
    drop(load);
    cluster.unregister_webhook(name);
}

pub(super) fn only_what_the_webhook_judges_is_refused_without_it(cluster: &mut Cluster) {
    let cluster = &*cluster;
    let namespace = cluster.namespace();
    let name = namespace.name();
    let (mut replica, _) = hook(&namespace, "", &[]);
    // As an installation has it: all namespaces but those that the cluster and
    // the webhook itself need.
    let own = ["kube-system", name];
    let selector = json!({"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": own},
    ]});
    register_hook(cluster, name, &json!({"failurePolicy": "Fail", "namespaceSelector": selector}));
    let judged_namespace = cluster.namespace();
    let judged_services = services(judged_namespace.name());
    let service = mismatched_service("db");
    until("the webhook to be asked", || {
        dry_run(cluster, &judged_services, &service).unwrap();
        (judged(&replica) > 0.0).then_some(())
    });
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"},
    });
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}});
    let of = |group: &str, resource: &str| {
        format!("{group}/namespaces/{}/{resource}", judged_namespace.name())
    };
    let others = [
        (of("/api/v1", "configmaps"), &config),
        (of("/apis/coordination.k8s.io/v1", "leases"), &lease),
        ("/api/v1/nodes".to_owned(), &node),
        (services("kube-system"), &service),
        (services(name), &service),
    ];

    replica.kill();
    let refusal = || {
        let refusal = dry_run(cluster, &judged_services, &service).unwrap_err();
        assert!(refusal.contains("failed calling webhook \"validate.headlint.dev\""), "{refusal}");
        refusal
    };
    // The connection that broke is noticed by a request.
    let mut refused = 0;
    until("nobody to listen", || {
        refused += 1;
        refusal().contains("connection refused").then_some(())
    });
    let mut admitted = 0;
    for _ in 0..20 {
        let refusal = refusal();
        assert!(refusal.contains("connection refused"), "{refusal}");
        refused += 1;
        for (path, object) in &others {
            dry_run(cluster, path, object).unwrap_or_else(|error| panic!("{path}: {error}"));
            admitted += 1;
        }
    }

    replica.restart();
    replica.until_ready();
    until("what it judges to be admitted", || dry_run(cluster, &judged_services, &service).ok());
    let asker = ThroughApiServer::new(cluster, &judged_services, service.clone(), Some(MISMATCH));
    let mut load = Load::new(cluster);
    load.add("the API server", RATE, vec![asker; CLIENTS]);
    let after = load.flow("after the webhook was killed and started again", 5);
    println!("{refused} refused without the webhook, {admitted} of others admitted; {after} after");
    drop(load);
    cluster.unregister_webhook(name);
}

const NOT_HEADLESS: &str = "statefulset-service-not-headless";

/// A Service with an address, whatever it selects.
fn service_with_address(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "db"}, "ports": [{"name": "tcp", "port": 80}]},
    })
}

fn stateful_set(service: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {
            "serviceName": service,
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "db", "image": "db"}]},
            },
        },
    })
}

/// The webhook goes on judging by what it knows, at its own address: half of
/// the requests are about a StatefulSet, judged by a Service that only the API
/// server told of.
pub(super) fn no_request_fails_while_the_api_server_restarts(cluster: &mut Cluster) {
    let namespace = cluster.namespace();
    let name = namespace.name().to_owned();
    let (mut replica, address) = hook(&namespace, "", &[]);
    drop(namespace);
    let condition = json!([{"name": "own", "expression": in_namespace(&name)}]);
    register_hook(cluster, &name, &json!({"failurePolicy": "Fail", "matchConditions": condition}));
    let _ = cluster.call(Method::POST, &services(&name), &service_with_address("known")).unwrap();

    let (trust, seen) = (Trust::follow(cluster, &name), Seen::default());
    let host = format!("hook.{name}.svc");
    let asked_about = |service: &str| review(&name, "statefulsets", &stateful_set(service));
    let askers = |number, review: &Value, rule| {
        Direct::askers(number, (host.as_str(), address), &trust, (review, rule), &seen)
    };
    let knows = |cluster: &Cluster, service: &str| {
        let mut asker = askers(1, &asked_about(service), NOT_HEADLESS).remove(0);
        until(&format!("{service} to be known"), || cluster.block_on(asker.ask()).ok());
    };
    knows(cluster, "known");
    let mut load = Load::new(cluster);
    let of_itself = review(&name, "services", &mismatched_service("other"));
    load.add("a Service by itself", RATE / 2, askers(CLIENTS / 2, &of_itself, MISMATCH));
    let by_another = asked_about("known");
    load.add(
        "a StatefulSet by its Service",
        RATE / 2,
        askers(CLIENTS / 2, &by_another, NOT_HEADLESS),
    );
    let before = load.flow("beside the API server", SECONDS);

    cluster.kill_api_server();
    let without = load.flow("without the API server", 10);
    cluster.restart_api_server();
    until("a Service to be made", || {
        cluster.call(Method::POST, &services(&name), &service_with_address("new")).ok()
    });
    knows(cluster, "new");
    let after = load.flow("beside the API server again", SECONDS);
    assert!(replica.is_running());
    assert_eq!(replica.log().matches("a certificate is in use").count(), 1, "it ran all the time");
    println!(
        "{} requests, none failed: {before} beside the API server, {without} without, {after} \
         beside it again; {} watches started again",
        load.answered(),
        replica.metric("headlint_context_watch_restarts_total", ""),
    );
    drop(load);
    cluster.unregister_webhook(&name);
}
