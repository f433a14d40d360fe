//! `headlint lint`

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use headlint_policies::engine::Engine;
use headlint_policies::finding::Safety;
use headlint_policies::fix::Editable;
use headlint_policies::lint::{Lint, lint};
use headlint_policies::manifest::{Source, Span};
use rayon::prelude::*;

use crate::args::{Format, LintArgs, OutputArg};
use crate::base::Base;
use crate::error::Error;
use crate::plan::{Fixing, LintPlan};
use crate::progress::Progress;
use crate::render::Rendered;
use crate::replace::{replace, replace_all};
use crate::report::sarif::Change;
use crate::report::{diff, github, gitlab, json, junit, profile, sarif, text};
use crate::{Exit, Terminal, baseline, config, delivered, fix, input, plan, render};

/// Threads beyond any machine's cores only cost memory.
const MOST_JOBS: usize = 256;

/// Judges the input and reports.
pub(crate) fn run(args: LintArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let jobs = args.jobs.or(std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let jobs = jobs.min(MOST_JOBS);
    let (mut engine, faults) = plan::policies(&args.judging.policies, jobs)?;
    let config =
        config::load(args.config.as_deref(), &args.render.inputs(&args.paths), &mut engine);
    let mut plan =
        match config.and_then(|config| LintPlan::resolve(args, config, &plan::ids(&engine))) {
            Ok(plan) => plan,
            Err(error) => {
                // The rule, or the policy, may be one of a policy that could not be
                // loaded.
                let told = text::faults(&faults, &terminal.stderr);
                delivered(terminal.stderr.write_str(&told))?;
                return Err(error);
            }
        };
    let base = plan.base.as_deref().map(|base| Base::find(base, &plan)).transpose()?;
    let known = plan.baseline.as_deref().map(baseline::read).transpose()?;

    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    let progress = Progress::new(terminal.stderr.width.is_some() && !plan.quiet);
    // What is gone is a deletion, and no input.
    let paths = plan.paths.iter().filter(|path| !base.as_ref().is_some_and(|base| base.had(path)));
    let inputs = input::collect(&paths.cloned().collect::<Vec<_>>(), &plan.excluded);
    let (mut sources, errors) = threads.install(|| input::read_all(&inputs));
    let namespace = &plan.options.default_namespace;
    let mut rendered = render::render(&plan.render, namespace, &Path::to_owned, "")?;
    let mut files: Vec<_> = sources.iter().map(|source| source.name.clone()).collect();
    files.extend(rendered.iter().flat_map(Rendered::files));
    sources.extend(rendered.iter().map(|it| Arc::clone(&it.source)));
    if let Some(base) = &base {
        let (before, rendered_before) = base.read(&plan, &inputs)?;
        plan.options.base = before;
        rendered.extend(rendered_before);
    }
    let judge = |sources: &[Arc<Source>]| {
        let sources = sources.iter().cloned().map(Ok);
        let inputs = sources.chain(errors.iter().cloned().map(Err)).collect();
        let told = |done, all| progress.advance(done, all);
        let mut lint = threads.install(|| lint(&engine, inputs, &plan.options, &told));
        lint.report.faults.extend(faults.iter().cloned());
        if let Some(known) = &known {
            baseline::subtract(known, &mut lint.report);
        }
        lint
    };
    let read = Read { files, base };
    let mut lint = judge(&sources);

    if let Some(path) = &plan.write_baseline
        && lint.report.errors.is_empty()
        && lint.report.faults.is_empty()
    {
        progress.finish();
        let known = baseline::write(path, &lint.report)?;
        let findings = text::plural(known.len(), "finding");
        let told = format!("wrote {findings} to {}\n", path.display());
        delivered(terminal.stderr.write_str(&told))?;
        baseline::subtract(&known, &mut lint.report);
    }
    let mut lint = match plan.fix {
        None => lint,
        Some(fixing) => {
            let exit = Exit::of(&lint.report, plan.fail_on);
            let may_edit = |name: &str| fix::is_file(name) && !fix::is_template(name);
            if fixing.only_shown {
                report(&engine, &lint, &read, &plan, &threads, terminal, true)?;
            }
            let fixed = fix::fix(lint, sources.clone(), fixing.safety, &may_edit, &judge);
            progress.finish();
            let told = show_fixed(&fixed, &sources, fixing, terminal)?;
            if !plan.quiet {
                delivered(terminal.stderr.write_str(&told))?;
            }
            if fixing.only_shown {
                return Ok(exit);
            }
            fixed.lint
        }
    };
    progress.finish();
    lint.sources.extend(render::point_at_templates(&mut lint.report, &rendered));
    if plan.verbose {
        let base = read.base.as_ref().map(Base::describe).unwrap_or_default();
        delivered(terminal.stderr.write_str(&background(&plan, &base, &lint)))?;
    }
    report(&engine, &lint, &read, &plan, &threads, terminal, false)?;
    if plan.options.profile {
        let table = profile::render(&lint.profile);
        delivered(terminal.stderr.write_str(&table))?;
    }
    Ok(Exit::of(&lint.report, plan.fail_on))
}

/// What the outcome is about.
struct Read {
    /// The names of what was read.
    files: Vec<String>,
    /// What was there before.
    base: Option<Base>,
}

/// What the outcome rests on.
fn background(plan: &LintPlan, base: &str, lint: &Lint) -> String {
    let config = plan.config.as_ref().map(|file| file.display().to_string());
    let config = config.unwrap_or_else(|| format!("no {}", config::NAME));
    let mut told = format!("configuration: {config}\n{base}");
    for skipped in &lint.report.skipped {
        told += &format!("skipped: {}:{}: {}\n", skipped.file, skipped.line, skipped.reason);
    }
    told.lines().map(|line| text::harmless(line) + "\n").collect()
}

/// Writes what was mended, or only shows it, and says how much it is.
fn show_fixed(
    fixed: &fix::Fixed,
    before: &[Arc<Source>],
    fixing: Fixing,
    terminal: &mut Terminal,
) -> Result<String, Error> {
    let pairs = before.iter().zip(&fixed.sources);
    let changed: Vec<_> = pairs.filter(|(old, new)| old.text != new.text).collect();
    if fixing.only_shown {
        for (old, new) in &changed {
            let patch = diff::render(&old.name, old.bytes(), new.bytes());
            delivered(terminal.stdout.write(&patch))?;
        }
    } else {
        let files = changed.iter().filter(|(_, new)| new.name != "-");
        let files = files.map(|(old, new)| (old.name.as_ref(), old.bytes(), new.bytes()));
        replace_all(&Vec::from_iter(files))?;
        if let Some(input) = fixed.sources.iter().find(|source| source.name == "-") {
            delivered(terminal.stdout.write(input.bytes()))?;
        }
    }
    let would = if fixing.only_shown { "would mend" } else { "mended" };
    let findings = text::plural(fixed.findings, "finding");
    let mut told = format!("{would} {findings} in {}", text::plural(changed.len(), "file"));
    match fixed.left_out {
        0 => {}
        1 => told += "; one more edit would bring another finding",
        more => told += &format!("; {more} more edits would bring other findings"),
    }
    Ok(told + "\n")
}

/// Tells the outcome in all formats that are asked for, or in files only. Machines
/// are told of the files of now.
fn report(
    engine: &Engine,
    lint: &Lint,
    read: &Read,
    plan: &LintPlan,
    threads: &rayon::ThreadPool,
    terminal: &mut Terminal,
    only_files: bool,
) -> Result<(), Error> {
    let of_now = read.base.as_ref().map(|base| base.in_files_of_now(lint.report.clone()));
    let of_now = of_now.as_ref().unwrap_or(&lint.report);
    let is_meant = |output: &&OutputArg| output.file.is_some() || !only_files;
    for output in plan.outputs.iter().filter(is_meant) {
        let to = if plan.text_to_stderr { &mut terminal.stderr } else { &mut terminal.stdout };
        let on_terminal = output.file.is_none();
        let look = text::Look {
            hints: plan.hints,
            quiet: plan.quiet,
            color: on_terminal && to.color,
            width: to.width.filter(|_| on_terminal),
        };
        let told = match output.format {
            Format::Text => {
                let sources = lint.sources.iter();
                let sources: HashMap<&str, &str> =
                    sources.map(|it| (it.name.as_str(), it.text.as_str())).collect();
                text::render(&lint.report, &|name| sources.get(name).copied(), look)
            }
            Format::Json => json::render(of_now),
            Format::Sarif => {
                let rules: Vec<_> = engine
                    .rules()
                    .into_iter()
                    .filter(|(_, rule)| plan.options.rules.admits(rule))
                    .collect();
                let changes = threads.install(|| changes(lint));
                sarif::render(of_now, &rules, &changes)
            }
            Format::Junit => {
                let files = read.files.iter().map(String::as_str);
                junit::render(of_now, files, plan.fail_on)
            }
            Format::Github => github::render(of_now),
            Format::Gitlab => gitlab::render(of_now),
        };
        match &output.file {
            Some(file) => replace(file, told.as_bytes())?,
            None => delivered(to.write_str(&told))?,
        }
    }
    Ok(())
}

/// What would mend each finding, by its place in the report.
fn changes(lint: &Lint) -> Vec<Option<Change>> {
    let mut by_file: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, finding) in lint.report.findings.iter().enumerate() {
        if let Some(location) = finding.location.as_ref().filter(|_| !finding.edits.is_empty()) {
            by_file.entry(&location.file).or_default().push(at);
        }
    }
    let of_file = |source: &Arc<Source>, findings: &[usize]| -> Vec<(usize, Change)> {
        if !Path::new(&source.name).is_file() || fix::is_template(&source.name) {
            return Vec::new();
        }
        let editable = Editable::of(source);
        let change = |at: &usize| {
            let finding = &lint.report.findings[*at];
            let splice = editable.change(finding, Safety::Proposed)?;
            let span = Span::new(splice.range.start, splice.range.end);
            Some((*at, Change { location: source.location(span), text: splice.text }))
        };
        findings.iter().filter_map(change).collect()
    };
    let found: Vec<_> = lint
        .sources
        .par_iter()
        .filter_map(|source| Some((source, by_file.get(source.name.as_str())?)))
        .flat_map_iter(|(source, findings)| of_file(source, findings))
        .collect();
    let mut changes = vec![None; lint.report.findings.len()];
    for (at, change) in found {
        changes[at] = Some(change);
    }
    changes
}
