//! What `make corpus` does over any folder, over our own manifests.

#![allow(clippy::print_stdout)]

use headlint_tests::cases::root;
use headlint_tests::corpus::{manifests, survey};

#[test]
fn our_own_manifests_are_read_as_kubectl_reads_them() {
    let folders = ["tests/manifests", "policies/cases", "wasm-policies/builtin"];
    let files: Vec<_> = folders.iter().flat_map(|folder| manifests(&root().join(folder))).collect();
    let survey = survey(&files);
    println!("{survey}");
    assert!(survey.differences.is_empty(), "{:#?}", survey.differences);
    assert!(survey.faults.is_empty(), "{:?}", survey.faults);
    assert!(survey.summary.objects >= files.len() && !survey.findings.is_empty());
}
