//! The cases of the built-in policies' rules, found on the filesystem.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use headlint_policies::config::Cluster;
use headlint_policies::engine::{Engine, Limits};
use headlint_policies::finding::{Finding, Report, Severity};
use headlint_policies::lint::{Lint, Options, lint};
use headlint_policies::manifest::Source;

use crate::changes;
use crate::truth;

/// The root of the tree.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The built-in policies' folders, by name.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn policies() -> BTreeMap<String, PathBuf> {
    let folders: BTreeMap<_, _> = entries(&root().join("wasm-policies/builtin"))
        .filter(|path| path.join("Cargo.toml").exists())
        .map(|path| (name(&path), path))
        .collect();
    assert!(!folders.is_empty(), "there are built-in policies");
    folders
}

/// One manifest that makes a rule fire, or that must not.
#[derive(Clone, Debug)]
pub struct Case {
    /// The rule that it is about.
    pub rule: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether its name begins with `fires-`.
    pub fires: bool,
    /// What is in it.
    pub text: String,
    /// What was there before, if it is about a change.
    pub old: Option<String>,
    /// `rule severity Kind/name path`, sorted.
    pub expected: Vec<String>,
    /// From its `# args:` line.
    pub options: Options,
}

/// All cases, ordered by path.
///
/// # Panics
/// When a case is misnamed, or its header can't be read.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (rule, folder) in rule_folders() {
        let yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml");
        let is_case = |path: &PathBuf| yaml(path) && name(path) != truth::FILE;
        let (old, new): (Vec<_>, Vec<_>) =
            entries(&folder).filter(is_case).partition(|path| name(path).ends_with(".old"));
        for path in &old {
            let beside = path.with_extension("").with_extension("yaml");
            assert!(new.contains(&beside), "{} is beside no case", path.display());
        }
        cases.extend(new.into_iter().map(|path| case(&rule, path)));
    }
    cases
}

/// The folders of cases, each with the rule that it is about, ordered by path.
#[must_use]
pub fn rule_folders() -> Vec<(String, PathBuf)> {
    // The rules about text belong to no policy.
    let policies = policies().into_values().chain([root().join("policies")]);
    let folders = policies.flat_map(|policy| entries(&policy.join("cases")));
    folders.map(|folder| (name(&folder), folder)).collect()
}

impl Case {
    /// The name of its file, without the extension.
    #[must_use]
    pub fn name(&self) -> String {
        name(&self.path)
    }

    /// What all rules say of it.
    ///
    /// # Panics
    /// When its text isn't UTF-8.
    #[must_use]
    pub fn report(&self) -> Report {
        match &self.old {
            Some(old) => changes::report(old, &self.text, &self.options),
            None => {
                let file = format!("{}.yaml", name(&self.path));
                lint_text(&file, &self.text, &self.options).report
            }
        }
    }
}

fn case(rule: &str, path: PathBuf) -> Case {
    let text = fs::read_to_string(&path).expect("a case can be read");
    let old = fs::read_to_string(path.with_extension("old.yaml")).ok();
    let kind = name(&path);
    let fires = kind.starts_with("fires-");
    assert!(fires || kind.starts_with("quiet-"), "{} is neither fires- nor quiet-", path.display());
    let header = text.lines().take_while(|line| line.starts_with('#'));
    let (mut expected, mut options) = (Vec::new(), defaults());
    for line in header {
        if let Some(finding) = line.strip_prefix("# expect: ") {
            expected.push(finding.to_owned());
        } else if let Some(args) = line.strip_prefix("# args: ") {
            apply(&mut options, args, &path);
        }
    }
    apply_cluster(&mut options, &text);
    expected.sort();
    Case { rule: rule.to_owned(), path, fires, text, old, expected, options }
}

fn apply(options: &mut Options, args: &str, path: &Path) {
    let mut args = args.split_whitespace();
    while let Some(arg) = args.next() {
        match (arg, args.clone().next()) {
            ("--complete", _) => options.complete = true,
            ("--namespace", Some(namespace)) => {
                namespace.clone_into(&mut options.default_namespace)
            }
            ("--enable", Some(rule)) => {
                options.rules.enable.insert(rule.to_owned());
            }
            _ => panic!("{}: unknown argument {arg}", path.display()),
        }
        if arg != "--complete" {
            args.next();
        }
    }
}

/// Facts of the cluster that the head of a manifest states, as a configuration
/// would: `# cluster: {kubernetesMinor: 35}`.
///
/// # Panics
/// When a configuration couldn't say so.
pub fn apply_cluster(options: &mut Options, manifest: &str) {
    let mut head = manifest.lines().take_while(|line| line.starts_with('#'));
    if let Some(facts) = head.find_map(|line| line.strip_prefix("# cluster: ")) {
        let cluster = serde_yaml::from_str::<Cluster>(facts);
        options.cluster = cluster.unwrap_or_else(|error| panic!("{facts}: {error}")).into();
    }
}

/// How the linter runs when nothing is said.
#[must_use]
pub fn defaults() -> Options {
    Options { complete: false, default_namespace: "default".to_owned(), ..Options::default() }
}

/// The engine with the built-in policies, made once.
///
/// # Panics
/// When it can't be made.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    // A test depends on no clock, however busy the machine is.
    let limits = Limits::within(Duration::from_secs(600));
    ENGINE.get_or_init(|| Engine::builtin(limits, 8, None).expect("an engine"))
}

/// Text between lines that begin a document. A text that begins as JSON is
/// left whole: its first brace decides how all of it is read.
#[must_use]
pub fn documents(text: &str) -> Vec<String> {
    if text.trim_start().starts_with('{') {
        return vec![text.to_owned()];
    }
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        match documents.last_mut() {
            Some(document) if line.trim_end() != "---" => document.push_str(line),
            _ => documents.push(String::new()),
        }
    }
    documents.retain(|document| !document.trim().is_empty());
    documents
}

/// One text of several documents.
#[must_use]
pub fn joined(documents: &[String]) -> String {
    let documents: Vec<_> = documents.iter().map(|document| document.trim_end()).collect();
    documents.join("\n---\n") + "\n"
}

/// Lints one text.
///
/// # Panics
/// When it isn't UTF-8.
#[must_use]
pub fn lint_text(name: &str, text: &str, options: &Options) -> Lint {
    let source = Source::new(name, text.as_bytes().to_vec()).expect("it is UTF-8");
    lint(engine(), vec![Ok(Arc::new(source))], options, &|_, _| {})
}

/// `rule severity Kind/name path` of a finding.
#[must_use]
pub fn brief(finding: &Finding) -> String {
    let (object, path) = (&finding.object, &finding.path);
    format!("{} {} {}/{} {path}", finding.rule, finding.severity, object.kind, object.name)
}

/// What counts in a case of a rule: all that this rule says, and whatever any
/// rule says aloud.
#[must_use]
pub fn told(rule: &str, findings: &[Finding]) -> Vec<String> {
    let mut told: Vec<_> = findings
        .iter()
        .filter(|finding| finding.rule == rule || finding.severity > Severity::Info)
        .map(brief)
        .collect();
    told.sort();
    told
}

/// The ids of all rules.
#[must_use]
pub fn rule_ids() -> BTreeSet<String> {
    engine().rules().iter().map(|(_, rule)| rule.id.clone()).collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut entries: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).collect();
    entries.sort();
    entries.into_iter()
}

fn name(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
