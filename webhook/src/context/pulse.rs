//! When the API server was last heard of.
//!
//! A watch that resumes says nothing of it, and one that is quiet may be dead.
//! What tells is the connection below: an accepted watch, and every piece of its
//! body, bookmarks included.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Body as Watched;
use futures::TryStreamExt;
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;
use tower::service_fn;

/// The signs of life of one watch.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<Beats>);

#[derive(Debug)]
struct Beats {
    /// Whether there is a complete list. Without one, no sign counts: a watch
    /// that never gets that far is of no use.
    complete: bool,
    last: Option<(Instant, SystemTime)>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Beats { complete: false, last: None }))
    }

    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list is being made anew.
    pub(super) fn begin(&self) {
        self.beats().complete = false;
    }

    /// The list is complete.
    pub(super) fn finish(&self) {
        self.beats().complete = true;
        self.beat();
    }

    fn beat(&self) {
        let mut beats = self.beats();
        if beats.complete {
            beats.last = Some((Instant::now(), SystemTime::now()));
        }
    }

    /// How long there has been no sign of life; none if there never was one.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.beats().last.map(|(at, _)| at.elapsed())
    }

    /// When the last one was.
    pub(super) fn heard(&self) -> Option<SystemTime> {
        self.beats().last.map(|(_, at)| at)
    }

    /// The same client, listened to.
    pub(super) fn listen(self: Arc<Self>, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let service = service_fn(move |request: hyper::Request<Body>| {
            let (client, pulse) = (client.clone(), Arc::clone(&self));
            let query = request.uri().query().unwrap_or_default();
            let watches = query.split('&').any(|pair| pair.starts_with("watch="));
            async move {
                let response = client.send(request).await?;
                let lives = watches && response.status().is_success();
                if lives {
                    pulse.beat();
                }
                Ok::<_, kube::Error>(response.map(|body| {
                    let pieces = Watched::new(body).into_data_stream();
                    Watched::from_stream(pieces.inspect_ok(move |_| {
                        if lives {
                            pulse.beat();
                        }
                    }))
                }))
            }
        });
        Client::new(service, namespace)
    }
}
