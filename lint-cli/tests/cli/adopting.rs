//! What is there already: comments, exemptions that are left over, baselines.

use std::fs;
use std::path::Path;

use crate::config::{PORT, RULE, folder, lint};

const UNUSED: &str = "exemption-covers-nothing";

fn write(folder: &Path, file: &str, text: &str) {
    fs::write(folder.join(file), text).unwrap();
}

/// The Service with the defect, and a comment behind its line.
fn commented(comment: &str) -> String {
    let text =
        PORT.replace(" targetPort: 8000\n", &format!(" targetPort: 8000 # headlint: {comment}\n"));
    assert_ne!(text, PORT);
    text
}

#[test]
fn a_comment_covers_what_it_names_and_is_told_when_it_covers_nothing() {
    for (comment, told, code) in [
        ("ignore[headless-port-target-mismatch]", &[][..], 0),
        ("ignore[port-list-invalid, headless-port-target-mismatch] as agreed", &[UNUSED], 1),
        ("ignore[port-list-invalid]", &[RULE, UNUSED], 1),
        ("ignore[headless-port-target-mismach]", &[RULE, UNUSED, "did you mean"], 1),
    ] {
        let folder = folder("", &[]);
        write(folder.path(), "a.yaml", &commented(comment));
        let (said, is) = lint(folder.path(), &[]);
        assert_eq!(is, code, "{comment}: {said}");
        for text in told {
            assert!(said.contains(text), "{comment}: {text}: {said}");
        }
        assert_eq!(said.contains(UNUSED), told.contains(&UNUSED), "{said}");
    }
}

#[test]
fn of_a_part_of_a_repository_only_what_can_be_known_is_told() {
    let folder = folder("exemptions: [{reason: elsewhere, rules: [port-list-invalid]}]", &[]);
    write(folder.path(), "a.yaml", &commented("ignore[port-list-invalid]"));
    let (said, _) = lint(folder.path(), &[]);
    assert_eq!(said.matches(UNUSED).count(), 2, "{said}");
    assert!(said.contains("headlint.yaml:1:"), "it points at the configuration: {said}");
    let file = folder.path().join("a.yaml");
    let (said, _) = crate::config::run(folder.path(), &["lint", file.to_str().unwrap()]);
    assert!(!said.contains(UNUSED), "{said}");
    // A rule that doesn't run finds nothing, whatever it is exempted from.
    let (said, _) = lint(folder.path(), &["--skip", "port-list-invalid"]);
    assert!(!said.contains(UNUSED), "{said}");
}

#[test]
fn what_has_expired_is_told_wherever_it_is_met() {
    let exemption = format!("{{reason: till spring, rules: [{RULE}], expires: 2020-03-01}}");
    let folder = folder(&format!("exemptions:\n  - {exemption}\n"), &["a.yaml"]);
    let file = folder.path().join("a.yaml");
    let (said, code) = crate::config::run(folder.path(), &["lint", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    let told = "the exemption \"till spring\" has expired on 2020-03-01";
    assert!(said.contains(RULE) && said.contains(told), "{said}");
}

#[test]
fn a_baseline_leaves_out_what_is_known_wherever_it_moves_and_nothing_else() {
    let folder = folder("", &["a.yaml"]);
    let known = folder.path().join("known.json");
    let known = known.to_str().unwrap();
    let said = lint(folder.path(), &["--write-baseline", known]);
    assert_eq!(
        said,
        (
            "wrote 1 finding to known.json\nno findings in 1 file (2 objects); 1 of the baseline\n"
                .to_owned(),
            0
        )
    );
    let (said, code) = lint(folder.path(), &["--baseline", known]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("no findings") && said.contains("1 of the baseline"), "{said}");

    // Moved lines, another port in front, and another file.
    let before = "    - name: x\n      port: 9\n      targetPort: 9\n";
    let moved = PORT.replace("    - name: http\n", &format!("{before}    - name: http\n"));
    assert_ne!(moved, PORT);
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    write(folder.path(), "renamed.yaml", &format!("# A comment.\n\n{moved}"));
    let (said, code) = lint(folder.path(), &["--baseline", known, "--only", RULE]);
    assert_eq!(code, 0, "{said}");

    // The same defect of another object is new.
    let other = PORT.replacen("name: vectors", "name: other", 1);
    write(folder.path(), "other.yaml", &other);
    let (said, code) = lint(folder.path(), &["--baseline", known, "--only", RULE]);
    assert_eq!(code, 1, "{said}");
    assert_eq!(said.matches("[headless-port").count(), 1, "{said}");

    // One object in two files is two findings.
    fs::remove_file(folder.path().join("other.yaml")).unwrap();
    fs::create_dir(folder.path().join("prod")).unwrap();
    write(folder.path(), "prod/renamed.yaml", &moved);
    let (said, code) = lint(folder.path(), &["--baseline", known, "--only", RULE]);
    assert_eq!((code, said.contains("1 of the baseline")), (1, true), "{said}");
}

#[test]
fn a_baseline_is_never_written_of_a_run_that_missed_something() {
    let folder = folder("", &["a.yaml"]);
    write(folder.path(), "broken.yaml", "a: [\n");
    let known = folder.path().join("known.json");
    let (_, code) = lint(folder.path(), &["--write-baseline", known.to_str().unwrap()]);
    assert_eq!((code, known.exists()), (2, false));
    for text in ["", "{}", "{\"schema\": \"x\", \"findings\": []}"] {
        fs::write(&known, text).unwrap();
        let (said, code) = lint(folder.path(), &["--baseline", known.to_str().unwrap()]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("known.json is no baseline"), "{said}");
    }
}
