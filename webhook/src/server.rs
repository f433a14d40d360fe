//! The listeners, and what happens to a request before and after it is judged.
//!
//! ```text
//! accept ─▶ TLS ─▶ HTTP/1.1 or 2 ─▶ route ─▶ place ─▶ body ─▶ turn ─▶ Reviewer
//!                                     │        │        │       │
//!                                  404, 405   429    413, 408  503
//! ```
//!
//! The API server gives each request a time-out (`?timeout=`). What can't be
//! answered within it is refused in time, with a text that says why, so that
//! the API server's failurePolicy decides at once.

mod connection;
mod deadline;
mod route;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use futures::future::BoxFuture;
use tokio::time::Instant;

pub use self::connection::{Drained, Server};
pub use self::route::{BODY_LIMIT, Door, operations, validate};
pub use self::turns::{Refused, Turns};

/// The answer to one request: JSON if the status is 200, otherwise a text that
/// says what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 for an AdmissionReview, whatever its verdict.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// An AdmissionReview.
    #[must_use]
    pub fn json(body: Bytes) -> Self {
        Self { status: StatusCode::OK, body }
    }

    /// What is wrong, without a line end.
    #[must_use]
    pub fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, body: Bytes::from(text.into()) }
    }
}

/// Judges the body of one request, until the point in time given: then the
/// future is dropped, and the request refused. It runs on the runtime's
/// workers, and so has to yield its place now and then.
pub type Reviewer = Arc<dyn Fn(Bytes, Instant) -> BoxFuture<'static, Reply> + Send + Sync>;

/// How many requests are judged at once, and how many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Judged at once; at least 1.
    pub running: usize,
    /// Waiting for their turn.
    pub queued: usize,
}

impl Capacity {
    /// How many policies that take long are asked at once.
    #[must_use]
    pub fn elsewhere(&self) -> usize {
        // Each of them has a thread. One that loops has its place until its deadline,
        // and must leave some to those that are only slow.
        const FEWEST: usize = 8;
        const MOST: usize = 256;
        self.running.clamp(FEWEST, MOST)
    }

    /// How many evaluations there are at once, at most: those of requests, those
    /// that outlive their request's patience, and one of what is told later.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        self.running + self.elsewhere() + 1
    }
}

/// How long a peer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the head of a request, and between two requests on HTTP/1.1, where
    /// hyper has one timer for both. More than the 90 s after which a Go client
    /// (`http.DefaultTransport`) closes an idle connection by itself: a server
    /// that closes first may do so while a request is on its way.
    pub idle: Duration,
    /// For a body whose head has arrived.
    pub body: Duration,
    /// For the answer to a ping on HTTP/2.
    pub ping: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            body: Duration::from_secs(5),
            ping: Duration::from_secs(20),
        }
    }
}
