//! From a part of a string back to the text that it was read from.

use super::node::{Node, Span, Style, offset};
use super::source::Source;

/// Where the bytes `range` of a scalar's string stand in the source, for any
/// style of YAML and JSON. The whole node where that can't be told: it is no
/// string, the range is empty or outside of it.
pub fn locate(source: &Source, node: &Node, range: std::ops::Range<usize>) -> Span {
    let Some(value) =
        node.as_str().filter(|value| range.start < range.end && range.end <= value.len())
    else {
        return node.span;
    };
    let Some(text) = source.text.get(node.span.range()) else { return node.span };
    let Some(pieces) = pieces(text, node.style, value) else { return node.span };
    let last = pieces.last().map_or(0, |piece| piece.value.end);
    let found = (start_in(&pieces, range.start), end_in(&pieces, range.end.min(last)));
    let (Some(start), Some(end)) = found else { return node.span };
    let base = node.span.start;
    Span { start: base + offset(start), end: base + offset(end) }
}

/// A part of a value and the part of the text that it comes from. Where both
/// are of one length, they are the same bytes.
#[derive(Debug, PartialEq)]
struct Piece {
    value: std::ops::Range<usize>,
    text: std::ops::Range<usize>,
}

impl Piece {
    fn is_copy(&self) -> bool {
        self.value.len() == self.text.len()
    }
}

fn start_in(pieces: &[Piece], at: usize) -> Option<usize> {
    let piece = pieces.iter().find(|piece| piece.value.contains(&at))?;
    Some(if piece.is_copy() { piece.text.start + at - piece.value.start } else { piece.text.start })
}

fn end_in(pieces: &[Piece], end: usize) -> Option<usize> {
    let piece = pieces.iter().find(|piece| piece.value.start < end && end <= piece.value.end)?;
    Some(if piece.is_copy() { piece.text.start + end - piece.value.start } else { piece.text.end })
}

/// Decodes a scalar's text in pieces; none where that doesn't give the value,
/// which keeps this second reading honest.
fn pieces(text: &str, style: Style, value: &str) -> Option<Vec<Piece>> {
    let decoded = |decoder: Decoder<'_>| (decoder.value == value).then_some(decoder.pieces);
    match style {
        Style::Plain => decoded(flow(text, 0..text.len(), style)),
        Style::SingleQuoted | Style::DoubleQuoted => {
            let inside = 1..text.len().checked_sub(1).filter(|end| *end >= 1)?;
            decoded(flow(text, inside, style))
        }
        Style::Literal | Style::Folded => {
            // How deep it is indented depends on what is around it: at most as
            // deep as its first line.
            let body = text.find('\n')? + 1;
            let deepest =
                text[body..].lines().find(|line| !line.trim().is_empty()).map_or(0, indent_of);
            // The node's text ends before its last line break.
            (0..=deepest).rev().map(|indent| block(text, body, indent, style)).find_map(|decoder| {
                (decoder.value == value.trim_end_matches('\n')).then_some(decoder.pieces)
            })
        }
        Style::Collection => None,
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// A value in the making.
struct Decoder<'t> {
    text: &'t str,
    value: String,
    pieces: Vec<Piece>,
}

impl<'t> Decoder<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, value: String::new(), pieces: Vec::new() }
    }

    fn copy(&mut self, range: std::ops::Range<usize>) {
        if !range.is_empty() {
            self.push(&self.text[range.clone()], range);
        }
    }

    fn push(&mut self, decoded: &str, text: std::ops::Range<usize>) {
        let start = self.value.len();
        self.value.push_str(decoded);
        self.pieces.push(Piece { value: start..self.value.len(), text });
    }
}

/// Plain and quoted scalars: lines are folded, quotes and escapes resolved.
fn flow(text: &str, range: std::ops::Range<usize>, style: Style) -> Decoder<'_> {
    let bytes = text.as_bytes();
    let mut decoder = Decoder::new(text);
    let (mut at, mut from) = (range.start, range.start);
    while at < range.end {
        let (decoded, length) = match (bytes[at], style) {
            (b'\n' | b'\r', _) => {
                // Blanks around a line break belong to it.
                let blanks =
                    text[from..at].len() - text[from..at].trim_end_matches([' ', '\t']).len();
                decoder.copy(from..at - blanks);
                let space = text[at..range.end].trim_start_matches([' ', '\t', '\r', '\n']);
                let end = range.end - space.len();
                let breaks = text[at..end].matches('\n').count().max(1);
                let folded = if breaks == 1 { " ".to_owned() } else { "\n".repeat(breaks - 1) };
                decoder.push(&folded, at - blanks..end);
                (at, from) = (end, end);
                continue;
            }
            (b'\'', Style::SingleQuoted) => ("'".to_owned(), 2),
            (b'\\', Style::DoubleQuoted) => escape(&text[at..range.end]),
            _ => {
                at += 1;
                continue;
            }
        };
        decoder.copy(from..at);
        let end = (at + length).min(range.end);
        decoder.push(&decoded, at..end);
        (at, from) = (end, end);
    }
    decoder.copy(from..range.end);
    decoder
}

/// What an escape stands for, and its length.
fn escape(text: &str) -> (String, usize) {
    let Some(code) = text[1..].chars().next() else { return (String::new(), 1) };
    let hex = |at: usize, digits: usize| {
        text.get(at..at + digits).and_then(|digits| u32::from_str_radix(digits, 16).ok())
    };
    let numbered = |digits| {
        (hex(2, digits).and_then(char::from_u32).map(String::from).unwrap_or_default(), 2 + digits)
    };
    let simple = match code {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\u{B}',
        'f' => '\u{C}',
        'r' => '\r',
        'e' => '\u{1B}',
        'N' => '\u{85}',
        '_' => '\u{A0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        'x' => return numbered(2),
        'U' => return numbered(8),
        'u' => {
            // JSON writes what is beyond 16 bits as two halves.
            let pair =
                hex(2, 4).zip(text.get(6..8).filter(|next| *next == "\\u").and_then(|_| hex(8, 4)));
            return match pair {
                Some((high @ 0xD800..0xDC00, low @ 0xDC00..0xE000)) => {
                    let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                    (char::from_u32(code).map(String::from).unwrap_or_default(), 12)
                }
                _ => numbered(4),
            };
        }
        // An escaped line break joins the lines.
        '\n' | '\r' => {
            let rest = text[1..].strip_prefix("\r\n").unwrap_or(&text[2..]);
            return (String::new(), text.len() - rest.trim_start_matches([' ', '\t']).len());
        }
        other => other,
    };
    (simple.to_string(), 1 + code.len_utf8())
}

/// Literal and folded scalars, whose text starts at `body`.
///
/// # Source
/// `yaml_parser_scan_block_scalar` in libyaml's `scanner.c`.
fn block(text: &str, body: usize, indent: usize, style: Style) -> Decoder<'_> {
    let mut decoder = Decoder::new(text);
    // The last line's break, and empty lines behind it.
    let (mut last, mut empty) = (None, Vec::new());
    let mut was_blank = false;
    let mut at = body;
    for line in text[body..].split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let end = at + line.len();
        let line_break = at + content.len()..end;
        let spaces = indent_of(content).min(indent);
        let inner = at + spaces..at + content.len();
        at = end;
        if inner.is_empty() {
            empty.push(line_break);
            continue;
        }
        let is_blank = text[inner.clone()].starts_with([' ', '\t']);
        if let Some(line_break) = last.take() {
            if style == Style::Literal || was_blank || is_blank {
                decoder.push("\n", line_break);
            } else if empty.is_empty() {
                decoder.push(" ", line_break);
            }
        }
        empty.drain(..).for_each(|line_break| decoder.push("\n", line_break));
        was_blank = is_blank;
        decoder.copy(inner);
        last = Some(line_break);
    }
    decoder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::yaml;

    /// Where `part` of the only value stands in the text.
    fn found<'t>(text: &'t str, part: &str) -> &'t str {
        let source = Source::new("-", text.into()).unwrap();
        let root = yaml::parse(text, 0).ok().and_then(|parsed| parsed.root).unwrap();
        let node = root.get("a").unwrap();
        let at = node.as_str().unwrap().find(part).unwrap();
        &text[locate(&source, node, at..at + part.len()).range()]
    }

    #[test]
    fn a_part_of_a_string_is_found_in_every_style() {
        for (text, part, expected) in [
            ("a: one two\n", "two", "two"),
            ("a: one\n  two\n  three\n", "two", "two"),
            ("a: one\n  two\n", "one two", "one\n  two"),
            ("a: one\n\n  two\n", "\n", "\n\n  "),
            ("a: 'it''s one'\n", "one", "one"),
            ("a: 'it''s one'\n", "'s", "''s"),
            ("a: \"\\t\\u00fc one\"\n", "one", "one"),
            ("a: \"x\\u00fcy\"\n", "ü", "\\u00fc"),
            ("a: \"x\\U0001F600y\"\n", "y", "y"),
            ("a: \"x \\\n   y z\"\n", "z", "z"),
            ("a: \"x\n  y\\n z\"\n", "y\n z", "y\\n z"),
            ("a: |\n  one\n  two\nb: c\n", "two", "two"),
            ("a: |\n  one\n    two\n\n  three\nb: c\n", "three", "three"),
            ("a: |2+\n    one\n  two\n\n\nb: c\n", "two", "two"),
            ("a: |- # c\n  one\n  two", "one\ntwo", "one\n  two"),
            ("a: >\n  one\n  two\n\n  three\n   more\n  four\n", "two", "two"),
            ("a: >\n  one\n  two\n\n  three\n   more\n  four\n", "four", "four"),
            ("a: >-\r\n  one\r\n  two\r\n", "two", "two"),
            ("a: |\n  ünï\n  two\n", "ï\nt", "ï\n  t"),
        ] {
            assert_eq!(found(text, part), expected, "{text:?} {part:?}");
        }
    }

    #[test]
    fn surrogate_pairs_of_json_are_one_character() {
        let text = r#""\ud83d\ude00 x""#;
        let source = Source::new("-", text.into()).unwrap();
        let node = crate::manifest::json::parse(text, 0, &mut Vec::new()).unwrap();
        assert_eq!(&text[locate(&source, &node, 5..6).range()], "x");
        assert_eq!(&text[locate(&source, &node, 0..4).range()], r"\ud83d\ude00");
    }

    #[test]
    fn what_cannot_be_located_is_the_whole_node() {
        for text in ["a: 12\n", "a: [x]\n", "a: !!binary aGVsbG8=\n"] {
            let source = Source::new("-", text.into()).unwrap();
            let root = yaml::parse(text, 0).ok().and_then(|parsed| parsed.root).unwrap();
            let node = root.get("a").unwrap();
            assert_eq!(locate(&source, node, 0..1), node.span);
            assert_eq!(locate(&source, node, 0..100), node.span);
        }
    }
}
