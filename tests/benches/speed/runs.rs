//! Whole runs, from the start of the process to its end.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use headlint_tests::cases::root;
use headlint_tests::{corpus, estate};

use crate::run::{Taken, measure};

/// The program that `make build` made.
pub(crate) fn headlint() -> PathBuf {
    root().join("target/release/headlint")
}

pub(crate) fn print() {
    println!("\na small file, from start to end (aim: 20 ms of CPU)");
    let small = root().join("lint-cli/tests/fixtures/port.yaml");
    let runs: Vec<_> = (0..20).map(|_| lint(&[small.clone().into()])).collect();
    let mean = runs.iter().map(|run| run.cpu).sum::<f64>() / runs.len() as f64;
    println!("{:30} {:7.1} ms of CPU, the mean of {}", "headlint", mean * 1e3, runs.len());

    println!("\ngenerated releases (aim: 2 s of CPU and 150 MiB for 10,000; twice as many: 2.2)");
    let folder = tempfile::tempdir().unwrap();
    let [ten, twenty] = [10_000, 20_000].map(|count| {
        let folder = folder.path().join(count.to_string());
        fs::create_dir(&folder).unwrap();
        let bytes = estate::write(&folder, count);
        let taken = best(|| lint(&[folder.clone().into()]));
        row(&format!("headlint, {count} manifests"), taken, bytes);
        (folder, bytes, taken)
    });
    println!("{:30} {:7.2}", "CPU of twice as many", twenty.2.cpu / ten.2.cpu);
    let every = best(|| lint(&every_format(&ten.0, folder.path())));
    row("headlint, every format at once", every, ten.1);
    println!("{:30} {:7.2} (aim: 1.25)", "CPU of every format", every.cpu / ten.2.cpu);
    let stream = folder.path().join("stream.yaml");
    let texts: Vec<_> = (0..10_000 / estate::OBJECTS).map(estate::release).collect();
    fs::write(&stream, texts.join("---\n")).unwrap();
    row("headlint, all in one file", best(|| lint(&[stream.clone().into()])), ten.1);

    println!("\nbeside others, the 10,000 of above");
    row("headlint", ten.2, ten.1);
    beside(&ten.0, ten.1, ten.2);
    // A corpus of one's own: `CORPUS=folder make bench`.
    if let Some(corpus) = env::var_os("CORPUS").map(PathBuf::from) {
        let files = corpus::manifests(&corpus);
        let bytes = files.iter().map(|file| fs::metadata(file).unwrap().len() as usize).sum();
        println!("\nbeside others, {} files of {}", files.len(), corpus.display());
        let taken = best(|| lint(&[corpus.clone().into()]));
        row("headlint", taken, bytes);
        beside(&corpus, bytes, taken);
    }
}

/// Others on the same files, and how many times as long they take.
fn beside(folder: &Path, bytes: usize, ours: Taken) {
    let compare = |name: &str, program: PathBuf, arguments: &[OsString]| {
        let taken = measure(program, arguments);
        row(name, taken, bytes);
        let (wall, memory) = (taken.wall / ours.wall, taken.memory / ours.memory);
        println!("{:30} {wall:7.1} times as long, {memory:.1} times the memory", "");
    };
    let score = tools().join("kube-score");
    let mut arguments: Vec<OsString> = vec!["score".into()];
    arguments.extend(corpus::manifests(folder).into_iter().map(OsString::from));
    compare("kube-score", score, &arguments);
    match env::var_os("KUBE_LINTER") {
        None => println!("{:30} not measured: KUBE_LINTER=path names none", "kube-linter"),
        Some(linter) => {
            let checks = ["--include", "dangling-service", "--include", "mismatching-selector"];
            let mut arguments: Vec<OsString> =
                vec!["lint".into(), "--do-not-auto-add-defaults".into()];
            arguments.extend(checks.map(OsString::from));
            arguments.push(folder.into());
            compare("kube-linter, two checks", linter.into(), &arguments);
        }
    }
}

/// Where `tests/setup.sh bench` puts what it installs.
fn tools() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    cache.expect("a home").join("headlint-bench")
}

/// The arguments for text, and for all others into files.
fn every_format(input: &Path, folder: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![input.into(), "--format=text".into()];
    for format in ["json", "sarif", "junit", "github", "gitlab"] {
        let file = folder.join(format!("report.{format}"));
        arguments.push(format!("--format={format}={}", file.display()).into());
    }
    arguments
}

fn lint(paths: &[OsString]) -> Taken {
    measure(headlint(), &[&["lint".into()][..], paths].concat())
}

/// Of three runs, the one that was disturbed least.
fn best(run: impl Fn() -> Taken) -> Taken {
    (0..3).map(|_| run()).min_by(|a, b| a.cpu.total_cmp(&b.cpu)).unwrap()
}

fn row(name: &str, taken: Taken, bytes: usize) {
    let Taken { wall, cpu, memory } = taken;
    let speed = bytes as f64 / 1e6 / wall;
    println!(
        "{name:30} {wall:7.2} s  {cpu:7.2} s of CPU  {memory:6.0} MiB  {speed:6.1} MB/s of {:.1} MB",
        bytes as f64 / 1e6
    );
}
