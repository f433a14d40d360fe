//! Trees from JSON that an API server sent: nobody asks where in the text a
//! node stands, so it has no place.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Entry, Node, Span, Style, Value};

impl<'de> Deserialize<'de> for Node {
    /// Any JSON. All spans are empty, and of a key that is given twice the last
    /// counts, as it does to the API server.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(AnyJson)?;
        let style = match value {
            Value::Sequence(_) | Value::Mapping(_) => Style::Collection,
            Value::String(_) => Style::DoubleQuoted,
            _ => Style::Plain,
        };
        Ok(Self { value, span: Span::default(), style })
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // As everywhere in a tree, a number without a fraction is an integer.
        let whole = value.fract() == 0.0 && value.abs() < 9.0e15;
        Ok(if whole { Value::Int(value as i64) } else { Value::Float(value) })
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Value::Sequence(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Node>()? {
            entries.push(Entry { key, key_span: Span::default(), value });
        }
        Ok(Value::Mapping(without_duplicates(entries)))
    }
}

/// The last of each key.
fn without_duplicates(entries: Vec<Entry>) -> Vec<Entry> {
    // Objects are small but for the data of a ConfigMap.
    const SMALL: usize = 16;
    let unique = if entries.len() <= SMALL {
        let behind = |at: usize| entries[at + 1..].iter();
        let is_last = |(at, one): (usize, &Entry)| behind(at).all(|other| other.key != one.key);
        entries.iter().enumerate().all(is_last)
    } else {
        entries.iter().map(|entry| &entry.key).collect::<HashSet<_>>().len() == entries.len()
    };
    if unique {
        return entries;
    }
    let mut seen = HashSet::new();
    let mut kept: Vec<_> =
        entries.into_iter().rev().filter(|entry| seen.insert(entry.key.clone())).collect();
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_the_loader_reads_it() {
        let text = r#"{"a":[1,-2,1.5,80.0,null,true,"x"],"b":{"c":18446744073709551615},"a":[]}"#;
        let node: Node = serde_json::from_str(text).unwrap();
        assert_eq!(node.to_json().to_string(), r#"{"a":[],"b":{"c":1.8446744073709552e+19}}"#);
        let list: Node = serde_json::from_str("[80.0, 1.5]").unwrap();
        assert_eq!(list.to_json().to_string(), "[80,1.5]");
        let value: Node = serde_json::from_value(serde_json::json!({"x": [1]})).unwrap();
        assert_eq!(value.get("x").and_then(Node::as_sequence).map(<[_]>::len), Some(1));
    }
}
