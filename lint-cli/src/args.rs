//! The command line as it was typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use headlint_policies::finding::Severity;
use schemars::JsonSchema;
use serde::Deserialize;

/// A macro, so that `concat!` takes it.
macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0  no finding at or above the fail level
  1  at least one finding at or above the fail level
  2  a wrong argument, input that could not be read, or a policy that failed"
    };
}

/// Finds defects of Kubernetes headless Services, and of what uses them
#[derive(Debug, Parser)]
#[command(name = "headlint", version, arg_required_else_help = true, after_help = exit_codes!())]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Lint(LintArgs),
    Explain(ExplainArgs),
    Rules(RulesArgs),
    Init(InitArgs),
}

/// Check manifests
///
/// Reads YAML and JSON manifests as kubectl does, judges all objects together,
/// and reports what is wrong with the headless Services among them and with
/// what uses them. No cluster is needed.
#[derive(Debug, clap::Args)]
#[command(after_help = exit_codes!(), after_long_help = concat!("\
Examples:
  headlint lint                              all manifests below this directory
  headlint lint deploy/ extra.yaml
  helm template ./chart | headlint lint -
  kubectl kustomize overlays/prod | headlint lint --complete --namespace prod -
  headlint lint --format json . > report.json
  headlint lint --skip rule-a,rule-b .
  headlint lint --policy my-rules.wasm .

", exit_codes!()))]
pub(crate) struct LintArgs {
    /// Files and directories; `-` is standard input
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,

    /// How to report
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// The least severity that makes the exit code 1 [default: warning, or what
    /// the configuration says]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<FailOn>,

    /// The configuration [default: the headlint.yaml in the folder of the input
    /// or the nearest above it, within the repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Show hints in text too; JSON always has them
    ///
    /// Hints are findings of severity info. `--fail-on info` shows them as well.
    #[arg(long)]
    pub(crate) hints: bool,

    /// Nothing exists beyond this input
    ///
    /// Without it, an object that isn't in the input may still exist in the
    /// cluster or in another repository, and rules that need to know stay
    /// silent.
    #[arg(long)]
    pub(crate) complete: bool,

    /// The namespace of objects that name none
    #[arg(long, value_name = "NS", default_value = "default", value_parser = namespace)]
    pub(crate) namespace: String,

    /// Run these rules and no others
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Don't run these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,

    /// Run these rules too, which are off by default
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(crate) enable: Vec<String>,

    #[command(flatten)]
    pub(crate) policies: PolicyArgs,

    /// How many threads work [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Print CPU time, calls and memory of each policy to standard error
    #[arg(long)]
    pub(crate) profile: bool,
}

/// Print the documentation of a rule
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headlint explain statefulset-service-missing
  headlint explain --policy my-rules.wasm my-rule")]
pub(crate) struct ExplainArgs {
    /// The id of the rule, as `headlint rules` lists it
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,

    #[command(flatten)]
    pub(crate) policies: PolicyArgs,
}

/// List all rules
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headlint rules
  headlint rules --format json | jq -r '.[].id'")]
pub(crate) struct RulesArgs {
    /// How to list them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) policies: PolicyArgs,
}

/// Write a commented headlint.yaml
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headlint init
  headlint init k8s/")]
pub(crate) struct InitArgs {
    /// The folder that it is written to; one that is there stays
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Default, clap::Args)]
pub(crate) struct PolicyArgs {
    /// Load a policy (a WebAssembly component) beside the built-in ones; may be repeated
    #[arg(long, value_name = "FILE.wasm")]
    pub(crate) policy: Vec<PathBuf>,

    /// Load all *.wasm in this directory; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) policy_dir: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// From which severity on findings make the exit code 1.
#[derive(Clone, Copy, Debug, Default, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    /// Only what can't work
    Error,
    /// Also what hurts a client in some situation
    #[default]
    Warning,
    /// Also hints
    Info,
}

impl From<FailOn> for Severity {
    fn from(level: FailOn) -> Self {
        match level {
            FailOn::Error => Self::Error,
            FailOn::Warning => Self::Warning,
            FailOn::Info => Self::Info,
        }
    }
}

/// # Source
/// A namespace is a DNS label (RFC 1123): kubernetes v1.36
/// `pkg/apis/core/validation/validation.go`, `ValidateNamespaceName`.
fn namespace(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
    {
        Ok(text.to_owned())
    } else {
        Err("a namespace has 1 to 63 lower case letters, digits and inner dashes".to_owned())
    }
}
