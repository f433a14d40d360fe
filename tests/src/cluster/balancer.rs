//! What kube-proxy does for a Service: connections to its cluster IP go to the
//! Pods that are ready.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Cluster;

/// How often a backend is asked whether it is ready, and how long it may think.
const PERIOD: Duration = Duration::from_millis(20);
const ANSWER: Duration = Duration::from_secs(5);

/// One replica behind a Service.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Where it serves.
    pub address: SocketAddr,
    /// What answers 200 while it is ready.
    pub readiness: Uri,
}

/// Listens in place of a Service until it is dropped. A connection that is open
/// stays where it is; a new one waits until a backend is ready, and goes to
/// another one where it is refused: none is lost.
#[derive(Debug)]
pub struct Balancer {
    ready: watch::Receiver<BTreeSet<usize>>,
    /// Ends its tasks when it is dropped.
    _tasks: JoinSet<()>,
}

impl Balancer {
    /// Listens at an address: that of a Service, or any other.
    ///
    /// # Panics
    /// When it can't.
    #[must_use]
    pub fn start(cluster: &Cluster, address: SocketAddr, backends: Vec<Backend>) -> Self {
        let listener = cluster.block_on(TcpListener::bind(address));
        let listener = listener.unwrap_or_else(|error| panic!("{address}: {error}"));
        let (sender, ready) = watch::channel(BTreeSet::new());
        let sender = Arc::new(sender);
        let mut tasks = JoinSet::new();
        let runtime = cluster.runtime.handle();
        for (index, backend) in backends.iter().enumerate() {
            tasks.spawn_on(follow(index, backend.readiness.clone(), Arc::clone(&sender)), runtime);
        }
        let addresses = backends.into_iter().map(|backend| backend.address).collect();
        tasks.spawn_on(accept(listener, addresses, sender), runtime);
        Self { ready, _tasks: tasks }
    }

    /// How many backends are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.borrow().len()
    }
}

/// Notes whether a backend is ready, again and again.
async fn follow(index: usize, readiness: Uri, ready: Arc<watch::Sender<BTreeSet<usize>>>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    loop {
        let answer = timeout(ANSWER, client.get(readiness.clone())).await;
        let is_ready = matches!(answer, Ok(Ok(answer)) if answer.status() == StatusCode::OK);
        ready.send_if_modified(|ready| match is_ready {
            true => ready.insert(index),
            false => ready.remove(&index),
        });
        sleep(PERIOD).await;
    }
}

async fn accept(
    listener: TcpListener,
    backends: Vec<SocketAddr>,
    ready: Arc<watch::Sender<BTreeSet<usize>>>,
) {
    let (backends, turn) = (Arc::new(backends), Arc::new(AtomicUsize::new(0)));
    // They end with this one.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((mut client, _)) = listener.accept().await else { continue };
        let (backends, ready) = (Arc::clone(&backends), Arc::clone(&ready));
        let turn = Arc::clone(&turn);
        connections.spawn(async move {
            if let Some(mut server) = connect(&backends, &ready, &turn).await {
                // Whoever closes or breaks off, the other one sees it.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}

/// A connection to a backend, each in its turn.
async fn connect(
    backends: &[SocketAddr],
    ready: &watch::Sender<BTreeSet<usize>>,
    turn: &AtomicUsize,
) -> Option<TcpStream> {
    let mut receiver = ready.subscribe();
    loop {
        let index = {
            let ready = receiver.wait_for(|ready| !ready.is_empty()).await.ok()?;
            let turn = turn.fetch_add(1, Ordering::Relaxed) % ready.len();
            *ready.iter().nth(turn)?
        };
        match TcpStream::connect(backends[index]).await {
            Ok(server) => return Some(server),
            // Gone since it was asked.
            Err(_) => {
                ready.send_if_modified(|ready| ready.remove(&index));
            }
        }
    }
}
