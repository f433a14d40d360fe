//! The command line as it was typed.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

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

macro_rules! review_exit_codes {
    () => {
        "\
Exit codes:
  0  the request is allowed
  1  it is denied
  2  a wrong argument, or a request that can't be answered"
    };
}

/// Those of `headlint dns`.
macro_rules! dns_exit_codes {
    () => {
        "\
Exit codes:
  0  the names are told; with --query: it connects
  1  with --query: it doesn't connect, or that is unknown
  2  a wrong argument, or input that could not be read"
    };
}

/// Finds defects of Kubernetes headless Services, and of what uses them
#[derive(Debug, Parser)]
#[command(name = "headlint", version, arg_required_else_help = true)]
#[command(after_help = exit_codes!(), after_long_help = concat!("\
Examples:
  headlint lint k8s/
  kubectl get svc,sts,deploy,endpointslices,netpol -A -o yaml | headlint lint -
  headlint explain statefulset-service-missing

", exit_codes!()))]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colours; `auto` also looks at NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Lint(Box<LintArgs>),
    Dns(Box<DnsArgs>),
    Explain(ExplainArgs),
    Rules(RulesArgs),
    Lsp(LspArgs),
    Review(ReviewArgs),
    Init(InitArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Check manifests
///
/// Reads YAML and JSON manifests as kubectl does, judges all objects together,
/// and reports what is wrong with the headless Services among them and with
/// what uses them. No cluster is needed.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("fixing").args(["fix", "diff"]).multiple(true))]
#[command(after_help = exit_codes!(), after_long_help = concat!("\
Examples:
  headlint lint                              all manifests below this directory
  headlint lint deploy/ extra.yaml
  headlint lint --helm ./chart -f prod.yaml --set replicas=3
  headlint lint --kustomize overlays/prod --complete --namespace prod
  kubectl get svc,sts,deploy,endpointslices,netpol -A -o yaml | headlint lint -
  headlint lint --base origin/main k8s/
  headlint lint --format text --format sarif=out.sarif .
  headlint lint --diff --unsafe-fixes k8s/
  headlint lint --skip rule-a,rule-b .
  headlint lint --policy my-rules.wasm .

", exit_codes!()))]
pub(crate) struct LintArgs {
    /// Files and directories; `-` is standard input [default: this directory]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) render: RenderArgs,

    /// What was there before: a directory, or a commit or branch of git
    ///
    /// Objects that differ are judged as changes, and objects that are gone as
    /// deletions, as the API server would see them.
    /// Of a branch it is the commit that HEAD shares with it.
    #[arg(long, value_name = "DIR|REF")]
    pub(crate) base: Option<String>,

    /// How to report: text, json, sarif, junit, github or gitlab; may be repeated
    ///
    /// `sarif=out.sarif` writes to a file. `github` are annotations of a workflow
    /// run, `gitlab` is a code quality report.
    #[arg(long, value_name = "FORMAT[=FILE]", default_value = "text", value_parser = output)]
    pub(crate) format: Vec<OutputArg>,

    /// Mend what can be mended safely: what an object means stays
    ///
    /// Only the bytes that an edit is about change; what is mended is judged
    /// again, and stays only if the finding is gone and none is new. Standard
    /// input goes to standard output. Templates of a chart are never edited.
    #[arg(long)]
    pub(crate) fix: bool,

    /// With --fix or --diff: also make the edits that are guesses at what was meant
    #[arg(long, requires = "fixing")]
    pub(crate) unsafe_fixes: bool,

    /// Show what --fix would change, and change nothing
    #[arg(long)]
    pub(crate) diff: bool,

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

    /// Show only what is found, without counts, and no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Tell on standard error which configuration counts, and what was skipped and why
    #[arg(short, long, conflicts_with = "quiet")]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) judging: JudgingArgs,

    /// Leave out the findings of this baseline; only new ones count
    ///
    /// A finding is known by its rule, object and path: it may move to other
    /// lines and other files.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Write all findings into a baseline, to be left out from now on
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "fixing"])]
    pub(crate) write_baseline: Option<PathBuf>,

    /// How many threads work [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Print CPU time, calls and memory of each policy to standard error
    #[arg(long)]
    pub(crate) profile: bool,
}

/// What is judged by, whoever asks.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct JudgingArgs {
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
}

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RenderArgs {
    /// Lint what `helm template` makes of this chart; needs helm
    #[arg(long, value_name = "CHART")]
    pub(crate) helm: Option<String>,

    /// A file of values for --helm; may be repeated
    #[arg(short = 'f', long, value_name = "FILE", requires = "helm")]
    pub(crate) values: Vec<PathBuf>,

    /// A value for --helm, such as replicas=3; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "helm")]
    pub(crate) set: Vec<String>,

    /// Lint what `kubectl kustomize` makes of this directory; needs kubectl; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) kustomize: Vec<PathBuf>,
}

impl RenderArgs {
    pub(crate) fn is_empty(&self) -> bool {
        self.helm.is_none() && self.kustomize.is_empty()
    }

    /// What is read by the tools; a chart or an overlay may also be the name of
    /// one that is elsewhere.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let folders = self.helm.iter().map(Path::new);
        folders.chain(self.values.iter().chain(&self.kustomize).map(PathBuf::as_path))
    }

    /// These paths, and what else is read.
    pub(crate) fn inputs(&self, paths: &[PathBuf]) -> Vec<PathBuf> {
        let here = (paths.is_empty() && self.is_empty()).then(|| ".".into());
        let charts = self.helm.iter().map(PathBuf::from);
        let folders = charts.chain(self.kustomize.iter().cloned()).chain(here);
        paths.iter().cloned().chain(folders).collect()
    }

    /// The paths that are meant: where nothing is named, it is this directory.
    pub(crate) fn meant(&self, paths: Vec<PathBuf>) -> Vec<PathBuf> {
        if paths.is_empty() && self.is_empty() { vec![".".into()] } else { paths }
    }
}

/// Tell what DNS will answer, before anything is deployed
///
/// Lists every name that these manifests bring into being: who answers, on which
/// ports, what it depends on, and whether the answer fits a UDP packet; then the
/// names that look as if they should exist and don't, with the reason. With
/// --query it follows one call of one client to its end. No cluster is needed.
#[derive(Debug, clap::Args)]
#[command(after_help = dns_exit_codes!(), after_long_help = concat!("\
Examples:
  headlint dns k8s/
  headlint dns --helm ./chart -f prod.yaml --namespace prod --complete
  kubectl get svc,sts,deploy,ds,endpoints,netpol,ns -A -o yaml | headlint dns -
  headlint dns k8s/ --query db-0.db.prod:5432 --from prod/deployment/api
  headlint dns k8s/ --query _postgres._tcp.db --from prod/sts/worker
  headlint dns --format json k8s/ | jq -r '.missing[].name'

", dns_exit_codes!()))]
pub(crate) struct DnsArgs {
    /// Files and directories; `-` is standard input [default: this directory]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) render: RenderArgs,

    /// What a client dials: db-0.db.prod:5432, or an SRV name without a port
    #[arg(long, value_name = "HOST[:PORT]", requires = "from")]
    pub(crate) query: Option<String>,

    /// Whose Pods dial: prod/deployment/api
    ///
    /// Without a namespace it is that of --namespace. Kinds may be shortened as
    /// for kubectl.
    #[arg(long, value_name = "[NS/]KIND/NAME", requires = "query")]
    pub(crate) from: Option<String>,

    /// How to tell it; `json` is stable
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,

    /// The configuration, for the facts of the cluster [default: the
    /// headlint.yaml in the folder of the input or the nearest above it, within
    /// the repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Nothing exists beyond this input
    ///
    /// Without it, what isn't in the input may still exist in the cluster, and
    /// the answers that it would change are not certain.
    #[arg(long)]
    pub(crate) complete: bool,

    /// The namespace of objects that name none
    #[arg(long, value_name = "NS", default_value = "default", value_parser = namespace)]
    pub(crate) namespace: String,
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
    pub(crate) format: ListFormat,

    /// As a table in Markdown
    #[arg(long, conflicts_with = "format")]
    pub(crate) markdown: bool,

    #[command(flatten)]
    pub(crate) policies: PolicyArgs,
}

/// Answer an AdmissionReview as the webhook does, without a cluster
#[derive(Debug, clap::Args)]
#[command(after_help = review_exit_codes!(), after_long_help = concat!("\
Examples:
  headlint review request.json --context k8s/
  headlint review - --config webhook.yaml < request.json

", review_exit_codes!()))]
pub(crate) struct ReviewArgs {
    /// The AdmissionReview, as JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// A file or directory of what else is in the cluster; may be repeated. Without any, all
    /// else is unknown
    #[arg(long, value_name = "PATH")]
    pub(crate) context: Vec<PathBuf>,

    /// The namespace of objects in the context that name none
    #[arg(long, value_name = "NS", default_value = "default", value_parser = namespace)]
    pub(crate) namespace: String,

    /// The configuration of the webhook
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Load all *.wasm in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) policy_dir: Option<PathBuf>,
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

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headlint completions bash > /etc/bash_completion.d/headlint
  headlint completions zsh > ~/.zfunc/_headlint")]
pub(crate) struct CompletionsArgs {
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Write the manual pages, one for each command
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headlint man /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The folder that they are written to
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// Serve an editor: findings while typing, quick fixes, explanations
///
/// Speaks the Language Server Protocol over standard input and output. Every
/// folder of the editor is judged as `headlint lint` judges it, with its
/// headlint.yaml, and with what is typed but not yet saved.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headlint lsp                            what an editor starts
  headlint lsp --policy my-rules.wasm
  vim.lsp.config('headlint', {cmd = {'headlint', 'lsp'}, filetypes = {'yaml', 'json'},
    root_markers = {'headlint.yaml', '.git'}})   in Neovim's init.lua

Exit codes:
  0  the editor said that it was over
  1  it left without a word
  2  a wrong argument, or a policy that could not be loaded")]
pub(crate) struct LspArgs {
    /// The configuration [default: the headlint.yaml in the editor's folder or the
    /// nearest above it, within the repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) judging: JudgingArgs,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct PolicyArgs {
    /// Load a policy (a WebAssembly component) beside the built-in ones; may be repeated
    #[arg(long, value_name = "FILE.wasm")]
    pub(crate) policy: Vec<PathBuf>,

    /// Load all *.wasm in this directory; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) policy_dir: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Sarif,
    Junit,
    Github,
    Gitlab,
}

/// A format, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputArg {
    pub(crate) format: Format,
    /// Standard output, if none.
    pub(crate) file: Option<PathBuf>,
}

fn output(text: &str) -> Result<OutputArg, String> {
    let (name, file) = match text.split_once('=') {
        Some((_, "")) => return Err("the name of a file belongs behind `=`".to_owned()),
        Some((name, file)) => (name, Some(file.into())),
        None => (text, None),
    };
    let format = Format::from_str(name, false).map_err(|_| {
        let known: Vec<_> = Format::value_variants()
            .iter()
            .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
            .collect();
        format!("there are the formats {}", known.join(", "))
    })?;
    Ok(OutputArg { format, file })
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
