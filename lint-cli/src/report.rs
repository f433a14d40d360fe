//! How results are told: a file for each format.

use std::path::{Component, Path, PathBuf};

pub mod diff;
pub mod dns;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod junit;
pub(crate) mod profile;
pub mod sarif;
pub(crate) mod table;
pub mod text;

/// A path as tools of a repository name it: from the current folder on, if it is
/// in there, and without detours.
fn relative(file: &str) -> String {
    let here = std::env::current_dir().ok();
    let path = Path::new(file);
    let path = here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.into_iter().collect::<PathBuf>().display().to_string()
}
