//! `--base`: what was there before, in a folder or in a commit.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::config::{folder, run};

const HEADLESS: &str = "\
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{name: db, port: 5432}]
";
const SET: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: \"db:1\", ports: [{containerPort: 5432}]}]}
";
const DROPPED: &str = "cluster-ip-none-dropped-no-op";
const DELETED: &str = "governing-service-deleted";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What is said of the change, and the same without a base.
fn lint(folder: &Path, base: &str) -> (String, u8, String) {
    let path = folder.to_str().unwrap();
    let (alone, _) = run(folder, &["lint", path]);
    let (said, code) = run(folder, &["lint", "--base", base, path]);
    (said, code, alone)
}

#[test]
fn a_folder_of_before_makes_changes_and_deletions() {
    let before = folder("", &[]);
    write(before.path(), "k8s/service.yaml", HEADLESS);
    write(before.path(), "k8s/set.yaml", SET);
    let after = folder("", &[]);
    write(after.path(), "k8s/service.yaml", &HEADLESS.replace("  clusterIP: None\n", ""));
    write(after.path(), "k8s/set.yaml", SET);
    let base = before.path().to_str().unwrap();
    let (said, code, alone) = lint(after.path(), base);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(DROPPED) && !alone.contains(DROPPED), "{said}{alone}");

    fs::remove_file(after.path().join("k8s/service.yaml")).unwrap();
    let (said, code, alone) = lint(after.path(), base);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(DELETED) && !alone.contains(DELETED), "{said}{alone}");
    // It points at where the Service was.
    assert!(said.contains(&format!("{base}/k8s/service.yaml:")), "{said}");

    let (said, _, alone) = lint(before.path(), base);
    assert_eq!(said, alone, "nothing has changed");
}

#[test]
fn a_commit_of_before_is_read_without_touching_the_tree() {
    let folder = folder("exclude: [vendor/]", &[]);
    let at = folder.path();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
        let output = Command::new("git").arg("-C").arg(at).args(identity).args(arguments).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet"]);
    write(at, "k8s/service one.yaml", HEADLESS);
    write(at, "k8s/set.yaml", SET);
    write(at, "vendor/gone.yaml", &HEADLESS.replace("name: db}", "name: vendor}"));
    write(at, "notes.md", "nothing");
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "before"]);
    fs::remove_file(at.join("k8s/service one.yaml")).unwrap();
    fs::remove_file(at.join("vendor/gone.yaml")).unwrap();
    let (said, code, alone) = lint(at, "HEAD");
    assert_eq!(code, 1, "{said}");
    assert_eq!(said.matches(&format!("[{DELETED}]")).count(), 1, "{said}");
    assert!(said.contains("HEAD:k8s/service one.yaml:") && !alone.contains(DELETED), "{said}");

    let (said, code, _) = lint(at, "no-such-commit");
    assert!(code == 2 && said.contains("no-such-commit"), "{said}");
}
