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

/// Each edit would make another finding on its own object, and there are many.
#[test]
fn edits_that_bring_findings_are_left_out_without_a_test_of_each() {
    let folder = folder("", &[]);
    let at = folder.path();
    for number in 0..300 {
        let text = MISSPELLED.replace("name: ", &format!("name: n{number}-"));
        file(at, &format!("{number}.yaml"), &text.replace("clusterIP: none", "clusterIP: None"));
        let other = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  \
                     clusterIP: None\n  selector: {app: s}\n  ports:\n    - port: 80\n      \
                     targetPort: \"8080\"\n";
        file(
            at,
            &format!("other-{number}.yaml"),
            &other.replace("name: s", &format!("name: s{number}")),
        );
    }
    file(at, "misspelled.yaml", MISSPELLED);
    let (said, _) = lint(at, &["--fix"]);
    let told = "mended 1 finding in 1 file; 300 more edits would bring other findings\n";
    assert!(said.starts_with(told), "{said}");
}

#[test]
fn bytes_that_no_edit_concerns_stay_on_standard_input_too() {
    let marked = format!("\u{FEFF}{MISSPELLED}");
    let utf16: Vec<u8> = "\u{FEFF}a: b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (input, expected) in [
        (marked.clone().into_bytes(), marked.replace("clusterIP: none", "clusterIP: None").into()),
        (utf16.clone(), utf16),
        (b"a: \xFF\n".to_vec(), b"a: \xFF\n".to_vec()),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_headlint"))
            .args(["lint", "--fix", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, expected);
    }
}

#[test]
fn patches_apply_whatever_the_name_and_the_first_bytes() {
    let folder = folder("", &[]);
    let at = folder.path();
    let marked = format!("\u{FEFF}{}", &MISSPELLED[MISSPELLED.find("apiVersion").unwrap()..]);
    for name in ["my dir/a b.yaml", "ä\"q.yaml", "marked.yaml"] {
        file(at, name, &marked);
        for (tool, args) in
            [("git", &["apply", "fix.patch"][..]), ("patch", &["-p1", "-i", "fix.patch"])]
        {
            file(at, name, &marked);
            let output = Command::new(env!("CARGO_BIN_EXE_headlint"))
                .args(["lint", "--diff", name])
                .current_dir(at)
                .output()
                .unwrap();
            fs::write(at.join("fix.patch"), output.stdout).unwrap();
            let applied = Command::new(tool).args(args).current_dir(at).output().unwrap();
            let told = String::from_utf8_lossy(&applied.stderr).into_owned();
            assert!(applied.status.success(), "{tool} {name}: {told}");
            let mended = marked.replace("clusterIP: none", "clusterIP: None");
            assert_eq!(read(at, name), mended, "{tool} {name}");
        }
        fs::remove_file(at.join(name)).unwrap();
    }
}

#[test]
fn what_cannot_be_together_is_refused() {
    for arguments in [
        &["lint", "--fix", "--write-baseline", "known.json"][..],
        &["lint", "--diff", "--write-baseline", "known.json"],
        &["lint", "--unsafe-fixes"],
        &["lint", "--format", "sarif=a", "--format", "json=a"],
    ] {
        let ran = crate::run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn a_diff_and_a_baseline_come_with_the_files_that_are_asked_for() {
    let folder = folder("", &["port.yaml"]);
    let at = folder.path();
    let baseline = at.join("known.json").display().to_string();
    let sarif = format!("sarif={}", at.join("out.sarif").display());
    for (has_result, arguments) in
        [(true, &["--diff"][..]), (false, &["--write-baseline", &baseline])]
    {
        let _ = lint(at, &[arguments, &["--format", &sarif]].concat());
        assert_eq!(read(at, "out.sarif").contains("\"results\": []"), !has_result, "{arguments:?}");
        fs::remove_file(at.join("out.sarif")).unwrap();
    }
}
