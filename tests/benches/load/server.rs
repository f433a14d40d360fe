//! The server: all of the webhook but its watches.

use std::path::Path;
use std::sync::Arc;

use headlint_policies::inventory::{Knowledge, Live};
use headlint_webhook::admission::Admission;
use headlint_webhook::args::{Args, Command};
use headlint_webhook::serve::Process;
use headlint_webhook::server::Reviewer;

use crate::{PORT, world};

/// As many changes as the webhook makes at once.
const PAGE: usize = 512;

/// Serves until it is killed.
pub(crate) fn run(many: bool, folder: &Path) {
    let file = |name: &str| folder.join(name).display().to_string();
    let arguments = [
        "headlint-webhook".to_owned(),
        format!("--listen=127.0.0.1:{PORT}"),
        "--operations=127.0.0.1:0".to_owned(),
        format!("--tls-cert={}", file("tls.crt")),
        format!("--tls-key={}", file("tls.key")),
    ];
    let Command::Serve(args) = <Args as clap::Parser>::parse_from(arguments).command() else {
        unreachable!("no other command was given")
    };
    let live = Arc::new(Live::new(Knowledge { complete: true, ..Knowledge::default() }));
    if many {
        // Bit by bit, as watches tell it: so both worlds that take turns have it.
        for page in world::changes().chunks(PAGE) {
            live.apply(page.to_vec());
        }
        live.apply(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let process = Process::start(*args).await.unwrap();
        let shared = &process.shared;
        let admission = Admission::new(Arc::clone(&shared.live), live, Arc::clone(&shared.metrics));
        let admission = Arc::new(admission);
        let reviewer: Reviewer = Arc::new(move |body, due| {
            let admission = Arc::clone(&admission);
            Box::pin(async move { admission.review(body, due).await })
        });
        process.run(reviewer, std::future::pending()).await.unwrap();
    });
}
