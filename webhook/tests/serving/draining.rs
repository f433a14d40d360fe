//! The end of a server: what was accepted is answered.

use std::sync::Arc;
use std::time::Duration;

use headlint_webhook::serve::Phase;
use headlint_webhook::server::Drained;
use headlint_webhook::tls::{H2, HTTP1};
use hyper::StatusCode;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::client::{FOREVER, ROOMY, echo, gated, start, until};

#[tokio::test]
async fn while_it_settles_all_is_answered_and_http1_clients_are_sent_elsewhere() {
    let running = start(echo(), ROOMY, FOREVER).await;
    let (mut one, mut two) = (running.http1().await, running.http2().await);
    let before = one.post("/validate", "{}").await.unwrap();
    assert!(!before.headers.contains_key("connection"));

    running.phase.send_replace(Phase::Settling);
    for (client, last) in [(&mut one, true), (&mut two, false)] {
        let answer = client.post("/validate", "{}").await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers.contains_key("connection"), last);
    }
    assert!(one.post("/validate", "{}").await.is_err());
    assert!(two.post("/validate", "{}").await.is_ok());
    let mut new = running.http1().await;
    assert_eq!(new.post("/validate", "{}").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn requests_that_were_accepted_are_answered_and_nothing_else_is_accepted() {
    for version in [HTTP1, H2] {
        let permits = Arc::new(Semaphore::new(0));
        let running = start(gated(&permits), ROOMY, FOREVER).await;
        let mut client = running.http(version).await;
        let asked = tokio::spawn(async move {
            let first = client.post("/validate?timeout=30s", "first").await;
            (first, client.post("/validate", "second").await)
        });
        let idle = running.http(version).await;
        until(|| running.metrics.running.get() == 1).await;

        running.phase.send_replace(Phase::Draining);
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!running.end.is_finished());
        permits.add_permits(2);
        let (first, second) = asked.await.unwrap();
        assert_eq!(first.unwrap().body, "first");
        assert!(second.is_err(), "{second:?}");
        assert_eq!(running.end.await.unwrap(), Drained { cut: 0 });
        drop(idle);
    }
}

#[tokio::test]
async fn a_connection_that_waits_to_be_accepted_is_answered() {
    let running = start(echo(), ROOMY, FOREVER).await;
    // The connection is made, but the server's task hasn't run since.
    let stream = std::net::TcpStream::connect(running.address).unwrap();
    running.phase.send_replace(Phase::Draining);
    stream.set_nonblocking(true).unwrap();
    let stream = TcpStream::from_std(stream).unwrap();
    let mut client = running.http_on(stream, H2).await.unwrap();
    assert_eq!(client.post("/validate", "{}").await.unwrap().status, StatusCode::OK);
    assert_eq!(running.end.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let permits = Arc::new(Semaphore::new(0));
    let running = start(gated(&permits), ROOMY, Duration::ZERO).await;
    let mut client = running.http2().await;
    let asked = tokio::spawn(async move { client.post("/validate?timeout=30s", "{}").await });
    until(|| running.metrics.running.get() == 1).await;
    running.phase.send_replace(Phase::Draining);
    assert_eq!(running.end.await.unwrap(), Drained { cut: 1 });
    assert!(asked.await.unwrap().is_err());
}
