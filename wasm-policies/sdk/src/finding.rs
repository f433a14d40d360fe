//! How a rule says what it found.

use crate::bindings::wire;
pub use crate::bindings::wire::Timing;
use crate::policy::{Rule, Severity};
use crate::types::{ByteRange, ObjectRef, Reference};

/// Whether an edit may be made without a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// What the object means stays, or a refused object gets the one meaning
    /// that it can have.
    Safe,
    /// A guess at the intention.
    Proposed,
}

/// How the text of a finding calls an object: ``Deployment `web` ``.
#[must_use]
pub fn display_name(object: &ObjectRef) -> String {
    match object.name.as_str() {
        "" => format!("{} `<generated>`", object.kind),
        name => format!("{} `{name}`", object.kind),
    }
}

/// One defect at one place of the object under review.
#[derive(Clone, Debug)]
pub struct Finding {
    pub(crate) wire: wire::Finding,
}

impl Finding {
    /// A finding of the rule's usual severity at a JSONPath of the object
    /// under review, which admission tells at once.
    #[must_use]
    pub fn new(rule: &Rule, path: impl Into<String>) -> Self {
        Self {
            wire: wire::Finding {
                rule: rule.id.to_owned(),
                severity: rule.severity.into(),
                timing: Timing::Now,
                path: path.into(),
                range: None,
                what: String::new(),
                why: String::new(),
                help: String::new(),
                related: Vec::new(),
                edits: Vec::new(),
            },
        }
    }

    /// Another severity than the rule's usual one.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.wire.severity = severity.into();
        self
    }

    /// Another time for admission to speak about it: for a finding that rests
    /// on another object's absence.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.wire.timing = timing;
        self
    }

    /// The bytes of the string value at the path that are meant.
    #[must_use]
    pub fn range(mut self, range: Option<ByteRange>) -> Self {
        self.wire.range = range;
        self
    }

    /// What is wrong, with the names and numbers of this object.
    #[must_use]
    pub fn what(mut self, what: impl Into<String>) -> Self {
        self.wire.what = what.into();
        self
    }

    /// Why it hurts: what a client sees, in one line.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.wire.why = why.into();
        self
    }

    /// What to do, in the imperative.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.wire.help = help.into();
        self
    }

    /// Another place that has to do with it.
    #[must_use]
    pub fn related(
        self,
        object: &ObjectRef,
        path: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        self.related_range(object, path, None, label)
    }

    /// Another place: some bytes of a string value.
    #[must_use]
    pub fn related_range(
        mut self,
        object: &ObjectRef,
        path: impl Into<String>,
        range: Option<ByteRange>,
        label: impl Into<String>,
    ) -> Self {
        self.wire.related.push(wire::Place {
            object: object.clone(),
            path: path.into(),
            range,
            label: label.into(),
        });
        self
    }

    /// The places where names of Services are used.
    #[must_use]
    pub fn related_uses<'r>(self, references: impl IntoIterator<Item = &'r Reference>) -> Self {
        references.into_iter().fold(self, |finding, reference| {
            finding.related_range(
                &reference.holder.ref_,
                reference.path.as_str(),
                reference.range,
                format!("`{}` is used here", reference.host),
            )
        })
    }

    /// An edit that gives an existing path another value.
    #[must_use]
    pub fn set(self, path: impl Into<String>, value: serde_json::Value, safety: Safety) -> Self {
        self.edit(wire::EditOp::Set, path.into(), value.to_string(), safety)
    }

    /// An edit that adds a key or a list entry.
    #[must_use]
    pub fn add(self, path: impl Into<String>, value: serde_json::Value, safety: Safety) -> Self {
        self.edit(wire::EditOp::Add, path.into(), value.to_string(), safety)
    }

    /// An edit that removes a path with its key.
    #[must_use]
    pub fn remove(self, path: impl Into<String>, safety: Safety) -> Self {
        self.edit(wire::EditOp::Remove, path.into(), String::new(), safety)
    }

    fn edit(mut self, op: wire::EditOp, path: String, value: String, safety: Safety) -> Self {
        let safety = match safety {
            Safety::Safe => wire::Safety::Safe,
            Safety::Proposed => wire::Safety::Proposed,
        };
        self.wire.edits.push(wire::Edit { op, path, value, safety });
        self
    }
}

/// What the rules of a policy found on one object.
#[derive(Debug, Default)]
pub struct Findings {
    pub(crate) list: Vec<wire::Finding>,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        self.list.push(finding.wire);
    }

    /// When admission speaks about each, for tests.
    pub fn timings(&self) -> Vec<Timing> {
        self.list.iter().map(|finding| finding.timing).collect()
    }

    /// Rule, severity and path of each, for tests.
    pub fn brief(&self) -> Vec<(&str, Severity, &str)> {
        self.list
            .iter()
            .map(|finding| (finding.rule.as_str(), finding.severity.into(), finding.path.as_str()))
            .collect()
    }
}
