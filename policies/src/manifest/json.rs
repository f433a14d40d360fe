//! JSON as Go reads it, into the same tree.

use jsonc_parser::ast::Value as Ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::node::{Entry, Node, Span, Style, Value, offset};
use super::problem::Problem;
use super::scalar::number_of;
use super::yaml::Entries;
use super::{Duplicate, MAX_DEPTH, MAX_NODES};

/// Strict JSON.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads `text`, exactly one value of valid syntax, which starts at the offset
/// `base` of its source. Keys that are written twice are added to `duplicates`.
///
/// # Errors
/// What is beyond our limits, numbers too large for a float, and halves of
/// surrogate pairs, for which Go puts U+FFFD.
pub(super) fn parse(
    text: &str,
    base: u32,
    duplicates: &mut Vec<Duplicate>,
) -> Result<Node, Problem> {
    // Commas in strings count too, but no text has that many.
    if text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > MAX_NODES {
        return Err(Problem::too_many(base));
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
        let at = base + offset(error.range().start);
        match error.kind() {
            ParseErrorKind::NestingDepthExceeded => Problem::too_deep(at),
            kind => Problem::new(at, format!("not valid JSON: {kind}")),
        }
    })?;
    match parsed.value {
        Some(value) => Reader { base, duplicates }.node(value, 0),
        None => Err(Problem::new(base, "no JSON value: write one".to_owned())),
    }
}

struct Reader<'d> {
    base: u32,
    duplicates: &'d mut Vec<Duplicate>,
}

impl Reader<'_> {
    fn node(&mut self, ast: Ast<'_>, depth: usize) -> Result<Node, Problem> {
        let span = self.span(&ast);
        if depth >= MAX_DEPTH && matches!(ast, Ast::Array(_) | Ast::Object(_)) {
            return Err(Problem::too_deep(span.start));
        }
        let (value, style) = match ast {
            Ast::NullKeyword(_) => (Value::Null, Style::Plain),
            Ast::BooleanLit(literal) => (Value::Bool(literal.value), Style::Plain),
            Ast::NumberLit(literal) => (number(literal.value, span)?, Style::Plain),
            Ast::StringLit(literal) => {
                (Value::String(literal.value.into_owned()), Style::DoubleQuoted)
            }
            Ast::Array(array) => {
                let nodes = array.elements.into_iter().map(|element| self.node(element, depth + 1));
                (Value::Sequence(nodes.collect::<Result<_, _>>()?), Style::Collection)
            }
            Ast::Object(object) => {
                let mut entries = Entries::default();
                for property in object.properties {
                    let key_span = self.span(&property.name);
                    let value = self.node(property.value, depth + 1)?;
                    let entry = Entry { key: property.name.into_string(), key_span, value };
                    let duplicate = entries.insert(entry, false);
                    self.duplicates.extend(duplicate);
                }
                (Value::Mapping(entries.list), Style::Collection)
            }
        };
        Ok(Node { value, span, style })
    }

    fn span(&self, ranged: &impl Ranged) -> Span {
        Span { start: self.base + offset(ranged.start()), end: self.base + offset(ranged.end()) }
    }
}

/// An integer where it is written as one and fits, else a float.
///
/// # Source
/// `convertNumber` in sigs.k8s.io/json `internal/golang/encoding/json/decode.go`
/// with integers preserved; then what kubectl's encoder writes.
fn number(text: &str, span: Span) -> Result<Value, Problem> {
    if let Ok(int) = text.parse() {
        return Ok(Value::Int(int));
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(number_of(float)),
        _ => Err(Problem::new(
            span.start,
            format!("{text} is too large for a number: quote it if it is a string"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_with_the_place_of_every_value() {
        let text = r#"{"a": [1, "ü"], "b": {"c": null}}"#;
        let root = parse(text, 10, &mut Vec::new()).unwrap();
        let shown = |node: Option<&Node>| {
            let span = node.unwrap().span;
            &text[span.start as usize - 10..span.end as usize - 10]
        };
        assert_eq!(shown(Some(&root)), text);
        assert_eq!(shown(root.get("a")), r#"[1, "ü"]"#);
        assert_eq!(shown(root.get("a").and_then(|a| a.as_sequence()?.get(1))), "\"ü\"");
        assert_eq!(shown(root.get("b").and_then(|b| b.get("c"))), "null");
        assert_eq!(root.entry("b").unwrap().key_span, Span::new(27, 30));
    }

    #[test]
    fn numbers_stay_what_they_are() {
        for (text, expected) in [
            ("1", Value::Int(1)),
            ("-0", Value::Int(0)),
            ("80.0", Value::Int(80)),
            ("1e3", Value::Int(1000)),
            ("1.5", Value::Float(1.5)),
            ("9223372036854775808", Value::Float(9_223_372_036_854_775_808.0)),
        ] {
            assert_eq!(parse(text, 0, &mut Vec::new()).unwrap().value, expected);
        }
        assert!(parse("1e999", 0, &mut Vec::new()).unwrap_err().message.contains("too large"));
    }

    #[test]
    fn the_last_of_a_duplicate_wins_and_is_told() {
        let mut duplicates = Vec::new();
        let root = parse(r#"{"a": 1, "b": 2, "a": 3}"#, 0, &mut duplicates).unwrap();
        assert_eq!(root.to_json().to_string(), r#"{"a":3,"b":2}"#);
        let (first, last) = (Span::new(1, 4), Span::new(17, 20));
        let expected = Duplicate { key: "a".to_owned(), first, last, same: false };
        assert_eq!(duplicates, [expected]);
    }

    #[test]
    fn nesting_is_bounded() {
        for depth in [MAX_DEPTH + 1, 100_000] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            let problem = parse(&text, 0, &mut Vec::new()).unwrap_err();
            assert!(problem.message.starts_with("nested deeper than 256"), "{}", problem.message);
        }
        let text = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
        assert!(parse(&text, 0, &mut Vec::new()).is_ok());
    }
}
