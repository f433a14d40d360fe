//! `make corpus DIR=…`: findings by rule over a folder of manifests, and files
//! that kubectl reads in another way.

use std::path::Path;

#[allow(clippy::print_stdout)]
fn main() {
    let folders: Vec<_> = std::env::args_os().skip(1).collect();
    assert!(!folders.is_empty(), "name a folder: make corpus DIR=…");
    let files: Vec<_> = folders
        .iter()
        .flat_map(|folder| headlint_tests::corpus::manifests(Path::new(folder)))
        .collect();
    print!("{}", headlint_tests::corpus::survey(&files));
}
