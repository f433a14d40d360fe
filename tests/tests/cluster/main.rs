//! Tests on a real control plane, which nearly all of them share.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod api_server;
mod certificates;
mod chart;
mod context;
mod corefile;
mod dns;
mod faults;
mod harness;
mod live;
mod parity;
mod truth;
mod webhook_actions;
mod webhook_order;
mod webhook_requests;
mod webhook_runtime;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use headlint_tests::cluster::{Cluster, Network};
use libtest_mimic::{Arguments, Trial, run};

/// Started for the first test that runs.
type Shared = Arc<OnceLock<RwLock<Cluster>>>;

/// A test, and which cluster it needs.
#[derive(Clone, Copy)]
enum Test {
    /// The one that all share.
    Sharing(fn(&Cluster)),
    /// The same, while no other test uses it.
    Alone(fn(&mut Cluster)),
    /// One of its own: for what takes long, and would be in the way of others.
    Apart(fn(&Cluster)),
    /// The same, with addresses of both families.
    ApartDualStack(fn(&Cluster)),
}

fn main() -> ExitCode {
    if let Some(code) = faults::serve_with_short_lifetimes() {
        return code;
    }
    let shared = Shared::default();
    let tests = [
        api_server::TESTS,
        certificates::TESTS,
        chart::TESTS,
        context::TESTS,
        corefile::TESTS,
        dns::TESTS,
        faults::TESTS,
        harness::TESTS,
        live::TESTS,
        parity::TESTS,
        truth::TESTS,
        webhook_actions::TESTS,
        webhook_order::TESTS,
        webhook_requests::TESTS,
        webhook_runtime::TESTS,
    ];
    let tests = tests.concat();
    let trials = tests.into_iter().map(|(name, test)| trial(name, test, &shared)).collect();
    let conclusion = run(&Arguments::from_args(), trials);
    let cluster = Arc::into_inner(shared).and_then(OnceLock::into_inner);
    if let Some(cluster) = cluster {
        let mut cluster = cluster.into_inner().unwrap_or_else(PoisonError::into_inner);
        if conclusion.has_failed() {
            eprintln!("the servers' logs are in {}", cluster.keep_folder().display());
        }
    }
    conclusion.exit_code()
}

fn trial(name: &str, test: Test, shared: &Shared) -> Trial {
    let shared = Arc::clone(shared);
    Trial::test(name, move || {
        let cluster = || shared.get_or_init(|| RwLock::new(Cluster::start()));
        // A test that failed says so itself.
        match test {
            Test::Sharing(test) => test(&cluster().read().unwrap_or_else(PoisonError::into_inner)),
            Test::Alone(test) => {
                test(&mut cluster().write().unwrap_or_else(PoisonError::into_inner));
            }
            Test::Apart(test) => apart(Network::claim(), test),
            Test::ApartDualStack(test) => apart(Network::of_both_families(), test),
        }
        Ok(())
    })
}

fn apart(network: Network, test: fn(&Cluster)) {
    let mut cluster = Cluster::start_in(network);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(&cluster))) {
        eprintln!("the servers' logs are in {}", cluster.keep_folder().display());
        resume_unwind(panic);
    }
}
