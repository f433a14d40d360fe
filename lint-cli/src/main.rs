//! The binary `headlint`; all of it is in the library.

use std::process::ExitCode;

use headlint::Terminal;
use mimalloc::MiMalloc;

/// A run makes and drops millions of short strings, on all cores at once.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    headlint::run(std::env::args_os(), &mut Terminal::detect()).into()
}
