//! `--base`: what was there before, in a folder or in a commit.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::config::{folder, run};

pub(crate) const HEADLESS: &str = "\
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{name: db, port: 5432}]
";
pub(crate) const SET: &str = "\
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
pub(crate) const DROPPED: &str = "cluster-ip-none-dropped-no-op";
pub(crate) const DELETED: &str = "governing-service-deleted";

pub(crate) fn write(folder: &Path, name: &str, text: &str) {
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

/// A repository, with a commit on `main` of these files.
pub(crate) fn repository(config: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = folder(config, &[]);
    git(folder.path(), &["init", "--quiet", "--initial-branch", "main"]);
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    commit(folder.path());
    folder
}

fn commit(folder: &Path) {
    git(folder, &["add", "--force", "."]);
    git(folder, &["commit", "--quiet", "--message", "it"]);
}

fn git(folder: &Path, arguments: &[&str]) {
    let set = ["user.name=x", "user.email=x@example.com", "protocol.file.allow=always"];
    let set = set.iter().flat_map(|value| ["-c", value]);
    let output = Command::new("git").arg("-C").arg(folder).args(set).args(arguments).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn remove(folder: &Path, file: &str) {
    fs::remove_file(folder.join(file)).unwrap();
}

/// How often a rule is named as that of a finding.
fn count(said: &str, rule: &str) -> usize {
    said.matches(&format!("[{rule}]")).count()
}

#[test]
fn a_commit_of_before_is_read_without_touching_the_tree() {
    let files = [
        ("k8s/service one.yaml", HEADLESS),
        ("k8s/set.yaml", SET),
        ("vendor/gone.yaml", &HEADLESS.replace("name: db}", "name: vendor}")),
        ("notes.md", "nothing"),
    ];
    let folder = repository("exclude: [vendor/]", &files);
    let at = folder.path();
    remove(at, "k8s/service one.yaml");
    remove(at, "vendor/gone.yaml");
    let (said, code, alone) = lint(at, "HEAD");
    assert_eq!(code, 1, "{said}");
    assert_eq!(count(&said, DELETED), 1, "{said}");
    assert!(said.contains("HEAD:k8s/service one.yaml:") && !alone.contains(DELETED), "{said}");
    assert!(!at.join("k8s/service one.yaml").exists());

    // Neither a commit that isn't there, nor a folder of one, nor an option.
    for base in ["no-such-commit", "HEAD:k8s", "--help"] {
        let arguments = ["lint", &format!("--base={base}"), at.to_str().unwrap()];
        let (said, code) = run(at, &arguments);
        let expected = format!("the base {base} can't be read: it is no folder, and");
        assert!(code == 2 && said.contains(&expected), "{said}");
    }
    let (said, code) = run(at, &["lint", "--base", "HEAD", "-"]);
    assert!(code == 2 && said.contains("standard input is in no commit"), "{said}");
    let outside = tempfile::tempdir().unwrap();
    let (said, code) = run(at, &["lint", "--base", "HEAD", outside.path().to_str().unwrap()]);
    assert!(code == 2 && said.contains("is in no git repository"), "{said}");
}

#[test]
fn names_with_line_breaks_and_submodules_end_no_comparison() {
    let module = repository("", &[("other.yaml", &HEADLESS.replace("name: db}", "name: other}"))]);
    let files = [("k8s/a\nb.yaml", SET), ("k8s/service.yaml", HEADLESS)];
    let folder = repository("", &files);
    let at = folder.path();
    git(at, &["submodule", "--quiet", "add", module.path().to_str().unwrap(), "k8s/aaa.yaml"]);
    commit(at);
    remove(at, "k8s/service.yaml");
    write(at, "k8s/aaa.yaml/other.yaml", &HEADLESS.replace("  clusterIP: None\n", ""));
    let (said, _, _) = lint(at, "main");
    assert_eq!(count(&said, DELETED), 0, "it has moved into the submodule: {said}");
    assert_eq!(count(&said, DROPPED), 1, "{said}");
    remove(at, "k8s/aaa.yaml/other.yaml");
    let (said, code, _) = lint(at, "main");
    assert_eq!((count(&said, DELETED), code), (1, 1), "{said}");

    let other = HEADLESS.replace("name: db}", "name: other}").replace("  clusterIP: None\n", "");
    write(at, "k8s/aaa.yaml/other.yaml", &other);
    let (said, _, _) = lint(at, "main");
    assert_eq!((count(&said, DELETED), count(&said, DROPPED)), (1, 1), "{said}");
}

#[test]
fn what_is_named_was_there_whatever_is_excluded() {
    let files = [("k8s/service.yaml", HEADLESS), ("k8s/set.yaml", SET)];
    let folder = repository("exclude: [k8s/]", &files);
    let at = folder.path();
    remove(at, "k8s/service.yaml");
    let (said, code) = run(at, &["lint", "--base", "main", at.join("k8s").to_str().unwrap()]);
    assert_eq!((count(&said, DELETED), code), (1, 1), "{said}");
}

#[test]
fn the_repository_is_that_of_the_input_whatever_hook_it_is() {
    let folder = repository("", &[("service.yaml", HEADLESS), ("set.yaml", SET)]);
    remove(folder.path(), "service.yaml");
    let other = repository("", &[]);
    let output = Command::new(env!("CARGO_BIN_EXE_headlint"))
        .args(["lint", "--base", "main", "."])
        .current_dir(folder.path())
        .env("GIT_DIR", other.path().join(".git"))
        .env("GIT_INDEX_FILE", other.path().join(".git/index"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!((count(&said, DELETED), output.status.code()), (1, Some(1)), "{said}");
}

#[test]
fn inputs_that_are_gone_are_deletions() {
    let folder = repository("", &[("k8s/service.yaml", HEADLESS), ("k8s/set.yaml", SET)]);
    let at = folder.path();
    remove(at, "k8s/service.yaml");
    let path = |name: &str| at.join(name).to_str().unwrap().to_owned();
    let (service, set) = (path("k8s/service.yaml"), path("k8s/set.yaml"));
    let (said, code) = run(at, &["lint", "--base", "main", &set, &service]);
    assert_eq!((count(&said, DELETED), code), (1, 1), "{said}");
    // What never was there is still an error.
    let (said, code) = run(at, &["lint", "--base", "main", &set, &service, &path("k8s/no.yaml")]);
    assert!(code == 2 && said.contains("can't be read: No such file"), "{said}");
    write(at, "set.yaml", SET);
    fs::remove_dir_all(at.join("k8s")).unwrap();
    let (said, code) = run(at, &["lint", "--base", "main", &path("k8s"), &path("set.yaml")]);
    assert_eq!((count(&said, DELETED), code), (1, 1), "{said}");
}

#[test]
fn what_others_did_since_is_no_change_of_this_branch() {
    let folder = repository("", &[("set.yaml", SET)]);
    let at = folder.path();
    git(at, &["branch", "behind"]);
    write(at, "service.yaml", HEADLESS);
    commit(at);
    git(at, &["checkout", "--quiet", "behind"]);
    let (said, code) = run(at, &["lint", "-v", "--base", "main", at.to_str().unwrap()]);
    assert_eq!((count(&said, DELETED), code), (0, 0), "{said}");
    assert!(said.contains(", where HEAD left main in "), "{said}");
    git(at, &["checkout", "--quiet", "main"]);
    remove(at, "service.yaml");
    let (said, code) = run(at, &["lint", "-v", "--base", "main", at.to_str().unwrap()]);
    assert_eq!((count(&said, DELETED), code), (1, 1), "{said}");
    assert!(said.contains(", which is main in "), "{said}");
}

#[test]
fn a_file_that_is_there_and_not_read_any_more_is_no_deletion() {
    let folder = repository("", &[("service.yaml", HEADLESS), ("set.yaml", SET)]);
    let at = folder.path();
    let (said, _, _) = lint(at, "main");
    assert_eq!(count(&said, DELETED), 0, "{said}");
    write(at, ".gitignore", "service.yaml");
    let (said, _, _) = lint(at, "main");
    assert_eq!(count(&said, DELETED), 0, "{said}");
    remove(at, "service.yaml");
    let (said, _, _) = lint(at, "main");
    assert_eq!(count(&said, DELETED), 1, "{said}");
}

#[test]
fn what_one_environment_loses_is_a_deletion_and_what_moves_is_none() {
    let mut files = Vec::new();
    for file in ["dev/service.yaml", "prod/service.yaml"] {
        files.extend([
            (file, HEADLESS),
            (if file < "e" { "dev/set.yaml" } else { "prod/set.yaml" }, SET),
        ]);
    }
    let before = folder("", &[]);
    for (name, text) in &files {
        write(before.path(), name, text);
    }
    let repository = repository("", &files);
    let at = repository.path();
    for base in ["main", before.path().to_str().unwrap()] {
        git(at, &["checkout", "--quiet", "."]);
        let (said, code, _) = lint(at, base);
        assert_eq!((count(&said, DELETED), code), (0, 0), "{said}");
        for environment in ["dev", "prod"] {
            git(at, &["checkout", "--quiet", "."]);
            remove(at, &format!("{environment}/service.yaml"));
            let (said, code, _) = lint(at, base);
            assert_eq!((count(&said, DELETED), code), (1, 1), "{said}");
            assert!(said.contains(&format!("::: {environment}/set.yaml")), "{said}");
        }
        // Both are in one file now.
        remove(at, "dev/service.yaml");
        write(at, "all/service.yaml", HEADLESS);
        let (said, _, _) = lint(at, base);
        assert_eq!(count(&said, DELETED), 0, "{said}");
        remove(at, "all/service.yaml");
    }
}

#[test]
fn machines_are_told_files_of_now() {
    let folder = repository("", &[("service.yaml", HEADLESS), ("set.yaml", SET)]);
    let at = folder.path();
    remove(at, "service.yaml");
    let path = at.to_str().unwrap();
    let told = |format: &str| run(at, &["lint", "--base", "main", "--format", format, path]).0;
    assert!(told("text").contains("main:service.yaml"), "people see that it is a commit's");
    for format in ["json", "sarif", "junit", "github", "gitlab"] {
        let told = told(format);
        assert!(told.contains("service.yaml") && told.contains(DELETED), "{told}");
        assert!(!told.contains("main:service") && !told.contains("main%3A"), "{told}");
    }
    let report = quick_junit::Report::deserialize_from_str(&told("junit")).unwrap();
    assert_eq!(report.test_suites.len(), 2, "what was only compared has not passed");
}
