//! The configuration as it is written. What the documentation of a field says
//! is also what the schema says.

use headlint_policies::config::{
    Cluster, Keyed, Location, Spanned, WrittenExemption, WrittenPolicies,
};
use schemars::JsonSchema;

/// The configuration of headlint-webhook. Every key has a default.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "headlint-webhook configuration", deny_unknown_fields)]
pub struct Written {
    /// With `deny`, rules whose findings can't work deny; with `warn`, all warn.
    pub enforcement: Enforcement,
    /// What is sent of a rule's findings, by its id. It goes before enforcement.
    pub rules: Keyed<RuleAction>,
    /// Rules that are judged although they are off by default.
    #[schemars(with = "Vec<String>")]
    pub enabled_rules: Vec<Spanned<String>>,
    /// What is said to single policies, by their names.
    pub policies: WrittenPolicies,
    /// Whether a request is admitted, with a warning, or denied when a policy
    /// fails.
    pub on_fault: OnFault,
    /// Whether the annotation `headlint.dev/ignore` silences denials too.
    pub ignore_annotation_silences_denials: bool,
    /// The namespaces whose objects are known; all, if empty. Counts from the
    /// next start on.
    pub namespaces: Vec<String>,
    /// Kinds that are watched beside the usual ones. Counts from the next start
    /// on.
    pub optional_kinds: Vec<OptionalKind>,
    /// Seconds after which the absence of another object counts. Counts from
    /// the next start on.
    pub grace_seconds: u32,
    /// How long one policy may judge one object.
    #[schemars(with = "u32", range(min = 1))]
    pub evaluation_deadline_milliseconds: Spanned<u32>,
    /// Facts of the cluster. Count from the next start on.
    pub cluster: Cluster,
    /// How many requests are judged at once; eight for each processor, if it
    /// isn't given. Counts from the next start on.
    #[schemars(with = "Option<u16>", range(min = 1))]
    pub concurrency: Option<Spanned<u16>>,
    /// How many requests may wait for their turn. Counts from the next start on.
    pub queue: u16,
    /// Findings that somebody has decided to live with.
    pub exemptions: Vec<WrittenExemption>,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            enforcement: Enforcement::Warn,
            rules: Keyed::default(),
            enabled_rules: Vec::new(),
            policies: WrittenPolicies::default(),
            on_fault: OnFault::Admit,
            ignore_annotation_silences_denials: false,
            namespaces: Vec::new(),
            optional_kinds: Vec::new(),
            grace_seconds: 60,
            // A fifth of what the API server waits by default: other policies
            // and neighbours want some of it too.
            evaluation_deadline_milliseconds: Spanned::new(
                2_000,
                Location::UNKNOWN,
                Location::UNKNOWN,
            ),
            cluster: Cluster::default(),
            concurrency: None,
            queue: 512,
            exemptions: Vec::new(),
        }
    }
}

/// Whether anything is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// All findings are warnings.
    Warn,
    /// Findings of the rules that are meant to be enforced deny.
    Deny,
}

/// What is sent of a rule's findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// Warnings.
    Warn,
    /// A denial.
    Deny,
    /// Nothing.
    None,
}

/// What happens to a request when a policy fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFault {
    /// It is admitted, with a warning that says so.
    Admit,
    /// It is denied.
    Deny,
}

/// A kind that is watched on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "they are Kubernetes' own names")]
pub enum OptionalKind {
    ConfigMap,
    Ingress,
}
