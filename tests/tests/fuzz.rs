//! Texts that are almost manifests: whatever is in a file, reading it neither
//! panics nor tells a wrong place.

#![allow(clippy::print_stdout)]

use std::fs;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use headlint_tests::cases::root;
use headlint_tests::corpus::manifests;
use headlint_tests::random::Random;
use headlint_tests::{fuzz, generate};

const EXECUTIONS: u64 = 20_000;

/// What a parser trips over.
#[rustfmt::skip]
const TOKENS: &[&str] = &[
    "\n", "\r\n", "\r", "\t", " ", "  ", "\n  ", "\n- ", ": ", ":", "- ", "? ", "# ", ",", "{",
    "}", "[", "]", "{}", "[]", "'", "\"", "\\", "\\u00fc", "\\ud83d", "|", "|+\n", ">-\n", ">2\n",
    "&a ", "*a", "<<: *a", "<<: ", "!!binary ", "!!str ", "!x ", "%YAML 1.1\n", "---", "---\n",
    "...\n", "\u{FEFF}", "\u{85}", "\u{A0}", "\u{2028}", "ü", "😀", "\0", "{{ .x }}", "010", "0o7",
    "1e3", "~", "yes", "items:", "kind: List\n", "apiVersion: v1\n", "ports:\n",
    "clusterIP: None\n",
];

/// The cases of all rules, and texts that were made to be odd.
fn seeds() -> Vec<Vec<u8>> {
    let folders = ["tests/kubectl", "tests/manifests", "policies/cases", "wasm-policies/builtin"];
    let files = folders.iter().flat_map(|folder| manifests(&root().join(folder)));
    let read = files.filter_map(|file| fs::read(file).ok());
    // Long ones are slow, and hold nothing that short ones don't.
    let mut seeds: Vec<_> = read.filter(|bytes| bytes.len() < 4096).collect();
    seeds.extend((0..500).map(|seed| generate::file(seed).into_bytes()));
    seeds
}

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(9) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            2 if at < bytes.len() => bytes[at] = b" \n:-#'\"{[&*!|>%a0"[random.below(17)],
            3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            4 => bytes.truncate(at),
            5 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let piece = other[from..(from + random.below(200)).min(other.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => drop(bytes.splice(at..at, random.pick(TOKENS).bytes())),
        }
    }
    bytes
}

/// Runs [`EXECUTIONS`] of them; or, from another start, as many as fit into
/// `HEADLINT_FUZZ_SECONDS`.
#[test]
fn whatever_is_in_a_file_is_read_without_panic() {
    let seconds = std::env::var("HEADLINT_FUZZ_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("HEADLINT_FUZZ_SECONDS is a number"));
    let start = Instant::now();
    let origin = seconds
        .map_or(0, |_: u64| std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_nanos() as u64));
    let goes_on = |count| match seconds {
        Some(seconds) => start.elapsed() < Duration::from_secs(seconds),
        None => count < EXECUTIONS,
    };
    let seeds = seeds();
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while goes_on(count) {
        let seed = origin.wrapping_add(count);
        let bytes = mutate(&mut Random::new(seed), &seeds);
        let before = Instant::now();
        let checked = catch_unwind(|| fuzz::check(&bytes));
        assert!(checked.is_ok(), "seed {seed}:\n{:?}", String::from_utf8_lossy(&bytes));
        slowest = slowest.max(before.elapsed());
        count += 1;
    }
    println!("{count} executions in {:?}, the slowest in {slowest:?}", start.elapsed());
    assert!(slowest < Duration::from_secs(5), "a short text takes {slowest:?}");
}
