//! What judges requests, put together: what the cluster holds, and who asks
//! the policies about it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use headlint_policies::inventory::{Knowledge, Live};
use kube::Client;
use tokio::time::sleep;

use crate::admission::Admission;
use crate::certificates::{self, Keeper, Lifetimes};
use crate::config::OptionalKind;
use crate::context::{self, Context, State};
use crate::health::Gate;
use crate::metrics::{Metrics, Unknown};
use crate::pending::{Judge, Pending};
use crate::serve::Shared;
use crate::server::Reviewer;

/// How often what is known is counted.
const ROUND: Duration = Duration::from_millis(200);

/// What judges requests, beside what the cluster holds.
///
/// # Errors
/// When it isn't told which cluster.
pub async fn reviewer(shared: &Shared) -> anyhow::Result<Reviewer> {
    reviewer_with(shared, Lifetimes::default()).await
}

/// As [`reviewer`], where the certificates that it makes last this long.
///
/// # Errors
/// As [`reviewer`].
pub async fn reviewer_with(shared: &Shared, lifetimes: Lifetimes) -> anyhow::Result<Reviewer> {
    let runtime = shared.live.load();
    let config = runtime.config();
    // What the API server doesn't list isn't there; kinds that it doesn't show
    // are unknown.
    let profile = config.cluster.clone();
    let knowledge = Knowledge {
        complete: true,
        namespaces: config.namespaces.clone(),
        profile: profile.clone(),
        ..Knowledge::default()
    };
    let live = Arc::new(Live::new(knowledge));
    let settings = context::Settings {
        namespaces: config.namespaces.iter().cloned().collect(),
        config_maps: config.optional_kinds.contains(&OptionalKind::ConfigMap),
        ingresses: config.optional_kinds.contains(&OptionalKind::Ingress),
        ..context::Settings::default()
    };
    let client = context::connect(shared.args.kubeconfig.as_deref()).await?;
    if shared.args.tls_cert.is_none() {
        keep_certificates(shared, &profile.zone, client.clone(), lifetimes).await?;
    }
    let context = Arc::new(Context::new(&settings, Arc::clone(&live)));
    watch(Arc::clone(&context), client.clone())?;

    let (runtime, metrics) = (Arc::clone(&shared.live), Arc::clone(&shared.metrics));
    let admission = Arc::new(Admission::new(runtime, live, metrics));
    let judge: Arc<dyn Judge> = Arc::clone(&admission) as Arc<dyn Judge>;
    let pending = Arc::new(Pending::new(Arc::clone(&context), judge, client, config.grace));
    let again = Arc::clone(&pending);
    tokio::spawn(async move { again.run().await });
    let gate = shared.gates.gate("context", "the first lists aren't complete");
    tokio::spawn(report(context, pending, gate, Arc::clone(&shared.metrics)));
    Ok(Arc::new(move |body, due| {
        let admission = Arc::clone(&admission);
        Box::pin(async move { admission.review(body, due).await })
    }))
}

/// Makes and renews the certificate that is served.
async fn keep_certificates(
    shared: &Shared,
    zone: &str,
    client: Client,
    lifetimes: Lifetimes,
) -> anyhow::Result<()> {
    let args = &shared.args;
    let owner = match &args.owner_deployment {
        Some(deployment) => {
            Some(certificates::owner(client.clone(), &args.namespace, deployment).await?)
        }
        None => None,
    };
    let settings = certificates::Settings {
        namespace: args.namespace.clone(),
        secret: args.certificate_secret.clone(),
        configuration: args.webhook_configuration.clone(),
        owner,
        names: certificates::service_names(&args.service, &args.namespace, zone),
        lifetimes,
    };
    let (keeper, mut status) = Keeper::new(client, settings, Arc::clone(&shared.serving));
    tokio::spawn(keeper.run());
    let gate = shared.gates.gate("ca-bundle", "the API server doesn't know our authority yet");
    tokio::spawn(async move {
        if status.wait_for(|status| status.ready).await.is_ok() {
            gate.open();
        }
    });
    Ok(())
}

/// Fills the inventory on a thread of its own: to read a large list takes
/// longer than a request may wait.
fn watch(context: Arc<Context>, client: Client) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new()
        .name("headlint-context".to_owned())
        .spawn(move || runtime.block_on(context.run(client)))
        .context("no thread for the watches")?;
    Ok(())
}

/// Counts what is known, and says once that it is complete.
async fn report(context: Arc<Context>, pending: Arc<Pending>, gate: Gate, metrics: Arc<Metrics>) {
    loop {
        metrics.pending_findings.set(i64::try_from(pending.standing()).unwrap_or(i64::MAX));
        for status in context.status() {
            let unknown = match status.state {
                State::Live => None,
                State::Forbidden | State::Missing => Some(Unknown::Forbidden),
                State::Starting | State::Down => Some(Unknown::Down),
            };
            let meter = metrics.kind(status.kind);
            meter.status(status.objects, status.restarts, status.heard, unknown);
        }
        if context.is_ready() {
            gate.open();
        }
        sleep(ROUND).await;
    }
}
