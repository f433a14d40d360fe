//! The life of the process: start, serve, drain.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use headlint_policies::config::today;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::args::ServeArgs;
use crate::health::Gates;
use crate::metrics::{Metrics, Source};
use crate::runtime::{self, Live, Loader};
use crate::server::{Door, Patience, Reviewer, Server, Turns, operations, validate};
use crate::tls::{Acceptor, ClientFiles, Kept, KeyFiles, Serving, TlsError};
use crate::watch::INTERVAL;

/// Where the process is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// All is well.
    Serving,
    /// Not ready any more, so that whoever sends requests looks for another
    /// replica; but still answering.
    Settling,
    /// Nothing more is accepted, and what was accepted ends.
    Draining,
}

/// What the modules of the process share.
pub struct Shared {
    /// The command line.
    pub args: ServeArgs,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Conditions of readiness. A module that has one makes a gate of its own.
    pub gates: Gates,
    /// Policies and configuration.
    pub live: Arc<Live>,
    /// The certificate that is served. Unless the command line names files,
    /// somebody has to install one.
    pub serving: Arc<Serving>,
}

/// A process that is set up, and has its listeners: from now on, connections
/// wait instead of being refused.
pub struct Process {
    /// What the modules share.
    pub shared: Shared,
    acceptor: Arc<Acceptor>,
    requests: TcpListener,
    operations: TcpListener,
    loader: Loader,
}

impl Process {
    /// Reads what the command line names.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn start(args: ServeArgs) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let gates = Gates::default();
        let policies = gates.gate("policies", "not loaded yet");
        let certificate = gates.gate("certificate", "there is none yet");

        let (config, folder) = (args.config.as_deref(), args.policy_dir.as_deref());
        let mut loader = Loader::new(config, folder, Arc::clone(&metrics));
        let (first, faults) = loader.start()?;
        for fault in &faults {
            tracing::error!(
                source = Source::Policies.as_str(),
                "judging goes on without {}",
                runtime::fault_line(fault)
            );
        }
        runtime::announce(&first);
        policies.open();

        let serving = Arc::new(Serving::new(certificate, metrics.certificate_expiry.clone()));
        let acceptor = Arc::new(Acceptor::new(Arc::clone(&serving))?);
        let requests = listen(args.listen).await?;
        let operations = listen(args.operations).await?;
        let live = Arc::new(ArcSwap::from_pointee(first));
        let shared = Shared { args, metrics, gates, live, serving };
        Ok(Self { shared, acceptor, requests, operations, loader })
    }

    /// Where requests and questions about health come in, in this order.
    ///
    /// # Errors
    /// When the system doesn't tell.
    pub fn addresses(&self) -> std::io::Result<[std::net::SocketAddr; 2]> {
        Ok([self.requests.local_addr()?, self.operations.local_addr()?])
    }

    /// Answers with what the reviewer says, until `stop`; then drains.
    ///
    /// # Errors
    /// When the certificate files or the authorities of clients can't be used
    /// at the start.
    pub async fn run(
        self,
        reviewer: Reviewer,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let Self { shared, acceptor, requests, operations: health, loader } = self;
        let Shared { args, metrics, gates, live, serving } = shared;
        keep_certificates(&args, &metrics, &serving, &acceptor)?;
        tokio::spawn(runtime::keep_loading(loader, Arc::clone(&live), INTERVAL));

        let turns = Turns::new(live.load().config().capacity);
        let door = Door {
            reviewer,
            turns: Arc::clone(&turns),
            patience: Patience::default(),
            metrics: Arc::clone(&metrics),
        };
        let refresh = {
            let metrics = Arc::clone(&metrics);
            move || refresh(&metrics, &turns, &live)
        };
        let server = |listener, tls, router| Server {
            listener,
            tls,
            router,
            patience: Patience::default(),
            metrics: Arc::clone(&metrics),
        };
        let ready = gates.gate("replica", "starting");
        let (phase, requests_phase) = watch::channel(Phase::Serving);
        let (health_phase, health_stop) = watch::channel(Phase::Serving);
        let drain = Duration::from_secs(args.drain_seconds.into());
        let [address, health_address] = [requests.local_addr()?, health.local_addr()?];
        let requests = server(requests, Some(acceptor), validate(door));
        let health = server(health, None, operations(gates, Arc::clone(&metrics), refresh));
        let requests = tokio::spawn(requests.run(requests_phase, drain));
        let health = tokio::spawn(health.run(health_stop, Duration::from_secs(1)));
        ready.open();
        tracing::info!(%address, operations = %health_address, "serving");

        stop.await;
        ready.close("it is about to end");
        tracing::info!(seconds = args.settle_seconds, "not ready any more");
        phase.send_replace(Phase::Settling);
        sleep(Duration::from_secs(args.settle_seconds.into())).await;
        phase.send_replace(Phase::Draining);
        let drained = requests.await.context("the server failed")?;
        if drained.cut > 0 {
            tracing::warn!(connections = drained.cut, "cut after the time for draining");
        }
        health_phase.send_replace(Phase::Draining);
        health.await.context("the server for health failed")?;
        tracing::info!("ended");
        Ok(())
    }
}

/// Waits for SIGTERM, which Kubernetes sends, or SIGINT, which a terminal does.
///
/// # Errors
/// When the system lets nobody wait for them.
pub fn terminated() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn listen(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("can't listen on {address}"))
}

/// Metrics of what others count.
fn refresh(metrics: &Metrics, turns: &Turns, live: &Live) {
    metrics.queued.set(i64::try_from(turns.waiting()).unwrap_or(i64::MAX));
    let runtime = live.load();
    let (exemptions, today) = (&runtime.config().exemptions, today());
    let expired = exemptions.iter().filter(|one| one.is_expired(today)).count();
    metrics.exemptions(exemptions.iter().map(|one| (one.reason(), one.uses())), expired);
}

/// Installs what the files hold, now and whenever they change.
fn keep_certificates(
    args: &ServeArgs,
    metrics: &Arc<Metrics>,
    serving: &Arc<Serving>,
    acceptor: &Arc<Acceptor>,
) -> Result<(), TlsError> {
    let metrics = || Arc::clone(metrics);
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let files = KeyFiles { certificate: certificate.clone(), key: key.clone() };
        let kept = Kept::certificate(files, Arc::clone(serving), metrics())?;
        tokio::spawn(kept.keep(INTERVAL));
    }
    if let Some(authorities) = &args.client_ca {
        let names = args.client_name.clone();
        let files = ClientFiles { authorities: authorities.clone(), names };
        let kept = Kept::clients(files, Arc::clone(acceptor), metrics())?;
        tokio::spawn(kept.keep(INTERVAL));
    }
    Ok(())
}
