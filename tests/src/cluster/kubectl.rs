//! kubectl, as a user runs it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Cluster;
use super::servers::program;

/// What a run of kubectl told.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether it exited with 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The API server's warnings, those of webhooks among them, in order.
    #[must_use]
    pub fn warnings(&self) -> Vec<&str> {
        self.stderr.lines().filter_map(|line| line.strip_prefix("Warning: ")).collect()
    }

    /// What a webhook said when it denied the request.
    #[must_use]
    pub fn denial(&self) -> Option<&str> {
        let (_, rest) = self.stderr.split_once("admission webhook \"")?;
        Some(rest.split_once("\" denied the request: ")?.1.trim_end())
    }

    /// Itself, if the run was a success.
    ///
    /// # Panics
    /// When it wasn't.
    #[track_caller]
    #[must_use]
    pub fn succeeded(self) -> Self {
        assert!(self.success, "kubectl failed: {}", self.stderr);
        self
    }

    /// Itself, if a webhook denied the request, and gave this rule as the first
    /// reason.
    ///
    /// # Panics
    /// When it didn't.
    #[track_caller]
    #[must_use]
    pub fn denied_by(self, rule: &str) -> Self {
        let first = self.denial().and_then(|denial| denial.split_once(": "));
        assert_eq!(first.map(|(id, _)| id), Some(rule), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Itself, if kubectl failed and said this.
    ///
    /// # Panics
    /// When it didn't.
    #[track_caller]
    #[must_use]
    pub fn refused_with(self, text: &str) -> Self {
        assert!(!self.success, "kubectl didn't fail: {}", self.stdout);
        assert!(self.stderr.contains(text), "not for `{text}`: {}", self.stderr);
        self
    }
}

/// A namespace of a cluster. It isn't removed: the cluster is.
pub struct Namespace<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl<'c> Namespace<'c> {
    pub(super) fn new(cluster: &'c Cluster, name: String) -> Self {
        Self { cluster, name }
    }

    /// The cluster that it is in.
    #[must_use]
    pub fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `kubectl <args>` here, with `input` on its standard input.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn kubectl(&self, args: &[&str], input: &str) -> Outcome {
        let mut command = Command::new(program("kubectl"));
        command
            .args(["--namespace", &self.name])
            .args(args)
            .env_clear()
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .env("HOME", self.cluster.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut kubectl = command.spawn().expect("kubectl can be started");
        // It may end before it has read all.
        let _ = kubectl.stdin.take().expect("it is piped").write_all(input.as_bytes());
        let output = kubectl.wait_with_output().expect("it was started");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome {
            success: output.status.success(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// `kubectl apply`.
    #[must_use]
    pub fn apply(&self, manifest: &str) -> Outcome {
        self.kubectl(&["apply", "-f", "-"], manifest)
    }

    /// `kubectl apply --server-side`.
    #[must_use]
    pub fn apply_server_side(&self, manifest: &str) -> Outcome {
        self.kubectl(&["apply", "--server-side", "-f", "-"], manifest)
    }

    /// `kubectl apply --dry-run=server`.
    #[must_use]
    pub fn dry_run(&self, manifest: &str) -> Outcome {
        self.kubectl(&["apply", "--dry-run=server", "-f", "-"], manifest)
    }

    /// `kubectl delete`, which waits until the objects are gone; those that
    /// aren't there are no failure.
    #[must_use]
    pub fn delete(&self, manifest: &str) -> Outcome {
        self.kubectl(&["delete", "--ignore-not-found", "-f", "-"], manifest)
    }

    /// `kubectl patch` with a merge patch.
    #[must_use]
    pub fn patch(&self, object: &str, patch: &Value) -> Outcome {
        self.kubectl(&["patch", object, "--type=merge", "--patch", &patch.to_string()], "")
    }

    /// An object, such as `service/db`, if it is there.
    ///
    /// # Panics
    /// When kubectl fails.
    #[must_use]
    pub fn get(&self, object: &str) -> Option<Value> {
        let outcome = self.kubectl(&["get", object, "--ignore-not-found", "-o", "json"], "");
        let text = outcome.succeeded().stdout;
        (!text.is_empty()).then(|| serde_json::from_str(&text).expect("kubectl prints JSON"))
    }
}
