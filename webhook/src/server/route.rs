//! What each path answers.

use std::any::Any;
use std::error::Error as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt;
use http_body_util::LengthLimitError;
use tokio::time::{Instant, timeout_at};

use super::deadline::deadline;
use super::{Patience, Refused, Reply, Reviewer, Turns};
use crate::health::Gates;
use crate::metrics::{self, Metrics, Verdict};

/// The most bytes of a body. The API server takes objects of up to 3 MiB, and
/// an update carries two of them, written in JSON.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/apiserver/pkg/server/config.go`
/// (`MaxRequestBodyBytes`).
pub const BODY_LIMIT: usize = 8 << 20;

/// What `POST /validate` needs.
pub struct Door {
    /// Judges.
    pub reviewer: Reviewer,
    /// Who is judged when.
    pub turns: Arc<Turns>,
    /// How long a body may take.
    pub patience: Patience,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// The paths of the API server's listener: `POST /validate`.
pub fn validate(door: Door) -> Router {
    Router::new()
        .route("/validate", post(review))
        .method_not_allowed_fallback(|| async {
            Reply::text(StatusCode::METHOD_NOT_ALLOWED, "POST an AdmissionReview to /validate")
        })
        .fallback(|| async {
            Reply::text(StatusCode::NOT_FOUND, "there is only POST /validate here")
        })
        .with_state(Arc::new(door))
}

/// The paths of the listener for people and machines that look after it:
/// `/healthz`, `/readyz` and `/metrics`. `refresh` is called before metrics are
/// written.
pub fn operations(
    gates: Gates,
    metrics: Arc<Metrics>,
    refresh: impl Fn() + Clone + Send + Sync + 'static,
) -> Router {
    let readyz = move || async move {
        let status =
            if gates.are_open() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, gates.describe())
    };
    let scrape = move || async move {
        refresh();
        ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.encode())
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .fallback(|| async {
            Reply::text(StatusCode::NOT_FOUND, "there is /healthz, /readyz and /metrics here")
        })
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let json = self.status == StatusCode::OK;
        let kind = if json { "application/json" } else { "text/plain; charset=utf-8" };
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

async fn review(State(door): State<Arc<Door>>, request: Request) -> Reply {
    let arrival = Instant::now();
    let reply = judge(&door, request, arrival).await.unwrap_or_else(|refusal| {
        door.metrics.request("", "", refusal.verdict);
        tracing::warn!(status = refusal.reply.status.as_u16(), "{}", refusal.text());
        refusal.reply
    });
    door.metrics.request_seconds.observe(arrival.elapsed().as_secs_f64());
    reply
}

/// An answer without a judgement.
struct Refusal {
    reply: Reply,
    verdict: Verdict,
}

impl Refusal {
    fn malformed(status: StatusCode, text: String) -> Self {
        Self { reply: Reply::text(status, text), verdict: Verdict::Malformed }
    }

    fn shed(status: StatusCode, reason: &str) -> Self {
        let text = format!("headlint can't judge this request: {reason}");
        Self { reply: Reply::text(status, text), verdict: Verdict::Shed }
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.reply.body)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Full { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refused::Hopeless { .. } | Refused::Late => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::shed(status, &refused.to_string())
    }
}

async fn judge(door: &Door, request: Request, arrival: Instant) -> Result<Reply, Refusal> {
    let due = deadline(arrival, request.uri().query());
    let place = door.turns.enter()?;
    check_head(&request)?;
    let body = read(request.into_body(), due.min(arrival + door.patience.body)).await?;
    let turn = door.turns.turn(&place, due).await?;
    let _running = Running::start(&door.metrics);
    // A panic would take the connection with it, and all other requests on it.
    let review = AssertUnwindSafe((door.reviewer)(body, due)).catch_unwind();
    let reviewed = timeout_at(due, review).await;
    drop(turn);
    match reviewed {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(panic)) => Err(Refusal {
            reply: Reply::text(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("headlint failed: {}", message(panic.as_ref())),
            ),
            verdict: Verdict::Fault,
        }),
        Err(_) => Err(Refusal::shed(
            StatusCode::SERVICE_UNAVAILABLE,
            "judging it took until the answer was due",
        )),
    }
}

fn check_head(request: &Request) -> Result<(), Refusal> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::malformed(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the content type is `{essence}`, but an AdmissionReview is application/json"),
        ));
    }
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > BODY_LIMIT as u64 => Err(too_long()),
        _ => Ok(()),
    }
}

async fn read(body: Body, due: Instant) -> Result<Bytes, Refusal> {
    match timeout_at(due, axum::body::to_bytes(body, BODY_LIMIT)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.source().is_some_and(|it| it.is::<LengthLimitError>()) => {
            Err(too_long())
        }
        Ok(Err(error)) => Err(Refusal::malformed(
            StatusCode::BAD_REQUEST,
            format!("the body can't be read: {error}"),
        )),
        Err(_) => Err(Refusal::malformed(
            StatusCode::REQUEST_TIMEOUT,
            "the body didn't arrive in time".to_owned(),
        )),
    }
}

fn too_long() -> Refusal {
    Refusal::malformed(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body has more than {BODY_LIMIT} bytes"),
    )
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}

/// Counts one that is being judged, also when its client leaves.
struct Running<'m>(&'m Metrics);

impl<'m> Running<'m> {
    fn start(metrics: &'m Metrics) -> Self {
        metrics.running.inc();
        Self(metrics)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.dec();
    }
}
