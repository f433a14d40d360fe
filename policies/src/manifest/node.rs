//! The tree of one document: JSON's data model, with the place of every node.

mod deserialize;

/// Byte offsets in the source text; `end` is behind the last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// From `start` to behind `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: offset(start), end: offset(end) }
    }

    /// For slicing the source text.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Sources are far smaller than `u32` can count; see [`super::MAX_SOURCE_BYTES`].
pub(super) fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// How a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A scalar without quotes, and any number, boolean or null of JSON.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`, in YAML and JSON.
    DoubleQuoted,
    /// A block scalar that starts with `|`.
    Literal,
    /// A block scalar that starts with `>`.
    Folded,
    /// A mapping or a sequence, in block or flow style.
    Collection,
}

/// One value, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it means to kubectl.
    pub value: Value,
    /// A scalar: the token, quotes included; a block scalar from its indicator
    /// to the end of its text. A collection: from its first key, dash or
    /// bracket to the end of its last child or to its closing bracket. What an
    /// alias stands for keeps the place of its anchor.
    pub span: Span,
    /// How it is written.
    pub style: Style,
}

/// What a node means, in JSON's terms.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// Any YAML 1.1 boolean.
    Bool(bool),
    /// An integer, and a float without a fraction, since kubectl sends `80.0`
    /// as `80`.
    Int(i64),
    /// Never NaN or infinite. Integers beyond `i64` are floats, as in kubectl.
    Float(f64),
    /// A string; a timestamp is one too.
    String(String),
    /// A list, in its order.
    Sequence(Vec<Node>),
    /// An object. Keys are unique: the last of a duplicate wins and takes the
    /// place of the first.
    Mapping(Vec<Entry>),
}

/// One key of a mapping, with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Keys that aren't strings became strings: `true`, `1`.
    pub key: String,
    /// The key's token.
    pub key_span: Span,
    /// What it leads to.
    pub value: Node,
}

impl Node {
    /// The value of a key; none where this is no mapping or lacks the key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key with its value; none where this is no mapping or lacks the key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_mapping()?.iter().find(|entry| entry.key == key)
    }

    /// The string, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(string) => Some(string),
            _ => None,
        }
    }

    /// The integer, where it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self.value {
            Value::Int(int) => Some(int),
            _ => None,
        }
    }

    /// The boolean, where it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(bool) => Some(bool),
            _ => None,
        }
    }

    /// The items, where it is a list.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, where it is an object.
    pub fn as_mapping(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The type as JSON Schema and OpenAPI name it, a sequence being a "list".
    pub fn type_name(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) => "integer",
            Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::Sequence(_) => "list",
            Value::Mapping(_) => "object",
        }
    }

    /// The same data without places.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(bool) => Json::Bool(*bool),
            Value::Int(int) => Json::from(*int),
            Value::Float(float) => Json::from(*float),
            Value::String(string) => Json::String(string.clone()),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_gives_only_what_it_is() {
        let node = |value| Node { value, span: Span::default(), style: Style::Plain };
        for (value, name, json) in [
            (Value::Null, "null", "null"),
            (Value::Bool(true), "boolean", "true"),
            (Value::Int(-1), "integer", "-1"),
            (Value::Float(1.5), "number", "1.5"),
            (Value::String("x".to_owned()), "string", "\"x\""),
            (Value::Sequence(vec![node(Value::Null)]), "list", "[null]"),
            (Value::Mapping(Vec::new()), "object", "{}"),
        ] {
            let node = node(value);
            assert_eq!((node.type_name(), node.to_json().to_string().as_str()), (name, json));
            assert_eq!(node.as_str().is_some(), name == "string");
            assert_eq!(node.as_i64().is_some(), name == "integer");
            assert_eq!(node.as_bool().is_some(), name == "boolean");
            assert_eq!(node.as_sequence().is_some(), name == "list");
            assert_eq!(node.as_mapping().is_some(), name == "object");
            assert_eq!(node.is_null(), name == "null");
            assert_eq!(node.get("key"), None);
        }
    }
}
