//! `headlint completions` and `headlint man`: what is made of the arguments.

use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::error::Error;
use crate::{Exit, Terminal, delivered};

/// Prints the completions of a shell.
pub(crate) fn completions(args: &CompletionsArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "headlint", &mut script);
    delivered(terminal.stdout.write_str(&String::from_utf8_lossy(&script)))?;
    Ok(Exit::Clean)
}

/// Writes `headlint.1` and a page for each command.
pub(crate) fn man(args: &ManArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    std::fs::create_dir_all(&args.dir)
        .and_then(|()| clap_mangen::generate_to(Args::command(), &args.dir))
        .map_err(|source| Error::WriteFile { path: args.dir.clone(), source })?;
    let told = format!("wrote the manual pages to {}\n", args.dir.display());
    delivered(terminal.stdout.write_str(&told))?;
    Ok(Exit::Clean)
}
