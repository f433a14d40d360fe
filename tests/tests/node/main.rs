//! Tests of the image and the chart on a real node, which they share one after
//! another.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod clients;
mod faults;
mod image;
mod life;
mod release;
mod truth;

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use headlint_tests::node::{Node, Sandbox};
use libtest_mimic::{Arguments, Trial, run};

type Test = fn(&Node);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Every release's webhook is asked about the whole cluster.
    arguments.test_threads = Some(1);
    let sandbox = match arguments.list {
        true => None,
        false => match Sandbox::enter() {
            Ok(sandbox) => Some(sandbox),
            Err(code) => return code,
        },
    };
    // For the first test that runs. If it doesn't start, no other test waits for
    // it again.
    let node = Arc::new(LazyLock::new(move || Node::start(&sandbox.expect("a test runs"))));
    let tests = [clients::TESTS, faults::TESTS, image::TESTS, life::TESTS, truth::TESTS].concat();
    let trials = tests.into_iter().map(|(name, test)| {
        let node = Arc::clone(&node);
        Trial::test(name, move || {
            test(&node);
            Ok(())
        })
    });
    run(&arguments, trials.collect()).exit_code()
}
