//! Mends copies of all manifests of a folder, and says which promise isn't kept.

#![allow(clippy::print_stdout, missing_docs)]

use std::path::PathBuf;
use std::process::ExitCode;

use headlint_policies::finding::Safety;
use headlint_tests::cases::defaults;
use headlint_tests::corpus::manifests;
use headlint_tests::fixes::{Mended, mend};

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        println!("usage: fixes FOLDER");
        return ExitCode::FAILURE;
    };
    let files = manifests(&folder);
    let mut broken = 0;
    for safety in [Safety::Safe, Safety::Proposed] {
        let mut sum = Mended::default();
        for file in &files {
            // What is no text has nothing to mend.
            let Ok(text) = std::fs::read_to_string(file) else { continue };
            match mend(&text, &defaults(), safety) {
                Ok(mended) => {
                    sum.offered += mended.offered;
                    sum.gone += mended.gone;
                }
                Err(promise) => {
                    broken += 1;
                    println!("{} {safety:?}: {promise}", file.display());
                }
            }
        }
        println!(
            "{safety:?}: {} files, {} findings to mend, {} gone",
            files.len(),
            sum.offered,
            sum.gone
        );
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
