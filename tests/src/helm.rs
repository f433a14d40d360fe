//! Helm, of both major versions, and the chart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::cases::root;

/// The versions that `tests/helm/build.sh` builds.
pub const HELMS: [Helm; 2] = [Helm("helm3"), Helm("helm4")];

/// One version of Helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Helm(&'static str);

impl Helm {
    /// The name of its program, such as `helm3`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }

    /// Without a cluster, unless a kubeconfig is given to it.
    ///
    /// # Panics
    /// When it hasn't been built.
    #[must_use]
    pub fn command(self) -> Command {
        let program = built().join(self.0);
        assert!(program.exists(), "no {}: `make helm` builds it", program.display());
        let mut command = Command::new(program);
        // Nothing of the user's counts.
        command.env_clear().env("HOME", "/nonexistent").env("KUBECONFIG", "/nonexistent");
        command.stdin(Stdio::null());
        command
    }

    /// Runs it with arguments.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn run<'a>(self, args: impl IntoIterator<Item = &'a str>) -> Output {
        self.command().args(args).output().expect("Helm can be started")
    }

    /// The objects of the chart, one YAML text each, hooks among them, in order
    /// of the templates: Helm's versions sort them differently.
    ///
    /// # Panics
    /// When Helm refuses the values.
    #[must_use]
    pub fn render(self, namespace: &str, values: &Path) -> Vec<String> {
        let chart = chart();
        let mut command = self.command();
        command.args(["template", "headlint"]).arg(&chart);
        command.args(["--namespace", namespace]).arg("--values").arg(values);
        let output = command.output().expect("Helm can be started");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {error}", values.display());
        let text = String::from_utf8(output.stdout).expect("YAML is UTF-8");
        let mut objects: Vec<_> = text
            .split("---\n")
            .map(|one| one.trim().to_owned())
            .filter(|it| !it.is_empty())
            .collect();
        // Each begins with `# Source:`; those of one template stay in order.
        objects.sort_by_key(|one| one.lines().next().map(str::to_owned));
        objects
    }
}

fn built() -> PathBuf {
    root().join("target/helm")
}

/// The chart's folder.
#[must_use]
pub fn chart() -> PathBuf {
    root().join("charts/headlint")
}

/// The values that the chart is tested with, ordered by name.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn ci_values() -> Vec<PathBuf> {
    let files = files(&chart().join("ci"));
    assert!(!files.is_empty(), "there are values");
    files
}

/// Definitions of resources that the chart makes and Kubernetes doesn't know.
///
/// # Panics
/// When they haven't been fetched.
#[must_use]
pub fn definitions() -> Vec<PathBuf> {
    let files = files(&built().join("definitions"));
    assert!(!files.is_empty(), "no definitions: `make helm` fetches them");
    files
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}
