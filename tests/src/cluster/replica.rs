//! The webhook itself, as a process.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use axum::body::{Body, to_bytes};
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Handle;

use super::{Backend, Cluster, Process, until};
use crate::cases::root;

/// Far more than an answer about health has.
const MOST_BYTES: usize = 1 << 20;

/// A replica of `headlint-webhook` that runs until it is dropped or killed.
pub struct Replica {
    runtime: Handle,
    folder: PathBuf,
    name: String,
    command: Command,
    address: SocketAddr,
    operations: SocketAddr,
    /// None while it isn't running.
    process: Option<Process>,
}

impl Replica {
    /// What `make build` built.
    ///
    /// # Panics
    /// When it hasn't been built.
    #[must_use]
    pub fn program() -> PathBuf {
        let program = root().join("target/release/headlint-webhook");
        assert!(program.exists(), "no {}: `make build` builds it", program.display());
        program
    }

    /// Starts a webhook that takes requests at `address`. The command is the
    /// program, with what is to be said beside addresses and the kubeconfig.
    /// `name` is that of its log.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn start(cluster: &Cluster, name: &str, address: SocketAddr, command: Command) -> Self {
        Self::start_as(cluster, &cluster.kubeconfig(), name, address, command)
    }

    /// As [`Replica::start`], but not as the administrator.
    ///
    /// # Panics
    /// As [`Replica::start`].
    #[must_use]
    pub fn start_as(
        cluster: &Cluster,
        kubeconfig: &Path,
        name: &str,
        address: SocketAddr,
        mut command: Command,
    ) -> Self {
        let operations = SocketAddr::from((cluster.free_address(), 8080));
        command
            .args(["--listen", &address.to_string()])
            .args(["--operations", &operations.to_string()])
            .arg("--kubeconfig")
            .arg(kubeconfig);
        let mut replica = Self {
            runtime: cluster.runtime.handle().clone(),
            folder: cluster.folder().to_owned(),
            name: name.to_owned(),
            command,
            address,
            operations,
            process: None,
        };
        replica.restart();
        replica
    }

    /// Starts it again as it was started before; kills it first, if it runs.
    pub fn restart(&mut self) {
        self.kill();
        let process = Process::start(&self.name, &self.command, &self.folder);
        self.process = Some(process);
    }

    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// When it ends before that.
    pub fn until_ready(&mut self) {
        until(&format!("{} to be ready", self.name), || {
            self.process.as_mut().expect("it was started").assert_running();
            let (status, _) = self.ask("/readyz")?;
            (status == StatusCode::OK).then_some(())
        });
    }

    /// Kills it, as a crash does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Sends SIGTERM, as Kubernetes does, and waits for its end.
    ///
    /// # Panics
    /// When it isn't running.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.signal("TERM");
        process.wait()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// What it printed since it was started for the first time.
    #[must_use]
    pub fn log(&self) -> String {
        let log = self.folder.join(format!("{}.log", self.name));
        std::fs::read_to_string(log).unwrap_or_default()
    }

    /// Where it takes requests.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As one of those behind a Service.
    #[must_use]
    pub fn backend(&self) -> Backend {
        Backend { address: self.address, readiness: self.uri("/readyz") }
    }

    /// All metrics, as Prometheus reads them.
    ///
    /// # Panics
    /// When it doesn't answer.
    #[must_use]
    pub fn metrics(&self) -> String {
        let (status, text) = self.ask("/metrics").expect("it answers");
        assert_eq!(status, StatusCode::OK, "{text}");
        text
    }

    /// The sum of a metric over the series whose labels contain this text.
    ///
    /// # Panics
    /// When it doesn't answer.
    #[must_use]
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics();
        let series = text.lines().filter_map(|line| line.rsplit_once(' '));
        let series = series.filter(|(series, _)| {
            let (own, rest) = series.split_once('{').unwrap_or((series, ""));
            own == name && rest.contains(labels)
        });
        series.map(|(_, value)| value.parse::<f64>().expect("it is a number")).sum()
    }

    fn uri(&self, path: &str) -> Uri {
        format!("http://{}{path}", self.operations).parse().expect("it is an address")
    }

    /// None if nobody answers.
    fn ask(&self, path: &str) -> Option<(StatusCode, String)> {
        self.runtime.block_on(async {
            let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
            let answer = client.get(self.uri(path)).await.ok()?;
            let status = answer.status();
            let body = to_bytes(Body::new(answer.into_body()), MOST_BYTES).await.ok()?;
            Some((status, String::from_utf8_lossy(&body).into_owned()))
        })
    }
}

impl Cluster {
    /// The cluster IP of a Service, where a webhook or a [`super::Balancer`]
    /// can listen.
    ///
    /// # Panics
    /// When there is no such Service, or it has no address.
    #[must_use]
    pub fn cluster_ip(&self, namespace: &str, service: &str) -> IpAddr {
        let path = format!("/api/v1/namespaces/{namespace}/services/{service}");
        let service = self.get(&path).expect("there is such a Service");
        let address = service["spec"]["clusterIP"].as_str().expect("it has an address");
        address.parse().expect("it has an address")
    }
}
