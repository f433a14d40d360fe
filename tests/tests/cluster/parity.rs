//! Both doors say the same: what the linter says of a file, the policies say
//! of the reviews that the API server makes of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use headlint_tests::cases::root;
use headlint_tests::cluster::Cluster;
use headlint_tests::parity::{Fate, Recorded, record};

use crate::Test::{self, Sharing};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("both_doors_say_the_same_of_every_case", Sharing(both_doors_say_the_same))];

/// Cases that the API server makes something else of, and why.
const DIFFERENT: [(&str, &str); 9] = [
    (
        "changes/cases/cluster-ip-immutable/fires-no-longer",
        "it is asked without the cluster IP, which is of another cluster's range",
    ),
    (
        "manual-endpoints/cases/endpoints-address-invalid/fires-virtual-ip",
        "it gives the Service another cluster IP",
    ),
    ("pod-names/cases/pod-dns-name-invalid/quiet-no-replicas", REPLICAS),
    ("pod-names/cases/pod-fqdn-too-long/quiet-generate-name", "it has made up the name"),
    (
        "port-consistency/cases/client-dials-headless-service-port/fires-several-in-one-text",
        REPLICAS,
    ),
    (
        "selector-presence/cases/empty-selector-is-selectorless/fires-virtual-ip",
        "it stores no selector, and what then tells of it is about headless Services alone",
    ),
    ("selector-presence/cases/selector-matches-nothing/quiet-patch-of-workload", PATCH),
    (
        "selector-presence/cases/selector-matches-nothing/quiet-replicas-unset",
        "it fills in one replica, which isn't the Pod that is selected",
    ),
    ("selector-presence/cases/selectorless-without-endpoints/quiet-patch", PATCH),
];
const REPLICAS: &str = "it fills in one replica, which isn't the Pod that is dialled";
const PATCH: &str = "it knows nothing of Kustomize's patches";

fn both_doors_say_the_same(cluster: &Cluster) {
    let (mut wrong, mut refused, mut findings) = (String::new(), String::new(), 0);
    let (mut changed, mut operations) = (0, BTreeMap::new());
    let all = record(cluster);
    for recorded in &all {
        let name = name(recorded);
        let (by_linter, by_webhook) = recorded.said();
        for refusal in recorded.refusals() {
            writeln!(refused, "{name}\n  {refusal}").unwrap();
        }
        findings += by_linter.len();
        changed += usize::from(recorded.case.old.is_some());
        for played in &recorded.objects {
            if let Fate::Reviewed(request) = &played.fate {
                *operations.entry(request["operation"].to_string()).or_insert(0) += 1;
            }
        }
        match DIFFERENT.iter().find(|(case, _)| name.ends_with(&format!("/{case}.yaml"))) {
            Some((_, reason)) if by_linter == by_webhook => {
                writeln!(wrong, "{name}: no different, although {reason}").unwrap();
            }
            None if by_linter != by_webhook => {
                writeln!(wrong, "{name}\n  linter:  {by_linter:?}\n  webhook: {by_webhook:?}")
                    .unwrap();
            }
            _ => {}
        }
    }
    println!("{} cases, {changed} of them changes; {operations:?}; {findings} findings", all.len());
    assert!(wrong.is_empty(), "{wrong}");
    assert!(findings > 0);
    assert_eq!(operations.len(), 3, "creations, updates and deletions: {operations:?}");
    // A case that the API server refuses proves this refusal and no other.
    insta::assert_snapshot!("refusals", refused);
}

fn name(recorded: &Recorded) -> String {
    let path = &recorded.case.path;
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
