//! The contract with policies that others have built.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use headlint_tests::cases::root;
use sha2::{Digest, Sha256};

/// A line for each file of all versions, as `sha256sum` prints it.
fn digests(contract: &Path) -> String {
    let mut files = Vec::new();
    for version in fs::read_dir(contract).unwrap().map(|entry| entry.unwrap().path()) {
        if version.is_dir() {
            files.extend(fs::read_dir(version).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    files.sort();
    let mut lines = String::new();
    for file in files {
        let digest = Sha256::digest(fs::read(&file).unwrap());
        let name = file.strip_prefix(contract).unwrap();
        writeln!(lines, "{digest:x}  {}", name.display()).unwrap();
    }
    lines
}

#[test]
fn a_version_of_the_contract_stays_as_it_is() {
    let contract = root().join("wasm-policies/wit");
    let frozen = fs::read_to_string(contract.join("frozen.txt")).unwrap();
    assert_eq!(
        digests(&contract),
        frozen,
        "a version of the contract is frozen: make a new one beside it"
    );
}
