//! Reading typed fields out of a tree, as leniently and as strictly as the API
//! server: fields that the model doesn't know are ignored, null is the same as
//! missing, and a value of another type is refused.
//!
//! # Source
//! sigs.k8s.io/json (kubernetes v1.36): numbers are never strings, nor strings
//! numbers or booleans.

use super::{IntOrString, Label};
use crate::finding::InputError;
use crate::manifest::{Node, Source, Value};
use crate::path::Path;

/// A value of a type that the API server refuses, in a field that the model
/// reads: the rest of the object can't be judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{path}` must be {expected}, not {found}{}", self.advice())]
pub struct DecodeError {
    /// The field.
    pub path: Path,
    /// With its article, such as "a string".
    pub expected: &'static str,
    /// With its article, such as "an integer".
    pub found: &'static str,
}

impl DecodeError {
    /// The same, at its place in the text that the object was read from.
    #[must_use]
    pub fn in_source(&self, source: &Source, root: &Node) -> InputError {
        let at = self.path.resolve(root).highlight();
        let position = source.position(at.start);
        InputError {
            file: source.name.clone(),
            line: Some(position.line),
            column: Some(position.column),
            message: self.to_string(),
        }
    }

    /// YAML reads `y`, `on` and `1.0` as something else than text.
    fn advice(&self) -> &'static str {
        match (self.expected, self.found) {
            ("a string", "a boolean" | "an integer" | "a number") => ": write it in quotes",
            _ => "",
        }
    }
}

/// A field whose value has a type that the API server refuses, and that some
/// rule speaks about. The typed field is then as if it were missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeError {
    /// JSONPath of the field.
    pub path: String,
    /// The value as JSON.
    pub value: String,
    /// Such as `integer` or `string`.
    pub expected: &'static str,
}

/// The node that has the wrong type, by its place in memory: its path is only
/// looked for when it is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrongType<'n> {
    node: &'n Node,
    expected: &'static str,
}

impl WrongType<'_> {
    pub(crate) fn within(self, root: &Node) -> DecodeError {
        DecodeError {
            path: path_of(root, self.node),
            expected: self.expected,
            found: with_article(self.node.type_name()),
        }
    }
}

pub(crate) type Decoded<'n, T> = Result<T, WrongType<'n>>;

/// One step of a walk, which becomes a [`Path`] only where one is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'n> {
    Key(&'n str),
    Index(usize),
}

pub(crate) fn path(steps: &[Step<'_>]) -> Path {
    steps.iter().fold(Path::default(), |path, step| match *step {
        Step::Key(key) => path.child(key),
        Step::Index(index) => path.index(index),
    })
}

/// The path of a node of this very tree; `$` for a node of another one.
fn path_of(root: &Node, wanted: &Node) -> Path {
    let mut found = Path::default();
    walk(root, &mut |node, steps| {
        if std::ptr::eq(node, wanted) {
            found = path(steps);
        }
    });
    found
}

/// Visits every node in the order of the manifest, parents first.
pub(crate) fn walk<'n>(root: &'n Node, visit: &mut impl FnMut(&'n Node, &[Step<'n>])) {
    descend(root, &mut Vec::new(), visit);
}

fn descend<'n>(
    node: &'n Node,
    steps: &mut Vec<Step<'n>>,
    visit: &mut impl FnMut(&'n Node, &[Step<'n>]),
) {
    visit(node, steps);
    match &node.value {
        Value::Mapping(entries) => {
            for entry in entries {
                steps.push(Step::Key(&entry.key));
                descend(&entry.value, steps, visit);
                steps.pop();
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                steps.push(Step::Index(index));
                descend(item, steps, visit);
                steps.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {}
    }
}

fn with_article(type_name: &'static str) -> &'static str {
    match type_name {
        "boolean" => "a boolean",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "list" => "a list",
        "object" => "an object",
        other => other,
    }
}

/// Typed fields of an object. A null in a list is as good as an empty object.
pub(crate) trait Fields<'n> {
    /// A field that isn't null.
    fn present(self, key: &str) -> Option<&'n Node>;
    /// An object.
    fn object(self, key: &str) -> Decoded<'n, Option<&'n Node>>;
    /// A list of objects; empty when missing.
    fn objects(self, key: &str) -> Decoded<'n, &'n [Node]>;
    /// A string; empty stays empty.
    fn text(self, key: &str) -> Decoded<'n, Option<&'n str>>;
    /// A string; none when empty.
    fn filled(self, key: &str) -> Decoded<'n, Option<&'n str>>;
    /// An integer.
    fn int(self, key: &str) -> Decoded<'n, Option<i64>>;
    /// A boolean; false when missing.
    fn flag(self, key: &str) -> Decoded<'n, bool>;
    /// A list of strings; empty when missing. A null in it is an empty string.
    fn texts(self, key: &str) -> Decoded<'n, Vec<(&'n Node, &'n str)>>;
    /// A map of strings, in the manifest's order; empty when missing.
    fn text_map(self, key: &str) -> Decoded<'n, Vec<(&'n str, &'n Node, &'n str)>>;
}

impl<'n> Fields<'n> for &'n Node {
    fn present(self, key: &str) -> Option<&'n Node> {
        self.get(key).filter(|node| !node.is_null())
    }

    fn object(self, key: &str) -> Decoded<'n, Option<&'n Node>> {
        let Some(node) = self.present(key) else { return Ok(None) };
        object(node).map(Some)
    }

    fn objects(self, key: &str) -> Decoded<'n, &'n [Node]> {
        let items = list(self.present(key))?;
        for item in items.iter().filter(|item| !item.is_null()) {
            object(item)?;
        }
        Ok(items)
    }

    fn text(self, key: &str) -> Decoded<'n, Option<&'n str>> {
        self.present(key).map(text).transpose()
    }

    fn filled(self, key: &str) -> Decoded<'n, Option<&'n str>> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()))
    }

    fn int(self, key: &str) -> Decoded<'n, Option<i64>> {
        self.present(key)
            .map(|node| node.as_i64().ok_or(WrongType { node, expected: "an integer" }))
            .transpose()
    }

    fn flag(self, key: &str) -> Decoded<'n, bool> {
        let Some(node) = self.present(key) else { return Ok(false) };
        node.as_bool().ok_or(WrongType { node, expected: "a boolean" })
    }

    fn texts(self, key: &str) -> Decoded<'n, Vec<(&'n Node, &'n str)>> {
        list(self.present(key))?.iter().map(|item| Ok((item, text_or_null(item)?))).collect()
    }

    fn text_map(self, key: &str) -> Decoded<'n, Vec<(&'n str, &'n Node, &'n str)>> {
        let Some(node) = self.object(key)? else { return Ok(Vec::new()) };
        let entries = node.as_mapping().unwrap_or_default();
        entries
            .iter()
            .map(|entry| Ok((entry.key.as_str(), &entry.value, text_or_null(&entry.value)?)))
            .collect()
    }
}

fn object(node: &Node) -> Decoded<'_, &Node> {
    match node.value {
        Value::Mapping(_) => Ok(node),
        _ => Err(WrongType { node, expected: "an object" }),
    }
}

fn list(node: Option<&Node>) -> Decoded<'_, &[Node]> {
    let Some(node) = node else { return Ok(&[]) };
    node.as_sequence().ok_or(WrongType { node, expected: "a list" })
}

fn text(node: &Node) -> Decoded<'_, &str> {
    node.as_str().ok_or(WrongType { node, expected: "a string" })
}

fn text_or_null(node: &Node) -> Decoded<'_, &str> {
    if node.is_null() { Ok("") } else { text(node) }
}

/// A map of strings as labels, sorted by key.
pub(crate) fn labels<'n>(parent: &'n Node, key: &str) -> Decoded<'n, Vec<Label>> {
    let mut labels: Vec<_> = parent
        .text_map(key)?
        .into_iter()
        .map(|(key, _, value)| Label { key: key.to_owned(), value: value.to_owned() })
        .collect();
    labels.sort_unstable();
    Ok(labels)
}

/// A port that is a number or a name.
pub(crate) fn port<'n>(parent: &'n Node, key: &str) -> Decoded<'n, Option<IntOrString>> {
    let Some(node) = parent.present(key) else { return Ok(None) };
    match &node.value {
        Value::Int(number) => Ok(Some(IntOrString::Int(*number))),
        Value::String(name) => Ok(Some(IntOrString::Text(name.clone()))),
        _ => Err(WrongType { node, expected: "an integer or a string" }),
    }
}

/// Reads a field that a rule owns: a wrong type becomes a [`TypeError`], and
/// the field is as if it were missing.
pub(super) fn owned<'n, T: Default>(
    decoded: Decoded<'n, T>,
    root: &Node,
    errors: &mut Vec<TypeError>,
) -> T {
    decoded.unwrap_or_else(|wrong| {
        errors.push(TypeError {
            path: path_of(root, wrong.node).to_string(),
            value: wrong.node.to_json().to_string(),
            expected: wrong.expected.trim_start_matches("an ").trim_start_matches("a "),
        });
        T::default()
    })
}
