//! What a real API server, its controllers and CoreDNS show of a rule: beside its
//! cases, in `truth.yaml`.
//!
//! ```yaml
//! fires:
//!   case: fires-number
//!   shows:
//!   - srv: {name: _http._tcp.db, is: [8000]}
//! quiet:
//!   case: quiet-target-port-absent
//!   shows:
//!   - srv: {name: _http._tcp.db, is: [80]}
//! ```
//!
//! or, where nothing can be seen there, `unseen:` and the reason.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::Value;

use crate::cases::{Case, all, rule_folders};

/// The name of the file, without its extension.
pub const FILE: &str = "truth";

/// What is declared of one rule.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Truth {
    /// Both cases are applied.
    Seen(Box<Pair>),
    /// A control plane without nodes shows nothing of it.
    Unseen(Reason),
}

/// A case that fires, and one that is quiet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Shows what the rule warns of.
    pub fires: Scene,
    /// Doesn't show that.
    pub quiet: Scene,
}

/// Why nothing can be seen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// One line.
    pub unseen: String,
}

/// A case, and all that is seen once it has been applied.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// The name of its file, without the extension.
    pub case: String,
    /// What a user applies, one after the other, where the case isn't that but what
    /// the API server makes of it.
    #[serde(default)]
    pub applies: Vec<String>,
    /// Whether its Pods run and never become ready.
    #[serde(default)]
    pub unready: bool,
    /// None: it is admitted, and that is all.
    #[serde(default)]
    pub shows: Vec<Fact>,
}

/// Something that is seen. What isn't there yet is waited for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Fact {
    /// The API server refuses the case, or the change, with a text that has this in
    /// it.
    Refused(String),
    /// The API server itself warns, with a text that has this in it.
    Warned(String),
    /// An event of the namespace has this in its text.
    Event(String),
    /// CoreDNS's answer to a question for addresses, sorted: the names of Pods and
    /// Services (`db-0`, `service/db`) in place of theirs, and that of the workload
    /// where a controller makes names up; `[NXDOMAIN]` where there is no such name.
    A(Records),
    /// CoreDNS's answer to a question for SRV records: their ports, sorted.
    Srv(Records),
    /// Whether an answer with addresses is too long for a client without EDNS, and so
    /// cut.
    Cut(Cut),
    /// What is stored.
    Object(Stored),
}

/// Records of a name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// Without `svc.cluster.local`, and without a namespace if it is that of the
    /// first object; the whole name if it ends with a dot. `{web}` is a Pod whose
    /// name a controller of `web` made up.
    pub name: String,
    /// The answer: strings and numbers.
    pub is: Vec<Value>,
}

/// The size of an answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// As in [`Records`].
    pub name: String,
    /// Whether it is cut.
    pub is: bool,
}

/// A value in a stored object.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// As kubectl takes it, such as `service/db`.
    pub name: String,
    /// A JSON pointer.
    pub at: String,
    /// Null if there is none.
    pub is: Value,
}

/// What is declared, by rule.
///
/// # Panics
/// When a declaration can't be read.
#[must_use]
pub fn declared() -> BTreeMap<String, Truth> {
    let read = |(rule, folder): (String, std::path::PathBuf)| {
        let path = folder.join(FILE).with_extension("yaml");
        let text = fs::read_to_string(&path).ok()?;
        let truth = serde_yaml::from_str(&text);
        Some((rule, truth.unwrap_or_else(|error| panic!("{}: {error}", path.display()))))
    };
    rule_folders().into_iter().filter_map(read).collect()
}

/// A case of a rule by its name.
#[must_use]
pub fn case(rule: &str, name: &str) -> Option<Case> {
    all().into_iter().find(|case| case.rule == rule && case.name() == name)
}
