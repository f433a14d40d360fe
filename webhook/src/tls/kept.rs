//! Files that are installed again when they change.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{Acceptor, ClientFiles, KeyFiles, Serving, TlsError};
use crate::metrics::{Metrics, Source};
use crate::watch::{Contents, Watched};

/// Puts to use what files hold.
type Install = Box<dyn Fn(&Contents) -> Result<(), TlsError> + Send + Sync>;

/// Files in use. What can't be used changes nothing, and is told.
pub struct Kept {
    watched: Watched,
    source: Source,
    install: Install,
    metrics: Arc<Metrics>,
}

impl Kept {
    /// A certificate and its key, which are served from now on.
    ///
    /// # Errors
    /// When they can't be used.
    pub fn certificate(
        files: KeyFiles,
        serving: Arc<Serving>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, TlsError> {
        let watched = files.watched();
        let install = Box::new(move |contents: &Contents| files.install(contents, &serving));
        Self::start(watched, Source::Certificate, install, metrics)
    }

    /// The authorities of clients, who need a certificate from now on.
    ///
    /// # Errors
    /// When they can't be used.
    pub fn clients(
        files: ClientFiles,
        acceptor: Arc<Acceptor>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, TlsError> {
        let watched = files.watched();
        let install = Box::new(move |contents: &Contents| files.install(contents, &acceptor));
        Self::start(watched, Source::ClientCa, install, metrics)
    }

    fn start(
        mut watched: Watched,
        source: Source,
        install: Install,
        metrics: Arc<Metrics>,
    ) -> Result<Self, TlsError> {
        install(&watched.changed().unwrap_or_default())?;
        metrics.reloaded(source, true);
        Ok(Self { watched, source, install, metrics })
    }

    /// Installs what has changed.
    pub fn look(&mut self) {
        let Some(contents) = self.watched.changed() else { return };
        let installed = (self.install)(&contents);
        self.metrics.reloaded(self.source, installed.is_ok());
        let source = self.source.as_str();
        match installed {
            Ok(()) => tracing::info!(source, "what changed is in use"),
            Err(error) => {
                tracing::error!(
                    source,
                    "what changed can't be used, and the last good one stays: {error}"
                );
            }
        }
    }

    /// Looks now and then, for as long as the process runs.
    pub async fn keep(mut self, interval: Duration) {
        loop {
            sleep(interval).await;
            self.look();
        }
    }
}
