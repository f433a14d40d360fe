//! What a run says: findings, errors, faults. Its serde form is the public
//! JSON output (`headlint.dev/v1`); fields that don't apply are left out.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::k8s;

/// How bad a finding is. Ordered: a hint is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A hint: counted always, shown on request.
    Info,
    /// Something that hurts a client in some situation.
    Warning,
    /// Something that can't work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Identifies one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Such as `v1` or `apps/v1`.
    pub api_version: String,
    /// Such as `StatefulSet`.
    pub kind: String,
    /// Empty for a cluster-scoped kind; otherwise never.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Empty where only `generateName` is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

impl ObjectRef {
    /// Group, kind, namespace and name: what two objects share that are one. The
    /// version of the API doesn't count.
    pub(crate) fn identity(&self) -> (&str, &str, &str, &str) {
        (k8s::group(&self.api_version), &self.kind, &self.namespace, &self.name)
    }
}

impl fmt::Display for ObjectRef {
    /// `StatefulSet prod/db`, as kubectl users write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", name) => write!(f, "{} {name}", self.kind),
            (namespace, name) => write!(f, "{} {namespace}/{name}", self.kind),
        }
    }
}

/// Where something stands in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The path as the user gave it, `-` for standard input.
    pub file: String,
    /// Counts from 1.
    pub line: u32,
    /// Counts from 1, in characters.
    pub column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column behind the last character.
    pub end_column: u32,
    /// Bytes of the file, for whoever draws the source; not in the JSON.
    #[serde(skip)]
    pub bytes: std::ops::Range<usize>,
}

/// Another place that has to do with a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// None where the object was not read from a file.
    #[serde(flatten, serialize_with = "start_only")]
    pub location: Option<Location>,
    /// JSONPath in that object.
    pub path: String,
    /// The other object.
    pub object: ObjectRef,
    /// What is there, in a few words.
    pub label: String,
}

/// A related place is a point: file, line and column.
fn start_only<S: serde::Serializer>(
    location: &Option<Location>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let mut map = serializer.serialize_map(None)?;
    if let Some(location) = location {
        map.serialize_entry("file", &location.file)?;
        map.serialize_entry("line", &location.line)?;
        map.serialize_entry("column", &location.column)?;
    }
    map.end()
}

/// What an edit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EditOp {
    /// Gives an existing path another value.
    Set,
    /// Removes the path with its key.
    Remove,
    /// Adds a key or a list entry.
    Add,
}

/// Whether an edit may be made without a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// What the object means stays.
    Safe,
    /// A guess at the intention.
    Proposed,
}

/// A change to the object under review that would mend a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edit {
    /// What to do.
    pub op: EditOp,
    /// JSONPath.
    pub path: String,
    /// The new value; none for [`EditOp::Remove`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// Whether it may be made unseen.
    pub safety: Safety,
}

/// What makes findings of two runs the same defect, wherever it stands: rule,
/// object and path, without lines and names of files. 32 hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// `path` and `detail` are to stay when others are added or removed before
    /// them. The version of the object's API doesn't count.
    #[must_use]
    pub fn new(rule: &str, object: &ObjectRef, path: &str, detail: &str) -> Self {
        let (group, kind, namespace, name) = object.identity();
        Self::of(&[rule, group, kind, namespace, name, path, detail])
    }

    /// The same, of one that comes after so many others that are the same.
    #[must_use]
    pub fn after(&self, others: usize) -> Self {
        Self::of(&[&self.0, &others.to_string()])
    }

    fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        Self(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One defect at one place of one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// The policy that holds the rule.
    pub policy: String,
    /// How bad.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What a client sees.
    pub why: String,
    /// What to do.
    pub help: String,
    /// None where the object was not read from a file.
    #[serde(flatten)]
    pub location: Option<Location>,
    /// JSONPath in the object under review.
    pub path: String,
    /// The object under review.
    pub object: ObjectRef,
    /// Other places, in the policy's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// Changes that would mend it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// Unique in a report.
    pub fingerprint: Fingerprint,
}

/// Input that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InputError {
    /// The path as the user gave it, `-` for standard input.
    pub file: String,
    /// Counts from 1; none where the file as a whole is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Counts from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong, and the remedy.
    pub message: String,
}

/// A policy that failed: never a finding, and never a pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The policy's name, or the file it came from where it never told.
    pub policy: String,
    /// `sha256:…` of the component.
    pub digest: String,
    /// What happened, and on which object.
    pub reason: String,
}

/// A document or file that holds no Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// The path as the user gave it.
    pub file: String,
    /// Line of the document, counting from 1.
    pub line: u32,
    /// Such as "no apiVersion and kind".
    pub reason: String,
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Files that were read.
    pub files: usize,
    /// Documents in them, empty ones left out.
    pub documents: usize,
    /// Kubernetes objects in those, items of lists counted one by one.
    pub objects: usize,
    /// Findings of severity error.
    pub errors: usize,
    /// Findings of severity warning.
    pub warnings: usize,
    /// Findings of severity info.
    pub hints: usize,
    /// Findings that a baseline has, and that aren't counted otherwise.
    #[serde(skip_serializing_if = "is_zero")]
    pub baseline: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// All that a run says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Ordered by file, line, column, rule.
    pub findings: Vec<Finding>,
    /// Input that could not be read, ordered by place.
    pub errors: Vec<InputError>,
    /// Policies that failed.
    pub faults: Vec<Fault>,
    /// Documents that were left out.
    pub skipped: Vec<Skipped>,
    /// Counts.
    pub summary: Summary,
}

/// Names the shape of [`Report`] as JSON.
pub const SCHEMA: &str = "headlint.dev/v1";

/// How the reason of a [`Skipped`] begins where a template wasn't rendered.
pub const UNRENDERED: &str = "not rendered";

impl Skipped {
    /// Whether an object may be hidden in it.
    #[must_use]
    pub fn is_unrendered(&self) -> bool {
        self.reason.starts_with(UNRENDERED)
    }
}
