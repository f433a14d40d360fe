//! `headlint lint`

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use headlint_policies::lint::lint;
use rayon::prelude::*;

use crate::args::{Format, LintArgs};
use crate::error::Error;
use crate::plan::LintPlan;
use crate::progress::Progress;
use crate::report::{json, profile, text};
use crate::{Exit, Terminal, config, delivered, input, plan};

/// Threads beyond any machine's cores only cost memory.
const MOST_JOBS: usize = 256;

/// Judges the input and reports.
pub(crate) fn run(args: LintArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let jobs = args.jobs.or(std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let jobs = jobs.min(MOST_JOBS);
    let (mut engine, faults) = plan::policies(&args.policies, jobs)?;
    let config = config::load(args.config.as_deref(), &args.paths, &mut engine);
    let plan = match config.and_then(|config| LintPlan::resolve(args, config, &plan::ids(&engine)))
    {
        Ok(plan) => plan,
        Err(error) => {
            // The rule, or the policy, may be one of a policy that could not be loaded.
            let told = text::faults(&faults, &terminal.stderr);
            delivered(terminal.stderr.write_str(&told))?;
            return Err(error);
        }
    };

    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    let progress = Progress::new(terminal.stderr.width.is_some());
    let mut lint = threads.install(|| {
        let inputs = input::collect(&plan.paths, &plan.excluded);
        let sources = inputs.par_iter().map(|input| input::read(input).map(Arc::new)).collect();
        lint(&engine, sources, &plan.options, &|done, all| progress.advance(done, all))
    });
    progress.finish();
    lint.report.faults.extend(faults);

    let told = match plan.format {
        Format::Json => json::render(&lint.report),
        Format::Text => {
            let sources: HashMap<&str, &str> =
                lint.sources.iter().map(|it| (it.name.as_str(), it.text.as_str())).collect();
            let look = text::Look {
                hints: plan.hints,
                color: terminal.stdout.color,
                width: terminal.stdout.width,
            };
            text::render(&lint.report, &|name| sources.get(name).copied(), look)
        }
    };
    delivered(terminal.stdout.write_str(&told))?;
    if plan.profile {
        let table = profile::render(&lint.profile);
        delivered(terminal.stderr.write_str(&table))?;
    }
    Ok(Exit::of(&lint.report, plan.fail_on))
}
