//! `headlint lsp`: an editor's server.
//!
//! ```text
//! standard input ─connection─▶ server ─text─▶ scope: lint_again, with a memory
//! standard output ◀───────────── told ◀────────┘ one for each folder
//! ```
//!
//! One thread reads, one judges. All that has come is taken before anything is
//! judged, so that no keystroke waits for the judgement of the one before it.

mod connection;
mod scope;
mod server;
mod text;
mod told;

use std::sync::mpsc::TryRecvError;

use self::connection::{Incoming, listen};
use self::server::Server;
use crate::args::LspArgs;
use crate::error::Error;
use crate::{Exit, Output};

/// Serves one editor until it says that it is over, or is gone.
///
/// # Errors
/// Policies that can't run, a rule that doesn't exist, or an output that fails.
pub(crate) fn serve(args: &LspArgs, output: &mut Output) -> Result<Exit, Error> {
    let incoming = listen();
    let mut server = Server::new(args, output);
    loop {
        let next = match incoming.try_recv() {
            Ok(next) => Some(next),
            Err(TryRecvError::Empty) => {
                server.settle()?;
                incoming.recv().ok()
            }
            Err(TryRecvError::Disconnected) => None,
        };
        let ended = match next {
            Some(Incoming::Message(message)) => server.take(message)?,
            Some(Incoming::Malformed(why)) => {
                server.malformed(&why)?;
                None
            }
            None => Some(server.end()),
        };
        if let Some(exit) = ended {
            return Ok(exit);
        }
    }
}
