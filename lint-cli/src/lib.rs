//! The command line `headlint`: reads manifests from files or standard input
//! and reports what is wrong with the headless Services in them.
//!
//! ```text
//! args (as typed) ─▶ plan (as resolved) ─▶ commands ─▶ report: text | json | …
//!    headlint.yaml ────▶                      │    │
//!                                             │    └▶ fix ─▶ files, or a diff
//!                         input ─▶ headlint_policies::lint
//!  an editor ◀──────────▶  lsp  ─▶ the same, again and again
//! ```
//!
//! Nothing here prints: all output goes through a [`Terminal`], so that tests
//! see what a user sees.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod base;
mod baseline;
mod commands;
pub mod config;
mod error;
mod exit;
mod fix;
mod input;
mod lsp;
mod plan;
mod progress;
mod render;
mod replace;
pub mod report;
mod terminal;
mod tool;

use std::ffi::OsString;
use std::io;

use clap::{CommandFactory, FromArgMatches};

use crate::args::{Args, Color, Command};
use crate::error::Error;
pub use crate::exit::Exit;
pub use crate::terminal::{Output, Terminal};

/// Runs one command line; the first argument is the name of the program.
pub fn run<I, T>(args: I, terminal: &mut Terminal) -> Exit
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    // As wide as the terminal, or as is pleasant to read.
    let width = terminal.stdout.width.map_or(100, |width| width.min(100));
    let matches = Args::command().term_width(width).try_get_matches_from(args);
    let args = match matches.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(answer) => return usage(&answer, terminal),
    };
    if args.color != Color::Auto {
        for output in [&mut terminal.stdout, &mut terminal.stderr] {
            output.color = args.color == Color::Always;
        }
    }
    let result = match args.command {
        Command::Lint(args) => commands::lint::run(*args, terminal),
        Command::Dns(args) => commands::dns::run(*args, terminal),
        Command::Explain(args) => commands::explain::run(&args, terminal),
        Command::Rules(args) => commands::rules::run(&args, terminal),
        Command::Lsp(args) => commands::lsp::run(&args, terminal),
        Command::Review(args) => commands::review::run(&args, terminal),
        Command::Init(args) => commands::init::run(&args, terminal),
        Command::Completions(args) => commands::generate::completions(&args, terminal),
        Command::Man(args) => commands::generate::man(&args, terminal),
    };
    result.unwrap_or_else(|error| {
        report::text::failure(&error, &mut terminal.stderr);
        Exit::CouldNotRun
    })
}

/// Help, the version, or what is wrong with the arguments.
fn usage(answer: &clap::Error, terminal: &mut Terminal) -> Exit {
    let (output, exit) = if answer.use_stderr() {
        (&mut terminal.stderr, Exit::CouldNotRun)
    } else {
        (&mut terminal.stdout, Exit::Clean)
    };
    let text = answer.render();
    let text = if output.color { text.ansi().to_string() } else { text.to_string() };
    match delivered(output.write_str(&text)) {
        Ok(()) => exit,
        Err(_) => Exit::CouldNotRun,
    }
}

/// A reader that has seen enough (`headlint lint | head`) is no error, and
/// doesn't change the verdict.
fn delivered(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Write(error)),
        _ => Ok(()),
    }
}
