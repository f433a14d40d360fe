//! What `make mutations` does over any folder, over our own manifests: a defect
//! that one edit makes is found.

#![allow(clippy::print_stdout)]

use headlint_tests::cases;
use headlint_tests::corpus::manifests;
use headlint_tests::mutations::{KINDS, Trial};

#[test]
fn a_rule_that_is_named_exists() {
    let rules = cases::rule_ids();
    for kind in KINDS {
        for rule in kind.rules {
            assert!(rules.contains(*rule), "{}: {rule} is no rule", kind.name);
        }
    }
}

#[test]
fn defects_in_our_own_manifests_are_found() {
    let mut files = manifests(&cases::root().join("tests/manifests"));
    files.extend(cases::all().into_iter().filter(|case| !case.fires).map(|case| case.path));
    let trial = Trial::of(&files);
    println!("{trial}");
    for (name, tally) in &trial.kinds {
        assert!(tally.found() > 0, "{name}: of {} nothing is found", tally.applied());
    }
    // Quiet cases are quiet for the sake of what rules can't know.
    assert!(trial.found() * 100 >= trial.applied() * 90, "too much is missed");
}
