//! What `headlint dns` predicts is what CoreDNS answers.

use std::fs;

use headlint_tests::cases::{self, root};
use headlint_tests::cluster::Cluster;
use headlint_tests::corpus::manifests;
use headlint_tests::dns::{Origin, Parcel, prove};

use crate::Test::{self, Apart, ApartDualStack};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("dns_answers_as_predicted", Apart(dns_answers_as_predicted)),
    ("dns_answers_as_predicted_with_both_families", ApartDualStack(of_both_families)),
];

/// Of one case.
const MOST_PODS: u64 = 2000;

fn dns_answers_as_predicted(cluster: &Cluster) {
    proven(cluster, false);
}

fn of_both_families(cluster: &Cluster) {
    proven(cluster, true);
}

fn proven(cluster: &Cluster, dual_stack: bool) {
    let ours = cases::all().into_iter().map(|case| (case.path, Origin::Ours));
    let made = manifests(&root().join("tests/dns")).into_iter().map(|it| (it, Origin::Ours));
    let real = manifests(&root().join("tests/manifests")).into_iter().map(|it| (it, Origin::Chart));
    let parcels = ours.chain(made).chain(real).enumerate().map(|(number, (path, origin))| {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        Parcel::new(&name, number, origin, fs::read(path).unwrap())
    });
    // Thousands of Pods take a controller longer than all others together.
    let (parcels, large): (Vec<_>, Vec<_>) =
        parcels.partition(|parcel| parcel.replicas() <= MOST_PODS);
    for parcel in &large {
        println!("left out: {} asks for {} Pods", parcel.name, parcel.replicas());
    }
    assert!(large.len() <= 1, "that many are left out");
    let proof = prove(cluster, dual_stack, parcels);
    println!("{proof}");
    assert_eq!(proof.differences, Vec::<String>::new());
    assert!(proof.total() >= 300, "{} names", proof.total());
    let misses: usize = proof.near_misses.values().sum();
    assert!(misses * 2 >= proof.total(), "{misses} near misses");
}
