//! How results are told: a file for each format.

pub mod diff;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod junit;
pub(crate) mod profile;
pub mod sarif;
pub(crate) mod table;
pub mod text;

/// A path as tools of a repository name it.
fn relative(file: &str) -> &str {
    file.strip_prefix("./").unwrap_or(file)
}
