//! Certificates that the webhook looks after itself: nothing else has to run in
//! the cluster, and rendering the chart needs no cluster.
//!
//! ```text
//!  Secret ──────────┐ seen            ┌─▶ serve    install the certificate
//!  (authorities,    ├───▶ plan::next ─┼─▶ store    into the Secret
//!   key, serving)   │                 ├─▶ trust    into every caBundle
//!  webhook config. ─┘                 └─▶ wait
//! ```
//!
//! One Secret holds everything, so its resourceVersion is all that replicas
//! need to agree: who writes first wins, the others use what it wrote. What
//! keeps requests from failing while authorities change is one rule with two
//! sides: a certificate is served only once every caBundle carries its
//! authority, and an authority leaves the caBundle only when no certificate of
//! it can be valid any more.
//!
//! The Secret is `Opaque`: it also holds the key of the authority, which
//! `kubernetes.io/tls` has no place for, and the type `kubernetes.io/tls`
//! can't be created empty.

mod cluster;
mod issue;
mod keeper;
mod material;
mod plan;
#[cfg(test)]
mod replicas;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

pub use self::cluster::owner;
pub use self::keeper::{Keeper, Status};

/// What to look after, and for how long things last.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of the Secret.
    pub namespace: String,
    /// The name of the Secret.
    pub secret: String,
    /// The name of the ValidatingWebhookConfiguration.
    pub configuration: String,
    /// Who owns the Secret, so that it goes away with it; see [`owner`].
    pub owner: Option<OwnerReference>,
    /// DNS names and IP addresses that the certificate is for; see
    /// [`service_names`]. At least one.
    pub names: Vec<String>,
    /// How long things last.
    pub lifetimes: Lifetimes,
}

/// How long certificates last. Each one is replaced when two thirds of its time
/// have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of an authority. At least three times that of a serving certificate, so
    /// that none has to be cut short.
    pub authority: Duration,
    /// Of a serving certificate.
    pub serving: Duration,
    /// How long everything must have been unchanged before a certificate of a
    /// new authority is served, or a caBundle gets smaller: the time in which
    /// every API server has taken in a new caBundle.
    pub settle: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Lifetimes {
    /// Serving certificates live 90 days and authorities a year: a month and
    /// four months are left to repair what keeps them from being renewed, and
    /// a change of authority is nothing that happens once in ten years to
    /// people who never saw it. Each API server watches webhook configurations,
    /// so it knows a change within seconds, or after a broken watch within a
    /// few minutes; ten cost nothing.
    fn default() -> Self {
        Self { authority: 365 * DAY, serving: 90 * DAY, settle: Duration::from_secs(10 * 60) }
    }
}

/// The names under which a Service is dialled: the first one by API servers, the
/// others by people.
///
/// # Source
/// kubernetes v1.36 staging/src/k8s.io/apiserver/pkg/util/webhook/client.go:
/// `serverName := name + "." + namespace + ".svc"`.
#[must_use]
pub fn service_names(service: &str, namespace: &str, zone: &str) -> Vec<String> {
    let name = format!("{service}.{namespace}.svc");
    vec![name.clone(), format!("{name}.{zone}"), format!("{service}.{namespace}")]
}

/// What goes wrong with certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A certificate can't be made.
    #[error("can't make a certificate: {0}")]
    Issue(#[from] rcgen::Error),
    /// A certificate and its key can't be served.
    #[error("can't serve the certificate: {0}")]
    Serve(#[from] rustls::Error),
    /// The API server refuses something.
    #[error("can't {action}: {source}")]
    Cluster {
        /// What was tried, such as `update Secret headlint/certificates`.
        action: String,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// The owner of the Secret has no uid yet.
    #[error("Deployment {0} has no uid")]
    Owner(String),
    /// The Secret is somebody else's.
    #[error(
        "Secret {namespace}/{name} holds something that headlint-webhook didn't write ({keys}): \
         name another Secret, or empty this one"
    )]
    Foreign {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The keys of its data.
        keys: String,
    },
}

/// From when to when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    /// When it was made; it's good from [`issue::SKEW`] before.
    issued: Timestamp,
    /// The last moment.
    expires: Timestamp,
}

impl Validity {
    fn expired(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    /// When two thirds of the time have passed.
    fn due(&self) -> Timestamp {
        let life = self.expires.as_second() - self.issued.as_second();
        let due = self.issued.as_second() + life / 3 * 2;
        Timestamp::from_second(due).unwrap_or(self.expires)
    }
}

/// A moment later; the end of time, if there is none.
fn after(moment: Timestamp, duration: Duration) -> Timestamp {
    moment.checked_add(duration).unwrap_or(Timestamp::MAX)
}
