//! `headlint lsp`

use crate::args::LspArgs;
use crate::error::Error;
use crate::report::text;
use crate::{Exit, Terminal, delivered, lsp, plan};

/// Serves an editor. What is wrong with the arguments is said before.
pub(crate) fn run(args: &LspArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let (engine, faults) = plan::policies(&args.judging.policies, 1)?;
    let told = text::faults(&faults, &terminal.stderr);
    delivered(terminal.stderr.write_str(&told))?;
    plan::options(args.judging.clone(), &Default::default(), &[], &plan::ids(&engine))?;
    drop(engine);
    match lsp::serve(args, &mut terminal.stdout) {
        // The editor is gone.
        Err(Error::Write(_)) => Ok(Exit::Abandoned),
        ended => ended,
    }
}
