//! `--helm` and `--kustomize`: with programs of these names that stand in for
//! the real ones, which have tests of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A chart, of which the second Service is misspelled.
const CHART: [(&str, &str); 3] = [
    ("Chart.yaml", "apiVersion: v2\nname: vectors\nversion: 1.0.0\n"),
    (
        "templates/service.yaml",
        "{{- /* the port that clients dial */}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  clusterIP: None
  selector: {app: vectors}
  ports:
    - name: http
      port: 80
      targetPort: {{ .Values.port }}
",
    ),
    (
        "templates/other.yaml",
        "apiVersion: v1
kind: Service
metadata:
  name: other
spec:
  clusterIP: none
  selector: {app: vectors}
  ports:
    - port: 8000
",
    ),
];

/// What helm makes of it.
const RENDERED: &str = "---
# Source: vectors/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  name: release-name
spec:
  clusterIP: None
  selector: {app: vectors}
  ports:
    - name: http
      port: 80
      targetPort: 8000
---
# Source: vectors/templates/other.yaml
apiVersion: v1
kind: Service
metadata:
  name: other
spec:
  clusterIP: none
  selector: {app: vectors}
  ports:
    - port: 8000
";

/// A program that says what it is called with, and prints a text.
fn stand_in(folder: &Path, name: &str, text: &str, code: u8) {
    let path = folder.join(name);
    let script = format!(
        "#!/bin/sh\necho \"$0 $*\" >> {0}/called\nif [ {code} != 0 ]; then echo 'it is broken' >&2; fi\ncat <<'END'\n{text}END\nexit {code}\n",
        folder.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn headlint(folder: &Path, path: &str, arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_headlint"))
        .args(["lint"])
        .args(arguments)
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

fn chart() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in CHART {
        let path = folder.path().join("chart").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn what_is_found_in_a_chart_points_at_its_templates() {
    let folder = chart();
    stand_in(folder.path(), "helm", RENDERED, 0);
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    let arguments = ["--helm", "chart", "-f", "prod.yaml", "--set", "a=b", "--namespace", "prod"];
    let (said, stderr, code) = headlint(folder.path(), &path, &arguments);
    assert_eq!((stderr.as_str(), code), ("", Some(1)), "{said}");
    // The same line, and one that has a value put in.
    assert!(said.contains("--> chart/templates/other.yaml:6:14\n"), "{said}");
    assert!(said.contains("--> chart/templates/service.yaml:12:7\n"), "{said}");
    let called = fs::read_to_string(folder.path().join("called")).unwrap();
    let expected = "helm template chart --namespace prod --values prod.yaml --set a=b\n";
    assert!(called.ends_with(expected), "{called}");

    let before = fs::read_to_string(folder.path().join("chart/templates/service.yaml")).unwrap();
    let arguments = ["--helm", "chart", "--fix", "--unsafe-fixes"];
    let (_, told, _) = headlint(folder.path(), &path, &arguments);
    assert!(told.starts_with("mended 0 findings"), "a chart is never edited: {told}");
    let after = fs::read_to_string(folder.path().join("chart/templates/service.yaml")).unwrap();
    assert_eq!(after, before);
}

#[test]
fn an_overlay_is_linted_as_it_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    stand_in(folder.path(), "kubectl", RENDERED, 0);
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    let (said, _, code) = headlint(folder.path(), &path, &["--kustomize", "overlays/prod"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--> kubectl kustomize overlays/prod:21:14"), "{said}");
    let called = fs::read_to_string(folder.path().join("called")).unwrap();
    assert!(called.ends_with("kubectl kustomize overlays/prod\n"), "{called}");
}

#[test]
fn a_program_that_is_missing_or_fails_is_told() {
    let folder = chart();
    let (_, told, code) = headlint(folder.path(), "/nowhere", &["--helm", "chart"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("there is no `helm` on this machine"), "{told}");
    stand_in(folder.path(), "helm", "", 1);
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    let (_, told, code) = headlint(folder.path(), &path, &["--helm", "chart"]);
    assert_eq!(code, Some(2));
    let expected = "`helm template chart --namespace default` failed: it is broken";
    assert!(told.contains(expected), "{told}");
    let (_, told, code) = headlint(folder.path(), &path, &["--set", "a=b"]);
    assert!(code == Some(2) && told.contains("--helm"), "{told}");
}
