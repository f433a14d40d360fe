//! Configuration files: what both doors read in the same words.
//!
//! What is wrong with a file is told with its line and column, and with the
//! right name that comes nearest to a wrong one.

mod cluster;
mod exemption;
mod keyed;
mod settings;

use std::fmt;

use serde::de::DeserializeOwned;
use serde_yaml::{DefaultMessageFormatter, DuplicateKeyPolicy, Error, MessageFormatter as _};

pub use self::cluster::Cluster;
pub use self::exemption::{Exemption, Exemptions, Labels, WrittenExemption, today};
pub use self::keyed::Keyed;
pub use self::settings::{WrittenPolicies, WrittenPolicy, configure};
pub use serde_yaml::{Location, Spanned};

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
/// The first thing that isn't as `T` wants it, or isn't UTF-8.
pub fn read<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = good.lines().count().max(1);
        Problem { line: line as u64, column: 1, message: "it isn't UTF-8".to_owned() }
    })?;
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
        Error::InvalidScalar { ty, .. } => match *ty {
            "u16" => format!("a whole number from 0 to {} belongs here", u16::MAX),
            "u32" => format!("a whole number from 0 to {} belongs here", u32::MAX),
            "boolean" => "true or false belongs here".to_owned(),
            ty => format!("a {ty} belongs here"),
        },
        Error::Unexpected { expected: "mapping start", .. } => {
            "keys with their values belong here".to_owned()
        }
        Error::Unexpected { expected: "sequence start", .. } => "a list belongs here".to_owned(),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => {
            "a single word belongs here".to_owned()
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is written twice")
        }
        Error::MultipleDocuments { .. } => "there is a second document: it takes one".to_owned(),
        // Without the place, which it would tell again.
        other => DefaultMessageFormatter.format_message(other).into_owned(),
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

/// Checks that a number isn't zero.
///
/// # Errors
/// The problem, in the words of the file.
pub fn check_positive(number: &Spanned<impl Into<u64> + Copy>) -> Result<(), Problem> {
    match number.value.into() {
        0 => Err(Problem::at(number.referenced, "0 can't stand here: 1 is the least")),
        _ => Ok(()),
    }
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
