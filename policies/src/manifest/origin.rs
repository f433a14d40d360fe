//! Where an object was read from, and reading it again.

use std::sync::Arc;

use super::node::{Entry, Node, Span, Style, Value, offset};
use super::yaml::{self, Failure, Unread};
use super::{Duplicate, Source, json};

/// How to read an object again.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The piece of the stream that holds it.
    pub(super) chunk: Span,
    pub(super) format: Format,
    /// Which one it is, in a list.
    pub(super) item: Option<ListItem>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Format {
    Yaml,
    /// YAML, without the short way through everyday documents.
    YamlByLibyaml,
    Json,
}

#[derive(Clone, Debug)]
pub(super) struct ListItem {
    pub(super) index: usize,
    pub(super) span: Span,
    /// Whether its text says all, so that the list need not be read for it.
    pub(super) alone: bool,
    /// What a typed list says about its items.
    pub(super) implied: Option<Arc<Implied>>,
}

/// The identity of an item of a typed list, such as a `ServiceList`.
#[derive(Clone, Debug)]
pub(super) struct Implied {
    pub(super) api_version: String,
    pub(super) kind: String,
}

/// A document that was read.
pub(super) struct Read {
    pub(super) root: Node,
    pub(super) duplicates: Vec<Duplicate>,
    /// Whether its parts can't be read one by one.
    pub(super) entangled: bool,
    /// Text that follows in the same piece.
    pub(super) unread: Option<Unread>,
}

/// Reads a piece of a stream that starts at the offset `base`; none where it
/// is empty.
pub(super) fn parse(text: &str, base: u32, format: Format) -> Result<Option<Read>, Failure> {
    match format {
        Format::Yaml | Format::YamlByLibyaml => {
            let read = if format == Format::Yaml { yaml::parse } else { yaml::parse_by_libyaml };
            let yaml::Parsed { root, duplicates, entangled, unread } = read(text, base)?;
            match (root, unread) {
                (Some(root), _) => Ok(Some(Read { root, duplicates, entangled, unread })),
                (None, Some(unread)) => Err(Failure { problem: unread.problem(), template: None }),
                (None, None) => Ok(None),
            }
        }
        Format::Json => {
            let mut duplicates = Vec::new();
            let root = json::parse(text, base, &mut duplicates)
                .map_err(|problem| Failure { problem, template: None })?;
            Ok((!root.is_null()).then_some(Read {
                root,
                duplicates,
                entangled: false,
                unread: None,
            }))
        }
    }
}

/// The items of a list.
pub(super) fn take_items(root: Node) -> Option<Vec<Node>> {
    let Value::Mapping(entries) = root.value else { return None };
    let items = entries.into_iter().find(|entry| entry.key == "items")?;
    match items.value.value {
        Value::Sequence(items) => Some(items),
        _ => None,
    }
}

/// Names an item of a typed list as `decodeToList` does.
pub(super) fn fill(item: &mut Node, implied: &Implied) {
    let start = Span { start: item.span.start, end: item.span.start };
    let Value::Mapping(entries) = &mut item.value else { return };
    for (key, text) in [("apiVersion", &implied.api_version), ("kind", &implied.kind)] {
        entries.retain(|entry| entry.key != key);
        let value = Node { value: Value::String(text.clone()), span: start, style: Style::Plain };
        entries.push(Entry { key: key.to_owned(), key_span: start, value });
    }
}

/// Whether an item can be read without what is around it. Lines behind its
/// span may belong to a block scalar: those that a `+` keeps, and those with
/// more blanks than its indentation.
pub(super) fn is_alone(text: &str, span: Span) -> bool {
    let keeps = |pair: &[u8]| pair[1] == b'+' && matches!(pair[0], b'|' | b'>' | b'1'..=b'9');
    let behind = &text[span.end as usize..];
    let next = behind.trim_start_matches([' ', '\t', '\r', '\n']);
    let mut lines = behind[..behind.len() - next.len()].split('\n').skip(1).collect::<Vec<_>>();
    if !next.is_empty() {
        // The indentation of what comes next.
        lines.pop();
    }
    !text.as_bytes()[span.range()].windows(2).any(keeps)
        && lines.iter().all(|line| line.trim_end_matches('\r').is_empty())
}

impl Origin {
    /// All that the object is read from.
    pub(super) fn text<'s>(&self, source: &'s Source) -> &'s str {
        let alone = self.item.as_ref().filter(|item| item.alone).map(|item| item.span);
        &source.text[alone.unwrap_or(self.chunk).range()]
    }

    /// Reads the object again.
    pub(super) fn tree(&self, source: &Source) -> Node {
        let Some(item) = &self.item else { return self.root(source) };
        let mut node = item
            .alone
            .then(|| self.alone(source, item.span))
            .flatten()
            // A Unicode line break in front shifts the indentation.
            .filter(|node| node.span == item.span)
            .or_else(|| take_items(self.root(source))?.into_iter().nth(item.index))
            .expect("an item that was read before can be read again");
        if let Some(implied) = &item.implied {
            fill(&mut node, implied);
        }
        node
    }

    fn root(&self, source: &Source) -> Node {
        parse(&source.text[self.chunk.range()], self.chunk.start, self.format)
            .ok()
            .flatten()
            .expect("a document that was read before can be read again")
            .root
    }

    /// Reads the text of an item by itself, indented as it is in the list.
    fn alone(&self, source: &Source, span: Span) -> Option<Node> {
        let text = &source.text[span.range()];
        // Indentation means nothing in brackets, and a line may be long.
        if self.format == Format::Json || text.starts_with('{') {
            return Some(parse(text, span.start, self.format).ok()??.root);
        }
        let indent = source.position(span.start).column as usize - 1;
        let base = (span.start as usize).checked_sub(indent)?;
        let padded = format!("{:indent$}{text}", "");
        Some(parse(&padded, offset(base), Format::Yaml).ok()??.root)
    }
}
