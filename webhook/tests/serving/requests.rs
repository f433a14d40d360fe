//! What happens to requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use headlint_webhook::server::{Capacity, Reply};
use headlint_webhook::tls::{H2, HTTP1};
use hyper::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use crate::certificates::client;
use crate::client::{FOREVER, ROOMY, echo, gated, pieces, request, start, tls, until, whole};

const JSON: Option<&str> = Some("application/json");

#[tokio::test]
async fn both_versions_of_http_give_the_reviewers_answer() {
    let running = start(echo(), ROOMY, FOREVER).await;
    for version in [HTTP1, H2] {
        let mut client = running.http(version).await;
        for body in ["{}", "{\"a\":1}"] {
            let answer = client.post("/validate?timeout=5s", body).await.unwrap();
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, body));
            assert_eq!(answer.headers["content-type"], "application/json");
        }
    }
}

#[tokio::test]
async fn what_is_no_request_for_a_review_is_refused_with_a_reason() {
    let running = start(echo(), ROOMY, FOREVER).await;
    let mut told = Vec::new();
    for version in [HTTP1, H2] {
        for (method, path, media_type, body) in [
            (Method::GET, "/validate", None, whole("")),
            (Method::POST, "/mutate", JSON, whole("{}")),
            (Method::GET, "/metrics", None, whole("")),
            (Method::POST, "/validate", None, whole("{}")),
            (Method::POST, "/validate", Some("application/yaml"), whole("{}")),
            (Method::POST, "/validate", JSON, pieces(9)),
            (Method::POST, "/validate", JSON, whole(&" ".repeat((8 << 20) + 1))),
        ] {
            let mut client = running.http(version).await;
            let line = format!("{method} {path}");
            let answer = client.send(request(method, path, media_type, body)).await.unwrap();
            told.push(format!("{line}: {} {}\n", answer.status, answer.body));
        }
    }
    let (one, two) = told.split_at(told.len() / 2);
    assert_eq!(one, two);
    insta::assert_snapshot!(one.concat());
    let malformed =
        r#"headlint_requests_total{kind="unread",operation="unread",verdict="malformed"}"#;
    assert_eq!(running.metric(malformed).as_deref(), Some("8"));
}

#[tokio::test]
async fn the_largest_body_and_any_spelling_of_the_media_type_are_taken() {
    let running = start(echo(), ROOMY, FOREVER).await;
    for version in [HTTP1, H2] {
        let mut client = running.http(version).await;
        let media_type = Some("Application/JSON; charset=utf-8");
        let request = request(Method::POST, "/validate", media_type, pieces(8));
        let answer = client.send(request).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 8 << 20));
    }
}

#[tokio::test]
async fn what_is_no_http_ends_its_connection_and_no_other() {
    let running = start(echo(), ROOMY, FOREVER).await;
    let mut good = running.http1().await;
    for version in [HTTP1, H2] {
        let config = client(&running.authority, None, &[version], rustls::ALL_VERSIONS);
        let mut stream = tls(running.address, config).await.unwrap();
        stream.write_all(b"BREW /pot HTCPCP/1.0\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        // A connection may end without a word of TLS.
        let _ = stream.read_to_end(&mut said).await;
        if version == HTTP1 {
            assert!(said.starts_with(b"HTTP/1.1 400 Bad Request"), "{said:?}");
        }
    }
    assert_eq!(good.post("/validate", "{}").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn the_status_of_the_reviewer_reaches_the_client() {
    let refuses = Arc::new(|_, _| {
        let status = StatusCode::BAD_REQUEST;
        async move { Reply::text(status, "request.uid is missing") }.boxed()
    });
    let running = start(refuses, ROOMY, FOREVER).await;
    let answer = running.http2().await.post("/validate", "{}").await.unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body, "request.uid is missing");
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn overload_is_shed_at_once_and_the_others_are_served() {
    let permits = Arc::new(Semaphore::new(0));
    let capacity = Capacity { running: 1, queued: 1 };
    let running = start(gated(&permits), capacity, FOREVER).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(running.http2().await);
    }
    let mut third = clients.pop().unwrap();
    let mut second = clients.pop().unwrap();
    let mut first = clients.pop().unwrap();
    let first = tokio::spawn(async move { first.post("/validate", "1").await });
    until(|| running.metrics.running.get() == 1).await;
    let second = tokio::spawn(async move { second.post("/validate", "2").await });
    until(|| running.turns.waiting() == 1).await;

    let shed = third.post("/validate", "3").await.unwrap();
    assert_eq!(shed.status, StatusCode::TOO_MANY_REQUESTS);
    insta::assert_snapshot!(shed.body, @"headlint can't judge this request: 1 requests are being judged and 1 are waiting: no more are let in");

    permits.add_permits(3);
    for (answer, body) in [(first, "1"), (second, "2")] {
        assert_eq!(answer.await.unwrap().unwrap().body, body);
    }
    assert_eq!(third.post("/validate", "3").await.unwrap().body, "3");
    let shed = r#"headlint_requests_total{kind="unread",operation="unread",verdict="shed"}"#;
    assert_eq!(running.metric(shed).as_deref(), Some("1"));
}

#[tokio::test]
async fn what_takes_longer_than_the_api_server_waits_is_given_up_before() {
    let permits = Arc::new(Semaphore::new(0));
    let capacity = Capacity { running: 1, queued: 1 };
    let running = start(gated(&permits), capacity, FOREVER).await;
    let mut client = running.http2().await;
    let judged = client.post("/validate?timeout=1ms", "{}").await.unwrap();
    assert_eq!(judged.status, StatusCode::SERVICE_UNAVAILABLE);
    insta::assert_snapshot!(judged.body, @"headlint can't judge this request: judging it took until the answer was due");

    // One that waits for its turn.
    let mut other = running.http2().await;
    let held = tokio::spawn(async move { other.post("/validate?timeout=30s", "{}").await });
    until(|| running.metrics.running.get() == 1).await;
    let waited = client.post("/validate?timeout=1ms", "{}").await.unwrap();
    assert_eq!(waited.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(waited.body.contains("turn"), "{}", waited.body);

    permits.add_permits(1);
    assert_eq!(held.await.unwrap().unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let permits = Arc::new(Semaphore::new(0));
    let capacity = Capacity { running: 1, queued: 0 };
    let running = start(gated(&permits), capacity, FOREVER).await;
    for version in [HTTP1, H2] {
        let mut leaves = running.http(version).await;
        let asked = tokio::spawn(async move { leaves.post("/validate", "{}").await });
        until(|| running.metrics.running.get() == 1).await;
        asked.abort();
        until(|| running.metrics.running.get() == 0).await;
    }
    permits.add_permits(1);
    let mut stays = running.http1().await;
    assert_eq!(stays.post("/validate", "{}").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_panic_is_a_fault_of_one_request() {
    let asked = AtomicUsize::new(0);
    let panics = Arc::new(move |body, _| {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            assert!(!first, "an index is out of bounds");
            Reply::json(body)
        }
        .boxed()
    });
    let running = start(panics, Capacity { running: 1, queued: 0 }, FOREVER).await;
    let mut client = running.http1().await;
    let answer = client.post("/validate", "{}").await.unwrap();
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.body, "headlint failed: an index is out of bounds");
    assert_eq!(client.post("/validate", "{}").await.unwrap().status, StatusCode::OK);
}
