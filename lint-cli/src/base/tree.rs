//! A commit, checked out beside the tree that it is the base of.

use std::collections::HashSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::config::absolute;
use crate::error::Error;
use crate::input;
use crate::tool::run;

/// A commit of a repository.
pub(super) struct Tree {
    /// The folder of the repository; absolute, without links.
    pub(super) top: PathBuf,
    commit: String,
    /// The commit, and what it has to do with what the user named.
    pub(super) told: String,
    /// What of its files counts, and the index of git.
    files: TempDir,
}

/// The folder of the repository that a path is in, or was in.
pub(super) fn repository(path: &Path) -> Option<PathBuf> {
    let path = absolute(path).ok()?;
    path.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// Which files of a commit count.
pub(super) struct Wanted {
    /// Charts and overlays may read all of them.
    pub(super) all: bool,
    /// Else only manifests, wherever a link may lead, and what is named; absolute.
    pub(super) paths: HashSet<PathBuf>,
}

impl Wanted {
    fn has(&self, file: &Path) -> bool {
        let is_list = file.ends_with(".gitignore") || file.ends_with(".ignore");
        self.all || is_list || input::is_manifest(file) || self.paths.contains(file)
    }

    fn has_some_below(&self, folder: &Path) -> bool {
        self.all || self.paths.iter().any(|path| folder.starts_with(path))
    }
}

impl Tree {
    /// Finds a commit, of which nothing is checked out yet.
    ///
    /// # Errors
    /// There is none of that name.
    pub(super) fn find(top: PathBuf, name: &str) -> Result<Self, Error> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        let revision = format!("{name}^{{commit}}");
        let mut parse = git(&top, &["rev-parse", "--verify", "--end-of-options", &revision]);
        let named = text(run(&mut parse, &[])?);
        // What others have done there since is no change of this branch.
        let shared = run(&mut git(&top, &["merge-base", &named, "HEAD"]), &[]);
        let commit = shared.map_or_else(|_| named.clone(), text);
        let told = if commit == named { "which is" } else { "where HEAD left" };
        let told = format!("{commit}, {told} {name}");
        let files = tempfile::tempdir()
            .map_err(|source| Error::WriteFile { path: env::temp_dir(), source })?;
        Ok(Self { top, commit, told, files })
    }

    /// Checks out what is wanted.
    ///
    /// # Errors
    /// Some of it can't be had.
    pub(super) fn check_out(&self, wanted: &Wanted) -> Result<(), Error> {
        let index = self.files.path().join("index");
        check_out(&self.top, &self.commit, &self.folder(), &index, wanted)
    }

    /// Where a path in the repository is in what is checked out.
    pub(super) fn place(&self, path: &Path) -> Option<PathBuf> {
        Some(self.folder().join(path.strip_prefix(&self.top).ok()?))
    }

    fn folder(&self) -> PathBuf {
        self.files.path().join("tree")
    }
}

/// Writes what is wanted of a commit into a folder, with its submodules.
fn check_out(
    top: &Path,
    commit: &str,
    into: &Path,
    index: &Path,
    wanted: &Wanted,
) -> Result<(), Error> {
    let git = |arguments: &[&str]| {
        let mut git = git(top, arguments);
        git.env("GIT_INDEX_FILE", index);
        git
    };
    run(&mut git(&["read-tree", commit]), &[])?;
    let listed = run(&mut git(&["ls-files", "--stage", "-z"]), &[])?;
    let (mut names, mut modules) = (Vec::new(), Vec::new());
    for entry in listed.split(|byte| *byte == 0) {
        // "<mode> <object> <stage>\t<path>"
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let (head, path) = (&entry[..tab], Path::new(OsStr::from_bytes(&entry[tab + 1..])));
        match head.strip_prefix(b"160000 ") {
            Some(module) => modules.push((path, String::from_utf8_lossy(module))),
            None if wanted.has(&top.join(path)) => names.push(path),
            None => {}
        }
    }
    let lines = names.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\0"]);
    let lines: Vec<u8> = lines.flatten().copied().collect();
    let mut prefix = OsString::from("--prefix=");
    prefix.push(into.join(""));
    run(git(&["checkout-index", "-z", "--stdin"]).arg(prefix), &lines)?;
    // Older versions of git tell of what is missing only in words.
    if let Some(missing) = names.iter().find(|path| into.join(path).symlink_metadata().is_err()) {
        let command = format!("git checkout-index {}", missing.display());
        return Err(Error::Tool { command, told: format!("it isn't there in {commit}") });
    }
    for (path, module) in modules {
        let folder = top.join(path);
        // Else there is nothing in it now either.
        if wanted.has_some_below(&folder) && folder.join(".git").exists() {
            let commit = module.split(' ').next().unwrap_or_default();
            check_out(&folder, commit, &into.join(path), index, wanted)?;
        }
    }
    Ok(())
}

/// Git in a repository, whatever repository it was that called this program.
fn git(top: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
        git.env_remove(name);
    }
    git.arg("-C").arg(top).args(arguments);
    git
}
