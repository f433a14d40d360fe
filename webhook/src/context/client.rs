//! The way to the API server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be silent while an answer is due. A watch isn't
/// silent for longer than [`super::watch::LONGEST_CALL`].
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// How long sending a request may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// There is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file isn't there, or isn't a kubeconfig.
    #[error("the kubeconfig {}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<KubeconfigError>,
    },
    /// Without a kubeconfig, and not in a Pod with a service account.
    #[error("this is no Pod with a service account: give a kubeconfig")]
    InCluster {
        /// What is missing.
        source: Box<InClusterError>,
    },
    /// What the configuration names can't be used.
    #[error("the certificates or credentials for the API server")]
    Unusable {
        /// What is wrong with them.
        source: Box<kube::Error>,
    },
}

/// A client of the API server that a kubeconfig names in its current context, or
/// else of the cluster that this is a Pod of. Nothing is sent yet.
///
/// # Errors
/// When the configuration can't be used.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let mut config = match kubeconfig {
        Some(path) => {
            let wrong = |source| ConnectError::Kubeconfig {
                path: path.to_owned(),
                source: Box::new(source),
            };
            let file = Kubeconfig::read_from(path).map_err(wrong)?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(file, &options).await.map_err(wrong)?
        }
        None => Config::incluster()
            .map_err(|source| ConnectError::InCluster { source: Box::new(source) })?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    config.write_timeout = Some(WRITE_TIMEOUT);
    // Watches have a backoff of their own, and want to know of failures.
    config.default_retry = false;
    Client::try_from(config).map_err(|source| ConnectError::Unusable { source: Box::new(source) })
}
