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
use crate::config::OptionalKind;
use crate::context::{self, Context, State};
use crate::health::Gate;
use crate::metrics::{Metrics, Unknown};
use crate::serve::Shared;
use crate::server::Reviewer;

/// How often what is known is counted.
const ROUND: Duration = Duration::from_millis(200);

/// What judges requests, beside what the cluster holds.
///
/// # Errors
/// When it isn't told which cluster.
pub async fn reviewer(shared: &Shared) -> anyhow::Result<Reviewer> {
    let runtime = shared.live.load();
    let config = runtime.config();
    // What the API server doesn't list isn't there; kinds that it doesn't show
    // are unknown.
    let profile = config.cluster.clone();
    let knowledge = Knowledge { complete: true, profile, ..Knowledge::default() };
    let live = Arc::new(Live::new(knowledge));
    let settings = context::Settings {
        namespaces: config.namespaces.iter().cloned().collect(),
        config_maps: config.optional_kinds.contains(&OptionalKind::ConfigMap),
        ingresses: config.optional_kinds.contains(&OptionalKind::Ingress),
        ..context::Settings::default()
    };
    let client = context::connect(shared.args.kubeconfig.as_deref()).await?;
    let context = Arc::new(Context::new(&settings, Arc::clone(&live)));
    watch(Arc::clone(&context), client)?;
    let gate = shared.gates.gate("context", "the first lists aren't complete");
    tokio::spawn(report(context, gate, Arc::clone(&shared.metrics)));

    let (runtime, metrics) = (Arc::clone(&shared.live), Arc::clone(&shared.metrics));
    let admission = Arc::new(Admission::new(runtime, live, metrics));
    Ok(Arc::new(move |body, _| {
        let admission = Arc::clone(&admission);
        Box::pin(async move { admission.review(body).await })
    }))
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
async fn report(context: Arc<Context>, gate: Gate, metrics: Arc<Metrics>) {
    loop {
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
