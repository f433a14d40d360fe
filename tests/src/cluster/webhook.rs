//! `headlint-webhook` itself, in front of the API server.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::body::{Body, to_bytes};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client as Plain;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::ByteString;
use kube::Client;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::{Backend, Balancer, Cluster, Namespace, Process, WEBHOOKS, until};
use crate::cases::root;

const PORT: u16 = 8443;

/// What the API server asks about: whatever some rule reports on, and more.
const RULES: [(&str, &str, &[&str]); 6] = [
    ("", "v1", &["configmaps", "endpoints", "pods", "services", "services/status"]),
    ("apps", "v1", &["daemonsets", "deployments", "replicasets", "statefulsets", "*/scale"]),
    ("batch", "v1", &["cronjobs", "jobs"]),
    ("coordination.k8s.io", "v1", &["leases"]),
    ("discovery.k8s.io", "v1", &["endpointslices"]),
    ("networking.k8s.io", "v1", &["networkpolicies"]),
];

/// Replicas of the webhook behind a Service, which the API server asks about
/// one namespace, and has to. They end when this is dropped.
///
/// What they know is that namespace too, unless their configuration says
/// `namespaces`: so that tests know what there is to know.
pub struct Webhook<'c> {
    // Dropped in this order.
    registration: Registration<'c>,
    _balancer: Balancer,
    replicas: Vec<Replica>,
    home: Namespace<'c>,
    judged: String,
    folder: PathBuf,
}

/// One process.
struct Replica {
    requests: SocketAddr,
    operations: SocketAddr,
    process: Option<Process>,
}

/// A ValidatingWebhookConfiguration, until it is dropped.
struct Registration<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let path = format!("{WEBHOOKS}/{}", self.name);
        // It may have gone with the API server.
        let _ = self.cluster.call(Method::DELETE, &path, &Value::Null);
    }
}

impl<'c> Webhook<'c> {
    /// One replica, which judges what happens in `namespace`.
    ///
    /// # Panics
    /// When it doesn't get ready, or the API server doesn't ask it.
    #[must_use]
    pub fn start(namespace: &Namespace<'c>, config: &str) -> Self {
        Self::replicas(namespace, config, 1)
    }

    /// So many replicas.
    ///
    /// # Panics
    /// As [`Webhook::start`].
    #[must_use]
    pub fn replicas(namespace: &Namespace<'c>, config: &str, replicas: usize) -> Self {
        let cluster = namespace.cluster();
        let home = cluster.namespace();
        let folder = cluster.folder().join(format!("webhook-{}", home.name()));
        fs::create_dir_all(folder.join("policies")).expect("a folder");
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "headlint"},
            "spec": {"ports": [{"port": PORT}]},
        });
        let _ = home.apply(&service.to_string()).succeeded();
        let service = home.get("service/headlint").expect("it was made");
        let ip = service["spec"]["clusterIP"].as_str().and_then(|ip| ip.parse::<IpAddr>().ok());
        let address = SocketAddr::new(ip.expect("it has an address"), PORT);
        let replicas: Vec<_> = (0..replicas)
            .map(|_| {
                let ip = cluster.free_address();
                let at = |port| SocketAddr::from((ip, port));
                Replica { requests: at(PORT), operations: at(8080), process: None }
            })
            .collect();
        let backends = replicas
            .iter()
            .map(|replica| Backend { address: replica.requests, readiness: replica.uri("readyz") });
        let balancer = Balancer::start(cluster, address, backends.collect());
        let registration = Registration { cluster, name: home.name().to_owned() };
        let judged = namespace.name().to_owned();
        register(cluster, home.name(), &judged);
        let mut webhook =
            Self { registration, _balancer: balancer, replicas, home, judged, folder };
        webhook.write_config(config);
        for index in 0..webhook.replicas.len() {
            webhook.launch(index);
        }
        for index in 0..webhook.replicas.len() {
            webhook.until_ready(index);
        }
        webhook.until_asked();
        webhook
    }

    /// Starts a replica that isn't running.
    ///
    /// # Panics
    /// When it doesn't get ready.
    pub fn restart(&mut self, replica: usize) {
        self.launch(replica);
        self.until_ready(replica);
    }

    fn launch(&mut self, index: usize) {
        let cluster = self.home.cluster();
        let mut command = Command::new(program());
        let replica = &self.replicas[index];
        command
            .args(["--listen", &replica.requests.to_string()])
            .args(["--operations", &replica.operations.to_string()])
            .args(["--namespace", self.home.name()])
            .args(["--webhook-configuration", self.home.name()])
            .args(["--settle-seconds", "0"])
            .args(["--log-level", "info,headlint_webhook=debug"])
            .arg("--config")
            .arg(self.config())
            .arg("--policy-dir")
            .arg(self.policies())
            .arg("--kubeconfig")
            .arg(cluster.kubeconfig())
            .env("XDG_CACHE_HOME", self.folder.join("cache"));
        let process = Process::start(&format!("webhook-{index}"), &command, &self.folder);
        self.replicas[index].process = Some(process);
    }

    fn until_ready(&mut self, index: usize) {
        until("the webhook to be ready", || {
            self.process(index).assert_running();
            self.is_ready(index).then_some(())
        });
    }

    /// Until the API server has heard of it: it admits everything before.
    fn until_asked(&self) {
        let path = format!("/api/v1/namespaces/{}/configmaps?dryRun=All", self.judged);
        let object = json!({"metadata": {"generateName": "asked-"}});
        until("the API server to ask the webhook", || {
            let _ = self.home.cluster().call(Method::POST, &path, &object);
            (self.sum("headlint_requests_total{") > 0.0).then_some(())
        });
    }

    /// The process of a replica.
    ///
    /// # Panics
    /// When it was ended.
    pub fn process(&mut self, replica: usize) -> &mut Process {
        self.replicas[replica].process.as_mut().expect("it runs")
    }

    /// What all replicas logged since they were started first.
    #[must_use]
    pub fn log(&self) -> String {
        self.replicas.iter().filter_map(|it| it.process.as_ref()).map(Process::log).collect()
    }

    /// Sends a replica a signal, and waits for its end.
    ///
    /// # Panics
    /// When it isn't running.
    pub fn end(&mut self, replica: usize, signal: &str) -> std::process::ExitStatus {
        let mut process = self.replicas[replica].process.take().expect("it runs");
        process.signal(signal);
        process.wait()
    }

    /// Where a replica answers the API server.
    #[must_use]
    pub fn address(&self, replica: usize) -> SocketAddr {
        self.replicas[replica].requests
    }

    /// Whether a replica says that it is ready.
    #[must_use]
    pub fn is_ready(&self, replica: usize) -> bool {
        self.ask(replica, "readyz").is_some_and(|(status, _)| status == StatusCode::OK)
    }

    /// The namespace with its Service, its certificate and its configuration's
    /// name.
    #[must_use]
    pub fn home(&self) -> &Namespace<'c> {
        &self.home
    }

    /// The configuration that it reads.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.yaml")
    }

    /// The folder of its policies.
    #[must_use]
    pub fn policies(&self) -> PathBuf {
        self.folder.join("policies")
    }

    /// Writes another configuration, a block mapping, of which it learns a moment
    /// later.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write_config(&self, config: &str) {
        let named = config.lines().any(|line| line.starts_with("namespaces:"));
        let namespaces = match named {
            true => String::new(),
            false => format!("namespaces: [{}]\n", self.judged),
        };
        replace(&self.config(), (namespaces + config).as_bytes());
    }

    /// Writes another configuration, and waits until it is in use.
    ///
    /// # Panics
    /// When it isn't good.
    pub fn configure(&self, config: &str) {
        let generation = || self.metric("headlint_config_generation");
        let before = generation();
        self.write_config(config);
        until("the configuration to be in use", || {
            let read = self.metric("headlint_reload_success{source=\"config\"}");
            assert_ne!(read, Some(0.0), "it isn't good: {}", self.log());
            (generation() > before).then_some(())
        });
    }

    /// Adds a policy, or replaces one. It learns of it a moment later.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write_policy(&self, name: &str, bytes: &[u8]) {
        replace(&self.policies().join(format!("{name}.wasm")), bytes);
    }

    /// Waits until the first replica knows just so many objects of a kind.
    ///
    /// # Panics
    /// When that doesn't become so.
    #[track_caller]
    pub fn knows(&self, kind: &str, objects: u32) {
        let series = format!("headlint_context_objects{{kind=\"{kind}\"}}");
        until(&format!("{objects} of {kind} to be known"), || {
            (self.metric(&series) == Some(f64::from(objects))).then_some(())
        });
    }

    /// A metric of the first replica, such as `headlint_connections`, with its
    /// labels if it has any.
    #[must_use]
    pub fn metric(&self, series: &str) -> Option<f64> {
        self.metric_of(0, series)
    }

    /// A metric of a replica.
    #[must_use]
    pub fn metric_of(&self, replica: usize, series: &str) -> Option<f64> {
        let (_, metrics) = self.ask(replica, "metrics")?;
        metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// All series that begin so, added up over the replicas that run.
    ///
    /// # Panics
    /// When a value is no number.
    #[must_use]
    pub fn sum(&self, prefix: &str) -> f64 {
        let texts = (0..self.replicas.len()).filter_map(|index| self.ask(index, "metrics"));
        texts
            .flat_map(|(_, text)| {
                let lines = text.lines().filter(|line| line.starts_with(prefix));
                let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
                values.collect::<Vec<_>>()
            })
            .sum()
    }

    /// Sends a replica a body, as the API server would.
    ///
    /// # Panics
    /// When there is no answer at all.
    #[must_use]
    pub fn post(&self, replica: usize, path: &str, body: &str) -> (StatusCode, String) {
        let cluster = self.home.cluster();
        let bundle = cluster.get(&format!("{WEBHOOKS}/{}", self.registration.name));
        let bundle =
            bundle.expect("it is registered")["webhooks"][0]["clientConfig"]["caBundle"].clone();
        let ByteString(bundle) = serde_json::from_value(bundle).expect("it has a caBundle");
        let authorities = CertificateDer::pem_slice_iter(&bundle);
        let authorities = authorities.map(|one| one.expect("it is a certificate").to_vec());
        let url = format!("https://{}", self.address(replica)).parse().expect("it is a URL");
        let mut config = kube::Config::new(url);
        // The answer is what the webhook says, whatever that is.
        config.default_retry = false;
        config.root_cert = Some(authorities.collect());
        config.tls_server_name = Some(format!("headlint.{}.svc", self.home.name()));
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(body.as_bytes().to_vec().into()).expect("it is a request");
        cluster.block_on(async {
            let client = Client::try_from(config).expect("a client");
            let answer = client.send(request).await.expect("an answer");
            let status = answer.status();
            let body = to_bytes(Body::new(answer.into_body()), 64 << 20).await.expect("a body");
            (status, String::from_utf8_lossy(&body).into_owned())
        })
    }

    fn ask(&self, replica: usize, path: &str) -> Option<(StatusCode, String)> {
        let uri = self.replicas[replica].uri(path);
        self.home.cluster().block_on(async {
            let client = Plain::builder(TokioExecutor::new()).build_http::<Body>();
            let answer = client.get(uri).await.ok()?;
            let status = answer.status();
            let body = to_bytes(Body::new(answer.into_body()), 64 << 20).await.ok()?;
            Some((status, String::from_utf8_lossy(&body).into_owned()))
        })
    }
}

impl Replica {
    fn uri(&self, path: &str) -> hyper::Uri {
        let uri = format!("http://{}/{path}", self.operations);
        uri.parse().expect("it is a URI")
    }
}

fn program() -> PathBuf {
    let program = root().join("target/release/headlint-webhook");
    assert!(program.exists(), "no {}: `make build` builds it", program.display());
    program
}

/// As an editor does, or a mounted ConfigMap: there is never half a file.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).and_then(|()| fs::rename(&new, path)).expect("it can be written");
}

fn register(cluster: &Cluster, name: &str, judged: &str) {
    let rules = RULES.map(|(group, version, resources)| {
        json!({
            "apiGroups": [group], "apiVersions": [version], "resources": resources,
            "operations": ["CREATE", "UPDATE", "DELETE"],
        })
    });
    let webhook = json!({
        "name": "validate.headlint.dev",
        "clientConfig": {"service": {
            "namespace": name, "name": "headlint", "port": PORT, "path": "/validate",
        }},
        "rules": rules,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": judged}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 30,
    });
    let object = json!({"metadata": {"name": name}, "webhooks": [webhook]});
    cluster.call(Method::POST, WEBHOOKS, &object).expect("it is registered");
}
