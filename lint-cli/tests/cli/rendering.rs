//! `--helm` and `--kustomize`: with programs of these names that stand in for
//! the real ones, which have tests of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::changes::{DELETED, DROPPED, HEADLESS, SET, remove, repository, write};

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

/// Two Services in one template, with ports of values, and ports that are all
/// values.
const PORTS: &str = "{{- if .Values.first }}
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-first
spec:
  ports:
    - port: 80
      targetPort: 8080
    - port: {{ .Values.port }}
      targetPort: 8080
{{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-second
spec:
  ports:
    - port: 80
      targetPort: 8080
    - port: {{ .Values.port }}
      targetPort: 8080
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-third
spec:
  clusterIP: None
  ports:
    {{- toYaml .Values.ports | nindent 4 }}
";

#[test]
fn a_line_that_stands_twice_points_at_its_own_line_of_the_template() {
    let folder = chart();
    fs::write(folder.path().join("chart/templates/ports.yaml"), PORTS).unwrap();
    let service = |name: &str, head: &str| {
        format!(
            "---\n# Source: vectors/templates/ports.yaml\napiVersion: v1\nkind: Service\n\
             metadata:\n  name: release-name-{name}\nspec:\n{head}  ports:\n\
             \x20   - port: 80\n      targetPort: 8080\n\
             \x20   - port: 80\n      targetPort: 8080\n"
        )
    };
    let headless = "  clusterIP: None\n";
    let text = [service("first", ""), service("second", ""), service("third", headless)].concat();
    stand_in(folder.path(), "helm", &text, 0);
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    let arguments = ["--helm", "chart", "--hints", "--format", "json"];
    let (said, _, _) = headlint(folder.path(), &path, &arguments);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let places = report["findings"].as_array().unwrap().iter().map(|finding| {
        let part = |key: &str| finding[key].as_u64().unwrap();
        let (name, path) = (finding["object"]["name"].as_str(), finding["path"].as_str());
        let place = (part("line"), part("column"), part("endColumn"));
        assert_eq!(finding["file"], "chart/templates/ports.yaml");
        (name.unwrap().replace("release-name-", ""), path.unwrap().to_owned(), place)
    });
    let mut places: Vec<_> = places.collect();
    places.sort();
    places.dedup();
    let at = |name: &str, path: &str| {
        let path = format!("$.spec.ports{path}");
        let found = places.iter().find(|it| it.0 == name && it.1 == path);
        found.unwrap_or_else(|| panic!("{name} {path}: {places:?}")).2
    };
    // The same text, the key of a value, and the line above what has no line.
    assert_eq!(at("first", "[0].name"), (8, 7, 11));
    assert_eq!(at("first", "[1].name"), (10, 7, 11));
    assert_eq!(at("second", "[0].name"), (20, 7, 11));
    assert_eq!(at("second", "[1].name"), (22, 7, 11));
    assert_eq!(at("third", "[1].name"), (31, 3, 3));
}

#[test]
fn a_chart_that_is_no_folder_names_its_templates() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("headlint.yaml"),
        "severities: {cluster-ip-none-misspelled: warning}",
    )
    .unwrap();
    stand_in(folder.path(), "helm", RENDERED, 0);
    stand_in(folder.path(), "kubectl", RENDERED, 0);
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    // Its configuration is that of the folder that one stands in.
    let (said, _, _) = headlint(folder.path(), &path, &["--helm", "bitnami/vectors"]);
    assert!(said.contains("warning[cluster-ip-none-misspelled]"), "{said}");
    assert!(said.contains("--> vectors/templates/other.yaml:1:1\n"), "{said}");
    // A file that isn't there can't be changed.
    for arguments in [["--helm", "bitnami/vectors"], ["--kustomize", "overlay"]] {
        let arguments = [&arguments[..], &["--format", "sarif"]].concat();
        let (said, _, _) = headlint(folder.path(), &path, &arguments);
        assert!(said.contains("misspelled") && !said.contains("\"fixes\""), "{said}");
    }
}

#[test]
fn each_template_is_a_suite_of_tests() {
    let folder = chart();
    stand_in(folder.path(), "helm", RENDERED, 0);
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    let (said, _, _) = headlint(folder.path(), &path, &["--helm", "chart", "--format", "junit"]);
    let report = quick_junit::Report::deserialize_from_str(&said).unwrap();
    let suites: Vec<_> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(suites, ["chart/templates/other.yaml", "chart/templates/service.yaml"]);
}

#[test]
fn what_cannot_be_read_is_told_of_the_template() {
    let folder = chart();
    let broken = RENDERED.replace("      port: 80\n", "     port: 80\n");
    assert_ne!(broken, RENDERED);
    stand_in(folder.path(), "helm", &broken, 0);
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    let (said, _, code) = headlint(folder.path(), &path, &["--helm", "chart"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--> chart/templates/service.yaml:11:7\n"), "{said}");
}

/// A program that prints a file of the folder that it is called with, and the
/// file of values behind it.
fn printer(folder: &Path, name: &str) {
    let path = folder.join(name);
    fs::write(&path, "#!/bin/sh\nexec cat \"$2/printed\" $6\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn charts_and_overlays_are_compared_with_those_of_a_commit() {
    let service = format!("---\n# Source: vectors/templates/service.yaml\n{HEADLESS}");
    let set = format!("---\n# Source: vectors/templates/set.yaml\n{SET}");
    let printed = format!("{service}{set}");
    let files = [
        ("chart/templates/service.yaml", HEADLESS),
        ("chart/printed", &printed),
        ("overlay/printed", &printed),
        ("prod.yaml", &service),
    ];
    let folder = repository("", &files);
    let at = folder.path();
    printer(at, "helm");
    printer(at, "kubectl");
    let path = format!("{}:/bin:/usr/bin", at.display());
    let lint = |arguments: &[&str]| {
        headlint(at, &path, &[&["--base", "main", "--format", "github"], arguments].concat())
    };
    let count = |said: &str, rule: &str| said.matches(&format!("title={rule}::")).count();
    let (said, told, code) = lint(&["--helm", "chart", "--kustomize", "overlay"]);
    assert!(code == Some(0) && count(&said, DELETED) == 0, "{said}{told}");

    write(at, "chart/printed", &set);
    write(at, "overlay/printed", &set);
    remove(at, "chart/templates/service.yaml");
    let (said, told, code) = lint(&["--helm", "chart"]);
    assert!(code == Some(1) && count(&said, DELETED) == 1, "{said}{told}");
    // Of a chart of before there is only the folder, but the name is that of now.
    assert!(said.contains("warning file=chart/templates/service.yaml,line=3,"), "{said}");
    let (said, told, code) = lint(&["--kustomize", "overlay"]);
    assert!(code == Some(1) && count(&said, DELETED) == 1, "{said}{told}");

    // The chart is elsewhere and stays; the values change.
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path(), "printed", &set);
    write(at, "prod.yaml", &service.replace("  clusterIP: None\n", ""));
    let arguments = ["--helm", elsewhere.path().to_str().unwrap(), "-f", "prod.yaml"];
    let (said, told, code) = lint(&arguments);
    assert!(code == Some(1) && count(&said, DROPPED) == 1, "{said}{told}");
    let (said, told, code) = lint(&arguments[..2]);
    assert!(code == Some(2) && told.contains("are in a git repository"), "{said}{told}");

    // One that is new has nothing before it; one that can't be rendered is no pass.
    write(at, "new/printed", &printed);
    let (said, told, code) = lint(&["--helm", "new"]);
    assert_eq!(code, Some(0), "{said}{told}");
    write(at, "new.yaml", &service);
    let (said, told, code) = lint(&["--helm", "chart", "-f", "new.yaml"]);
    assert!(code == Some(2) && told.contains("the base main can't be read: `helm"), "{said}{told}");
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
    stand_in(folder.path(), "helm", "\n", 0);
    let (_, told, code) = headlint(folder.path(), &path, &["--helm", "chart"]);
    let expected = "`helm template chart` failed: it printed nothing";
    assert!(code == Some(2) && told.contains(expected), "{told}");
    let (_, told, code) = headlint(folder.path(), &path, &["--set", "a=b"]);
    assert!(code == Some(2) && told.contains("--helm"), "{told}");
}
