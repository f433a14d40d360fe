//! A real Kubernetes control plane on loopback addresses: etcd, kube-apiserver,
//! kube-controller-manager and kubectl, which `make control-plane` builds.
//!
//! ```text
//! Cluster ── Network      127.N.0.0/16, claimed for this process
//!         ├─ servers      Process: ends with the test, however that ends
//!         ├─ Namespace    kubectl in a namespace of its own, and claims
//!         ├─ StandIn      a webhook that answers as a test wants
//!         ├─ Replica      headlint-webhook, to be killed and started again
//!         ├─ Webhook      replicas of it, and what the API server asks them
//!         ├─ Load         requests at a steady pace, each one counted
//!         └─ Balancer     a Service's address, in place of kube-proxy
//! ```
//!
//! There is no node, unless [`crate::node`] makes one: Pods stay pending. Every
//! cluster IP is a loopback address, so that whoever listens there *is* the
//! Service.

mod account;
mod asking;
mod balancer;
mod certificate;
mod claims;
mod kubectl;
mod kubelet;
mod load;
mod network;
mod process;
mod replica;
mod servers;
mod stand_in;
mod wait;
mod webhook;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::{Method, Request};
use k8s_openapi::ByteString;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

pub use self::asking::{Direct, MISMATCH, ThroughApiServer, Trust, mismatched_service, review};
pub use self::balancer::{Backend, Balancer};
pub use self::certificate::{Authority, Identity};
pub use self::claims::Claim;
pub use self::kubectl::{Namespace, Outcome};
pub use self::load::{Asker, Load};
pub use self::network::Network;
pub use self::process::Process;
pub use self::replica::Replica;
pub use self::servers::{AUDIT_LOG, program};
pub use self::stand_in::{Answer, StandIn};
pub use self::wait::until;
pub use self::webhook::Webhook;

const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// A control plane that runs until it is dropped.
pub struct Cluster {
    // Dropped in this order.
    servers: Mutex<Servers>,
    client: Client,
    runtime: Runtime,
    authority: Authority,
    network: Network,
    namespaces: AtomicU32,
    folder: TempDir,
}

/// Those that were started, and not killed.
struct Servers {
    // Dropped in this order.
    controllers: Option<Process>,
    api_server: Option<Process>,
    etcd: Process,
}

impl Cluster {
    /// Starts one, and waits until its API server is ready.
    ///
    /// # Panics
    /// When a server doesn't start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_in(Network::claim())
    }

    /// Starts one at these addresses.
    ///
    /// # Panics
    /// As [`Cluster::start`].
    #[must_use]
    pub fn start_in(network: Network) -> Self {
        let folder = tempfile::Builder::new().prefix("headlint-cluster-").tempdir();
        let folder = folder.expect("a temporary folder");
        let authority = Authority::new();
        servers::prepare(&network, &authority, folder.path());
        let etcd = servers::etcd(&network, folder.path());
        let api_server = servers::api_server(&network, folder.path());
        let servers = Servers { controllers: None, api_server: Some(api_server), etcd };
        let runtime = Runtime::new().expect("a runtime");
        let client = client(&runtime, &folder.path().join(servers::KUBECONFIG));
        let namespaces = AtomicU32::new(0);
        let cluster = Self {
            servers: Mutex::new(servers),
            client,
            runtime,
            authority,
            network,
            namespaces,
            folder,
        };
        cluster.until_ready();
        // They don't wait for long.
        cluster.servers().controllers =
            Some(servers::controllers(&cluster.network, cluster.folder()));
        cluster
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until_ready(&self) {
        until("the API server to be ready", || {
            let Servers { controllers, api_server, etcd } = &mut *self.servers();
            let started = api_server.iter_mut().chain(controllers).chain([etcd]);
            started.for_each(Process::assert_running);
            // `default` is made by the API server itself, a moment later.
            self.get("/readyz").and_then(|_| self.get("/api/v1/namespaces/default")).ok()
        });
    }

    /// Kills the API server, as a crash does. Only for a test that has the
    /// cluster for itself.
    pub fn kill_api_server(&self) {
        self.servers().api_server = None;
    }

    /// Starts the API server again, at the same address, and waits until it is
    /// ready.
    pub fn restart_api_server(&self) {
        self.kill_api_server();
        let started = servers::api_server(&self.network, self.folder.path());
        self.servers().api_server = Some(started);
        self.until_ready();
    }

    /// What kubectl and other clients need to be the administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join(servers::KUBECONFIG)
    }

    /// Where a test may write files of its own; the servers' logs are here.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder where it is when the cluster ends.
    pub fn keep_folder(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// Whose certificates the API server trusts, and has.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The authority's certificate as a `caBundle`.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn ca_bundle(&self) -> Value {
        let certificate = ByteString(self.authority.certificate().as_bytes().to_vec());
        serde_json::to_value(certificate).expect("bytes become a string")
    }

    /// Registers a validating webhook that the API server asks about all that
    /// `rules` name and for which the CEL expression `condition` holds. It has
    /// to answer.
    ///
    /// # Panics
    /// When the API server refuses that.
    pub fn register_webhook(
        &self,
        name: &str,
        client_config: &Value,
        rules: &Value,
        condition: &str,
    ) {
        let webhook = json!({
            "name": format!("{name}.headlint.dev"),
            "clientConfig": client_config,
            "rules": rules,
            "matchConditions": [{"name": "wanted", "expression": condition}],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
        });
        let object = json!({"metadata": {"name": name}, "webhooks": [webhook]});
        self.call(Method::POST, WEBHOOKS, &object).expect("it is registered");
    }

    /// Ends what [`Cluster::register_webhook`] began.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn unregister_webhook(&self, name: &str) {
        let path = format!("{WEBHOOKS}/{name}");
        self.call(Method::DELETE, &path, &Value::Null).expect("it was registered");
    }

    /// Its addresses.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// An address that nobody else listens on.
    #[must_use]
    pub fn free_address(&self) -> Ipv4Addr {
        self.network.next()
    }

    /// The administrator's client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a future to its end.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Runs a future beside the test, until the cluster ends.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// Makes a namespace that no other test uses.
    ///
    /// # Panics
    /// When the API server refuses it.
    #[must_use]
    pub fn namespace(&self) -> Namespace<'_> {
        let name = format!("test-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        self.ensure_namespace(&name);
        Namespace::new(self, name)
    }

    /// A namespace of this name, which several tests may share.
    ///
    /// # Panics
    /// When the API server refuses it.
    pub fn ensure_namespace(&self, name: &str) {
        if self.get(&format!("/api/v1/namespaces/{name}")).is_err() {
            let object = json!({"metadata": {"name": name}});
            self.call(Method::POST, "/api/v1/namespaces", &object).expect("a namespace");
        }
    }

    /// Reads from the API server; text that isn't JSON becomes a string.
    ///
    /// # Errors
    /// As the API server tells.
    pub fn get(&self, path: &str) -> Result<Value, kube::Error> {
        self.call(Method::GET, path, &Value::Null)
    }

    /// Sends a request to the API server.
    ///
    /// # Errors
    /// As the API server tells.
    ///
    /// # Panics
    /// When the path isn't one.
    pub fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, kube::Error> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json").body(body);
        let request = request.expect("it is a request");
        let text = self.block_on(self.client.request_text(request))?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

fn client(runtime: &Runtime, kubeconfig: &Path) -> Client {
    let text = fs::read_to_string(kubeconfig).expect("it was written");
    let kubeconfig = Kubeconfig::from_yaml(&text).expect("it is a kubeconfig");
    runtime.block_on(async {
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Client::try_from(config.expect("it is complete")).expect("a client")
    })
}
