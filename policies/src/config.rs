//! Configuration files: what both doors read in the same words.
//!
//! What is wrong with a file is told with its line and column, and with the
//! right name that comes nearest to a wrong one.

mod exemption;

use std::fmt;

use serde::de::DeserializeOwned;
use serde_yaml::{DuplicateKeyPolicy, Error, Location};

pub use self::exemption::{Exemption, Exemptions, Labels, WrittenExemption};
pub use serde_yaml::Spanned;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counts from 1.
    pub line: u64,
    /// Counts from 1, in characters.
    pub column: u64,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem of the value that stands there.
    pub fn at(location: Location, message: impl Into<String>) -> Self {
        // Without a value there is no place: then it is the file as a whole.
        let (line, column) = (location.line().max(1), location.column().max(1));
        Self { line, column, message: message.into() }
    }
}

impl fmt::Display for Problem {
    /// Goes behind the name of the file: `3:14: there is …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Reads one YAML document. An empty one is the default.
///
/// # Errors
/// The first thing that isn't as `T` wants it.
pub fn read<T: DeserializeOwned + Default>(text: &str) -> Result<T, Problem> {
    let options = serde_yaml::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    let read: Result<Option<T>, Error> = serde_yaml::from_str_with_options(text, options);
    match read {
        Ok(written) => Ok(written.unwrap_or_default()),
        Err(error) => Err(problem(&error)),
    }
}

fn problem(error: &Error) -> Problem {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let message = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("there is no key `{field}` here{}", instead(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("`{variant}` can't stand here{}", instead(variant, expected))
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing here"),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("{unexpected} can't stand here: it takes {expected}")
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is written twice")
        }
        Error::MultipleDocuments { .. } => "there is a second document: it takes one".to_owned(),
        other => other.to_string(),
    };
    Problem::at(location, message)
}

/// What could stand there, as the end of a sentence.
fn instead(wrong: &str, right: &[&str]) -> String {
    match nearest(wrong, right.iter().copied()) {
        Some(nearest) => format!(": did you mean `{nearest}`?"),
        None => format!(": it takes {}", right.join(", ")),
    }
}

/// The name that was probably meant, if any comes near.
pub fn nearest<'k>(wrong: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // What clap takes for similar.
    const SIMILAR: f64 = 0.7;
    known
        .map(|name| (strsim::jaro(wrong, name), name))
        .filter(|(similarity, _)| *similarity > SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Checks that there is such a rule.
///
/// # Errors
/// The problem, with the id that comes nearest.
pub fn check_rule(rule: &Spanned<String>, known: &[&str]) -> Result<(), Problem> {
    if known.contains(&rule.value.as_str()) {
        return Ok(());
    }
    let hint = match nearest(&rule.value, known.iter().copied()) {
        Some(nearest) => format!(": did you mean `{nearest}`?"),
        None => ": `headlint rules` lists all rules".to_owned(),
    };
    Err(Problem::at(rule.referenced, format!("there is no rule `{}`{hint}", rule.value)))
}
