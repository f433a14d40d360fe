//! `headlint init`

use std::fs::File;
use std::io::{self, Write};

use crate::args::InitArgs;
use crate::error::Error;
use crate::{Exit, Terminal, config, delivered};

/// A configuration that changes nothing, and says what could be changed.
pub(crate) const COMMENTED: &str = include_str!("init.yaml");

/// Writes a configuration, and never over another one.
pub(crate) fn run(args: &InitArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let path = args.dir.join(config::NAME);
    let mut file = File::create_new(&path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::ConfigExists { path: path.clone() },
        _ => Error::WriteFile { path: path.clone(), source },
    })?;
    file.write_all(COMMENTED.as_bytes())
        .map_err(|source| Error::WriteFile { path: path.clone(), source })?;
    delivered(terminal.stdout.write_str(&format!("wrote {}\n", path.display())))?;
    Ok(Exit::Clean)
}
