//! Counts of instructions: the same on a busy machine as on an idle one, and
//! so a guard against what makes headlint slower. Those of the last record are
//! in `tests/benches/instructions.txt`, which `RECORD=1 make bench` writes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use headlint_tests::cases::root;
use headlint_tests::estate;

use crate::runs::headlint;

pub(crate) fn print() {
    let file = root().join("tests/benches/instructions.txt");
    let record: BTreeMap<String, u64> = fs::read_to_string(&file)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let (count, name) = line.split_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.into_os_string()
    };
    let nothing = write("nothing.yaml", "apiVersion: v1\nkind: Lease\nmetadata: {name: x}\n");
    let set = fs::read_to_string(root().join("tests/benches/statefulset.yaml")).unwrap();
    let set = write("set.yaml", &set);
    let releases = folder.path().join("releases");
    fs::create_dir(&releases).unwrap();
    estate::write(&releases, 1000);

    // One rule of one policy: one evaluation, and the finding it leads to.
    let only: [OsString; 2] = ["--only".into(), "statefulset-service-missing".into()];
    let start = count(&[nothing]);
    let measured = [
        ("start, with one object that no policy wants", start),
        (
            "one evaluation, read and told",
            count(&[&only[..], &[set]].concat()).saturating_sub(start),
        ),
        ("1,000 manifests", count(&[releases.into_os_string()])),
    ];
    println!("\ninstructions, by callgrind on one thread");
    let mut lines = String::new();
    for (name, count) in measured {
        let before = match record.get(name) {
            Some(before) => {
                let change = (count as f64 / *before as f64 - 1.0) * 100.0;
                format!("recorded {:.1} million, {change:+.1} %", *before as f64 / 1e6)
            }
            None => "not recorded".to_owned(),
        };
        println!("{name:45} {:8.1} million  ({before})", count as f64 / 1e6);
        writeln!(lines, "{count} {name}").unwrap();
    }
    if std::env::var_os("RECORD").is_some() {
        fs::write(file, lines).unwrap();
    }
}

/// Instructions of a run of `headlint lint`.
fn count(arguments: &[OsString]) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(headlint())
        .args(["lint", "--jobs", "1"])
        .args(arguments)
        .output()
        .expect("valgrind is installed");
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told.lines().find_map(|line| line.split_once("Collected : "));
    let Some((_, count)) = collected else { panic!("valgrind counted nothing: {told}") };
    count.trim().parse().unwrap()
}
