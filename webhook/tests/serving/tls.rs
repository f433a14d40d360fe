//! Certificates, of the server and of its clients.

use std::sync::Arc;

use headlint_webhook::tls::{ClientFiles, H2, HTTP1, Kept, KeyFiles};
use hyper::StatusCode;
use rustls::version::{TLS12, TLS13};

use crate::certificates::{Authority, Mount, Pair, client};
use crate::client::{Client, FOREVER, ROOMY, Running, echo, start, tls};

#[tokio::test]
async fn both_versions_of_tls_and_both_protocols_are_spoken() {
    let running = start(echo(), ROOMY, FOREVER).await;
    for version in [&TLS12, &TLS13] {
        for (offered, chosen) in [
            (&[H2, HTTP1] as &[&[u8]], Some(H2)),
            (&[HTTP1, H2], Some(H2)),
            (&[HTTP1], Some(HTTP1)),
            (&[], None),
        ] {
            let config = client(&running.authority, None, offered, &[version]);
            let stream = tls(running.address, config.clone()).await.unwrap();
            let session = stream.get_ref().1;
            assert_eq!(session.protocol_version(), Some(version.version));
            assert_eq!(session.alpn_protocol(), chosen);
            let mut client = Client::connect(running.address, config).await.unwrap();
            assert_eq!(client.post("/validate", "{}").await.unwrap().status, StatusCode::OK);
        }
    }
}

fn files(pair: &Pair) -> [(&'static str, &str); 2] {
    [("tls.crt", &pair.certificate), ("tls.key", &pair.key)]
}

async fn shown(running: &Running, pair: &Pair) -> bool {
    running.http2().await.certificate == pair.der()
}

#[tokio::test]
async fn a_mounted_certificate_is_replaced_as_often_as_the_secret_is() {
    let running = start(echo(), ROOMY, FOREVER).await;
    let pairs: Vec<_> = (0..3).map(|_| running.authority.server()).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut mount = Mount::new(folder.path(), &files(&pairs[0]));
    let paths = KeyFiles { certificate: mount.path("tls.crt"), key: mount.path("tls.key") };
    let (serving, metrics) = (Arc::clone(&running.serving), Arc::clone(&running.metrics));
    let mut kept = Kept::certificate(paths, serving, metrics).unwrap();
    assert!(shown(&running, &pairs[0]).await);

    let mut open = running.http1().await;
    for pair in &pairs[1..] {
        mount.swap(&files(pair));
        assert!(!shown(&running, pair).await);
        kept.look();
        assert!(shown(&running, pair).await);
    }
    // A connection that was open stays so.
    assert_eq!(open.post("/validate", "{}").await.unwrap().status, StatusCode::OK);
    let expiry = running.metric("headlint_certificate_expiry_timestamp_seconds").unwrap();
    assert!(expiry.parse::<i64>().unwrap() > 1_700_000_000, "{expiry}");
}

#[tokio::test]
async fn a_broken_pair_keeps_the_last_good_one() {
    let running = start(echo(), ROOMY, FOREVER).await;
    let (good, other) = (running.authority.server(), running.authority.server());
    let folder = tempfile::tempdir().unwrap();
    let mut mount = Mount::new(folder.path(), &files(&good));
    let paths = KeyFiles { certificate: mount.path("tls.crt"), key: mount.path("tls.key") };
    let (serving, metrics) = (Arc::clone(&running.serving), Arc::clone(&running.metrics));
    let mut kept = Kept::certificate(paths.clone(), Arc::clone(&serving), metrics).unwrap();
    let success = r#"headlint_reload_success{source="certificate"}"#;
    let mut told = Vec::new();
    let pem = "-----BEGIN CERTIFICATE-----\nno base64\n-----END CERTIFICATE-----\n";
    for broken in [
        vec![("tls.crt", other.certificate.as_str()), ("tls.key", &good.key)],
        vec![("tls.crt", ""), ("tls.key", &other.key)],
        vec![("tls.crt", pem), ("tls.key", &other.key)],
        vec![("tls.crt", &other.certificate), ("tls.key", "no key")],
        vec![("tls.crt", &other.certificate)],
    ] {
        mount.swap(&broken);
        kept.look();
        assert!(shown(&running, &good).await);
        assert_eq!(running.metric(success).as_deref(), Some("0"));
        let contents = paths.watched().changed().unwrap();
        let error = paths.install(&contents, &serving).unwrap_err().to_string();
        told.push(error.replace(folder.path().to_str().unwrap(), ""));
    }
    insta::assert_snapshot!(told.join("\n"));

    mount.swap(&files(&other));
    kept.look();
    assert!(shown(&running, &other).await);
    assert_eq!(running.metric(success).as_deref(), Some("1"));
}

#[tokio::test]
async fn only_clients_of_the_authority_with_a_right_name_are_let_in() {
    let running = start(echo(), ROOMY, FOREVER).await;
    let (clients, strangers) = (Authority::new("clients"), Authority::new("strangers"));
    let folder = tempfile::tempdir().unwrap();
    let mut mount = Mount::new(folder.path(), &[("ca.crt", clients.pem())]);
    let names = vec!["kube-apiserver".to_owned(), "apiserver.test".to_owned()];
    let files = ClientFiles { authorities: mount.path("ca.crt"), names };
    let (acceptor, metrics) = (Arc::clone(&running.acceptor), Arc::clone(&running.metrics));
    let mut kept = Kept::clients(files, acceptor, metrics).unwrap();

    let admitted = async |own: Option<&Pair>| {
        let versions: [&[_]; 2] = [&[&TLS12], &[&TLS13]];
        let mut all = Vec::new();
        for versions in versions {
            let config = client(&running.authority, own, &[H2], versions);
            // With TLS 1.3, a client learns of the refusal with the first
            // answer only.
            let answer = match Client::connect(running.address, config).await {
                Ok(mut client) => client.post("/validate", "{}").await.ok(),
                Err(_) => None,
            };
            all.push(answer.is_some());
        }
        assert_eq!(all[0], all[1]);
        all[0]
    };
    let right = clients.client("kube-apiserver", &[]);
    assert!(admitted(Some(&right)).await);
    assert!(admitted(Some(&clients.client("anything", &["apiserver.test"]))).await);
    assert!(!admitted(Some(&clients.client("kubelet", &["kubelet.test"]))).await);
    assert!(!admitted(Some(&strangers.client("kube-apiserver", &[]))).await);
    assert!(!admitted(None).await);

    mount.swap(&[("ca.crt", "no authority")]);
    kept.look();
    assert!(admitted(Some(&right)).await);
    assert_eq!(
        running.metric(r#"headlint_reload_success{source="client-ca"}"#).as_deref(),
        Some("0")
    );

    mount.swap(&[("ca.crt", strangers.pem())]);
    kept.look();
    assert!(!admitted(Some(&right)).await);
    assert!(admitted(Some(&strangers.client("kube-apiserver", &[]))).await);
}
