//! Who asks a webhook: the API server, or a client that dials it as the API
//! server does.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::ByteString;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::load::Asker;
use super::{Cluster, WEBHOOKS};

/// Far more than an answer has.
const MOST_BYTES: usize = 1 << 20;
/// What the API server waits by default.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a caBundle is looked at: API servers are told of a change at once.
const PERIOD: Duration = Duration::from_millis(50);
/// After so many requests a client dials anew, so that certificates are looked
/// at all the time.
const REQUESTS_A_CONNECTION: u32 = 20;

/// A headless Service of which `headless-port-target-mismatch` warns, whatever
/// else the cluster holds.
#[must_use]
pub fn mismatched_service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "clusterIP": "None", "selector": {"app": name},
            "ports": [{"name": "tcp", "port": 80, "targetPort": 8080}],
        },
    })
}

/// The rule that [`mismatched_service`] is about.
pub const MISMATCH: &str = "headless-port-target-mismatch";

/// The AdmissionReview of an object that is created.
#[must_use]
pub fn review(namespace: &str, resource: &str, object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["namespace"] = json!(namespace);
    let (group, version) = match object["apiVersion"].as_str().unwrap_or_default() {
        version if !version.contains('/') => ("", version.to_owned()),
        both => both.split_once('/').map_or(("", String::new()), |(g, v)| (g, v.to_owned())),
    };
    let kind = json!({"group": group, "version": version, "kind": object["kind"]});
    let resource = json!({"group": group, "version": version, "resource": resource});
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "8c3a1f0e-5d2b-4b6e-9a57-2f1f6b0c7d11",
            "kind": kind, "requestKind": kind,
            "resource": resource, "requestResource": resource,
            "name": object["metadata"]["name"], "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "administrator", "groups": ["system:masters"]},
            "object": object, "oldObject": null, "dryRun": true,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    })
}

/// Creates an object again and again as a dry run.
#[derive(Clone)]
pub struct ThroughApiServer {
    client: Client,
    path: String,
    object: Arc<Value>,
    /// What one of the warnings has to contain.
    warning: Option<&'static str>,
}

impl ThroughApiServer {
    /// The path is that of a list, such as `/api/v1/namespaces/x/services`. The
    /// connections are its own, and kube repeats nothing.
    ///
    /// # Panics
    /// Never: the cluster has a kubeconfig.
    #[must_use]
    pub fn new(
        cluster: &Cluster,
        path: &str,
        object: Value,
        warning: Option<&'static str>,
    ) -> Self {
        let client = cluster.block_on(async {
            let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).expect("it was written");
            let options = KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
            let mut config = config.expect("it is complete");
            config.default_retry = false;
            Client::try_from(config).expect("a client")
        });
        let path = format!("{path}?dryRun=All");
        Self { client, path, object: Arc::new(object), warning }
    }
}

impl ThroughApiServer {
    /// Creates it once: the status, whether there was the warning that there
    /// should be, and the body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn once(&mut self) -> Result<(StatusCode, bool, String), String> {
        let request = Request::builder().method(Method::POST).uri(&self.path);
        let request = request.header("content-type", "application/json");
        let request = request.body(self.object.to_string().into_bytes().into());
        let request = request.map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error| format!("{error:?}"))?;
        let (head, body) = answer.into_parts();
        let body =
            to_bytes(Body::new(body), MOST_BYTES).await.map_err(|error| error.to_string())?;
        let warned = self.warning.is_none_or(|rule| {
            let warnings = head.headers.get_all("warning");
            warnings.iter().any(|it| it.to_str().is_ok_and(|text| text.contains(rule)))
        });
        Ok((head.status, warned, String::from_utf8_lossy(&body).into_owned()))
    }
}

impl Asker for ThroughApiServer {
    async fn ask(&mut self) -> Result<(), String> {
        match self.once().await? {
            (StatusCode::CREATED, true, _) => Ok(()),
            (StatusCode::CREATED, false, _) => Err("not warned as it should".to_owned()),
            (status, _, body) => Err(format!("{status}: {body}")),
        }
    }
}

/// What an API server trusts when it dials a webhook, as it changes.
pub struct Trust {
    config: watch::Receiver<Arc<ClientConfig>>,
    task: JoinHandle<()>,
}

impl Trust {
    /// Follows the caBundle of a ValidatingWebhookConfiguration's first webhook.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn follow(cluster: &Cluster, configuration: &str) -> Self {
        let client = cluster.client().clone();
        let path = format!("{WEBHOOKS}/{configuration}");
        cluster.block_on(async {
            let mut known = bundle(&client, &path).await.expect("it has a caBundle");
            let (sender, config) = watch::channel(Arc::new(trusting(&known)));
            let task = tokio::spawn(async move {
                loop {
                    sleep(PERIOD).await;
                    if let Some(now) = bundle(&client, &path).await
                        && now != known
                    {
                        sender.send_replace(Arc::new(trusting(&now)));
                        known = now;
                    }
                }
            });
            Self { config, task }
        })
    }
}

impl Drop for Trust {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn bundle(client: &Client, path: &str) -> Option<Vec<u8>> {
    let request = Request::get(path).body(Vec::new()).ok()?;
    let configuration: Value = client.request(request).await.ok()?;
    let bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"].clone();
    serde_json::from_value(bundle).ok().map(|ByteString(bytes)| bytes)
}

fn trusting(bundle: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        roots.add(certificate.expect("it is PEM")).expect("it is a certificate");
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    // A session that is resumed is no look at the certificate.
    config.resumption = Resumption::disabled();
    config
}

/// Sends one AdmissionReview again and again, by HTTP/1.1, to where the API
/// server would send it.
pub struct Direct {
    address: SocketAddr,
    name: ServerName<'static>,
    config: watch::Receiver<Arc<ClientConfig>>,
    body: Arc<Vec<u8>>,
    warning: &'static str,
    seen: Arc<Mutex<BTreeSet<Vec<u8>>>>,
    /// An open connection, and how many requests it is still good for.
    connection: Option<(SendRequest<Body>, u32)>,
}

impl Direct {
    /// So many askers that dial a Service at its address by its name, such as
    /// `headlint.headlint.svc`. A warning has to begin with the rule. The
    /// certificates that were seen are added to `seen`.
    ///
    /// # Panics
    /// When the name is none.
    #[must_use]
    pub fn askers(
        number: usize,
        (name, address): (&str, SocketAddr),
        trust: &Trust,
        (review, warning): (&Value, &'static str),
        seen: &Arc<Mutex<BTreeSet<Vec<u8>>>>,
    ) -> Vec<Self> {
        let body = Arc::new(review.to_string().into_bytes());
        let asker = |_| Self {
            address,
            name: ServerName::try_from(name.to_owned()).expect("it is a name"),
            config: trust.config.clone(),
            body: Arc::clone(&body),
            warning,
            seen: Arc::clone(seen),
            connection: None,
        };
        (0..number).map(asker).collect()
    }

    async fn dial(&self) -> Result<SendRequest<Body>, String> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.map_err(|error| format!("can't connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let config = self.config.borrow().clone();
        let stream = TlsConnector::from(config).connect(self.name.clone(), stream).await;
        let stream = stream.map_err(|error| format!("the TLS handshake failed: {error}"))?;
        if let Some(leaf) = stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(leaf.to_vec());
        }
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn send(&mut self) -> Result<(StatusCode, String), String> {
        let (mut sender, left) = match self.connection.take() {
            // One that the server has closed as it said it would.
            Some((sender, left)) if left > 0 && !sender.is_closed() => (sender, left),
            _ => (self.dial().await?, REQUESTS_A_CONNECTION),
        };
        let request = Request::post("/validate?timeout=10s")
            .header("host", "webhook")
            .header("content-type", "application/json")
            .body(Body::from(self.body.as_ref().clone()))
            .map_err(|error| error.to_string())?;
        sender.ready().await.map_err(|error| format!("the connection broke: {error}"))?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| format!("no answer, {left} left: {error:?}"))?;
        let status = answer.status();
        let closing = answer.headers().get("connection").is_some_and(|value| value == "close");
        let body = to_bytes(Body::new(answer.into_body()), MOST_BYTES).await;
        let body = body.map_err(|error| format!("half an answer: {error}"))?;
        if !closing {
            self.connection = Some((sender, left - 1));
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Sends it once; the status and the body.
    ///
    /// # Errors
    /// When there is no answer within the time that an API server waits.
    pub async fn once(&mut self) -> Result<(StatusCode, String), String> {
        match timeout(PATIENCE, self.send()).await {
            Ok(answer) => answer,
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Whether an answer admits the object, with the warning that there should be.
    ///
    /// # Errors
    /// What it is instead.
    pub fn check(&self, status: StatusCode, body: &str) -> Result<(), String> {
        if status != StatusCode::OK {
            return Err(format!("{status}: {body}"));
        }
        let review: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let response = &review["response"];
        let warnings = response["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
        let warned =
            warnings.iter().any(|it| it.as_str().is_some_and(|it| it.starts_with(self.warning)));
        match response["allowed"] == true && warned {
            true => Ok(()),
            false => Err(format!("not what it should say: {body}")),
        }
    }
}

impl Asker for Direct {
    async fn ask(&mut self) -> Result<(), String> {
        let (status, body) = self.once().await?;
        self.check(status, &body)
    }
}
