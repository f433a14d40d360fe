//! Collections in brackets, and all of JSON.

use serde_json::Value as Json;

use super::{Page, Splice, end_of, own, write};
use crate::manifest::{Node, Style};
use crate::path::Segment;

/// Adds an entry behind the last one, as that one is written.
pub(super) fn add(
    page: Page<'_>,
    parent: &Node,
    last: &Segment,
    value: &Json,
) -> Option<Vec<Splice>> {
    let Page { text, json } = page;
    let values = write::scalars(value, Style::Plain, json);
    let (start, end, colon, key) = match last {
        Segment::Key(key) => {
            let entries = own(parent)?;
            let key = write::key(key, json);
            match entries.last() {
                None => (None, None, ": ", key),
                Some(entry) => {
                    let (key_end, end) =
                        (entry.key_span.end as usize, end_of(entry.key_span, &entry.value)?);
                    let start = entry.key_span.start as usize;
                    let colon = &text[key_end..(entry.value.span.start as usize).max(key_end)];
                    (Some(start), Some(end), colon, key)
                }
            }
        }
        Segment::Index(_) => {
            let item = parent.as_sequence()?.last();
            let start = item.map(|item| item.span.start as usize);
            (start, item.map(|item| item.span.end as usize), "", String::new())
        }
    };
    let (at, before) = match (start, end) {
        (Some(start), Some(end)) => {
            let blanks = text[..start].trim_end_matches([' ', '\t', '\r', '\n']).len();
            let between = match &text[blanks..start] {
                "" if !json => " ",
                between => between,
            };
            (end, format!(",{between}"))
        }
        _ => (parent.span.start as usize + 1, String::new()),
    };
    let way =
        |value: String| Splice { range: at..at, text: format!("{before}{key}{colon}{value}") };
    Some(values.into_iter().map(way).collect())
}

/// Removes an entry with one comma.
pub(super) fn remove(parent: &Node, last: &Segment) -> Option<Vec<Splice>> {
    // Start and end of each entry.
    let (entries, at): (Vec<_>, _) = match last {
        Segment::Key(key) => {
            let entries = own(parent)?;
            let at = entries.iter().position(|entry| entry.key == *key)?;
            let spans = entries.iter().map(|entry| {
                Some((entry.key_span.start as usize, end_of(entry.key_span, &entry.value)?))
            });
            (spans.collect::<Option<_>>()?, at)
        }
        Segment::Index(index) => {
            let items = parent.as_sequence()?.iter();
            let spans = items.map(|item| (item.span.start as usize, item.span.end as usize));
            (spans.collect(), *index)
        }
    };
    let (start, end) = *entries.get(at)?;
    let range = match (entries.get(at + 1), at.checked_sub(1)) {
        (Some((next, _)), _) => start..*next,
        (None, Some(before)) => entries[before].1..end,
        (None, None) => start..end,
    };
    (range.start <= range.end).then(|| vec![Splice { range, text: String::new() }])
}
