//! The verdict of a run, as the shell sees it.

use std::process::ExitCode;

use headlint_policies::finding::{Report, Severity};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: no finding at or above the fail level.
    Clean,
    /// 1: at least one finding at or above the fail level.
    Findings,
    /// 2: a wrong argument, input that could not be read, or a policy that
    /// failed. It goes before 1: not everything was judged.
    CouldNotRun,
    /// 1, as the protocol wants it: an editor left its server without a word.
    Abandoned,
}

impl Exit {
    /// The verdict of a report.
    pub fn of(report: &Report, fail_on: Severity) -> Self {
        if !report.errors.is_empty() || !report.faults.is_empty() {
            Self::CouldNotRun
        } else if report.findings.iter().any(|finding| finding.severity >= fail_on) {
            Self::Findings
        } else {
            Self::Clean
        }
    }

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings | Self::Abandoned => 1,
            Self::CouldNotRun => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
