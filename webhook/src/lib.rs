//! The binary `headlint-webhook`: the same policies as the linter's, asked by
//! an API server.
//!
//! ```text
//! args ─▶ serve ─▶ server ─▶ reviewer        metrics, health, logging
//!           │        └ tls                   see what happens
//!           └ runtime: config + policies, swapped as one
//! ```
//!
//! Nobody holds on to parts of the [`runtime::Runtime`]: a request takes the
//! one that is in use when it starts, and keeps it to its end.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admission;
pub mod args;
pub mod certificates;
mod check_cluster;
pub mod config;
pub mod context;
pub mod health;
pub mod logging;
pub mod metrics;
pub mod pending;
pub mod review;
mod reviewer;
pub mod runtime;
pub mod serve;
pub mod server;
pub mod tls;
pub mod watch;
mod withdraw;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, CheckConfigArgs, Command, ServeArgs};
pub use crate::reviewer::{reviewer, reviewer_with};
use crate::serve::{Process, Shared, terminated};
use crate::server::Reviewer;

/// Exit code of a wrong argument or configuration.
const WRONG: u8 = 2;

/// Runs one command line; the first argument is the name of the program.
/// `reviewer` makes what judges requests out of what the modules share.
pub fn run<T: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
    reviewer: impl AsyncFnOnce(&Shared) -> anyhow::Result<Reviewer>,
) -> ExitCode {
    match Args::parse_from(arguments).command() {
        Command::CheckConfig(args) => {
            let (mut stdout, mut stderr) = (std::io::stdout(), std::io::stderr());
            ExitCode::from(check_config(&args, &mut stdout, &mut stderr))
        }
        Command::CheckCluster(args) => tell(check_cluster::check(&args)),
        Command::Withdraw(args) => tell(withdraw::withdraw(&args)),
        Command::Serve(args) => match serve(*args, reviewer) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("can't serve: {error:#}");
                ExitCode::from(WRONG)
            }
        },
    }
}

fn serve(
    args: ServeArgs,
    reviewer: impl AsyncFnOnce(&Shared) -> anyhow::Result<Reviewer>,
) -> anyhow::Result<()> {
    logging::start(args.log_format, &args.log_level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // From the first moment on, a signal ends the process in good order.
        let stop = terminated()?;
        let process = Process::start(args).await?;
        let reviewer = reviewer(&process.shared).await?;
        process.run(reviewer, stop).await
    })
}

/// Does something once, and tells what it came to.
fn tell(task: impl Future<Output = anyhow::Result<String>>) -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(task));
    let (written, code) = match done {
        Ok(line) => (writeln!(std::io::stdout(), "{line}"), ExitCode::SUCCESS),
        Err(error) => (writeln!(std::io::stderr(), "error: {error:#}"), ExitCode::from(WRONG)),
    };
    if written.is_ok() { code } else { ExitCode::from(WRONG) }
}

/// Checks a configuration file: says what is wrong with it on `stderr`, or what
/// its author should know on `stdout`. Returns the exit code.
pub fn check_config(args: &CheckConfigArgs, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8 {
    let (written, code) = match runtime::check(&args.file, args.policy_dir.as_deref()) {
        Ok(notices) => (print(stdout, "notice", notices), 0),
        Err(errors) => (print(stderr, "error", errors), WRONG),
    };
    if written.is_ok() { code } else { WRONG }
}

fn print(output: &mut dyn Write, what: &str, lines: Vec<String>) -> std::io::Result<()> {
    for line in lines {
        writeln!(output, "{what}: {line}")?;
    }
    output.flush()
}
