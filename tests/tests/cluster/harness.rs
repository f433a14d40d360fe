//! The harness itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use headlint_tests::cluster::{Answer, Backend, Balancer, Claim, Cluster, Process, StandIn, until};
use hyper::StatusCode;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Test::{self, Alone, Sharing};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_process_ends_with_its_owner", Sharing(a_process_ends_with_its_owner)),
    ("a_process_gets_signals", Sharing(a_process_gets_signals)),
    ("the_api_server_restarts", Alone(the_api_server_restarts)),
    ("claims_hold_for_what_a_webhook_says", Sharing(claims_hold_for_what_a_webhook_says)),
    ("a_cluster_ip_is_the_service", Sharing(a_cluster_ip_is_the_service)),
    ("a_balancer_loses_no_connection", Sharing(a_balancer_loses_no_connection)),
];

/// A shell that tells its process id.
fn shell(cluster: &Cluster, name: &str, script: &str) -> (Process, PathBuf) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("echo $$; {script}")]);
    let process = Process::start(name, &command, cluster.folder());
    let pid =
        until("the shell to tell its id", || process.log().lines().next()?.parse::<u32>().ok());
    (process, PathBuf::from(format!("/proc/{pid}")))
}

fn a_process_ends_with_its_owner(cluster: &Cluster) {
    let (mut process, entry) = shell(cluster, "sleeper", "exec sleep 1000");
    assert!(entry.exists() && process.is_running());
    drop(process);
    assert!(!entry.exists(), "it was killed, and waited for");
}

fn a_process_gets_signals(cluster: &Cluster) {
    let script = "trap 'echo asked; exit 3' TERM; while :; do sleep 0.01; done";
    let (mut process, entry) = shell(cluster, "asked", script);
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(3));
    assert!(process.log().ends_with("asked\n") && !entry.exists());
}

fn the_api_server_restarts(cluster: &mut Cluster) {
    let namespace = cluster.namespace();
    let config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}}";
    let _ = namespace.apply(config).succeeded();
    let path = format!("/api/v1/namespaces/{}/configmaps/kept", namespace.name());
    cluster.kill_api_server();
    assert!(matches!(cluster.get(&path), Err(error) if !matches!(error, kube::Error::Api(_))));
    cluster.restart_api_server();
    assert_eq!(cluster.get(&path).unwrap()["metadata"]["name"], "kept");
}

/// A webhook that says what a ConfigMap's data tells it to.
fn parrot(request: &Value) -> Answer {
    let data = &request["object"]["data"];
    let text = |key: &str| data[key].as_str().map(str::to_owned);
    Answer { denial: text("deny"), warnings: text("warn").into_iter().collect() }
}

fn claims_hold_for_what_a_webhook_says(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let webhook = StandIn::serve(cluster, &[], parrot);
    let rules = json!([{
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
        "operations": ["CREATE", "UPDATE"],
    }]);
    let condition = format!("request.namespace == '{}'", namespace.name());
    cluster.register_webhook("parrot", &webhook.client_config(cluster), &rules, &condition);
    let saying = |data: &str| {
        format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: words}}, data: {data}}}")
    };
    until("the API server to ask the webhook", || {
        namespace.dry_run(&saying("{deny: all}")).denial().map(drop)
    });
    let (rule, other) = ("selector-matches-nothing", "selectorless-without-endpoints");
    let quiet = saying("{warn: 'no-such-rule: of somebody else'}");
    let warned = saying(&format!("{{warn: '{rule}: db'}}"));
    let denied = saying(&format!("{{deny: '{rule}: db'}}"));
    namespace.denies_with(rule, &denied);
    assert_eq!(namespace.get("configmap/words"), None);
    namespace.accepts(&quiet);
    namespace.warns_with(rule, &warned);
    assert!(namespace.get("configmap/words").is_some());
    let false_claims = [
        (Claim::Accepted, &warned),
        (Claim::Accepted, &denied),
        (Claim::Warned(rule), &quiet),
        (Claim::Warned(other), &warned),
        (Claim::Warned(rule), &denied),
        (Claim::Denied(rule), &quiet),
        (Claim::Denied(rule), &warned),
        (Claim::Denied(other), &denied),
    ];
    for (claim, manifest) in false_claims {
        assert!(namespace.check(claim, manifest).is_err(), "{claim:?} holds for {manifest}");
    }
    cluster.unregister_webhook("parrot");
}

/// A server that answers with its name, and `/readyz` as it is told.
struct Server {
    ready: Arc<AtomicBool>,
    address: SocketAddr,
}

impl Server {
    fn start(cluster: &Cluster, name: &'static str) -> Self {
        let ready = Arc::new(AtomicBool::new(true));
        let answer = Arc::clone(&ready);
        let readyz = move || async move {
            if answer.load(Ordering::Relaxed) {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        let router = Router::new()
            .route("/readyz", get(readyz))
            .route("/", get(move || async move { name }));
        let address = SocketAddr::from((cluster.free_address(), 8080));
        cluster.block_on(async {
            let listener = TcpListener::bind(address).await.unwrap();
            tokio::spawn(async move { axum::serve(listener, router).await });
        });
        Self { ready, address }
    }

    /// As a backend, which serves here or elsewhere.
    fn backend(&self, address: SocketAddr) -> Backend {
        let readiness = format!("http://{}/readyz", self.address).parse().unwrap();
        Backend { address, readiness }
    }
}

fn a_cluster_ip_is_the_service(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let name = namespace.name();
    let service = "
apiVersion: v1
kind: Service
metadata: {name: hook}
spec: {ports: [{port: 8443}]}";
    let _ = namespace.apply(service).succeeded();
    let service = namespace.get("service/hook").unwrap();
    let ip: IpAddr = service["spec"]["clusterIP"].as_str().unwrap().parse().unwrap();
    let webhook = StandIn::serve(cluster, &[&format!("hook.{name}.svc")], parrot);
    let pod = Server::start(cluster, "pod");
    let backends = vec![pod.backend(webhook.address())];
    let _proxy = Balancer::start(cluster, SocketAddr::from((ip, 8443)), backends);
    let client_config = json!({
        "service": {"namespace": name, "name": "hook", "port": 8443, "path": "/validate"},
        "caBundle": cluster.ca_bundle(),
    });
    let rules = json!([{
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
        "operations": ["CREATE"],
    }]);
    let condition = format!("request.namespace == '{name}'");
    cluster.register_webhook("proxied", &client_config, &rules, &condition);
    let config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: words}, data: {deny: heard}}";
    let denial = until("the API server to ask the webhook", || {
        namespace.dry_run(config).denial().map(str::to_owned)
    });
    assert_eq!(denial, "heard");
    cluster.unregister_webhook("proxied");
}

fn a_balancer_loses_no_connection(cluster: &Cluster) {
    let (one, two) = (Server::start(cluster, "one"), Server::start(cluster, "two"));
    // Says that it is ready, and refuses all connections.
    let dead = one.backend(SocketAddr::from((cluster.free_address(), 1)));
    let backends = vec![one.backend(one.address), two.backend(two.address), dead];
    let address = SocketAddr::from((cluster.free_address(), 8080));
    let balancer = Balancer::start(cluster, address, backends);
    let served = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| cluster.spawn(ask(address, Arc::clone(&served), Arc::clone(&stop))))
        .collect();
    let count = |name: &str| served.lock().unwrap().get(name).copied().unwrap_or(0);
    let total = || served.lock().unwrap().values().sum::<usize>();
    let more = |what: &str, count: &dyn Fn() -> usize| {
        let before = count();
        until(what, || (count() > before + 50).then_some(()));
    };
    more("answers of the first", &|| count("one"));
    more("answers of the second", &|| count("two"));
    one.ready.store(false, Ordering::Relaxed);
    until("the first to be left out", || (balancer.ready() == 1).then_some(()));
    more("answers of the second alone", &|| count("two"));
    two.ready.store(false, Ordering::Relaxed);
    until("nobody to be ready", || (balancer.ready() == 0).then_some(()));
    one.ready.store(true, Ordering::Relaxed);
    more("answers of the first again", &|| count("one"));
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        cluster.block_on(client).unwrap();
    }
    assert_eq!(total(), count("one") + count("two"), "{:?}", served.lock());
}

/// Asks again and again, each time over a connection of its own.
async fn ask(
    address: SocketAddr,
    served: Arc<Mutex<BTreeMap<String, usize>>>,
    stop: Arc<AtomicBool>,
) {
    let client =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http::<Body>();
    while !stop.load(Ordering::Relaxed) {
        let answer = match client.get(format!("http://{address}/").parse().unwrap()).await {
            Ok(answer) => {
                to_bytes(Body::new(answer.into_body()), 100).await.map_err(|e| e.to_string())
            }
            Err(error) => Err(format!("{error:?}")),
        };
        let name =
            answer.map_or_else(|error| error, |it| String::from_utf8_lossy(&it).into_owned());
        *served.lock().unwrap().entry(name).or_default() += 1;
    }
}
