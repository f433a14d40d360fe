//! A text to the pieces that kubectl parses one by one.
//!
//! # Source
//! `YAMLOrJSONDecoder` and `YAMLReader` in apimachinery v0.36.3
//! `pkg/util/yaml/decoder.go`.

use std::ops::Range;

use memchr::memmem;
use serde::de::IgnoredAny;

/// How far kubectl looks for the `{` that makes a stream JSON.
///
/// # Source
/// cli-runtime v0.36.3 `pkg/resource/visitor.go`, `StreamVisitor.Visit`.
const GUESS_BYTES: usize = 4096;

/// A piece of a text; ranges are bytes.
#[derive(Debug, PartialEq)]
pub(super) enum Chunk {
    /// YAML, of which only the first document counts.
    Yaml {
        range: Range<usize>,
        /// Whether it ends at a separator that is none, so that it may be half
        /// of a document.
        broken_off: bool,
    },
    /// Exactly one JSON value.
    Json(Range<usize>),
    /// A line that starts with `---` and goes on. kubectl stops there; for us
    /// the text up to the next separator is lost.
    Separator(Range<usize>),
    /// Where more than one JSON value came before, kubectl insists on JSON:
    /// the offset, and why this is none. All text from there on is lost.
    NotJson(usize, String),
}

/// All pieces, in the order of the text.
pub(super) fn split(text: &str) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut yaml_from = Some(0);
    let guess = &text.as_bytes()[..text.len().min(GUESS_BYTES)];
    if guess.trim_ascii_start().starts_with(b"{") {
        yaml_from = split_json(text, &mut chunks);
    }
    if let Some(start) = yaml_from {
        split_yaml(text, start, &mut chunks);
    }
    chunks
}

/// Takes JSON values from the start; returns where YAML begins, if it does.
fn split_json(text: &str, chunks: &mut Vec<Chunk>) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut end = 0;
    loop {
        match values.next() {
            None => return None,
            Some(Ok(IgnoredAny)) => {
                let space = text[end..].len() - text[end..].trim_start().len();
                chunks.push(Chunk::Json(end + space..values.byte_offset()));
                end = values.byte_offset();
            }
            Some(Err(_)) if chunks.len() <= 1 => {
                let space = text[end..].len() - text[end..].trim_start().len();
                return Some(match text[end..end + space].find('\n') {
                    Some(newline) => end + newline + 1,
                    None => end + space,
                });
            }
            Some(Err(error)) => {
                let at = line_start(text, error.line()) + error.column().saturating_sub(1);
                // Its text ends in " at line 1 column 2".
                let text = error.to_string();
                let reason =
                    text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
                chunks.push(Chunk::NotJson(at, reason.to_owned()));
                return None;
            }
        }
    }
}

fn line_start(text: &str, line: usize) -> usize {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    match line.checked_sub(2) {
        Some(nth) => breaks.map(|(at, _)| at + 1).nth(nth).unwrap_or(text.len()),
        None => 0,
    }
}

/// Splits at lines that start with `---`. Such a line is dropped where a
/// document ends and kept where none has begun.
fn split_yaml(text: &str, start: usize, chunks: &mut Vec<Chunk>) {
    let mut chunk = start;
    let mut lost = false;
    let mut line = start;
    while let Some(separator) = next_separator(text, line) {
        let end =
            text[separator..].find('\n').map_or(text.len(), |newline| separator + newline + 1);
        let behind = text[separator + 3..end].trim();
        let broken_off = !behind.is_empty() && !behind.starts_with('#');
        if separator > chunk && !lost {
            chunks.push(Chunk::Yaml { range: chunk..separator, broken_off });
        }
        if broken_off {
            if !lost {
                chunks.push(Chunk::Separator(separator..end));
            }
            lost = true;
        } else {
            lost = false;
            // Kept where the buffer of kubectl's reader is empty.
            chunk = if separator > chunk { end } else { separator };
        }
        line = end;
    }
    if chunk < text.len() && !lost {
        chunks.push(Chunk::Yaml { range: chunk..text.len(), broken_off: false });
    }
}

/// The next line that starts with `---`, from the start of a line on.
fn next_separator(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    if rest.starts_with("---") {
        return Some(from);
    }
    memmem::find(rest.as_bytes(), b"\n---").map(|at| from + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces as `Y:` or `J:` and their text, `!` where YAML is broken off.
    fn pieces(text: &str) -> Vec<String> {
        let show = |chunk| match chunk {
            Chunk::Yaml { range, broken_off } => {
                format!("Y:{}{}", &text[range], if broken_off { "!" } else { "" })
            }
            Chunk::Json(range) => format!("J:{}", &text[range]),
            Chunk::Separator(range) => format!("S:{}", &text[range]),
            Chunk::NotJson(at, reason) => format!("N:{at}:{reason}"),
        };
        split(text).into_iter().map(show).collect()
    }

    #[test]
    fn lines_that_start_with_three_dashes_separate_documents() {
        for (text, expected) in [
            ("", vec![]),
            ("a\n", vec!["Y:a\n"]),
            ("a\n---\nb", vec!["Y:a\n", "Y:b"]),
            // A separator stays where no document has begun.
            ("---\na\n--- # c\nb\n---", vec!["Y:---\na\n", "Y:b\n"]),
            ("---\n---\na", vec!["Y:---\n", "Y:a"]),
            ("a\r\n---\r\nb", vec!["Y:a\r\n", "Y:b"]),
            ("a\n  ---\n #---\nb", vec!["Y:a\n  ---\n #---\nb"]),
        ] {
            assert_eq!(pieces(text), expected, "{text:?}");
        }
    }

    #[test]
    fn text_behind_a_separator_loses_what_follows() {
        let expected = ["Y:a\n!", "S:--- {b: c}\n", "Y:e\n"];
        assert_eq!(pieces("a\n--- {b: c}\nd\n----\nx\n---\ne\n"), expected);
    }

    #[test]
    fn json_values_follow_each_other_with_or_without_separators() {
        for (text, expected) in [
            ("{}", vec!["J:{}"]),
            (" {}\n{\"a\":1}{}", vec!["J:{}", "J:{\"a\":1}", "J:{}"]),
            ("{}\n---\n{}\n---\n{}", vec!["J:{}", "Y:---\n{}\n", "Y:{}"]),
            ("{a: b}\n---\nc", vec!["Y:{a: b}\n", "Y:c"]),
            ("{}{}\n---\n{}", vec!["J:{}", "J:{}", "N:6:invalid number"]),
            ("---\n{}", vec!["Y:---\n{}"]),
            // Go's Unicode space, two bytes long, in front of YAML.
            ("{}\u{85}a", vec!["J:{}", "Y:a"]),
        ] {
            assert_eq!(pieces(text), expected, "{text:?}");
        }
    }
}
