//! One run of a program, and what it took.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The first argument of a process that measures one other.
pub(crate) const MEASURE: &str = "--measure";

/// What a process and its children took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// From start to end, in seconds.
    pub(crate) wall: f64,
    /// Of all threads, in user and system mode, in seconds.
    pub(crate) cpu: f64,
    /// The most resident memory, in MiB.
    pub(crate) memory: f64,
}

/// Runs a program with a process in between, since the system tells the peak
/// of memory only of all children together.
pub(crate) fn measure(program: impl Into<OsString>, arguments: &[OsString]) -> Taken {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg(MEASURE)
        .arg(program.into())
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text.split_whitespace().map(|it| it.parse().unwrap()).collect();
    let [wall, cpu, memory] = figures[..] else { panic!("no figures: {text}") };
    Taken { wall, cpu, memory }
}

/// The process in between: prints what [`measure`] reads.
pub(crate) fn between(command: &[OsString]) {
    let start = Instant::now();
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let wall = start.elapsed().as_secs_f64();
    // Findings are no failure.
    assert!(status.code().is_some(), "{command:?} was killed");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let cpu = (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6;
    println!("{wall} {cpu} {}", usage.max_rss() as f64 / 1024.0);
}
