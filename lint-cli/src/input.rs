//! Paths on the command line to texts.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headlint_policies::finding::InputError;
use headlint_policies::manifest::{MAX_SOURCE_BYTES, Source, too_large};
use ignore::WalkBuilder;
use ignore::gitignore::Gitignore;
use rayon::prelude::*;

/// Extensions of the files that are taken from folders.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Input {
    /// Standard input, `-`.
    Stdin,
    /// A file that was named, or found in a folder that was.
    File(PathBuf),
    /// A path that can't be read, or a folder that can't be listed.
    Unreadable(InputError),
}

/// All files that the paths stand for, sorted, each file once, whatever links
/// lead to it. A file that is named is taken whatever its extension; folders
/// are walked as users of `.gitignore` expect, in a repository or not, and
/// without what is excluded.
pub(crate) fn collect(paths: &[PathBuf], excluded: &Gitignore) -> Vec<Input> {
    let mut inputs = BTreeSet::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.insert(Input::Stdin);
            continue;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk(path, excluded, &mut inputs),
            Ok(_) => {
                inputs.insert(Input::File(path.clone()));
            }
            Err(error) => {
                inputs.insert(Input::Unreadable(unreadable(path, &error)));
            }
        }
    }
    let mut seen = HashSet::new();
    inputs
        .into_iter()
        .filter(|input| match input {
            // A pipe has no other name than the one that was given.
            Input::File(path) => seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())),
            Input::Stdin | Input::Unreadable(_) => true,
        })
        .collect()
}

/// All that can be read of what the paths stand for, and the errors of the rest.
pub(crate) fn read_all(inputs: &[Input]) -> (Vec<Arc<Source>>, Vec<InputError>) {
    let read: Vec<_> = inputs.par_iter().map(read).collect();
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for input in read {
        match input {
            Ok(source) => sources.push(Arc::new(source)),
            Err(error) => errors.push(error),
        }
    }
    (sources, errors)
}

/// Whether a file is taken from a folder, by its name.
pub(crate) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        EXTENSIONS.iter().any(|wanted| extension.eq_ignore_ascii_case(wanted))
    })
}

/// Adds the manifests below a folder. Hidden files, what `.gitignore` and
/// `.ignore` name, and all that isn't a regular file are left out; links are
/// followed to files but not to folders, so that no loop can arise.
fn walk(folder: &Path, excluded: &Gitignore, inputs: &mut BTreeSet<Input>) {
    let mut walk = WalkBuilder::new(folder);
    walk.require_git(false);
    if !excluded.is_empty()
        && let Ok(absolute) = folder.canonicalize()
    {
        let (excluded, folder) = (excluded.clone(), folder.to_owned());
        walk.filter_entry(move |entry| {
            let below = entry.path().strip_prefix(&folder).unwrap_or(entry.path());
            let path = absolute.join(below);
            let is_folder = entry.file_type().is_some_and(|it| it.is_dir());
            // The folder itself was named.
            below.as_os_str().is_empty()
                || !path.starts_with(excluded.path())
                || !excluded.matched(&path, is_folder).is_ignore()
        });
    }
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                inputs.insert(Input::Unreadable(unlisted(folder, &error)));
                continue;
            }
        };
        let path = entry.path();
        // Follows links: a mounted ConfigMap is a folder of links to files.
        if is_manifest(path) && fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            inputs.insert(Input::File(path.to_owned()));
        }
    }
}

/// Reads one input, at most [`MAX_SOURCE_BYTES`] of it.
///
/// # Errors
/// What the operating system says, a file that is too large, and bytes that
/// aren't text.
pub(crate) fn read(input: &Input) -> Result<Source, InputError> {
    match input {
        Input::Unreadable(error) => Err(error.clone()),
        Input::Stdin => {
            let path = Path::new("-");
            let bytes = read_limited(io::stdin().lock(), 0, path)?;
            Source::new("-", bytes)
        }
        Input::File(path) => {
            let file = File::open(path).map_err(|error| unreadable(path, &error))?;
            let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
            if length > MAX_SOURCE_BYTES {
                return Err(too_large(path.display().to_string()));
            }
            let bytes = read_limited(file, length, path)?;
            Source::new(path.display().to_string(), bytes)
        }
    }
}

/// Reads to the end, or one byte beyond the limit: a device or a pipe tells no
/// length, and a file may grow.
fn read_limited(reader: impl Read, length: u64, path: &Path) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    reader
        .take(MAX_SOURCE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_SOURCE_BYTES {
        return Err(too_large(path.display().to_string()));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> InputError {
    InputError {
        file: path.display().to_string(),
        line: None,
        column: None,
        message: format!("can't be read: {error}"),
    }
}

/// An error of the walk, which may name the entry that it is about.
fn unlisted(folder: &Path, error: &ignore::Error) -> InputError {
    InputError {
        file: folder.display().to_string(),
        line: None,
        column: None,
        message: format!("can't be listed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, all empty but for `.gitignore`.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, if *file == ".gitignore" { "ignored/\n" } else { "" }).unwrap();
        }
        folder
    }

    fn found(folder: &Path, paths: &[&str]) -> Vec<String> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| folder.join(path)).collect();
        collect(&paths, &Gitignore::empty())
            .into_iter()
            .map(|input| match input {
                Input::File(path) => path.strip_prefix(folder).unwrap().display().to_string(),
                Input::Stdin => "-".to_owned(),
                Input::Unreadable(error) => error.message,
            })
            .collect()
    }

    #[test]
    fn folders_give_manifests_sorted_and_without_what_git_ignores() {
        let folder = folder(&[
            "b.yml",
            "a.yaml",
            "c.json",
            "d.YAML",
            "deep/er/e.yaml",
            "notes.md",
            ".hidden.yaml",
            ".github/ci.yaml",
            ".gitignore",
            "ignored/f.yaml",
        ]);
        assert_eq!(
            found(folder.path(), &[""]),
            ["a.yaml", "b.yml", "c.json", "d.YAML", "deep/er/e.yaml"]
        );
    }

    #[test]
    fn a_named_file_is_taken_whatever_its_name_and_once() {
        let folder = folder(&["notes.md", "a.yaml", ".gitignore", "ignored/f.yaml"]);
        let paths = ["notes.md", "ignored/f.yaml", "a.yaml", "", "a.yaml"];
        assert_eq!(found(folder.path(), &paths), ["a.yaml", "ignored/f.yaml", "notes.md"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_two_names_is_read_once() {
        let folder = folder(&["a.yaml"]);
        std::os::unix::fs::symlink("a.yaml", folder.path().join("b.yaml")).unwrap();
        let dotted = folder.path().join("./a.yaml").display().to_string();
        assert_eq!(found(folder.path(), &["b.yaml", "", &dotted]), ["a.yaml"]);
    }

    #[test]
    fn a_missing_file_is_an_error_with_the_reason() {
        let folder = folder(&[]);
        assert_eq!(
            found(folder.path(), &["gone.yaml"]),
            ["can't be read: No such file or directory (os error 2)"]
        );
    }

    #[test]
    fn standard_input_is_read_once() {
        let paths = [PathBuf::from("-"), PathBuf::from("-")];
        assert_eq!(collect(&paths, &Gitignore::empty()), [Input::Stdin]);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_files_and_never_into_loops() {
        use std::os::unix::fs::symlink;
        let folder = folder(&["real/a.yaml", "notes.md"]);
        symlink(folder.path(), folder.path().join("real/loop")).unwrap();
        symlink("../notes.md", folder.path().join("real/link.yaml")).unwrap();
        symlink("nothing", folder.path().join("real/dangling.yaml")).unwrap();
        assert_eq!(found(folder.path(), &[""]), ["real/a.yaml", "real/link.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn sockets_and_pipes_in_folders_are_left_out() {
        let folder = folder(&["a.yaml"]);
        let _socket =
            std::os::unix::net::UnixListener::bind(folder.path().join("socket.yaml")).unwrap();
        assert_eq!(found(folder.path(), &[""]), ["a.yaml"]);
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused_before_it_is_read() {
        let folder = folder(&["huge.yaml"]);
        let path = folder.path().join("huge.yaml");
        // Sparse: it takes no space and would be read as zeros.
        File::options().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
        let error = read(&Input::File(path)).unwrap_err();
        assert!(error.message.starts_with("larger than 256 MiB"), "{}", error.message);
    }

    #[test]
    fn a_device_without_end_is_read_up_to_the_limit() {
        let error = read_limited(io::repeat(b'a'), 0, Path::new("endless")).unwrap_err();
        assert!(error.message.starts_with("larger than 256 MiB"), "{}", error.message);
    }
}
