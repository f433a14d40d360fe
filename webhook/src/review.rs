//! What the webhook would answer to one request, without a cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::StatusCode;
use headlint_policies::inventory::{Change, Knowledge, Live};
use serde_json::Value;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::metrics::Metrics;
use crate::runtime::{LoadError, Loader, fault_line};

/// More than all policies take on all related objects.
const UNHURRIED: Duration = Duration::from_secs(3_600);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The configuration or the policies can't be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A policy can't be used.
    #[error("{0}")]
    Policy(String),
    /// The request is none; the webhook would answer with this status.
    #[error("the webhook would answer {status}: {told}")]
    Request {
        /// Such as 400.
        status: u16,
        /// What is wrong with it.
        told: String,
    },
    /// The system gives no threads.
    #[error("can't start threads: {0}")]
    Threads(#[from] std::io::Error),
}

/// The AdmissionReview that answers a request, which is an AdmissionReview in
/// JSON. The `context` is all else that there is; without one, all else is
/// unknown.
///
/// # Errors
/// [`ReviewError`].
pub fn review(
    request: Vec<u8>,
    context: Option<Vec<Change>>,
    config: Option<&Path>,
    policy_dir: Option<&Path>,
) -> Result<Value, ReviewError> {
    let metrics = Arc::new(Metrics::new());
    let (runtime, faults) = Loader::new(config, policy_dir, Arc::clone(&metrics)).start()?;
    if let Some(fault) = faults.first() {
        return Err(ReviewError::Policy(fault_line(fault)));
    }
    let profile = runtime.config().cluster.clone();
    let knowledge = Knowledge { complete: context.is_some(), profile, ..Knowledge::default() };
    let live = Arc::new(Live::new(knowledge));
    live.apply(context.unwrap_or_default());
    let admission = Admission::new(Arc::new(ArcSwap::from_pointee(runtime)), live, metrics);
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // No API server waits.
    let due = Instant::now() + UNHURRIED;
    let reply = threads.block_on(admission.review(request.into(), due));
    if reply.status != StatusCode::OK {
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        return Err(ReviewError::Request { status: reply.status.as_u16(), told });
    }
    Ok(serde_json::from_slice(&reply.body).expect("it is JSON that was written here"))
}
