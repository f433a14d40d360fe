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

/// The byte of a text that a report means by a line and a character of it, both
/// counting from 1; lines end as in reports. The end of the line for one behind it.
pub(crate) fn byte_at(text: &str, line: u64, column: u64) -> usize {
    let before = |number: u64| usize::try_from(number).unwrap_or(1).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(before(line)).map(str::len).sum();
    let line = text[start..].split('\n').next().unwrap_or_default().trim_end();
    start + line.char_indices().nth(before(column)).map_or(line.len(), |(at, _)| at)
}
