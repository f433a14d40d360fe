//! `make mutations DIR=…`: defects of one edit each in the manifests of a folder,
//! and whether they are found.

use std::path::Path;

#[allow(clippy::print_stdout)]
fn main() {
    let folders: Vec<_> = std::env::args_os().skip(1).collect();
    assert!(!folders.is_empty(), "name a folder: make mutations DIR=…");
    let files: Vec<_> = folders
        .iter()
        .flat_map(|folder| headlint_tests::corpus::manifests(Path::new(folder)))
        .collect();
    print!("{}", headlint_tests::mutations::Trial::of(&files));
}
