//! `headlint explain`

use crate::args::ExplainArgs;
use crate::error::Error;
use crate::report::text;
use crate::{Exit, Terminal, delivered, plan};

/// Prints a rule's documentation, as it stands in its policy.
pub(crate) fn run(args: &ExplainArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let (engine, faults) = plan::policies(&args.policies, 1)?;
    let told = text::faults(&faults, &terminal.stderr);
    delivered(terminal.stderr.write_str(&told))?;
    let rule = plan::find_rule(&engine, &args.rule)?;
    let documentation: String =
        rule.documentation.lines().map(|line| text::harmless(line) + "\n").collect();
    delivered(terminal.stdout.write_str(&documentation))?;
    Ok(if faults.is_empty() { Exit::Clean } else { Exit::CouldNotRun })
}
