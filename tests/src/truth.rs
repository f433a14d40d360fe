//! What a real API server, its controllers and CoreDNS show of a rule, or a node with
//! running Pods: beside its cases, in `truth.yaml`.
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
//! or the same below `node:`, where Pods have to run; or, where nothing can be seen
//! here, `unseen:` and the reason.

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
    /// Both cases are applied to a control plane without nodes.
    Seen(Box<Pair<Fact>>),
    /// Both are applied where Pods run.
    OnNode(OnNode),
    /// Nothing here shows anything of it.
    Unseen(Reason),
}

/// What a node shows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnNode {
    /// Both cases.
    pub node: Box<Pair<Sight>>,
}

/// A case that fires, and one that is quiet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair<F> {
    /// Shows what the rule warns of.
    pub fires: Scene<F>,
    /// Doesn't show that.
    pub quiet: Scene<F>,
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
pub struct Scene<F> {
    /// The name of its file, without the extension.
    pub case: String,
    /// What a user applies, one after the other, where the case isn't that but what
    /// the API server makes of it.
    #[serde(default)]
    pub applies: Vec<String>,
    /// Whether its Pods run and never become ready.
    #[serde(default)]
    pub unready: bool,
    /// Whether a CoreDNS answers that has the `Corefile` of the case's first
    /// ConfigMap.
    #[serde(default)]
    pub corefile: bool,
    /// None: it is admitted, and that is all.
    #[serde(default = "Vec::new")]
    pub shows: Vec<F>,
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

/// Something that is seen where Pods run, which are called by their name or that of
/// their workload. What isn't there yet is waited for. `{namespace}` stands for the
/// case's.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Sight {
    /// The Pod is ready.
    Ready(String),
    /// What a file in the Pod says.
    File(Content),
    /// What becomes of a connection of a client in the namespace.
    Dial(Dial),
    /// An event of the namespace has this in its text.
    Event(String),
}

/// Whether a text stands in a file of a Pod.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The Pod.
    pub pod: String,
    /// Such as `/etc/resolv.conf`, or `/proc/1/environ` for its variables.
    pub path: String,
    /// The text.
    pub has: String,
    /// Whether it does.
    pub is: bool,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dial {
    /// Host and port.
    pub to: String,
    /// `connected`, `refused`, `no answer`, or a part of what DNS says.
    pub sees: String,
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
