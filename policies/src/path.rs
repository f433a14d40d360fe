//! JSONPath of one place in an object: what findings carry, and how it leads
//! to a place in the text.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::manifest::{Node, Span, Style};

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into an object.
    Key(String),
    /// Into a list, counting from 0.
    Index(usize),
}

/// Steps from the root of an object to one place, which need not exist.
///
/// Displayed as `$.spec.ports[0].targetPort`; a key that isn't an identifier
/// stands in brackets, as in `$.metadata.annotations['a.b/c']`. The normalized
/// paths of RFC 9535 (`$['spec']['ports'][0]`) can be parsed too.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Segment>);

/// Why a text is no [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Something else in front.
    #[error("`{path}` doesn't start with `$`")]
    Root {
        /// The whole text.
        path: String,
    },
    /// Neither `.key` nor `[…]`.
    #[error("`{path}` has no `.key`, `['key']` or `[index]` at byte {at}")]
    Segment {
        /// The whole text.
        path: String,
        /// Offset of the step that can't be read.
        at: usize,
    },
}

impl Path {
    /// The steps, from the root on.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// This path and a key.
    #[must_use]
    pub fn child(&self, key: impl Into<String>) -> Self {
        self.with(Segment::Key(key.into()))
    }

    /// This path and an index.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    fn with(&self, segment: Segment) -> Self {
        Self(self.0.iter().cloned().chain([segment]).collect())
    }

    /// Follows the path as far as it exists.
    pub fn resolve<'n>(&self, root: &'n Node) -> Resolved<'n> {
        let mut found = Resolved { node: root, key: None, exact: true };
        for segment in &self.0 {
            let next = match segment {
                Segment::Key(key) => {
                    found.node.entry(key).map(|entry| (&entry.value, Some(entry.key_span)))
                }
                Segment::Index(index) => found
                    .node
                    .as_sequence()
                    .and_then(|items| items.get(*index))
                    .map(|item| (item, None)),
            };
            let Some((node, key)) = next else {
                found.exact = false;
                break;
            };
            found = Resolved { node, key, exact: true };
        }
        found
    }
}

/// The nearest existing node to where a path leads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolved<'n> {
    /// The node.
    pub node: &'n Node,
    /// The key that leads to it; none for the root and for an item of a list.
    pub key: Option<Span>,
    /// Whether the whole path exists.
    pub exact: bool,
}

impl Resolved<'_> {
    /// What to show: the scalar that the path leads to. For a collection, and
    /// where something is missing, the key that leads there; without one, the
    /// first key inside.
    pub fn highlight(&self) -> Span {
        if self.exact
            && self.node.style != Style::Collection
            && self.node.span.start < self.node.span.end
        {
            return self.node.span;
        }
        let first = || self.node.as_mapping()?.first().map(|entry| entry.key_span);
        self.key.or_else(first).unwrap_or(self.node.span)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('$')?;
        for segment in &self.0 {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_identifier(key) => write!(f, ".{key}")?,
                Segment::Key(key) => {
                    f.write_str("['")?;
                    key.chars().try_for_each(|character| write_escaped(f, character))?;
                    f.write_str("']")?;
                }
            }
        }
        Ok(())
    }
}

/// As RFC 9535, section 2.7.
fn write_escaped(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '\'' => f.write_str("\\'"),
        '\\' => f.write_str("\\\\"),
        '\u{8}' => f.write_str("\\b"),
        '\u{C}' => f.write_str("\\f"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\0'..='\u{1F}' => write!(f, "\\u{:04x}", u32::from(character)),
        _ => f.write_char(character),
    }
}

fn is_identifier(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let mut rest =
            path.strip_prefix('$').ok_or_else(|| PathError::Root { path: path.to_owned() })?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let at = path.len() - rest.len();
            let (segment, behind) =
                segment(rest).ok_or_else(|| PathError::Segment { path: path.to_owned(), at })?;
            segments.push(segment);
            rest = behind;
        }
        Ok(Self(segments))
    }
}

/// The first step, and what follows it.
fn segment(rest: &str) -> Option<(Segment, &str)> {
    if let Some(rest) = rest.strip_prefix('.') {
        let (key, behind) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        return is_identifier(key).then(|| (Segment::Key(key.to_owned()), behind));
    }
    let inside = rest.strip_prefix('[')?;
    let quote = inside.chars().next()?;
    if quote == '\'' || quote == '"' {
        let (key, behind) = quoted(&inside[1..], quote)?;
        return Some((Segment::Key(key), behind.strip_prefix(']')?));
    }
    let (index, behind) = inside.split_once(']')?;
    let canonical = index == "0" || !index.starts_with('0');
    if !canonical || !index.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((Segment::Index(index.parse().ok()?), behind))
}

/// A key up to its closing quote, and what follows the quote.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((key, &text[at + 1..]));
        }
        if character != '\\' {
            key.push(character);
            continue;
        }
        let (at, escape) = characters.next()?;
        key.push(match escape {
            'b' => '\u{8}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '\'' | '"' | '\\' | '/' => escape,
            'u' => {
                let digits = text.get(at + 1..at + 5).filter(|digits| !digits.starts_with('+'))?;
                characters.nth(3)?;
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            _ => return None,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Entry, Value};

    fn keys(keys: &[&str]) -> Path {
        keys.iter().fold(Path::default(), |path, key| path.child(*key))
    }

    #[test]
    fn a_path_is_displayed_and_parsed_back() {
        for (path, shown) in [
            (Path::default(), "$"),
            (keys(&["spec", "ports"]).index(0).child("targetPort"), "$.spec.ports[0].targetPort"),
            (keys(&["metadata", "annotations", "a.b/c"]), "$.metadata.annotations['a.b/c']"),
            (keys(&["it's", "back\\slash"]), r"$['it\'s']['back\\slash']"),
            (keys(&["", "1st", "ünï", "a b", "a-b"]), "$['']['1st']['ünï']['a b'].a-b"),
            (keys(&["line\nbreak", "bell\u{7}"]), r"$['line\nbreak']['bell\u0007']"),
        ] {
            assert_eq!(path.to_string(), shown);
            assert_eq!(shown.parse(), Ok(path));
        }
    }

    #[test]
    fn normalized_paths_of_rfc_9535_are_parsed() {
        let path: Path = "$['spec']['ports'][0][\"name\"]".parse().unwrap();
        assert_eq!(path.to_string(), "$.spec.ports[0].name");
    }

    #[test]
    fn a_text_that_is_no_path_says_where() {
        for (text, message) in [
            ("spec", "`spec` doesn't start with `$`"),
            ("", "`` doesn't start with `$`"),
            ("$spec", "`$spec` has no `.key`, `['key']` or `[index]` at byte 1"),
            ("$.", "`$.` has no `.key`, `['key']` or `[index]` at byte 1"),
            ("$.a[x]", "`$.a[x]` has no `.key`, `['key']` or `[index]` at byte 3"),
            ("$.a[01]", "`$.a[01]` has no `.key`, `['key']` or `[index]` at byte 3"),
            ("$['a]", "`$['a]` has no `.key`, `['key']` or `[index]` at byte 1"),
            ("$['\\u12", "`$['\\u12` has no `.key`, `['key']` or `[index]` at byte 1"),
            ("$..a", "`$..a` has no `.key`, `['key']` or `[index]` at byte 1"),
        ] {
            assert_eq!(text.parse::<Path>().unwrap_err().to_string(), message);
        }
    }

    /// `a: {b: 1, c: null}` and `l: [{x: y}]`, with made-up spans.
    fn tree() -> Node {
        let scalar =
            |value, start, end| Node { value, span: Span::new(start, end), style: Style::Plain };
        let collection = |value, start, end| Node {
            value,
            span: Span::new(start, end),
            style: Style::Collection,
        };
        let entry = |key: &str, start, value| Entry {
            key: key.to_owned(),
            key_span: Span::new(start, start + 1),
            value,
        };
        let a = Value::Mapping(vec![
            entry("b", 4, scalar(Value::Int(1), 7, 8)),
            entry("c", 10, scalar(Value::Null, 12, 12)),
        ]);
        let item =
            Value::Mapping(vec![entry("x", 25, scalar(Value::String("y".to_owned()), 28, 29))]);
        let l = Value::Sequence(vec![collection(item, 24, 30)]);
        let root = vec![entry("a", 0, collection(a, 3, 18)), entry("l", 20, collection(l, 23, 31))];
        collection(Value::Mapping(root), 0, 31)
    }

    #[test]
    fn the_highlight_is_a_scalar_or_the_key_that_leads_to_the_place() {
        let tree = tree();
        for (path, exact, highlight) in [
            ("$.a.b", true, (7, 8)),
            ("$.a", true, (0, 1)),
            ("$", true, (0, 1)),
            ("$.l", true, (20, 21)),
            ("$.l[0]", true, (25, 26)),
            ("$.l[0].x", true, (28, 29)),
            // An empty value has no text.
            ("$.a.c", true, (10, 11)),
            ("$.a.missing.deeper", false, (0, 1)),
            ("$.missing", false, (0, 1)),
            ("$.l[7].x", false, (20, 21)),
            ("$.l[0].missing", false, (25, 26)),
            ("$.a.b.under", false, (4, 5)),
        ] {
            let resolved = path.parse::<Path>().unwrap().resolve(&tree);
            let Span { start, end } = resolved.highlight();
            assert_eq!((resolved.exact, (start, end)), (exact, highlight), "{path}");
        }
    }
}
