//! What was there before: a folder, or the files of a commit.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use headlint_policies::manifest::Source;
use ignore::gitignore::Gitignore;

use crate::error::Error;
use crate::input;

/// Reads a folder, or what the inputs were in a commit of their repository.
///
/// # Errors
/// When it isn't there, or can't be read.
pub(crate) fn read(
    base: &str,
    inputs: &[PathBuf],
    excluded: &Gitignore,
) -> Result<Vec<Arc<Source>>, Error> {
    if Path::new(base).is_dir() {
        let files = input::collect(&[base.into()], excluded);
        let read = files.iter().map(|file| {
            let wrong = |error| Error::Base { base: base.to_owned(), told: format!("{error:?}") };
            input::read(file).map(Arc::new).map_err(wrong)
        });
        return read.collect();
    }
    let mut sources = Vec::new();
    for path in inputs.iter().filter(|path| path.as_os_str() != "-") {
        sources.extend(commit(base, path, excluded)?);
    }
    Ok(sources)
}

/// The manifests of a commit below a path.
fn commit(base: &str, path: &Path, excluded: &Gitignore) -> Result<Vec<Arc<Source>>, Error> {
    let (folder, below) = match path.parent() {
        Some(parent) if path.is_file() => (parent, path.file_name()),
        _ => (path, Some(OsStr::new("."))),
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let below = below.unwrap_or(OsStr::new("."));
    let list = ["ls-tree", "-r", "-z", "--name-only", base, "--"].map(OsStr::new);
    let listed = git(folder, &[&list[..], &[below]].concat(), Stdio::null())?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    // As in folders.
    let names: Vec<_> = listed
        .split('\0')
        .filter(|name| {
            let path = Path::new(name);
            let is_hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes()[0] == b'.';
            let absolute = absolute.join(path);
            let is_excluded = absolute.starts_with(excluded.path())
                && excluded.matched_path_or_any_parents(&absolute, false).is_ignore();
            input::is_manifest(path) && !path.components().any(is_hidden) && !is_excluded
        })
        .collect();
    let wanted: String = names.iter().map(|name| format!("{base}:./{name}\n")).collect();
    let answers = git(folder, &["cat-file", "--batch"].map(OsStr::new), input_of(&wanted)?)?;
    blobs(&answers)
        .zip(names)
        .map(|(bytes, name)| {
            let name = format!("{base}:{}", folder.join(name).display());
            let wrong = |error| Error::Base { base: base.to_owned(), told: format!("{error:?}") };
            Source::new(name, bytes.to_vec()).map(Arc::new).map_err(wrong)
        })
        .collect()
}

/// What `git cat-file --batch` answers: a line that ends with the size, the
/// content, and a line break.
fn blobs(mut answers: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let line_end = answers.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&answers[..line_end]).ok()?;
        let size: usize = head.rsplit(' ').next()?.parse().ok()?;
        let content = answers.get(line_end + 1..line_end + 1 + size)?;
        answers = answers.get(line_end + 2 + size..)?;
        Some(content)
    })
}

/// A text as the input of a program.
fn input_of(text: &str) -> Result<Stdio, Error> {
    let written = || -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        Ok(file)
    };
    written().map(Stdio::from).map_err(Error::Write)
}

fn git(folder: &Path, arguments: &[&OsStr], stdin: Stdio) -> Result<Vec<u8>, Error> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).stdin(stdin).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoTool { tool: "git" },
        _ => Error::Tool { command: "git".to_owned(), told: error.to_string() },
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Tool { command: format!("git {}", arguments.join(" ")), told })
}
