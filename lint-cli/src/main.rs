//! The binary `headlint`; all of it is in the library.

use std::process::ExitCode;

use headlint::Terminal;

fn main() -> ExitCode {
    headlint::run(std::env::args_os(), &mut Terminal::detect()).into()
}
