//! One input: its name, its text, and where its lines start.

use std::ops::Range;
use std::sync::OnceLock;

use super::node::{Span, offset};
use crate::finding::{InputError, Location};

/// The largest input that is read, in bytes: 256 MiB, some hundred times the
/// largest rendered chart that we know. Offsets are `u32`.
pub const MAX_SOURCE_BYTES: u64 = 256 << 20;

/// A text that was read, and what the user calls it.
#[derive(Debug)]
pub struct Source {
    /// The path as the user gave it, `-` for standard input.
    pub name: String,
    /// Without the byte order mark, and with U+FFFD for what isn't UTF-8.
    pub text: String,
    /// What was read, where that is more than the text in UTF-8.
    read: Option<Vec<u8>>,
    /// Offsets of those U+FFFD and the first byte of what they stand for,
    /// ascending.
    invalid: Vec<(u32, u8)>,
    /// Offsets at which lines start, ascending, the first one 0.
    lines: OnceLock<Vec<u32>>,
    /// Characters in front of each block of [`BLOCK`] bytes: a line may be as
    /// long as the text, and have an error at every word.
    characters: OnceLock<Vec<u32>>,
}

/// A byte order mark of UTF-8.
const MARK: &[u8] = "\u{FEFF}".as_bytes();

/// Bytes that are looked at to find a column.
const BLOCK: usize = 4096;

/// A point in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counts from 1.
    pub line: u32,
    /// Counts from 1, in characters.
    pub column: u32,
}

impl Source {
    /// Decodes UTF-8, with or without a byte order mark, and UTF-16 with one.
    /// What isn't UTF-8 spoils only the document that it stands in: kubectl
    /// puts U+FFFD there and sends that, but nobody means it.
    ///
    /// # Errors
    /// Bytes that a mark calls UTF-16 and that are none, or too many bytes.
    ///
    /// # Source
    /// `BOMOverride` in cli-runtime v0.36.3 `pkg/resource/visitor.go`,
    /// `FileVisitor.Visit`.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, InputError> {
        let name = name.into();
        if bytes.len() as u64 > MAX_SOURCE_BYTES {
            return Err(too_large(name));
        }
        let plain = std::str::from_utf8(&bytes).is_ok() && !bytes.starts_with(MARK);
        let read = (!plain).then(|| bytes.clone());
        match decode(bytes) {
            Ok((text, invalid)) => Ok(Self::of(name, text, read, invalid)),
            Err(Undecodable { before, message }) => {
                let valid = Self::of(name, before, None, Vec::new());
                Err(valid.error(offset(valid.text.len()), message))
            }
        }
    }

    fn of(name: String, text: String, read: Option<Vec<u8>>, invalid: Vec<(u32, u8)>) -> Self {
        Self { name, text, read, invalid, lines: OnceLock::new(), characters: OnceLock::new() }
    }

    /// The bytes that were read.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.read.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// The bytes that say another text in the same way; none where that isn't
    /// UTF-8, and other bytes would change as well.
    #[must_use]
    pub fn encoded(&self, text: &str) -> Option<Vec<u8>> {
        let Some(read) = &self.read else { return Some(text.as_bytes().to_vec()) };
        let rest = read.strip_prefix(MARK)?;
        (rest == self.text.as_bytes()).then(|| [MARK, text.as_bytes()].concat())
    }

    /// The error for the first byte in a part of the text that isn't UTF-8.
    pub(super) fn invalid_in(&self, part: &Range<usize>) -> Option<InputError> {
        let first = self.invalid.partition_point(|(at, _)| (*at as usize) < part.start);
        let (at, byte) = *self.invalid.get(first).filter(|(at, _)| (*at as usize) < part.end)?;
        let message = format!(
            "byte 0x{byte:02X} is not UTF-8 here: save the file in UTF-8, or leave out binary files"
        );
        Some(self.error(at, message))
    }

    /// Line and column of an offset; of the end for one behind the end.
    pub fn position(&self, at: u32) -> Position {
        let lines = self.lines();
        let line = lines.partition_point(|start| *start <= at).max(1);
        let column = self.characters_before(at as usize)
            - self.characters_before(lines[line - 1] as usize)
            + 1;
        Position { line: offset(line), column: offset(column) }
    }

    /// Where a span stands, in the form that reports use.
    pub fn location(&self, span: Span) -> Location {
        let start = self.position(span.start);
        let end = self.position(span.end);
        Location {
            file: self.name.clone(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            bytes: span.range(),
        }
    }

    /// An error at an offset.
    pub(super) fn error(&self, at: u32, message: impl Into<String>) -> InputError {
        let Position { line, column } = self.position(at);
        InputError {
            file: self.name.clone(),
            line: Some(line),
            column: Some(column),
            message: message.into(),
        }
    }

    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| offset(at + 1))).collect()
        })
    }

    fn characters_before(&self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        let at = at.min(bytes.len());
        let blocks = self.characters.get_or_init(|| {
            let mut before = 0;
            let counted = bytes.chunks(BLOCK).map(|block| {
                before += offset(count_characters(block));
                before
            });
            std::iter::once(0).chain(counted).collect()
        });
        let block = at / BLOCK;
        blocks[block] as usize + count_characters(&bytes[block * BLOCK..at])
    }
}

/// Characters that start in a piece of UTF-8.
fn count_characters(utf8: &[u8]) -> usize {
    utf8.iter().filter(|byte| (**byte & 0xC0) != 0x80).count()
}

/// The error for an input beyond [`MAX_SOURCE_BYTES`].
pub fn too_large(file: impl Into<String>) -> InputError {
    InputError {
        file: file.into(),
        line: None,
        column: None,
        message: format!(
            "larger than {} MiB, the most that headlint reads from one file: split it",
            MAX_SOURCE_BYTES >> 20
        ),
    }
}

/// Bytes that are no text: what came before them, and what is wrong.
struct Undecodable {
    before: String,
    message: String,
}

/// A text, and [`Source::invalid`].
type Decoded = (String, Vec<(u32, u8)>);

fn decode(mut bytes: Vec<u8>) -> Result<Decoded, Undecodable> {
    match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, ..] => {
            bytes.drain(..3);
        }
        [0xFF, 0xFE, rest @ ..] => return decode_utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => return decode_utf16(rest, u16::from_be_bytes),
        _ => {}
    }
    Ok(String::from_utf8(bytes)
        .map_or_else(|error| replace_invalid(error.as_bytes()), |text| (text, Vec::new())))
}

fn replace_invalid(bytes: &[u8]) -> Decoded {
    let mut text = String::with_capacity(bytes.len());
    let mut invalid = Vec::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if let Some(byte) = chunk.invalid().first() {
            invalid.push((offset(text.len()), *byte));
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    (text, invalid)
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Decoded, Undecodable> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match decoded {
            Ok(character) => text.push(character),
            Err(_) => return Err(undecodable_utf16(text)),
        }
    }
    if rest.is_empty() { Ok((text, Vec::new())) } else { Err(undecodable_utf16(text)) }
}

fn undecodable_utf16(before: String) -> Undecodable {
    let message =
        "the byte order mark says UTF-16, but these bytes are none: save the file in UTF-8";
    Undecodable { before, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn text_is_decoded_as_kubectl_does() {
        for bytes in [
            "ä: 😀\n".as_bytes().to_vec(),
            "\u{FEFF}ä: 😀\n".as_bytes().to_vec(),
            utf16("\u{FEFF}ä: 😀\n", u16::to_le_bytes),
            utf16("\u{FEFF}ä: 😀\n", u16::to_be_bytes),
        ] {
            assert_eq!(Source::new("-", bytes).unwrap().text, "ä: 😀\n");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error_with_their_place() {
        for (bytes, place, message) in [
            (b"\xFF\xFEa\0\n\0b".to_vec(), (2, 1), "the byte order mark says UTF-16"),
            (b"\xFE\xFF\xD8\x00\0a".to_vec(), (1, 1), "the byte order mark says UTF-16"),
        ] {
            let error = Source::new("f.yaml", bytes).unwrap_err();
            assert_eq!((error.line, error.column), (Some(place.0), Some(place.1)));
            assert!(error.message.starts_with(message), "{}", error.message);
        }
    }

    #[test]
    fn what_is_no_utf8_is_replaced_and_remembered() {
        let source = Source::new("f", b"a: b\nc\xC3\xA4: \xE2\x82x\xFF".to_vec()).unwrap();
        assert_eq!(source.text, "a: b\ncä: \u{FFFD}x\u{FFFD}");
        for (part, found) in [
            (0..10, None),
            (0..11, Some((5, "byte 0xE2 is"))),
            (11..14, None),
            (13..17, Some((7, "byte 0xFF is"))),
        ] {
            let error = source.invalid_in(&part);
            let error = error.as_ref().map(|error| (error.column.unwrap(), &error.message[..12]));
            assert_eq!(error, found, "{part:?}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let source = Source::new("-", "äb\r\nc\n".into()).unwrap();
        for (at, line, column) in
            [(0, 1, 1), (2, 1, 2), (3, 1, 3), (5, 2, 1), (6, 2, 2), (7, 3, 1), (99, 3, 1)]
        {
            assert_eq!(source.position(at), Position { line, column }, "{at}");
        }
        assert_eq!(
            Source::new("-", Vec::new()).unwrap().position(0),
            Position { line: 1, column: 1 }
        );
    }

    #[test]
    fn columns_of_a_line_longer_than_a_block_are_right() {
        let text = format!("x\n{}", "ä".repeat(2 * BLOCK));
        let source = Source::new("-", text.into()).unwrap();
        for characters in [0, 1, BLOCK / 2 - 1, BLOCK / 2, BLOCK, 2 * BLOCK] {
            let column = offset(characters + 1);
            assert_eq!(source.position(offset(2 + 2 * characters)), Position { line: 2, column });
        }
    }

    #[test]
    fn a_location_has_both_ends() {
        let source = Source::new("f.yaml", "a:\n  b: c\n".into()).unwrap();
        let location = source.location(Span::new(5, 9));
        assert_eq!((location.line, location.column), (2, 3));
        assert_eq!((location.end_line, location.end_column), (2, 7));
        assert_eq!(location.bytes, 5..9);
    }
}
