//! `--fix` keeps its promises on every case and every manifest of this tree.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;

use headlint_policies::finding::Safety;
use headlint_tests::cases;
use headlint_tests::fixes::{Mended, mend};
use rayon::prelude::*;

#[test]
fn what_is_mended_is_gone_and_nothing_else_has_changed() {
    let mut texts: Vec<_> = cases::all()
        .into_iter()
        .filter(|case| case.old.is_none())
        .map(|case| (case.path.clone(), case.text, case.options))
        .collect();
    let manifests = fs::read_dir(cases::root().join("tests/manifests")).unwrap();
    texts.extend(manifests.map(|entry| {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        (path, text, cases::defaults())
    }));
    let mut broken = String::new();
    for safety in [Safety::Safe, Safety::Proposed] {
        let mut sum = Mended::default();
        let mut left = Vec::new();
        let mended: Vec<_> =
            texts.par_iter().map(|(_, text, options)| mend(text, options, safety)).collect();
        for ((path, ..), mended) in texts.iter().zip(mended) {
            match mended {
                Ok(mended) => {
                    sum.offered += mended.offered;
                    sum.gone += mended.gone;
                    if mended.offered > mended.gone {
                        left.push(path.display().to_string());
                    }
                }
                Err(promise) => broken += &format!("{} {safety:?}: {promise}\n", path.display()),
            }
        }
        println!("{safety:?}: {sum:?}, not all of {left:#?}");
        // Not all of them can be: some guesses would break something else.
        assert!(sum.gone * 4 >= sum.offered * 3, "{safety:?}: {sum:?}");
        assert!(sum.gone >= 20, "{safety:?}: {sum:?}");
    }
    assert!(broken.is_empty(), "{broken}");
    println!("{} files", texts.len());
}
