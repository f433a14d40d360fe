//! The binary `headlint-webhook`.

fn main() {}
