//! What was there before: a folder, or the files of a commit.
//!
//! The files of a commit are checked out beside the tree, as far as they count.
//! So the same walk finds them, and the same tools render its charts.

mod tree;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use headlint_policies::finding::Report;
use headlint_policies::lint::Before;
use ignore::gitignore::Gitignore;

use self::tree::{Tree, Wanted, repository};
use crate::args::RenderArgs;
use crate::config::absolute;
use crate::error::Error;
use crate::input::{self, Input};
use crate::plan::LintPlan;
use crate::render::{Rendered, render};

/// What was there before.
pub(crate) struct Base {
    /// As the user called it.
    name: String,
    /// Of a commit, in each repository that has some of the input; none of a
    /// folder.
    trees: Vec<Tree>,
}

impl Base {
    /// Finds a folder, or a commit.
    ///
    /// # Errors
    /// There is none, or what is to be compared can't have been in it.
    pub(crate) fn find(name: &str, plan: &LintPlan) -> Result<Self, Error> {
        let mut base = Self { name: name.to_owned(), trees: Vec::new() };
        if Path::new(name).is_dir() {
            return Ok(base);
        }
        let mut repositories = BTreeSet::new();
        for path in &plan.paths {
            if path.as_os_str() == "-" {
                return Err(base.error("standard input is in no commit"));
            }
            let found = repository(path);
            let none = || base.error(format!("{} is in no git repository", path.display()));
            repositories.insert(found.ok_or_else(none)?);
        }
        // A chart that is elsewhere may have had other values.
        let local = plan.render.paths().filter(|path| path.exists());
        repositories.extend(local.filter_map(repository));
        if repositories.is_empty() {
            return Err(base.error("no chart, values or overlay are in a git repository"));
        }
        let paths: io::Result<_> = plan.paths.iter().map(|path| absolute(path)).collect();
        let paths = paths.map_err(|error| base.error(error))?;
        let wanted = Wanted { all: !plan.render.is_empty(), paths };
        for top in repositories {
            let none = |error| base.error(format!("it is no folder, and {error}"));
            let tree = Tree::find(top, name).map_err(none)?;
            tree.check_out(&wanted).map_err(|error| base.error(error))?;
            base.trees.push(tree);
        }
        Ok(base)
    }

    /// Whether a path was there, and isn't any more.
    pub(crate) fn had(&self, path: &Path) -> bool {
        let is_gone = fs::metadata(path).is_err_and(|it| it.kind() == io::ErrorKind::NotFound);
        is_gone && self.before(path).is_some_and(|before| before.exists())
    }

    /// Reads what `inputs` were, and what charts and overlays made.
    ///
    /// # Errors
    /// What was there can't be read, or rendered.
    pub(crate) fn read(
        &self,
        plan: &LintPlan,
        inputs: &[Input],
    ) -> Result<(Vec<Before>, Vec<Rendered>), Error> {
        if self.trees.is_empty() {
            return Ok((self.folder(plan)?, Vec::new()));
        }
        let mut files = self.files(plan, inputs)?;
        let at = |path: &Path| {
            let before = self.before(path).filter(|_| path.exists());
            before.unwrap_or_else(|| path.to_owned())
        };
        let was_there = |path: &Path| !path.exists() || at(path).exists();
        let mut args: RenderArgs = plan.render.clone();
        args.helm = args.helm.filter(|chart| was_there(chart.as_ref()));
        args.kustomize.retain(|folder| was_there(folder));
        let namespace = &plan.options.default_namespace;
        let rendered = render(&args, namespace, &at, &self.prefix());
        let rendered = rendered.map_err(|error| self.error(error))?;
        files.extend(rendered.iter().map(|it| {
            let now = PathBuf::from(self.now(&it.source.name));
            Before { source: Arc::clone(&it.source), now }
        }));
        Ok((files, rendered))
    }

    /// A folder of before. One folder of now is what it has become.
    fn folder(&self, plan: &LintPlan) -> Result<Vec<Before>, Error> {
        let folder = Path::new(&self.name);
        let now = match plan.paths.as_slice() {
            [path] if path.is_dir() => path,
            _ => folder,
        };
        let files = input::collect(&[folder.to_owned()], &plan.excluded);
        let read = files.iter().map(|file| {
            let source = input::read(file).map_err(|error| self.error(Error::Input(error)))?;
            let below = Path::new(&source.name).strip_prefix(folder).unwrap_or(Path::new(""));
            Ok(Before { now: now.join(below), source: Arc::new(source) })
        });
        read.collect()
    }

    /// The files of a commit, where these paths are now. What is a file still, and
    /// no input any more, counts no longer.
    fn files(&self, plan: &LintPlan, inputs: &[Input]) -> Result<Vec<Before>, Error> {
        let inputs: BTreeSet<&Input> = inputs.iter().collect();
        let (mut seen, mut files) = (BTreeSet::new(), Vec::new());
        for path in &plan.paths {
            let Some(before) = self.before(path).filter(|before| before.exists()) else { continue };
            for found in input::collect(std::slice::from_ref(&before), &Gitignore::empty()) {
                let below = match &found {
                    Input::File(file) => file.strip_prefix(&before).unwrap_or(Path::new("")),
                    _ => Path::new(""),
                };
                let is_named = below.as_os_str().is_empty();
                let now = if is_named { path.clone() } else { path.join(below) };
                let counts = if now.is_file() {
                    inputs.contains(&Input::File(now.clone()))
                } else {
                    !is_excluded(path, below, &plan.excluded)
                };
                if !counts || !seen.insert(found.clone()) {
                    continue;
                }
                let mut source =
                    input::read(&found).map_err(|error| self.error(Error::Input(error)))?;
                source.name = format!("{}{}", self.prefix(), now.display());
                files.push(Before { source: Arc::new(source), now });
            }
        }
        Ok(files)
    }

    /// Where a path of now is in the commit, if it can be in it.
    fn before(&self, path: &Path) -> Option<PathBuf> {
        let top = repository(path)?;
        let tree = self.trees.iter().find(|tree| tree.top == top)?;
        tree.place(&absolute(path).ok()?)
    }

    /// In front of the names of files in a commit.
    fn prefix(&self) -> String {
        format!("{}:", self.name)
    }

    /// What a file in a commit is called now.
    fn now<'f>(&self, file: &'f str) -> &'f str {
        let prefix = self.prefix();
        file.strip_prefix(&prefix).filter(|_| !self.trees.is_empty()).unwrap_or(file)
    }

    /// The report in the words of machines, which know the files of now only.
    pub(crate) fn in_files_of_now(&self, mut report: Report) -> Report {
        for finding in &mut report.findings {
            let related = finding.related.iter_mut().map(|related| &mut related.location);
            for location in std::iter::once(&mut finding.location).chain(related).flatten() {
                location.file = self.now(&location.file).to_owned();
            }
        }
        for error in &mut report.errors {
            error.file = self.now(&error.file).to_owned();
        }
        report
    }

    /// What it is, in a line for each repository.
    pub(crate) fn describe(&self) -> String {
        if self.trees.is_empty() {
            return format!("base: the folder {}\n", self.name);
        }
        let line = |tree: &Tree| format!("base: {} in {}\n", tree.told, tree.top.display());
        self.trees.iter().map(line).collect()
    }

    fn error(&self, told: impl ToString) -> Error {
        Error::Base { base: self.name.clone(), told: told.to_string() }
    }
}

/// Whether a file below a folder would be left out of it.
fn is_excluded(folder: &Path, below: &Path, excluded: &Gitignore) -> bool {
    let Ok(folder) = absolute(folder) else { return false };
    let parts = below.ancestors().filter(|part| !part.as_os_str().is_empty());
    parts.enumerate().any(|(at, part)| {
        let path = folder.join(part);
        path.starts_with(excluded.path()) && excluded.matched(path, at > 0).is_ignore()
    })
}
