//! A folder of the editor's, judged as `headlint lint FOLDER` judges it, but with
//! what is typed in place of what is saved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headlint_policies::config::Problem;
use headlint_policies::engine::Engine;
use headlint_policies::finding::{Fault, Finding, InputError, Location};
use headlint_policies::lint::{Memory, Options, lint_again, unreadable};
use headlint_policies::manifest::Source;
use ignore::gitignore::Gitignore;
use rayon::prelude::*;

use super::text::carry;
use crate::args::LspArgs;
use crate::config::{self, Config};
use crate::error::Error;
use crate::input::{self, Input};
use crate::plan;

/// What is known of one folder, or of a file outside of all folders.
pub(super) struct Scope {
    path: PathBuf,
    rules: Rules,
    /// By path, in the order in which `headlint lint` reads them.
    files: BTreeMap<PathBuf, File>,
    /// What of the folder can't be listed.
    unlisted: Vec<InputError>,
    memory: Memory,
    is_stale: bool,
    /// Files whose text has changed since.
    changed: BTreeSet<PathBuf>,
    /// Files beyond all folders that something was told about, such as a
    /// configuration above.
    pub(super) outside: BTreeSet<PathBuf>,
}

/// What is judged by.
struct Rules {
    engine: Engine,
    options: Options,
    excluded: Gitignore,
    /// Policies that could not be loaded.
    faults: Vec<Fault>,
    /// Why the configuration doesn't count, and the file.
    problem: Option<(PathBuf, Problem)>,
}

type Text = Result<Arc<Source>, InputError>;

/// One file.
struct File {
    /// What counts: what is typed, or what is saved.
    text: Text,
    /// What can't be read of it.
    errors: Vec<InputError>,
    /// The last version of which all could be read; it stands for one of which
    /// something can't, so that half a line says nothing about other files.
    good: Option<Arc<Source>>,
}

/// What is told of all files.
pub(super) struct Told {
    /// By file.
    pub(super) findings: BTreeMap<PathBuf, Vec<Finding>>,
    /// Policies that failed.
    pub(super) faults: Vec<Fault>,
    /// All texts that were judged, with that of the configuration.
    pub(super) sources: Vec<Arc<Source>>,
    /// Files whose text, or that of what they point at, isn't what it was.
    pub(super) moved: BTreeSet<PathBuf>,
}

impl File {
    fn read(path: &Path) -> Text {
        input::read(&Input::File(path.to_owned())).map(Arc::new)
    }

    fn new(text: Text, options: &Options) -> Self {
        let mut file = Self { text: text.clone(), errors: Vec::new(), good: None };
        file.set(text, options);
        file
    }

    fn set(&mut self, text: Text, options: &Options) {
        self.errors = match &text {
            Ok(source) => unreadable(source, options),
            Err(error) => vec![error.clone()],
        };
        if let (Ok(source), []) = (&text, &*self.errors) {
            self.good = Some(Arc::clone(source));
        }
        self.text = text;
    }

    /// What other files see of it.
    fn judged(&self) -> Text {
        match &self.good {
            Some(good) => Ok(Arc::clone(good)),
            None => self.text.clone(),
        }
    }

    /// Where a part of what is judged is in the text.
    fn carry(&self, part: &Location) -> Option<Location> {
        match (&self.text, &self.good) {
            (Ok(text), Some(good)) if !Arc::ptr_eq(text, good) => {
                let bytes = carry(&part.bytes, &good.text, &text.text)?;
                Some(Location { bytes, ..part.clone() })
            }
            (Ok(_), _) => Some(part.clone()),
            (Err(_), _) => None,
        }
    }
}

impl Rules {
    fn load(path: &Path, args: &LspArgs) -> Result<(Self, Option<Error>), Error> {
        let at_once = std::thread::available_parallelism().map_or(1, Into::into);
        let (mut engine, faults) = plan::policies(&args.judging.policies, at_once)?;
        let paths = [path.to_owned()];
        let (config, error) = match config::load(args.config.as_deref(), &paths, &mut engine) {
            Ok(config) => (config, None),
            Err(error) => (Config::default(), Some(error)),
        };
        let options = plan::options(args.judging.clone(), &config, &paths, &plan::ids(&engine))?;
        let rules = Self { engine, options, excluded: config.excluded, faults, problem: None };
        Ok((rules, error))
    }
}

impl Scope {
    /// Reads all that is there. `typed` is what the editor has open.
    ///
    /// # Errors
    /// Policies that can't run, and a rule that doesn't exist.
    pub(super) fn new(
        path: &Path,
        args: &LspArgs,
        typed: &dyn Fn(&Path) -> Option<Text>,
    ) -> Result<Self, Error> {
        let (rules, error) = Rules::load(path, args)?;
        let mut scope = Self {
            path: path.to_owned(),
            rules,
            files: BTreeMap::new(),
            unlisted: Vec::new(),
            memory: Memory::default(),
            is_stale: true,
            changed: BTreeSet::new(),
            outside: BTreeSet::new(),
        };
        scope.complain(error)?;
        scope.list(typed);
        Ok(scope)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }

    pub(super) fn knows(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.rules.engine
    }

    /// Forgets what was found out, so that all is judged anew.
    pub(super) fn forget(&mut self) {
        self.memory = Memory::default();
        self.is_stale = true;
    }

    /// What is wrong with the configuration, and the file.
    pub(super) fn problem(&self) -> Option<&(PathBuf, Problem)> {
        self.rules.problem.as_ref()
    }

    /// What of which files can't be read.
    pub(super) fn errors(&self) -> impl Iterator<Item = (&PathBuf, &[InputError])> {
        let files = self.files.iter().map(|(path, file)| (path, &*file.errors));
        files.filter(|(_, errors)| !errors.is_empty())
    }

    pub(super) fn text(&self, path: &Path) -> Option<&Arc<Source>> {
        self.files.get(path)?.text.as_ref().ok()
    }

    /// Whether edits can be made in a file: all of it could be read.
    pub(super) fn is_readable(&self, path: &Path) -> bool {
        self.files.get(path).is_some_and(|file| file.errors.is_empty())
    }

    /// Lists the files anew; what is known of one that stays is kept.
    pub(super) fn list(&mut self, typed: &dyn Fn(&Path) -> Option<Text>) {
        self.unlisted.clear();
        let mut found = Vec::new();
        for input in input::collect(std::slice::from_ref(&self.path), &self.rules.excluded) {
            match input {
                Input::File(path) => found.push(path),
                Input::Unreadable(error) => self.unlisted.push(error),
                Input::Stdin => {}
            }
        }
        if !self.path.is_dir() && typed(&self.path).is_some() {
            self.unlisted.clear();
            found = vec![self.path.clone()];
        }
        let mut known = std::mem::take(&mut self.files);
        let options = &self.rules.options;
        let kept: Vec<_> = found.into_iter().map(|path| (known.remove(&path), path)).collect();
        let texts: Vec<_> = kept
            .iter()
            .filter(|(known, _)| known.is_none())
            .map(|(_, path)| (path.clone(), typed(path)))
            .collect();
        let read = texts.into_par_iter().map(|(path, typed)| {
            let text = typed.unwrap_or_else(|| File::read(&path));
            (path, File::new(text, options))
        });
        self.files = read.collect::<Vec<_>>().into_iter().collect();
        let kept = kept.into_iter().filter_map(|(known, path)| Some((path, known?)));
        self.files.extend(kept);
        self.is_stale = true;
    }

    /// Takes another text of a file that is known: what was typed, or what is
    /// saved.
    pub(super) fn change(&mut self, path: &Path, typed: Option<Text>) {
        if let Some(file) = self.files.get_mut(path) {
            file.set(typed.unwrap_or_else(|| File::read(path)), &self.rules.options);
            self.changed.insert(path.to_owned());
            self.is_stale = true;
        }
    }

    /// Reads the configuration anew. One that is wrong leaves all as it was.
    ///
    /// # Errors
    /// As [`Scope::new`].
    pub(super) fn configure(
        &mut self,
        args: &LspArgs,
        typed: &dyn Fn(&Path) -> Option<Text>,
    ) -> Result<(), Error> {
        let (rules, error) = Rules::load(&self.path, args)?;
        if error.is_none() {
            self.rules = rules;
            self.memory = Memory::default();
            self.files.clear();
            self.list(typed);
        }
        self.is_stale = true;
        self.complain(error)
    }

    /// Keeps what is wrong with the configuration.
    fn complain(&mut self, error: Option<Error>) -> Result<(), Error> {
        self.rules.problem = match error {
            None => None,
            Some(Error::Config { path, problem }) => Some((absolute(&path), problem)),
            Some(Error::ReadConfig { path, source }) => {
                let message = format!("can't be read: {source}");
                Some((absolute(&path), Problem { line: 1, column: 1, message }))
            }
            Some(other) => return Err(other),
        };
        Ok(())
    }

    /// Judges what has changed; none if nothing has.
    pub(super) fn judge(&mut self) -> Option<Told> {
        if !std::mem::take(&mut self.is_stale) {
            return None;
        }
        let files = self.files.values().map(File::judged);
        let inputs = files.chain(self.unlisted.iter().cloned().map(Err)).collect();
        let lint = lint_again(&self.rules.engine, inputs, &self.rules.options, &mut self.memory);
        let mut findings: BTreeMap<PathBuf, Vec<Finding>> = BTreeMap::new();
        for mut finding in lint.report.findings {
            let Some(location) = &mut finding.location else { continue };
            let path = absolute(Path::new(&location.file));
            if let Some(file) = self.files.get(&path) {
                let Some(now) = file.carry(location) else { continue };
                *location = now;
            }
            for related in &mut finding.related {
                let Some(location) = &related.location else { continue };
                if let Some(file) = self.files.get(Path::new(&location.file)) {
                    related.location = file.carry(location);
                }
            }
            findings.entry(path).or_default().push(finding);
        }
        let changed = std::mem::take(&mut self.changed);
        let pointing = findings.iter().filter(|(_, findings)| {
            let related = findings.iter().flat_map(|finding| &finding.related);
            let mut places = related.filter_map(|related| related.location.as_ref());
            places.any(|place| changed.contains(Path::new(&place.file)))
        });
        let moved = pointing.map(|(path, _)| path.clone()).chain(changed.iter().cloned()).collect();
        let faults = lint.report.faults.into_iter().chain(self.rules.faults.iter().cloned());
        Some(Told { faults: faults.collect(), findings, sources: lint.sources, moved })
    }
}

/// As the editor names it.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
