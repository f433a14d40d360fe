//! Structured logs on standard error.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line
    #[default]
    Json,
    /// For people
    Text,
}

/// What libraries log of themselves at these levels is of no use: kube tells
/// every refusal that the context tells once, and wasmtime every instance. What
/// is named by a `level` goes before it.
const QUIET: &str = "kube_runtime=error,kube_client=error,wasmtime=warn,cranelift=warn";

/// Starts to write logs; until then, and if another subscriber was there first,
/// nothing happens.
///
/// # Errors
/// A `level` that is neither a level nor a list of `target=level`.
pub fn start(format: Format, level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{level}"))
        .map_err(|error| anyhow::anyhow!("--log-level {level}: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as in tests, keeps the first subscriber.
    let _ = match format {
        Format::Json => lines.json().flatten_event(true).try_init(),
        Format::Text => lines.try_init(),
    };
    Ok(())
}
