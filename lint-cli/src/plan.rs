//! The command line as resolved: what runs, over what, and how it is told.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use headlint_policies::config::{nearest, today};
use headlint_policies::engine::{self, Engine, Limits, RuleInfo};
use headlint_policies::evaluate::RuleFilter;
use headlint_policies::finding::{Fault, Safety, Severity};
use headlint_policies::lint::Options;

use ignore::gitignore::Gitignore;

use crate::args::{Format, JudgingArgs, LintArgs, OutputArg, PolicyArgs, RenderArgs};
use crate::config::Config;
use crate::error::Error;

/// What is mended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixing {
    pub(crate) safety: Safety,
    /// Nothing is written.
    pub(crate) only_shown: bool,
}

/// A run of `headlint lint`.
#[derive(Debug)]
pub(crate) struct LintPlan {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) render: RenderArgs,
    /// What was there before.
    pub(crate) base: Option<String>,
    /// What is left out of folders.
    pub(crate) excluded: Gitignore,
    pub(crate) options: Options,
    pub(crate) outputs: Vec<OutputArg>,
    /// Standard output is for what was mended of standard input.
    pub(crate) text_to_stderr: bool,
    pub(crate) fix: Option<Fixing>,
    pub(crate) fail_on: Severity,
    pub(crate) baseline: Option<PathBuf>,
    pub(crate) write_baseline: Option<PathBuf>,
    /// Text shows hints.
    pub(crate) hints: bool,
    /// Text has no counts.
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    /// The configuration, as it is shown.
    pub(crate) config: Option<PathBuf>,
}

impl LintPlan {
    /// # Errors
    /// A rule that isn't among `known`.
    pub(crate) fn resolve(args: LintArgs, config: Config, known: &[&str]) -> Result<Self, Error> {
        let paths = args.render.meant(args.paths);
        let is_rewritten =
            args.fix && !args.diff && paths.iter().any(|path| path.as_os_str() == "-");
        let shown: Vec<_> = args.format.iter().filter(|it| it.file.is_none()).collect();
        let mut files = HashSet::new();
        let mut again = args.format.iter().filter_map(|it| it.file.as_ref());
        if again.any(|file| !files.insert(file))
            || shown.len() > 1
            || is_rewritten && shown.iter().any(|it| it.format != Format::Text)
        {
            return Err(Error::SeveralOutputs);
        }
        let options = options(args.judging, &config, &paths, known)?;
        let options = Options { profile: args.profile, ..options };
        let fail_on = args.fail_on.or(config.fail_on).unwrap_or_default().into();
        Ok(Self {
            baseline: args.baseline,
            write_baseline: args.write_baseline,
            options,
            paths,
            render: args.render,
            base: args.base,
            excluded: config.excluded,
            text_to_stderr: is_rewritten,
            outputs: args.format,
            fix: (args.fix || args.diff).then_some(Fixing {
                safety: if args.unsafe_fixes { Safety::Proposed } else { Safety::Safe },
                only_shown: args.diff,
            }),
            fail_on,
            // An exit code 1 without anything shown would be a riddle.
            hints: args.hints || fail_on == Severity::Info,
            quiet: args.quiet,
            verbose: args.verbose,
            config: config.file,
        })
    }
}

/// How these paths are judged.
///
/// # Errors
/// A rule that isn't among `known`.
pub(crate) fn options(
    args: JudgingArgs,
    config: &Config,
    paths: &[PathBuf],
    known: &[&str],
) -> Result<Options, Error> {
    let only = rules(args.only, known)?;
    let mut skip = rules(args.skip, known)?;
    let mut enable = rules(args.enable, known)?;
    // What is typed goes before what is written.
    let off = config.off().filter(|rule| !only.contains(*rule) && !enable.contains(*rule));
    skip.extend(off.cloned());
    enable.extend(config.enabled_rules.iter().cloned());
    Ok(Options {
        complete: args.complete,
        default_namespace: args.namespace,
        rules: RuleFilter { only, skip, enable },
        severities: config.severities(),
        cluster: config.cluster.clone(),
        exemptions: Arc::clone(&config.exemptions),
        today: today(),
        whole: config.covers(paths),
        base: Vec::new(),
        profile: false,
    })
}

fn rules(ids: Vec<String>, known: &[&str]) -> Result<BTreeSet<String>, Error> {
    ids.into_iter()
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
        .map(|id| if known.contains(&id.as_str()) { Ok(id) } else { Err(unknown(&id, known)) })
        .collect()
}

fn unknown(rule: &str, known: &[&str]) -> Error {
    let nearest = nearest(rule, known.iter().copied()).map(str::to_owned);
    Error::UnknownRule { rule: rule.to_owned(), nearest }
}

/// The engine with all policies, for so many evaluations at once, and those
/// that could not be loaded.
pub(crate) fn policies(args: &PolicyArgs, at_once: usize) -> Result<(Engine, Vec<Fault>), Error> {
    let files = policy_files(args)?;
    let at_once = u32::try_from(at_once).unwrap_or(u32::MAX);
    // Only what isn't built in has to be compiled.
    let cache = engine::cache_folder().filter(|_| !files.is_empty());
    let mut engine = Engine::builtin(Limits::default(), at_once, cache.as_deref())?;
    let faults = files.iter().filter_map(|file| load(&mut engine, file).err()).collect();
    Ok((engine, faults))
}

fn load(engine: &mut Engine, file: &Path) -> Result<(), Fault> {
    let name = file.display().to_string();
    match fs::read(file) {
        Ok(bytes) => engine.load(&name, &bytes),
        Err(error) => Err(Fault {
            policy: name,
            digest: String::new(),
            reason: format!("can't be read: {error}"),
        }),
    }
}

/// The files in the order given; those of a directory by name.
fn policy_files(args: &PolicyArgs) -> Result<Vec<PathBuf>, Error> {
    let mut files = args.policy.clone();
    for dir in &args.policy_dir {
        let mut found =
            wasm_files(dir).map_err(|source| Error::PolicyDir { path: dir.clone(), source })?;
        if found.is_empty() {
            return Err(Error::NoPolicy { path: dir.clone() });
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

fn wasm_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = dir.read_dir()?.map(|entry| Ok(entry?.path()));
    let is_wasm = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wasm");
    paths.filter(|path| path.as_ref().map_or(true, is_wasm)).collect()
}

/// The rule of that id.
///
/// # Errors
/// There is none.
pub(crate) fn find_rule<'a>(engine: &'a Engine, id: &str) -> Result<&'a RuleInfo, Error> {
    let rules = engine.rules();
    let found = rules.iter().find(|(_, rule)| rule.id == id).map(|(_, rule)| *rule);
    found.ok_or_else(|| unknown(id, &ids(engine)))
}

/// The ids of all rules.
pub(crate) fn ids(engine: &Engine) -> Vec<&str> {
    engine.rules().into_iter().map(|(_, rule)| rule.id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    const KNOWN: [&str; 3] =
        ["headless-port-ignored", "service-name-shadowed", "statefulset-service-missing"];

    fn plan(arguments: &[&str]) -> Result<LintPlan, Error> {
        let arguments = ["headlint", "lint"].iter().chain(arguments);
        let args = Args::try_parse_from(arguments).expect("the arguments are right");
        let Command::Lint(args) = args.command else { panic!("it is `lint`") };
        LintPlan::resolve(*args, Config::default(), &KNOWN)
    }

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn without_arguments_all_below_this_directory_is_judged() {
        let plan = plan(&[]).expect("nothing is wrong");
        assert_eq!(plan.paths, [PathBuf::from(".")]);
        assert_eq!(plan.options.default_namespace, "default");
        assert_eq!(plan.fail_on, Severity::Warning);
        assert!(!plan.hints && !plan.options.complete);
    }

    #[test]
    fn rules_are_separated_by_commas_or_repeated() {
        let plan =
            plan(&["--skip", "headless-port-ignored, service-name-shadowed,", "--skip", KNOWN[2]])
                .expect("the rules are known");
        assert_eq!(plan.options.rules.skip, set(&KNOWN));
    }

    #[test]
    fn failing_on_hints_shows_hints() {
        assert!(plan(&["--fail-on", "info"]).expect("nothing is wrong").hints);
    }

    #[test]
    fn an_unknown_rule_is_refused_with_the_nearest_name() {
        for (option, rule, nearest) in [
            ("--only", "stateful-service-missing", Some(KNOWN[2])),
            ("--skip", "headless_port_ignored", Some(KNOWN[0])),
            ("--enable", "zzz", None),
        ] {
            let Err(Error::UnknownRule { rule: refused, nearest: found }) = plan(&[option, rule])
            else {
                panic!("{rule} was accepted");
            };
            assert_eq!((refused.as_str(), found.as_deref()), (rule, nearest));
        }
    }

    #[test]
    fn policy_directories_are_read_in_order_of_names() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in ["b.wasm", "a.wasm", "notes.txt"] {
            std::fs::write(dir.path().join(name), "").expect("it is writable");
        }
        let args =
            PolicyArgs { policy: vec!["z.wasm".into()], policy_dir: vec![dir.path().to_owned()] };
        let files = policy_files(&args).expect("the directory is readable");
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
        assert_eq!(names, ["z.wasm", "a.wasm", "b.wasm"]);
    }
}
