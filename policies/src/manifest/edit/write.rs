//! Values as text.

use serde_json::Value as Json;

use super::{Page, Splice};
use crate::manifest::origin::{Format, parse};
use crate::manifest::{Node, Span, Style};

/// Puts a value in the place of another one.
pub(super) fn over(page: Page<'_>, node: &Node, key: Option<Span>, value: &Json) -> Vec<Splice> {
    let Page { text, json } = page;
    let span = node.span.range();
    let mut ways = Vec::new();
    if let (Some(key), Json::Object(_), false) = (key, value, json)
        && let Some(colon) = text[key.end as usize..].find(':')
    {
        let colon = key.end as usize + colon + 1;
        let indent = column(text, key.start as usize) + 2;
        let (line_break, value) = (line_break(text), block(value, indent, line_break(text)));
        let range = colon..span.end.max(colon);
        ways.push(Splice { range, text: format!("{line_break}{value}") });
    }
    // Nothing stands between the colon and what follows.
    let space =
        if span.is_empty() && !text[..span.start].ends_with([' ', '\n']) { " " } else { "" };
    // The text of a block scalar has its line break in it.
    let end = if text[span.clone()].ends_with('\n') { line_break(text) } else { "" };
    ways.extend(
        scalars(value, node.style, json)
            .into_iter()
            .map(|value| Splice { range: span.clone(), text: format!("{space}{value}{end}") }),
    );
    ways
}

/// The ways to write a value in one line, the one that is most alike first.
pub(super) fn scalars(value: &Json, like: Style, json: bool) -> Vec<String> {
    let Json::String(string) = value else { return vec![value.to_string()] };
    let double = value.to_string();
    let single = || format!("'{}'", string.replace('\'', "''"));
    let one_line = !string.contains(['\n', '\r']);
    match like {
        _ if json => vec![double],
        Style::DoubleQuoted => vec![double],
        Style::SingleQuoted if one_line => vec![single(), double],
        _ if one_line && !string.is_empty() => vec![string.clone(), double],
        _ => vec![double],
    }
}

/// A key, quoted where it has to be.
pub(super) fn key(key: &str, json: bool) -> String {
    if json || !is_plain(key) { Json::from(key).to_string() } else { key.to_owned() }
}

/// Whether a string needs no quotes, wherever it stands: as kubectl reads it,
/// `on` is a boolean and `1_000` a number.
fn is_plain(string: &str) -> bool {
    let strange = |c: char| c.is_control() || matches!(c, ',' | '[' | ']' | '{' | '}');
    let text = format!("{string}: {string}");
    let read =
        || parse(&text, 0, Format::Yaml).ok()??.root.get(string)?.as_str().map(str::to_owned);
    !string.contains(strange) && read().is_some_and(|value| value == string)
}

/// Lines of a mapping, without the last line break.
pub(super) fn block(value: &Json, indent: usize, line_break: &str) -> String {
    let Json::Object(entries) = value else { return value.to_string() };
    let lines = entries.iter().map(|(name, value)| {
        let blanks = " ".repeat(indent);
        match value {
            Json::Object(inner) if !inner.is_empty() => {
                let inner = block(value, indent + 2, line_break);
                format!("{blanks}{}:{line_break}{inner}", key(name, false))
            }
            _ => format!("{blanks}{}: {}", key(name, false), plain(value)),
        }
    });
    lines.collect::<Vec<_>>().join(line_break)
}

/// A value without quotes where it needs none.
fn plain(value: &Json) -> String {
    match value {
        Json::String(string) => key(string, false),
        _ => value.to_string(),
    }
}

/// As the text ends its lines.
pub(super) fn line_break(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// Characters before an offset on its line.
pub(super) fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].chars().count()
}

/// Where the line of an offset starts.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// Behind the line break of the line that something ends on; it may have the
/// line break in it.
pub(super) fn line_end(text: &str, end: usize) -> usize {
    if text[..end].ends_with('\n') {
        return end;
    }
    text[end..].find('\n').map_or(text.len(), |at| end + at + 1)
}
