//! The cases of all rules, on the API server.

use std::fmt::Write as _;

use headlint_tests::cluster::Cluster;
use headlint_tests::parity::{EXEMPT, Fate, record};

use crate::Test::{self, Sharing};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("every_case_is_known_to_the_api_server", Sharing(every_case_is_known_to_the_api_server))];

fn every_case_is_known_to_the_api_server(cluster: &Cluster) {
    let mut out = String::new();
    for recorded in record(cluster) {
        for (object, fate) in &recorded.objects {
            match fate {
                Fate::Reviewed(_) => {}
                fate => {
                    writeln!(out, "{} {} {fate:?}", recorded.case.path.display(), object["kind"])
                        .unwrap()
                }
            }
        }
    }
    let _ = EXEMPT;
    panic!("{out}");
}
