//! The webhook, or the API server, is gone all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headlint_tests::cluster::{
    Asker, Cluster, Direct, Load, MISMATCH, ThroughApiServer, Trust, mismatched_service, review,
    until,
};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    CLIENTS, RATE, SECONDS, Seen, hook, in_namespace, register_hook, register_hook_as, services,
};

/// Requests a second about what the webhook doesn't judge.
const OTHERS: u32 = 20;

/// What became of requests of one kind.
#[derive(Default)]
struct Tally {
    judged: AtomicUsize,
    /// Admitted, without a word from the webhook.
    passed: AtomicUsize,
    /// Because the webhook couldn't be called.
    refused: AtomicUsize,
}

impl Tally {
    /// Judged, passed and refused.
    fn counts(&self) -> [usize; 3] {
        [&self.judged, &self.passed, &self.refused].map(|count| count.load(Ordering::Relaxed))
    }
}

/// Creates a Service that the webhook warns of, and knows what may become of it
/// when the webhook can't be called. Everything else fails.
#[derive(Clone)]
struct Guarded {
    asker: ThroughApiServer,
    /// `failurePolicy: Ignore`, otherwise `Fail`.
    ignored: bool,
    tally: Arc<Tally>,
}

impl Asker for Guarded {
    async fn ask(&mut self) -> Result<(), String> {
        let (status, warned, body) = self.asker.once().await?;
        let count = match (status, warned) {
            (StatusCode::CREATED, true) => &self.tally.judged,
            (StatusCode::CREATED, false) if self.ignored => &self.tally.passed,
            (StatusCode::INTERNAL_SERVER_ERROR, _)
                if !self.ignored
                    && body.contains("failed calling webhook \\\"validate.headlint.dev\\\"") =>
            {
                &self.tally.refused
            }
            _ => return Err(format!("{status}, warned: {warned}: {body}")),
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// One webhook, registered twice: with `Ignore` for one namespace, and with
/// `Fail`, as an installation has it, for all others but those that the cluster
/// and the webhook itself need. It is killed, and started again.
///
/// With `Ignore`, each request is admitted all the time. With `Fail`, each one
/// about an object that the webhook judges is either judged, or refused because
/// the webhook can't be called; not a single one passes unseen, and whatever the
/// webhook doesn't judge is admitted all the time.
pub(super) fn without_the_webhook_requests_fare_as_the_failure_policy_says(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let home = namespace.name();
    let (mut replica, _) = hook(&namespace, "", &[]);
    let (ignoring, failing) = (cluster.namespace(), cluster.namespace());
    let (ignoring, failing) = (ignoring.name(), failing.name());
    let condition = json!([{"name": "own", "expression": in_namespace(ignoring)}]);
    let ignore = json!({"failurePolicy": "Ignore", "matchConditions": condition});
    register_hook_as(cluster, ignoring, home, &ignore);
    let selector = json!({"matchExpressions": [{
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": ["kube-system", home, ignoring],
    }]});
    let fail = json!({"failurePolicy": "Fail", "namespaceSelector": selector});
    register_hook_as(cluster, failing, home, &fail);

    let service = mismatched_service("db");
    let guarded = |namespace: &str, ignored| {
        let path = services(namespace);
        let asker = ThroughApiServer::new(cluster, &path, service.clone(), Some(MISMATCH));
        Guarded { asker, ignored, tally: Arc::default() }
    };
    let guarded = [guarded(ignoring, true), guarded(failing, false)];
    let tallies = guarded.each_ref().map(|one| Arc::clone(&one.tally));
    let counts = || tallies.each_ref().map(|tally| tally.counts());
    let [ignored, refused] = &guarded;
    for mut one in [ignored.clone(), refused.clone()] {
        until("the webhook to be asked", || {
            let before = one.tally.counts()[0];
            cluster.block_on(one.ask()).ok();
            (one.tally.counts()[0] > before).then_some(())
        });
    }

    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"},
    });
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}});
    let others = [
        (format!("/api/v1/namespaces/{failing}/configmaps"), &config),
        (format!("/apis/coordination.k8s.io/v1/namespaces/{failing}/leases"), &lease),
        ("/api/v1/nodes".to_owned(), &node),
        (services("kube-system"), &service),
        (services(home), &service),
    ];
    let others =
        others.map(|(path, object)| ThroughApiServer::new(cluster, &path, object.clone(), None));

    let mut load = Load::new(cluster);
    load.add("where failures are ignored", RATE / 2, vec![ignored.clone(); CLIENTS / 2]);
    load.add("where they are refused", RATE / 2, vec![refused.clone(); CLIENTS / 2]);
    load.add("what isn't judged", OTHERS, others.to_vec());
    // What became of those in half a minute; and what was on its way before.
    let steady = |what: &str| {
        let _ = load.flow(&format!("{what}, at first"), 1);
        let before = counts();
        let all = load.flow(what, SECONDS);
        let after = counts();
        let fared = [0, 1].map(|one| [0, 1, 2].map(|at| after[one][at] - before[one][at]));
        println!("{what}: judged, passed, refused: {fared:?}");
        (all, fared)
    };
    let (before, [ignored, refused]) = steady("beside the webhook");
    assert_eq!((&ignored[1..], &refused[1..]), (&[0, 0][..], &[0, 0][..]));

    replica.kill();
    let (without, [ignored, refused]) = steady("without the webhook");
    assert_eq!((ignored[0], ignored[2]), (0, 0), "all pass");
    assert_eq!((refused[0], refused[1]), (0, 0), "all are refused");
    assert!(ignored[1] > 0 && refused[2] > 0);

    replica.restart();
    replica.until_ready();
    let (after, [ignored, refused]) = steady("beside the webhook again");
    assert_eq!((&ignored[1..], &refused[1..]), (&[0, 0][..], &[0, 0][..]));
    println!(
        "{} requests, each as it should be: {before} beside the webhook, {without} without, \
         {after} beside it again; judged, passed, refused in all: {:?}",
        load.answered(),
        counts(),
    );
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
pub(super) fn no_request_fails_while_the_api_server_restarts(cluster: &Cluster) {
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
}
