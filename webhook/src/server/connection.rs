//! Connections: accepted, served, and ended without losing a request.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::Patience;
use crate::metrics::Metrics;
use crate::serve::Phase;
use crate::tls::{self, Acceptor};

/// The most connections of one listener. An API server keeps one or a few; a
/// cluster has a handful of them.
const MOST_CONNECTIONS: usize = 2048;

/// How long to wait after an accept that failed: usually there are no file
/// descriptors left, which only time brings back.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// How long an HTTP/1.1 connection without a request stays open when the
/// process ends, for a request that is on its way. HTTP/2 needs no such time:
/// a client knows from a GOAWAY which of its requests were not taken.
const LINGER: Duration = Duration::from_secs(1);

/// How often an HTTP/2 peer that says nothing is asked whether it is there.
const PING: Duration = Duration::from_secs(60);

/// One listener and what it answers.
pub struct Server {
    /// Bound already.
    pub listener: TcpListener,
    /// None for plain HTTP/1.1.
    pub tls: Option<Arc<Acceptor>>,
    /// What it answers.
    pub router: Router,
    /// How long peers may take.
    pub patience: Patience,
    /// Where connections are counted.
    pub metrics: Arc<Metrics>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because the time was over.
    pub cut: usize,
}

/// What all connections of a listener share.
struct Shared {
    tls: Option<Arc<Acceptor>>,
    router: Router,
    patience: Patience,
    metrics: Arc<Metrics>,
    phase: watch::Receiver<Phase>,
}

impl Server {
    /// Serves until the phase is [`Phase::Draining`]; then accepts nothing
    /// more, and gives what was accepted `bound` to end. The sender of the
    /// phase has to outlive it.
    pub async fn run(self, phase: watch::Receiver<Phase>, bound: Duration) -> Drained {
        let Self { listener, tls, router, patience, metrics } = self;
        let mut stop = phase.clone();
        let shared = Arc::new(Shared { tls, router, patience, metrics, phase });
        let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut stop = pin!(async move {
            let _ = stop.wait_for(|phase| *phase == Phase::Draining).await;
        });
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = accept(&listener, &slots) => match accepted {
                    Ok((stream, slot)) => {
                        connections.spawn(connection(stream, slot, Arc::clone(&shared)));
                    }
                    Err(error) => {
                        tracing::warn!("can't accept a connection: {error}");
                        sleep(AFTER_FAILURE).await;
                    }
                },
            }
        }
        // What the kernel has accepted would be reset with the listener.
        while let Some(Ok((stream, slot))) = accept(&listener, &slots).now_or_never() {
            connections.spawn(connection(stream, slot, Arc::clone(&shared)));
        }
        drop(listener);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(bound, all).await;
        let cut = connections.len();
        connections.shutdown().await;
        Drained { cut }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

async fn connection(stream: TcpStream, slot: OwnedSemaphorePermit, shared: Arc<Shared>) {
    let _counted = Counted::start(&shared.metrics);
    let _slot = slot;
    // An answer is one small write, which must not wait for another.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(acceptor) = &shared.tls else { return http(stream, Http::One, &shared).await };
    let accepting = TlsAcceptor::from(acceptor.config()).accept(stream);
    match timeout(shared.patience.handshake, accepting).await {
        Ok(Ok(stream)) => {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
            http(stream, if h2 { Http::Two } else { Http::One }, &shared).await;
        }
        // A probe that only looks whether the port is open.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Ok(Err(error)) => {
            shared.metrics.handshake_failures.inc();
            tracing::debug!("a TLS handshake failed: {error}");
        }
        Err(_) => {
            shared.metrics.handshake_failures.inc();
            tracing::debug!("a TLS handshake took too long");
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Http {
    One,
    Two,
}

async fn http<S>(stream: S, version: Http, shared: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::new(Activity::default());
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let busy = activity.start();
        let shared = Arc::clone(shared);
        async move {
            let answer = shared.router.clone().oneshot(Request::from(request)).await;
            let answer = answer.map(|answer| last_words(answer, version, &shared));
            drop(busy);
            answer as Result<Response, Infallible>
        }
    });
    let builder = builder(version, shared.patience);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = serving.as_mut() => return log(ended),
        () = activity.idle_for(shared.patience.idle) => {}
        () = draining(shared.phase.clone(), version) => {}
    }
    serving.as_mut().graceful_shutdown();
    log(serving.await);
}

fn builder(version: Http, patience: Patience) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.idle);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(patience.ping);
    // The version is known: looking for it in the first bytes would lose a
    // connection that has to end before they came.
    match version {
        Http::One => builder.http1_only(),
        Http::Two => builder.http2_only(),
    }
}

/// Tells an HTTP/1.1 client to come back on another connection, if the process
/// is about to end.
fn last_words(mut answer: Response, version: Http, shared: &Shared) -> Response {
    if version == Http::One && *shared.phase.borrow() != Phase::Serving {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

async fn draining(mut phase: watch::Receiver<Phase>, version: Http) {
    let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
    if version == Http::One {
        sleep(LINGER).await;
    }
}

fn log(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!("a connection broke: {error}");
    }
}

/// Whether a connection has requests, or since when it has none.
struct Activity(Mutex<(usize, Instant)>);

impl Default for Activity {
    fn default() -> Self {
        Self(Mutex::new((0, Instant::now())))
    }
}

/// One request of a connection.
struct Busy(Arc<Activity>);

impl Activity {
    fn start(self: &Arc<Self>) -> Busy {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        Busy(Arc::clone(self))
    }

    fn idle_since(&self) -> Option<Instant> {
        let (requests, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (requests == 0).then_some(since)
    }

    /// Waits until there was no request for so long.
    async fn idle_for(&self, time: Duration) {
        loop {
            let now = Instant::now();
            let end = self.idle_since().unwrap_or(now) + time;
            if end <= now {
                return;
            }
            sleep_until(end).await;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = (state.0 - 1, Instant::now());
    }
}

/// Counts one open connection.
struct Counted<'m>(&'m Metrics);

impl<'m> Counted<'m> {
    fn start(metrics: &'m Metrics) -> Self {
        metrics.connections.inc();
        Self(metrics)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_with_a_request_is_never_idle() {
        let activity = Arc::new(Activity::default());
        let hour = Duration::from_secs(3_600);
        assert!(activity.idle_for(Duration::ZERO).now_or_never().is_some());
        assert!(activity.idle_for(hour).now_or_never().is_none());

        let (first, second) = (activity.start(), activity.start());
        drop(first);
        assert_eq!(activity.idle_since(), None);
        let before = Instant::now();
        drop(second);
        assert!(activity.idle_since().is_some_and(|since| since >= before));
    }
}
