//! A server in this process, and clients that speak to it over TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use headlint_webhook::health::Gate;
use headlint_webhook::metrics::Metrics;
use headlint_webhook::serve::Phase;
use headlint_webhook::server::{
    Capacity, Door, Drained, Patience, Reply, Reviewer, Server, Turns, validate,
};
use headlint_webhook::tls::{Acceptor, H2, HTTP1, Serving, provider};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Authority, Pair, SERVER, client};

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) serving: Arc<Serving>,
    pub(crate) acceptor: Arc<Acceptor>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) end: JoinHandle<Drained>,
}

/// Long enough that no test reaches it.
pub(crate) const FOREVER: Duration = Duration::from_secs(3_600);

/// Answers at once, with the body that it got.
pub(crate) fn echo() -> Reviewer {
    Arc::new(|body, _| async move { Reply::json(body) }.boxed())
}

/// Answers when it gets a permit, which it keeps.
pub(crate) fn gated(permits: &Arc<Semaphore>) -> Reviewer {
    let permits = Arc::clone(permits);
    Arc::new(move |body, _| {
        let permits = Arc::clone(&permits);
        async move {
            permits.acquire().await.expect("nobody closes it").forget();
            Reply::json(body)
        }
        .boxed()
    })
}

pub(crate) async fn start(reviewer: Reviewer, capacity: Capacity, drain: Duration) -> Running {
    let authority = Authority::new("authority");
    let metrics = Arc::new(Metrics::new());
    let serving = Arc::new(Serving::new(Gate::default(), metrics.certificate_expiry.clone()));
    serving.install(certified(&authority.server()));
    let acceptor = Arc::new(Acceptor::new(Arc::clone(&serving)).expect("it is set up"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it has one");
    let turns = Turns::new(capacity);
    let (phase, receiver) = watch::channel(Phase::Serving);
    let router = validate(Door {
        reviewer,
        turns: Arc::clone(&turns),
        patience: Patience::default(),
        metrics: Arc::clone(&metrics),
    });
    let server = Server {
        listener,
        tls: Some(Arc::clone(&acceptor)),
        router,
        patience: Patience::default(),
        metrics: Arc::clone(&metrics),
    };
    let end = tokio::spawn(server.run(receiver, drain));
    Running { address, authority, serving, acceptor, metrics, turns, phase, end }
}

pub(crate) const ROOMY: Capacity = Capacity { running: 8, queued: 8 };

pub(crate) fn certified(pair: &Pair) -> CertifiedKey {
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM");
    CertifiedKey::from_der(vec![pair.der()], key, &provider()).expect("a pair")
}

impl Running {
    /// Metrics as they are scraped, one value.
    pub(crate) fn metric(&self, line: &str) -> Option<String> {
        let text = self.metrics.encode();
        let found = text.lines().find_map(|it| it.strip_prefix(line));
        found.map(|value| value.trim().to_owned())
    }

    pub(crate) async fn http1(&self) -> Client {
        Client::connect(self.address, self.config(HTTP1)).await.expect("it answers")
    }

    pub(crate) async fn http2(&self) -> Client {
        Client::connect(self.address, self.config(H2)).await.expect("it answers")
    }

    pub(crate) async fn http(&self, version: &[u8]) -> Client {
        Client::connect(self.address, self.config(version)).await.expect("it answers")
    }

    /// On a TCP connection that is there already.
    pub(crate) async fn http_on(
        &self,
        stream: TcpStream,
        version: &[u8],
    ) -> std::io::Result<Client> {
        Client::on(stream, self.config(version)).await
    }

    fn config(&self, alpn: &[u8]) -> ClientConfig {
        client(&self.authority, None, &[alpn], &[&TLS12, &TLS13])
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

enum Sender {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

/// One connection.
pub(crate) struct Client {
    sender: Sender,
    /// The certificate that the server showed.
    pub(crate) certificate: CertificateDer<'static>,
}

/// A TLS connection without any HTTP.
pub(crate) async fn tls(
    address: SocketAddr,
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    tls_on(TcpStream::connect(address).await?, config).await
}

async fn tls_on(stream: TcpStream, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(SERVER).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

impl Client {
    pub(crate) async fn connect(
        address: SocketAddr,
        config: ClientConfig,
    ) -> std::io::Result<Self> {
        Self::on(TcpStream::connect(address).await?, config).await
    }

    async fn on(stream: TcpStream, config: ClientConfig) -> std::io::Result<Self> {
        let stream = tls_on(stream, config).await?;
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().expect("it has some")[0].clone().into_owned();
        let h2 = session.alpn_protocol() == Some(H2);
        let io = TokioIo::new(stream);
        let sender = if h2 {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            Sender::One(sender)
        };
        Ok(Self { sender, certificate })
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> hyper::Result<Answer> {
        let response = match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).expect("text"),
        })
    }

    /// Posts JSON to a path with its query.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> hyper::Result<Answer> {
        self.send(request(Method::POST, path, Some("application/json"), whole(body))).await
    }
}

pub(crate) fn whole(body: &str) -> Body {
    Full::new(Bytes::from(body.to_owned())).boxed()
}

/// A body of so many pieces of a MiB each, whose length isn't told.
pub(crate) fn pieces(count: usize) -> Body {
    let piece = Bytes::from(vec![b' '; 1 << 20]);
    let frames = (0..count).map(move |_| Ok(Frame::data(piece.clone())));
    BodyExt::boxed(StreamBody::new(futures::stream::iter(frames)))
}

pub(crate) fn request(
    method: Method,
    path: &str,
    media_type: Option<&str>,
    body: Body,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("https://{SERVER}{path}"));
    request = request.header("host", SERVER);
    if let Some(media_type) = media_type {
        request = request.header("content-type", media_type);
    }
    request.body(body).expect("a request")
}

/// Waits until something is so that no event tells of.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
