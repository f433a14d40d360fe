//! A validating webhook that does as a test wants.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::Cluster;

/// What a webhook says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Why it denies the request, if it does.
    pub denial: Option<String>,
    /// What it warns of.
    pub warnings: Vec<String>,
}

impl Answer {
    /// Nothing is wrong.
    #[must_use]
    pub fn admit() -> Self {
        Self { denial: None, warnings: Vec::new() }
    }

    fn to_review(&self, uid: &Value) -> Value {
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {
                "uid": uid,
                "allowed": self.denial.is_none(),
                "status": self.denial.as_ref().map(|message| json!({"message": message})),
                "warnings": self.warnings,
            },
        })
    }
}

/// Gives the answer to an AdmissionReview's `request`.
type Judge = Arc<dyn Fn(&Value) -> Answer + Send + Sync>;

/// A webhook that serves until it is dropped.
#[derive(Debug)]
pub struct StandIn {
    task: JoinHandle<()>,
    address: SocketAddr,
}

impl StandIn {
    /// Serves HTTPS at an address of its own, under these names too.
    ///
    /// # Panics
    /// When it can't listen.
    #[must_use]
    pub fn serve(
        cluster: &Cluster,
        names: &[&str],
        judge: impl Fn(&Value) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let ip = cluster.free_address();
        let names = names.iter().map(|name| (*name).to_owned()).chain([ip.to_string()]);
        let identity = cluster.authority().issue(&names.collect::<Vec<_>>());
        let acceptor = TlsAcceptor::from(Arc::new(identity.server()));
        let judge: Judge = Arc::new(judge);
        let router = Router::new()
            .route("/validate", post(validate))
            .with_state(judge)
            .layer(DefaultBodyLimit::disable());
        let address = SocketAddr::from((ip, 8443));
        let listener = cluster.block_on(TcpListener::bind(address)).expect("it is free");
        let task = cluster.runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (acceptor, router) = (acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    // A connection that breaks off is the API server's to report.
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
                        .await;
                });
            }
        });
        Self { task, address }
    }

    /// Where it serves, at the path `/validate`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The part of a ValidatingWebhookConfiguration that leads here.
    #[must_use]
    pub fn client_config(&self, cluster: &Cluster) -> Value {
        let url = format!("https://{}/validate", self.address);
        json!({"url": url, "caBundle": cluster.ca_bundle()})
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn validate(State(judge): State<Judge>, body: Bytes) -> Result<String, StatusCode> {
    let review: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let request = &review["request"];
    Ok(judge(request).to_review(&request["uid"]).to_string())
}
