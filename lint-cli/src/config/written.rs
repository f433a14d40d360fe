//! The configuration as it is written. What the documentation of a field says
//! is also what the schema says.

use headlint_policies::config::{Cluster, Keyed, Spanned, WrittenExemption, WrittenPolicies};
use headlint_policies::finding::Severity;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::args::FailOn;

/// The configuration of headlint. Every key has a default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "headlint configuration", deny_unknown_fields)]
pub struct Written {
    /// The least severity that makes the exit code 1; `--fail-on` goes before it.
    pub fail_on: Option<FailOn>,
    /// How bad the findings of a rule are, by its id; `off`: it doesn't run.
    pub severities: Keyed<Level>,
    /// Rules that run although they are off by default.
    #[schemars(with = "Vec<String>")]
    pub enabled_rules: Vec<Spanned<String>>,
    /// What is left out of folders: patterns as in `.gitignore`, from this
    /// file's folder on.
    #[schemars(with = "Vec<String>")]
    pub exclude: Vec<Spanned<String>>,
    /// Facts of the cluster.
    pub cluster: Cluster,
    /// Findings that somebody has decided to live with.
    pub exemptions: Vec<WrittenExemption>,
    /// What is said to single policies, by their names.
    pub policies: WrittenPolicies,
}

/// How bad the findings of a rule are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// They can't work.
    Error,
    /// They hurt a client in some situation.
    Warning,
    /// They are hints.
    Info,
    /// The rule doesn't run.
    Off,
}

impl Level {
    /// None for a rule that doesn't run.
    pub(crate) fn severity(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Info => Some(Severity::Info),
            Self::Off => None,
        }
    }
}
