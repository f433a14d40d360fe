//! What headlint costs: a start, one evaluation, thousands of manifests, beside
//! others on the same files, and in instructions, which no busy machine
//! changes. Prints figures, asserts none.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod editor;
mod evaluation;
mod instructions;
mod native;
mod run;
mod runs;

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    // This program is also what stands between it and a measured one.
    if let Some((first, command)) = arguments.split_first()
        && first == run::MEASURE
    {
        return run::between(command);
    }
    evaluation::print();
    runs::print();
    editor::print();
    instructions::print();
}
