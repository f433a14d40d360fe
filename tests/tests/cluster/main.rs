//! Tests on a real control plane, which they share.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod api_server;
mod certificates;
mod chart;
mod context;
mod faults;
mod harness;
mod parity;
mod webhook_actions;
mod webhook_order;
mod webhook_requests;
mod webhook_runtime;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use headlint_tests::cluster::Cluster;
use libtest_mimic::{Arguments, Trial, run};

/// Started for the first test that runs.
type Shared = Arc<OnceLock<RwLock<Cluster>>>;

/// A test, and whether it needs the cluster for itself.
#[derive(Clone, Copy)]
enum Test {
    Sharing(fn(&Cluster)),
    Alone(fn(&mut Cluster)),
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
        faults::TESTS,
        harness::TESTS,
        parity::TESTS,
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
        let cluster = shared.get_or_init(|| RwLock::new(Cluster::start()));
        // A test that failed says so itself.
        match test {
            Test::Sharing(test) => test(&cluster.read().unwrap_or_else(PoisonError::into_inner)),
            Test::Alone(test) => test(&mut cluster.write().unwrap_or_else(PoisonError::into_inner)),
        }
        Ok(())
    })
}
