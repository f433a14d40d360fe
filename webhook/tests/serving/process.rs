//! The whole process but for the signal, and its other listener.

use clap::Parser;
use headlint_webhook::args::{Args, Command};
use headlint_webhook::serve::Process;
use headlint_webhook::tls::H2;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use openmetrics_parser::prometheus::parse_prometheus;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::certificates::{Authority, client};
use crate::client::{Answer, Client, echo, until};

async fn get(address: std::net::SocketAddr, path: &str) -> Answer {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new());
    let response = sender.send_request(request.expect("a request")).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    Answer { status: head.status, headers: head.headers, body }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_gets_ready_serves_tells_of_itself_and_ends() {
    let authority = Authority::new("authority");
    let pair = authority.server();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("tls.crt", &pair.certificate), file("tls.key", &pair.key));
    let config = file("config.yaml", "exemptions:\n  - reason: \"known \\\"well\\\"\"\n");
    let arguments = [
        "headlint-webhook",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--operations",
        "127.0.0.1:0",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--config",
        &config,
        "--settle-seconds",
        "0",
        "--drain-seconds",
        "20",
    ];
    let Command::Serve(args) = Args::parse_from(arguments).command() else { panic!("it serves") };
    let process = Process::start(*args).await.unwrap();
    let [requests, operations] = process.addresses().unwrap();
    let context = process.shared.gates.gate("context", "not listed yet: Pod");
    let metrics = std::sync::Arc::clone(&process.shared.metrics);
    let (stop, stopped) = oneshot::channel::<()>();
    let run = tokio::spawn(process.run(echo(), async move {
        let _ = stopped.await;
    }));

    assert_eq!(get(operations, "/healthz").await.status, StatusCode::OK);
    let missing = get(operations, "/readyz").await;
    assert_eq!(missing.status, StatusCode::SERVICE_UNAVAILABLE);
    insta::assert_snapshot!(missing.body, @r"
    [+] policies ok
    [+] certificate ok
    [-] context: not listed yet: Pod
    [+] replica ok
    ");
    context.open();
    assert_eq!(get(operations, "/readyz").await.status, StatusCode::OK);
    assert_eq!(get(operations, "/validate").await.status, StatusCode::NOT_FOUND);

    let config = client(&authority, None, &[H2], rustls::ALL_VERSIONS);
    let mut api_server = Client::connect(requests, config).await.unwrap();
    assert_eq!(api_server.post("/validate", "{}").await.unwrap().status, StatusCode::OK);

    metrics.request("Service", "CREATE", headlint_webhook::metrics::Verdict::Denied);
    metrics.request("Gadget", "PATCH", headlint_webhook::metrics::Verdict::Allowed);
    metrics.kind("Pod").status(3, 1, None, None);
    let scraped = get(operations, "/metrics").await;
    assert_eq!(scraped.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let parsed = parse_prometheus(&scraped.body).expect("Prometheus can read it");
    assert!(parsed.families.len() > 10, "{}", scraped.body);
    // What depends neither on the time, nor on the machine, nor on the policies.
    let varies = ["_seconds", "_bytes", "policy=", "headlint_connections "];
    let steady = |line: &&str| line.starts_with('#') || varies.iter().all(|it| !line.contains(it));
    let mut lines: Vec<_> = scraped.body.lines().filter(steady).collect();
    // The order of a family's series isn't defined.
    lines.sort_unstable();
    insta::assert_snapshot!(lines.join("\n"));

    stop.send(()).unwrap();
    until(|| run.is_finished()).await;
    run.await.unwrap().unwrap();
    assert!(TcpStream::connect(requests).await.is_err());
    assert!(TcpStream::connect(operations).await.is_err());
}
