//! The binary `headlint-webhook`; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    headlint_webhook::run(std::env::args_os(), headlint_webhook::reviewer)
}
