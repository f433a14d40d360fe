//! Collections of YAML that stand on lines of their own.

use serde_json::Value as Json;

use super::{Page, Splice, end_of, own, write};
use crate::manifest::{Entry, Node, Span, Style};
use crate::path::Segment;

/// Adds an entry behind the last one, or in front of the first.
pub(super) fn add(
    page: Page<'_>,
    parent: &Node,
    last: &Segment,
    value: &Json,
) -> Option<Vec<Splice>> {
    let text = page.text;
    let line_break = write::line_break(text);
    let (first, end, indent, head) = match last {
        Segment::Key(key) => {
            let entries = own(parent)?;
            let (first, entry) = (entries.first()?, entries.last()?);
            let end = end_of(entry.key_span, &entry.value).unwrap_or(entry.key_span.end as usize);
            let first = first.key_span.start as usize;
            let head = format!("{}:", write::key(key, false));
            (first, end, write::column(text, first), head)
        }
        Segment::Index(_) => {
            let items = parent.as_sequence()?;
            let dash = dash(text, items.first()?)?;
            (dash, items.last()?.span.end as usize, write::column(text, dash), "-".to_owned())
        }
    };
    let values: Vec<_> = match value {
        Json::Object(entries) if !entries.is_empty() && head != "-" => {
            let inner = write::block(value, indent + 2, line_break);
            vec![format!("{head}{line_break}{inner}")]
        }
        _ => {
            let values = write::scalars(value, Style::Plain, false).into_iter();
            values.map(|value| format!("{head} {value}")).collect()
        }
    };
    let at = write::line_end(text, end);
    let blanks = " ".repeat(indent);
    let behind = values.iter().map(|entry| match text[..at].ends_with('\n') {
        true => Splice { range: at..at, text: format!("{blanks}{entry}{line_break}") },
        false => Splice { range: at..at, text: format!("{line_break}{blanks}{entry}") },
    });
    let before = values
        .iter()
        .map(|entry| Splice { range: first..first, text: format!("{entry}{line_break}{blanks}") });
    Some(behind.chain(before).collect())
}

/// Removes an entry with its lines. Comments above it stay.
pub(super) fn remove(
    page: Page<'_>,
    parent: &Node,
    parent_key: Option<Span>,
    last: &Segment,
) -> Option<Vec<Splice>> {
    let text = page.text;
    let (start, end, is_only) = match last {
        Segment::Key(key) => {
            let entries = own(parent)?;
            let entry: &&Entry = entries.iter().find(|entry| entry.key == *key)?;
            let end = end_of(entry.key_span, &entry.value)?;
            (entry.key_span.start as usize, end, entries.len() == 1)
        }
        Segment::Index(index) => {
            let items = parent.as_sequence()?;
            let item = items.get(*index)?;
            (dash(text, item)?, item.span.end as usize, items.len() == 1)
        }
    };
    if is_only {
        let empty = if matches!(last, Segment::Key(_)) { "{}" } else { "[]" };
        let span = parent.span.range();
        let range = match parent_key {
            Some(key) => {
                let key = key.end as usize;
                key + text[key..].find(':')? + 1..span.end
            }
            None => span,
        };
        let space = if parent_key.is_some() { " " } else { "" };
        let line_break =
            if text[range.clone()].ends_with('\n') { write::line_break(text) } else { "" };
        return Some(vec![Splice { range, text: format!("{space}{empty}{line_break}") }]);
    }
    let line = write::line_start(text, start);
    let line_end = write::line_end(text, end);
    let range = if text[line..start].trim().is_empty() {
        line..line_end
    } else {
        // Behind the dash of a list: what comes next takes its place.
        let next = text[line_end..].trim_start_matches([' ', '\t']);
        start..text.len() - next.len()
    };
    Some(vec![Splice { range, text: String::new() }])
}

/// The dash of an item.
fn dash(text: &str, item: &Node) -> Option<usize> {
    let start = item.span.start as usize;
    let blanks = text[..start].trim_end_matches([' ', '\n', '\r']);
    let at = blanks.strip_suffix('-')?.len();
    text[write::line_start(text, at)..at].trim_matches([' ', '-']).is_empty().then_some(at)
}
