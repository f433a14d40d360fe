//! Why a run could not start or end.

use std::io;
use std::path::PathBuf;

use headlint_policies::config::Problem;
use headlint_policies::dns::QueryError;
use headlint_policies::engine::EngineError;
use headlint_policies::finding::InputError;
use headlint_webhook::review::ReviewError;

/// What makes the exit code 2 before or after any manifest is judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no rule `{rule}`")]
    UnknownRule {
        rule: String,
        /// The id that comes nearest, if any comes near.
        nearest: Option<String>,
    },
    #[error("can't read the policy directory {}: {source}", path.display())]
    PolicyDir { path: PathBuf, source: io::Error },
    #[error("there is no *.wasm in the policy directory {}", path.display())]
    NoPolicy { path: PathBuf },
    #[error("can't read the configuration {}: {source}", path.display())]
    ReadConfig { path: PathBuf, source: io::Error },
    #[error("{}:{problem}", path.display())]
    Config { path: PathBuf, problem: Problem },
    #[error("there is a {} already", path.display())]
    ConfigExists { path: PathBuf },
    #[error("the base {base} can't be read: {told}")]
    Base { base: String, told: String },
    #[error("there is no `{tool}` on this machine")]
    NoTool { tool: String },
    #[error("`{command}` failed: {told}")]
    Tool { command: String, told: String },
    #[error("standard output, or a file, can take one thing only")]
    SeveralOutputs,
    #[error("{} is no baseline: {reason}", path.display())]
    Baseline { path: PathBuf, reason: String },
    #[error("can't write {}: {source}", path.display())]
    WriteFile { path: PathBuf, source: io::Error },
    #[error("{}", place(.0))]
    Input(InputError),
    #[error("{}: {source}", path.display())]
    Review { path: PathBuf, source: ReviewError },
    #[error("{first}; {written} of {all} files were written")]
    NotAll { written: usize, all: usize, first: Box<Error> },
    #[error("{0}")]
    Query(#[from] QueryError),
    #[error("can't start the built-in policies: {0}")]
    Engine(#[from] EngineError),
    #[error("can't start worker threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    #[error("can't write the report: {0}")]
    Write(io::Error),
}

impl Error {
    /// What to do about it.
    pub(crate) fn help(&self) -> String {
        match self {
            Self::UnknownRule { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`? `headlint rules` lists all rules")
            }
            Self::UnknownRule { nearest: None, .. } => {
                "`headlint rules` lists all rules; --policy and --policy-dir add more".to_owned()
            }
            Self::PolicyDir { .. } => "give --policy-dir a directory that you may read".to_owned(),
            Self::NoPolicy { .. } => {
                "build the policies into it, or leave --policy-dir out".to_owned()
            }
            Self::ReadConfig { .. } => "give --config a file that you may read".to_owned(),
            Self::Config { .. } => "`headlint init` writes one with all keys".to_owned(),
            Self::ConfigExists { .. } => "change that one, or move it away".to_owned(),
            Self::Base { .. } => "give --base a folder of manifests, or a commit".to_owned(),
            Self::NoTool { tool } => {
                format!("install {tool}, or pipe its output into `headlint lint -`")
            }
            Self::Tool { .. } => "call it by itself, and mend what it complains of".to_owned(),
            Self::SeveralOutputs => {
                "name files for all formats but one: --format sarif=out.sarif".to_owned()
            }
            Self::Baseline { .. } => "`headlint lint --write-baseline FILE` writes one".to_owned(),
            Self::WriteFile { .. } => {
                "check that you may write there, and that it has room".to_owned()
            }
            Self::Input(_) => "give it text that can be read".to_owned(),
            Self::Review { source, .. } => match source {
                ReviewError::Load(_) => {
                    "`headlint-webhook check-config FILE` checks a configuration".to_owned()
                }
                ReviewError::Policy(_) => "build the policy anew, or leave it out".to_owned(),
                ReviewError::Request { .. } => {
                    "give it an AdmissionReview of version admission.k8s.io/v1, in JSON".to_owned()
                }
                ReviewError::Threads(_) => "allow more threads (`ulimit -u`)".to_owned(),
            },
            Self::NotAll { first, .. } => first.help(),
            Self::Query(QueryError::NoClient { .. }) => {
                "give the manifest of the client too, and --namespace if it names none".to_owned()
            }
            Self::Query(_) => {
                "such as: --query db-0.db.prod:5432 --from prod/deployment/api".to_owned()
            }
            Self::Engine(_) => {
                "give it more memory (`ulimit -v`), or install headlint again".to_owned()
            }
            Self::Threads(_) => "give --jobs a smaller number".to_owned(),
            Self::Write(_) => "check that the place that output goes to has room".to_owned(),
        }
    }
}

/// What is wrong, behind the place where it is.
fn place(error: &InputError) -> String {
    let InputError { file, line, column, message } = error;
    let numbers = [line, column].into_iter().flatten();
    let place = numbers.fold(file.clone(), |place, number| format!("{place}:{number}"));
    format!("{place}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_words_and_a_remedy() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let threads = rayon::ThreadPoolBuilder::new().spawn_handler(|_| Err(denied()));
        let threads = threads.num_threads(1).build().expect_err("threads are denied");
        let errors = [
            Error::UnknownRule { rule: "slector".to_owned(), nearest: Some("selector".to_owned()) },
            Error::UnknownRule { rule: "x".to_owned(), nearest: None },
            Error::PolicyDir { path: "policies".into(), source: denied() },
            Error::NoPolicy { path: "policies".into() },
            Error::ReadConfig { path: "headlint.yaml".into(), source: denied() },
            Error::Config {
                path: "headlint.yaml".into(),
                problem: Problem { line: 3, column: 1, message: "there is no key `x`".to_owned() },
            },
            Error::ConfigExists { path: "headlint.yaml".into() },
            Error::Base { base: "old".to_owned(), told: "not UTF-16".to_owned() },
            Error::NoTool { tool: "helm".to_owned() },
            Error::Tool { command: "helm template x".to_owned(), told: "no chart".to_owned() },
            Error::SeveralOutputs,
            Error::Baseline {
                path: "known.json".into(),
                reason: "key must be a string".to_owned(),
            },
            Error::WriteFile { path: "headlint.yaml".into(), source: denied() },
            Error::Input(InputError {
                file: "set.yaml".to_owned(),
                line: Some(3),
                column: Some(5),
                message: "`$.spec` must be a mapping, not a string".to_owned(),
            }),
            Error::Review {
                path: "request.json".into(),
                source: ReviewError::Request { status: 400, told: "it has no request".to_owned() },
            },
            Error::Review {
                path: "request.json".into(),
                source: ReviewError::Policy("my.wasm: no component".to_owned()),
            },
            Error::Review { path: "request.json".into(), source: ReviewError::Threads(denied()) },
            Error::NotAll {
                written: 2,
                all: 3,
                first: Box::new(Error::WriteFile { path: "b.yaml".into(), source: denied() }),
            },
            Error::Query(QueryError::NoPort { host: "db.prod".to_owned() }),
            Error::Query(QueryError::NoClient {
                kind: "Deployment",
                name: "api".to_owned(),
                namespace: "prod".to_owned(),
            }),
            Error::Engine(EngineError::NoPolicies),
            Error::Threads(threads),
            Error::Write(denied()),
        ];
        let texts: Vec<_> =
            errors.iter().map(|error| format!("{error}\n  {}", error.help())).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
