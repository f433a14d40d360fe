//! `headlint.yaml`: what a repository says once, for whoever lints it.
//!
//! ```text
//! headlint.yaml, in the folder of the input or above ─▶ Written ─▶ Config
//! ```
//!
//! Its shape is `schema/headlint-config.v1.json`; a test keeps the two equal.

mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use headlint_policies::config::{self, Exemption, Exemptions, Problem, check_rule, configure};
use headlint_policies::engine::Engine;
use headlint_policies::finding::Severity;
use headlint_policies::manifest::Source;
use headlint_policies::model::ClusterProfile;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

pub use self::written::{Level, Written};
use crate::args::FailOn;
use crate::error::Error;
use crate::plan;

/// The name of the file.
pub(crate) const NAME: &str = "headlint.yaml";

/// The configuration, checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) fail_on: Option<FailOn>,
    pub(crate) levels: BTreeMap<String, Level>,
    pub(crate) enabled_rules: Vec<String>,
    /// What is left out of folders; in absolute paths.
    pub(crate) excluded: Gitignore,
    pub(crate) cluster: ClusterProfile,
    pub(crate) exemptions: Arc<Exemptions>,
    /// As it is shown; none without a file.
    pub(crate) file: Option<PathBuf>,
    /// The folder that it is in; none without a file.
    folder: Option<PathBuf>,
}

/// Finds the configuration, checks it, and tells the policies what it says to
/// them. `named` goes before any that is found.
///
/// # Errors
/// The first thing that is wrong with it.
pub(crate) fn load(
    named: Option<&Path>,
    inputs: &[PathBuf],
    engine: &mut Engine,
) -> Result<Config, Error> {
    let Some(found) = read(named, inputs)? else { return Ok(Config::default()) };
    let Found { path, shown, written, source } = found;
    resolve(written, &path, source, engine)
        .map_err(|problem| Error::Config { path: shown, problem })
}

/// The facts of the cluster, and what is left out of folders: all that a command
/// needs that runs no policy.
///
/// # Errors
/// As [`load`], but for what has to do with policies.
pub(crate) fn load_cluster(
    named: Option<&Path>,
    inputs: &[PathBuf],
) -> Result<(ClusterProfile, Gitignore), Error> {
    let Some(found) = read(named, inputs)? else {
        return Ok((ClusterProfile::default(), Gitignore::empty()));
    };
    let Found { path, shown, written, .. } = found;
    let excluded = excluded(&written.exclude, &path);
    let excluded = excluded.map_err(|problem| Error::Config { path: shown, problem })?;
    Ok((written.cluster.into(), excluded))
}

/// A configuration that was read.
struct Found {
    path: PathBuf,
    shown: PathBuf,
    written: Written,
    source: Arc<Source>,
}

fn read(named: Option<&Path>, inputs: &[PathBuf]) -> Result<Option<Found>, Error> {
    let found = match named {
        Some(file) => Some(file.to_owned()),
        None => find(inputs),
    };
    let Some(path) = found else { return Ok(None) };
    let shown = shown(&path);
    let bytes =
        fs::read(&path).map_err(|source| Error::ReadConfig { path: shown.clone(), source })?;
    let wrong = |problem| Error::Config { path: shown.clone(), problem };
    let written: Written = config::read(&bytes).map_err(wrong)?;
    let source = Source::new(shown.display().to_string(), bytes);
    let source =
        source.map_err(|error| wrong(Problem { line: 1, column: 1, message: error.message }))?;
    Ok(Some(Found { path, shown, written, source: Arc::new(source) }))
}

fn resolve(
    written: Written,
    path: &Path,
    source: Arc<Source>,
    engine: &mut Engine,
) -> Result<Config, Problem> {
    configure(engine, &written.policies)?;
    let known = plan::ids(engine);
    for rule in written.severities.0.iter().map(|(rule, _)| rule).chain(&written.enabled_rules) {
        check_rule(rule, &known)?;
    }
    let exemptions: Result<Vec<_>, _> =
        written.exemptions.into_iter().map(|one| Exemption::resolve(one, &known)).collect();
    Ok(Config {
        fail_on: written.fail_on,
        levels: written.severities.0.into_iter().map(|(rule, it)| (rule.value, it)).collect(),
        enabled_rules: written.enabled_rules.into_iter().map(|rule| rule.value).collect(),
        excluded: excluded(&written.exclude, path)?,
        file: Some(source.name.clone().into()),
        folder: folder(path).ok(),
        cluster: written.cluster.into(),
        exemptions: Arc::new(Exemptions::new(exemptions?).in_file(source)),
    })
}

impl Default for Config {
    fn default() -> Self {
        Self {
            fail_on: None,
            levels: BTreeMap::new(),
            enabled_rules: Vec::new(),
            excluded: Gitignore::empty(),
            cluster: ClusterProfile::default(),
            exemptions: Arc::default(),
            file: None,
            folder: None,
        }
    }
}

impl Config {
    /// Whether these inputs are all that it is about, or a whole folder where
    /// there is none.
    pub(crate) fn covers(&self, inputs: &[PathBuf]) -> bool {
        let folders = inputs.iter().filter(|input| input.is_dir());
        let mut folders = folders.filter_map(|folder| folder.canonicalize().ok());
        match &self.folder {
            Some(own) => folders.any(|folder| own.starts_with(folder)),
            None => folders.next().is_some(),
        }
    }

    /// The severities that it gives to rules.
    pub(crate) fn severities(&self) -> BTreeMap<String, Severity> {
        let given = self.levels.iter();
        given.filter_map(|(rule, level)| Some((rule.clone(), level.severity()?))).collect()
    }

    /// The rules that it switches off.
    pub(crate) fn off(&self) -> impl Iterator<Item = &String> {
        self.levels.iter().filter(|(_, level)| level.severity().is_none()).map(|(rule, _)| rule)
    }
}

/// The patterns of a configuration, from its own folder on, and the file itself.
fn excluded(patterns: &[config::Spanned<String>], path: &Path) -> Result<Gitignore, Problem> {
    let problem = |message| Problem { line: 1, column: 1, message };
    let path = path.canonicalize().map_err(|error| problem(error.to_string()))?;
    let mut excluded = GitignoreBuilder::new(path.parent().unwrap_or(&path));
    if let Some(name) = path.file_name() {
        // A name that makes a bad pattern is only read in vain.
        let _ = excluded.add_line(None, &format!("/{}", name.to_string_lossy()));
    }
    for pattern in patterns {
        excluded.add_line(None, &pattern.value).map_err(|error| {
            let message = format!("`{}` is no pattern of paths: {error}", pattern.value);
            Problem::at(pattern.referenced, message)
        })?;
    }
    excluded.build().map_err(|error| problem(error.to_string()))
}

/// The nearest configuration in the folder that all inputs share, or above it;
/// not beyond the repository.
fn find(inputs: &[PathBuf]) -> Option<PathBuf> {
    let folders = inputs.iter().filter_map(|input| folder(input).ok());
    let common = folders.reduce(|common, folder| {
        let shared = common.ancestors().find(|one| folder.starts_with(one));
        shared.map_or_else(|| common.clone(), Path::to_owned)
    })?;
    for folder in common.ancestors() {
        let file = folder.join(NAME);
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}

/// The folder that an input is in, or was in; standard input, and what else is
/// neither file nor folder, is in the current one.
fn folder(input: &Path) -> io::Result<PathBuf> {
    let is_stream = fs::metadata(input).is_ok_and(|it| !it.is_file() && !it.is_dir());
    if input.as_os_str() == "-" || is_stream {
        return env::current_dir()?.canonicalize();
    }
    let path = absolute(input)?;
    Ok(path.ancestors().find(|it| it.is_dir()).unwrap_or(&path).to_owned())
}

/// An absolute path, without links as far as it exists.
pub(crate) fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    path.canonicalize().or_else(|error| match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => Ok(absolute(folder)?.join(name)),
        _ => Err(error),
    })
}

/// As the user would name it.
fn shown(path: &Path) -> PathBuf {
    let here = env::current_dir().and_then(|here| here.canonicalize());
    let below = here.ok().and_then(|here| Some(path.strip_prefix(here).ok()?.to_owned()));
    below.unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn the_nearest_above_all_inputs_is_found_and_none_beyond_the_repository() {
        let folder = folder(&[
            "headlint.yaml",
            "repo/.git/HEAD",
            "repo/a.yaml",
            "repo/k8s/headlint.yaml",
            "repo/k8s/dev/b.yaml",
            "repo/k8s/prod/c.yaml",
            "other/d.yaml",
        ]);
        let root = folder.path().canonicalize().unwrap();
        for (inputs, found) in [
            (&["repo/k8s/dev"][..], Some("repo/k8s/headlint.yaml")),
            (&["repo/k8s/dev/b.yaml", "repo/k8s/prod"], Some("repo/k8s/headlint.yaml")),
            (&["repo/k8s"], Some("repo/k8s/headlint.yaml")),
            (&["repo/k8s/dev", "repo/k8s/gone/a.yaml"], Some("repo/k8s/headlint.yaml")),
            (&["repo/k8s/dev", "repo/a.yaml"], None),
            (&["repo"], None),
            (&["other/d.yaml"], Some("headlint.yaml")),
            (&["repo/k8s/gone"], Some("repo/k8s/headlint.yaml")),
            (&["repo/gone"], None),
            (&["gone"], Some("headlint.yaml")),
        ] {
            let paths: Vec<_> = inputs.iter().map(|input| root.join(input)).collect();
            assert_eq!(find(&paths), found.map(|found| root.join(found)), "{inputs:?}");
        }
    }
}
