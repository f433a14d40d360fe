//! Carries out the plan in a cluster, for as long as the webhook runs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;
use tokio::sync::watch;

use super::cluster::{Cluster, Written, seen_bundles, seen_secret};
use super::material::{Material, Pair};
use super::plan::{Change, Seen, Step, next};
use super::{CertificateError, Settings};
use crate::tls::Serving;

/// No wait is longer: the clock may be set, or stand still with the machine.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// How the certificates are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// When the certificate in use expires; `None` before there is one.
    pub certificate_expires: Option<Timestamp>,
    /// When its authority expires.
    pub authority_expires: Option<Timestamp>,
    /// Whether each caBundle carries that authority now.
    pub trusted: bool,
    /// Whether API servers could ever reach us: there was a certificate and
    /// each caBundle carried its authority. That stays so, for a Pod that isn't
    /// ready doesn't help when a caBundle is lost; its repair does.
    pub ready: bool,
}

/// Looks after the certificates of one replica.
pub struct Keeper {
    cluster: Cluster,
    settings: Settings,
    serving: Arc<Serving>,
    status: watch::Sender<Status>,
    clock: fn() -> Timestamp,
    view: View,
    served: Option<Pair>,
    /// What was logged last of what is wrong, so that it is logged once.
    trouble: Option<String>,
}

/// The two objects as they were seen last; `None` before the first time.
#[derive(Default)]
struct View {
    secret: Option<Option<Secret>>,
    configuration: Option<Option<ValidatingWebhookConfiguration>>,
    seen: Option<Seen>,
}

impl View {
    fn refresh(&mut self, now: Timestamp) {
        let (Some(secret), Some(configuration)) = (&self.secret, &self.configuration) else {
            return;
        };
        let secret = seen_secret(secret.as_ref());
        let bundles = configuration.as_ref().map(seen_bundles);
        let unchanged = |seen: &Seen| seen.secret == secret && seen.bundles == bundles;
        if !self.seen.as_ref().is_some_and(unchanged) {
            self.seen = Some(Seen { secret, bundles, since: now });
        }
    }
}

/// What came of a step.
enum Outcome {
    /// Look for the next one at once.
    Next,
    /// Nothing to do for so long.
    Rest(Duration),
}

impl Keeper {
    /// A keeper that does nothing before [`Keeper::run`]. What it installs goes
    /// to `serving`; the receiver tells how things are.
    #[must_use]
    pub fn new(
        client: Client,
        settings: Settings,
        serving: Arc<Serving>,
    ) -> (Self, watch::Receiver<Status>) {
        let (status, receiver) = watch::channel(Status::default());
        let keeper = Self {
            cluster: Cluster::new(client, settings.clone()),
            settings,
            serving,
            status,
            clock: Timestamp::now,
            view: View::default(),
            served: None,
            trouble: None,
        };
        (keeper, receiver)
    }

    /// Looks after the certificates until it is dropped. What goes wrong is
    /// logged, once, and tried again; what is served stays.
    pub async fn run(mut self) {
        let mut secrets = pin!(self.cluster.watch_secret());
        let mut configurations = pin!(self.cluster.watch_configuration());
        let mut backoff = DefaultBackoff::default();
        loop {
            let rest = match self.step().await {
                Ok(Outcome::Next) => {
                    backoff.reset();
                    continue;
                }
                Ok(Outcome::Rest(rest)) => rest,
                Err(error) => {
                    self.report(error.to_string());
                    backoff.next().unwrap_or(LONGEST_WAIT)
                }
            };
            tokio::select! {
                Some(secret) = secrets.next() => match secret {
                    Ok(secret) => self.view.secret = Some(secret),
                    Err(error) => self.report(format!("can't watch the Secret: {error}")),
                },
                Some(configuration) = configurations.next() => match configuration {
                    Ok(configuration) => self.view.configuration = Some(configuration),
                    Err(error) => {
                        self.report(format!("can't watch the webhook configuration: {error}"));
                    }
                },
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    async fn step(&mut self) -> Result<Outcome, CertificateError> {
        let now = (self.clock)();
        self.view.refresh(now);
        let Some(seen) = &self.view.seen else { return Ok(Outcome::Rest(LONGEST_WAIT)) };
        let Settings { names, lifetimes, .. } = &self.settings;
        let step = next(seen, self.served.as_ref(), names, lifetimes, now);
        self.tell(now);
        match step {
            Step::Serve(pair) => self.serve(*pair),
            Step::Store(change) => self.store(*change, now).await,
            Step::Trust(bundle) => self.trust(&bundle).await,
            Step::Refuse(keys) => Err(CertificateError::Foreign {
                namespace: self.settings.namespace.clone(),
                name: self.settings.secret.clone(),
                keys,
            }),
            Step::Wait(until) => {
                self.recovered();
                let rest = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                // Certificates know whole seconds only; half of one later is
                // surely after it.
                Ok(Outcome::Rest((rest + Duration::from_millis(500)).min(LONGEST_WAIT)))
            }
        }
    }

    fn serve(&mut self, pair: Pair) -> Result<Outcome, CertificateError> {
        self.serving.install(pair.certified()?);
        tracing::info!(expires = %pair.validity.expires, "serving the certificate of the Secret");
        self.served = Some(pair);
        Ok(Outcome::Next)
    }

    async fn store(&mut self, change: Change, now: Timestamp) -> Result<Outcome, CertificateError> {
        let reason = change.reason;
        let material: Material = change.carry_out(&self.settings.lifetimes, now)?;
        let seen = self.view.secret.as_ref().and_then(Option::as_ref);
        match self.cluster.store(seen, material.write()).await? {
            Written::Done(secret) => {
                tracing::info!(secret = self.settings.secret, "wrote the Secret: {reason}");
                self.view.secret = Some(Some(secret));
            }
            Written::Conflict => {
                tracing::debug!(secret = self.settings.secret, "another one wrote the Secret");
                self.view.secret = Some(self.cluster.secret().await?);
            }
        }
        Ok(Outcome::Next)
    }

    /// The Secret is read again before: the watch may be behind, and a caBundle
    /// without an authority that it names would be one that another replica has
    /// just put there to use it.
    async fn trust(&mut self, bundle: &[u8]) -> Result<Outcome, CertificateError> {
        let secret = self.cluster.secret().await?;
        if self.view.secret.as_ref().is_some_and(|seen| version(seen) != version(&secret)) {
            self.view.secret = Some(secret);
            return Ok(Outcome::Next);
        }
        let Some(Some(seen)) = &self.view.configuration else { return Ok(Outcome::Next) };
        let name = &self.settings.configuration;
        match self.cluster.trust(seen, bundle).await? {
            Written::Done(configuration) => {
                tracing::info!(configuration = name, "wrote the caBundle of each webhook");
                self.view.configuration = Some(Some(configuration));
            }
            Written::Conflict => {
                tracing::debug!(configuration = name, "another one wrote the configuration");
                self.view.configuration = Some(self.cluster.configuration().await?);
            }
        }
        Ok(Outcome::Next)
    }

    /// Lets others know how things are.
    fn tell(&self, now: Timestamp) {
        let served = self.served.as_ref();
        let carries = |(seen, pair): (&Seen, &Pair)| seen.carries(&pair.authority, now);
        let trusted = self.view.seen.as_ref().zip(served).is_some_and(carries);
        self.status.send_if_modified(|status| {
            let told = Status {
                certificate_expires: served.map(|pair| pair.validity.expires),
                authority_expires: served.map(|pair| pair.authority.validity.expires),
                trusted,
                ready: status.ready || trusted,
            };
            std::mem::replace(status, told) != told
        });
    }

    fn report(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::error!("certificates: {trouble}");
            self.trouble = Some(trouble);
        }
    }

    fn recovered(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!("certificates: all is well again");
        }
    }
}

fn version(secret: &Option<Secret>) -> Option<&str> {
    secret.as_ref()?.metadata.resource_version.as_deref()
}
