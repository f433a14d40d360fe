//! Both doors say the same: what the linter says of a file, the policies say
//! of the reviews that the API server makes of it.

use std::fmt::Write as _;

use headlint_tests::cases::root;
use headlint_tests::cluster::Cluster;
use headlint_tests::parity::{Recorded, record};

use crate::Test::{self, Sharing};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("both_doors_say_the_same_of_every_case", Sharing(both_doors_say_the_same))];

fn name(recorded: &Recorded) -> String {
    let path = &recorded.case.path;
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn both_doors_say_the_same(cluster: &Cluster) {
    let (mut differences, mut compared, mut refused) = (String::new(), 0, 0);
    let mut agreed = 0;
    for recorded in record(cluster) {
        let (by_linter, by_webhook) = recorded.said();
        compared += 1;
        refused += usize::from(recorded.is_refused());
        agreed += by_linter.len();
        if by_linter != by_webhook {
            let name = name(&recorded);
            writeln!(differences, "{name}\n  linter:  {by_linter:?}\n  webhook: {by_webhook:?}")
                .unwrap();
        }
    }
    println!("{compared} cases, {refused} with a refusal, {agreed} findings");
    assert!(differences.is_empty(), "{differences}");
}
