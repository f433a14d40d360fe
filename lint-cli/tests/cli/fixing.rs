//! `--fix`, `--unsafe-fixes` and `--diff`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::config::{PORT, folder, lint};

const MISSPELLED: &str = include_str!("../fixtures/misspelled.yaml");

fn file(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn what_is_safe_is_mended_and_the_rest_on_request() {
    let folder = folder("", &["port.yaml"]);
    let at = folder.path();
    file(at, "misspelled.yaml", MISSPELLED);
    let (said, code) = lint(at, &["--fix"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.starts_with("mended 1 finding in 1 file\n"), "{said}");
    let mended = MISSPELLED.replace("clusterIP: none", "clusterIP: None");
    assert_eq!(read(at, "misspelled.yaml"), mended);
    assert_eq!(read(at, "port.yaml"), PORT);

    let (said, code) = lint(at, &["--fix", "--unsafe-fixes"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(read(at, "port.yaml"), PORT.replace(" port: 80\n", " port: 8000\n"));
    let (said, _) = lint(at, &["--fix", "--unsafe-fixes"]);
    assert!(said.starts_with("mended 0 findings in 0 files\n"), "{said}");
}

#[test]
fn a_diff_changes_nothing() {
    let folder = folder("", &["port.yaml"]);
    let at = folder.path();
    file(at, "misspelled.yaml", MISSPELLED);
    let output = Command::new(env!("CARGO_BIN_EXE_headlint"))
        .args(["lint", "--diff", "--unsafe-fixes"])
        .current_dir(at)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "what is there is judged");
    let told = "would mend 2 findings in 2 files\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), told);
    let patch = String::from_utf8(output.stdout).unwrap();
    assert_snapshot!(patch);
    assert_eq!(read(at, "misspelled.yaml"), MISSPELLED);
    assert_eq!(read(at, "port.yaml"), PORT);

    // Git takes it.
    file(at, "fix.patch", &patch);
    let applied = Command::new("git").args(["apply", "fix.patch"]).current_dir(at).output();
    let applied = applied.unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let (said, code) = lint(at, &[]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn standard_input_is_mended_to_standard_output() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_headlint"))
        .args(["lint", "--fix", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(MISSPELLED.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let mended = MISSPELLED.replace("clusterIP: none", "clusterIP: None");
    assert_eq!((text(output.stdout), output.status.code()), (mended, Some(0)));
    let told = text(output.stderr);
    assert!(told.starts_with("mended 1 finding in 1 file\nno findings"), "{told}");
}

#[test]
fn templates_marks_and_other_encodings_stay_as_they_are() {
    let folder = folder("", &[]);
    let at = folder.path();
    file(at, "chart/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n");
    file(at, "chart/templates/plain.yaml", MISSPELLED);
    let partly =
        format!("{MISSPELLED}---\napiVersion: v1\nkind: A\nmetadata: {{name: {{{{ .x }}}}}}\n");
    file(at, "partly.yaml", &partly);
    file(at, "marked.yaml", &format!("\u{FEFF}{}", MISSPELLED.replace('\n', "\r\n")));
    let utf16: Vec<u8> = std::iter::once(0xFEFF)
        .chain(MISSPELLED.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    fs::write(at.join("utf16.yaml"), &utf16).unwrap();
    let (said, _) = lint(at, &["--fix"]);
    assert_eq!(read(at, "chart/templates/plain.yaml"), MISSPELLED);
    assert_eq!(read(at, "partly.yaml"), partly);
    assert_eq!(fs::read(at.join("utf16.yaml")).unwrap(), utf16);
    let mended = MISSPELLED.replace("none #", "None #").replace('\n', "\r\n");
    assert_eq!(read(at, "marked.yaml"), format!("\u{FEFF}{mended}"), "{said}");
}
