//! `make dns DIR=…`: what `headlint dns` predicts of a folder of manifests, held
//! against CoreDNS on a real control plane, with one family and with two.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use headlint_tests::cluster::{Cluster, Network};
use headlint_tests::corpus::manifests;
use headlint_tests::dns::{Origin, Parcel, prove};

#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    let folders: Vec<_> = std::env::args_os().skip(1).collect();
    assert!(!folders.is_empty(), "name a folder: make dns DIR=…");
    let files: Vec<_> = folders.iter().flat_map(|folder| manifests(Path::new(folder))).collect();
    let mut code = ExitCode::SUCCESS;
    for dual_stack in [false, true] {
        let network = if dual_stack { Network::of_both_families() } else { Network::claim() };
        let cluster = Cluster::start_in(network);
        let parcels = files.iter().enumerate().map(|(number, path)| {
            let bytes =
                fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Parcel::new(&path.display().to_string(), number, Origin::Chart, bytes)
        });
        let proof = prove(&cluster, dual_stack, parcels.collect());
        println!("{} stack\n{proof}", if dual_stack { "dual" } else { "single" });
        if !proof.differences.is_empty() {
            code = ExitCode::FAILURE;
        }
    }
    code
}
