//! The command line as it was typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::logging::Format;

/// Judges headless Services, and what uses them, before they reach a cluster
#[derive(Debug, Parser)]
#[command(name = "headlint-webhook", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Exit codes of check-config, check-cluster and withdraw:
  0  all is well
  2  it isn't, or a wrong argument")]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer the API server (the default)
    Serve(Box<ServeArgs>),
    /// Check a configuration file without serving
    CheckConfig(CheckConfigArgs),
    /// Check that the API server asks headlint about a Service that is wrong; nothing is stored
    CheckCluster(CheckClusterArgs),
    /// Remove the webhook configuration of a Helm release, and wait until no API server asks any
    /// more: before an uninstallation
    Withdraw(WithdrawArgs),
}

impl Args {
    /// The command; serving, if none was given.
    #[must_use]
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(Box::new(self.serve)))
    }
}

/// How to serve.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// Where the API server's requests come in, by TLS
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,

    /// Where /healthz, /readyz and /metrics are, by plain HTTP
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub operations: SocketAddr,

    /// The configuration; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Load all *.wasm in this folder beside the built-in policies; read again when they change
    #[arg(long, value_name = "DIR")]
    pub policy_dir: Option<PathBuf>,

    /// The certificate chain to serve, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Let in only clients with a certificate of these authorities, in PEM; read again when they
    /// change
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,

    /// Let in only clients whose certificate has this common name or DNS name; may be repeated
    #[arg(long, value_name = "NAME", requires = "client_ca")]
    pub client_name: Vec<String>,

    /// Without --tls-cert: the name of the Service that the API server dials. The webhook makes a
    /// certificate for it, renews it, and writes the caBundle
    #[arg(long, value_name = "NAME", default_value = "headlint", conflicts_with = "tls_cert")]
    pub service: String,

    /// The namespace of the Service, of the Secret with its certificate, and of the Deployment
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE", default_value = "headlint")]
    pub namespace: String,

    /// The Secret that keeps the certificate
    #[arg(long, value_name = "NAME", default_value = "headlint-certificate")]
    pub certificate_secret: String,

    /// The ValidatingWebhookConfiguration that gets the caBundle
    #[arg(long, value_name = "NAME", default_value = "headlint")]
    pub webhook_configuration: String,

    /// The Deployment that owns the Secret, so that it goes away with it
    #[arg(long, value_name = "NAME")]
    pub owner_deployment: Option<String>,

    /// The cluster to watch, if not that of the Pod or of $KUBECONFIG
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// How a line of the log looks
    #[arg(long, value_enum, default_value_t)]
    pub log_format: Format,

    /// What is logged: error, warn, info, debug, trace, or a list such as headlint_webhook=debug
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level)]
    pub log_level: String,

    /// How long to go on after SIGTERM while not ready, so that nobody sends anything more
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub settle_seconds: u32,

    /// How long requests may take to end when nothing more is accepted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub drain_seconds: u32,
}

/// What to check.
#[derive(Debug, clap::Args)]
pub struct CheckConfigArgs {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Load all *.wasm in this folder beside the built-in policies
    #[arg(long, value_name = "DIR")]
    pub policy_dir: Option<PathBuf>,
}

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub struct CheckClusterArgs {
    /// A namespace that headlint judges
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub namespace: String,

    /// The cluster, if not that of the Pod
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// What to remove.
#[derive(Debug, clap::Args)]
pub struct WithdrawArgs {
    /// The ValidatingWebhookConfiguration
    #[arg(long, value_name = "NAME", default_value = "headlint")]
    pub webhook_configuration: String,

    /// How long to wait for API servers to take notice
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub settle_seconds: u32,

    /// The cluster, if not that of the Pod
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// # Errors
/// What tracing says of a filter that it can't read.
fn level(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
