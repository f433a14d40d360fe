//! The certificate that is served, and the TLS of the listener.
//!
//! The certificate can be replaced at any time: connections that are open keep
//! what they have, new ones get the new one.

mod client;
mod files;
mod kept;

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use prometheus_client::metrics::gauge::Gauge;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use x509_parser::prelude::{FromDer, X509Certificate};

pub use self::client::{ClientFiles, ClientRule};
pub use self::files::KeyFiles;
pub use self::kept::Kept;
use crate::health::Gate;

/// The name of HTTP/2 in ALPN.
pub const H2: &[u8] = b"h2";

/// The name of HTTP/1.1 in ALPN.
pub const HTTP1: &[u8] = b"http/1.1";

/// What makes certificates, keys and authorities unusable.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file isn't PEM.
    #[error("{} is no PEM file: {reason}", path.display())]
    Pem {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate", path.display())]
    NoCertificate {
        /// Which.
        path: std::path::PathBuf,
    },
    /// The certificate and the key can't be used together.
    #[error("the certificate and the key don't work together: {0}")]
    Pair(rustls::Error),
    /// The authorities can't be used.
    #[error("the authorities of client certificates can't be used: {0}")]
    Authorities(String),
}

/// The certificate that is served now.
#[derive(Debug, Default)]
pub struct Serving {
    key: ArcSwapOption<CertifiedKey>,
    gate: Gate,
    expiry: Gauge,
}

impl Serving {
    /// None yet. The first one opens the gate; `expiry` always tells when the
    /// one in use expires, in seconds since 1970.
    #[must_use]
    pub fn new(gate: Gate, expiry: Gauge) -> Self {
        Self { key: ArcSwapOption::empty(), gate, expiry }
    }

    /// Serves this certificate from now on.
    pub fn install(&self, key: CertifiedKey) {
        let expiry = key.cert.first().and_then(|leaf| expiry(leaf));
        self.expiry.set(expiry.unwrap_or_default());
        self.key.store(Some(Arc::new(key)));
        self.gate.open();
        tracing::info!(expires = expiry, "a certificate is in use");
    }

    /// The certificate that is served now.
    #[must_use]
    pub fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.key.load_full()
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

/// When a certificate (DER) expires, in seconds since 1970.
fn expiry(certificate: &[u8]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

/// The TLS of the listener: versions 1.2 and 1.3, HTTP/2 before HTTP/1.1.
#[derive(Debug)]
pub struct Acceptor {
    serving: Arc<Serving>,
    config: ArcSwap<ServerConfig>,
}

impl Acceptor {
    /// Serves the certificate, and asks no client for one.
    ///
    /// # Errors
    /// When rustls refuses the set-up.
    pub fn new(serving: Arc<Serving>) -> Result<Self, rustls::Error> {
        let config = config(Arc::clone(&serving), None)?;
        Ok(Self { serving, config: ArcSwap::from_pointee(config) })
    }

    /// Asks clients for a certificate from now on. Sessions from before can't
    /// be resumed: they were made under other rules.
    ///
    /// # Errors
    /// When rustls refuses the set-up; then the rules stay as they were.
    pub fn require_clients(&self, rule: ClientRule) -> Result<(), rustls::Error> {
        self.config.store(Arc::new(config(Arc::clone(&self.serving), Some(rule))?));
        Ok(())
    }

    /// For the next connection.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

fn config(
    serving: Arc<Serving>,
    clients: Option<ClientRule>,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match clients {
        Some(rule) => builder.with_client_cert_verifier(Arc::new(rule)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(serving);
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    Ok(config)
}

/// The cryptography of all TLS here.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
