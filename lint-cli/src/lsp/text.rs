//! Texts as the protocol addresses them: by line, and by code unit in it.

use std::ops::Range;

use gen_lsp_types::{Position, PositionEncodingKind, TextDocumentContentChangeEvent};

/// What a position counts in its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// What every client understands.
    #[default]
    Utf16,
}

impl Encoding {
    /// The first of the client's that is known here.
    pub(super) fn choose(offered: &[PositionEncodingKind]) -> Self {
        let known = offered.iter().find_map(|kind| match kind {
            PositionEncodingKind::UTF8 => Some(Self::Utf8),
            PositionEncodingKind::UTF16 => Some(Self::Utf16),
            _ => None,
        });
        known.unwrap_or_default()
    }

    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    fn length(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
        }
    }
}

/// Where the lines of a text are. A line ends with `\n`, `\r\n` or `\r`.
pub(super) struct Lines<'t> {
    text: &'t str,
    /// Offsets at which lines start, ascending, the first one 0.
    starts: Vec<usize>,
    encoding: Encoding,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts, encoding }
    }

    /// The position of an offset; of the end for one behind the end.
    pub(super) fn position(&self, at: usize) -> Position {
        let at = self.text.floor_char_boundary(at);
        let line = self.starts.partition_point(|start| *start <= at) - 1;
        let units = self.encoding.length(&self.text[self.starts[line]..at]);
        Position { line: number(line), character: number(units) }
    }

    pub(super) fn range(&self, bytes: &Range<usize>) -> gen_lsp_types::Range {
        gen_lsp_types::Range { start: self.position(bytes.start), end: self.position(bytes.end) }
    }

    /// The offset of a position; the end of the line for one behind it, and of the
    /// text for one behind that.
    pub(super) fn offset(&self, position: Position) -> usize {
        let Some(start) = self.starts.get(position.line as usize) else { return self.text.len() };
        let end = self.starts.get(position.line as usize + 1).copied();
        let line = &self.text[*start..end.unwrap_or(self.text.len())];
        let line = line.trim_end_matches(['\n', '\r']);
        let mut left = position.character as usize;
        for (at, character) in line.char_indices() {
            let units = self.encoding.length(character.encode_utf8(&mut [0; 4]));
            if units > left {
                return start + at;
            }
            left -= units;
        }
        start + line.len()
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Makes a change of the editor's.
pub(super) fn change(
    text: &mut String,
    change: TextDocumentContentChangeEvent,
    encoding: Encoding,
) {
    match change {
        TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => {
            let lines = Lines::of(text, encoding);
            let (start, end) = (lines.offset(part.range.start), lines.offset(part.range.end));
            text.replace_range(start..end.max(start), &part.text);
        }
        TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => {
            *text = whole.text;
        }
    }
}

/// Where a part of a text is in its next version; none if it has changed.
pub(super) fn carry(part: &Range<usize>, before: &str, now: &str) -> Option<Range<usize>> {
    let same = |pair: &(u8, u8)| pair.0 == pair.1;
    let front = before.bytes().zip(now.bytes()).take_while(same).count();
    if part.end <= front {
        return Some(part.clone());
    }
    let back = before.bytes().rev().zip(now.bytes().rev()).take_while(same).count();
    let from_end = |at: usize| now.len() - (before.len() - at);
    (part.start >= before.len() - back).then(|| from_end(part.start)..from_end(part.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_code_units_and_lines_of_all_three_sorts() {
        let text = "ä😀b\r\nc\rd\n";
        for (encoding, at, line, character) in [
            (Encoding::Utf16, 0, 0, 0),
            (Encoding::Utf16, 2, 0, 1),
            (Encoding::Utf16, 6, 0, 3),
            (Encoding::Utf8, 6, 0, 6),
            (Encoding::Utf16, 7, 0, 4),
            (Encoding::Utf16, 9, 1, 0),
            (Encoding::Utf8, 11, 2, 0),
            (Encoding::Utf16, 13, 3, 0),
        ] {
            let lines = Lines::of(text, encoding);
            assert_eq!(lines.position(at), Position { line, character }, "{at}");
            assert_eq!(lines.offset(Position { line, character }), at);
        }
    }

    #[test]
    fn a_position_behind_the_end_is_the_end() {
        let lines = Lines::of("ab\r\ncd", Encoding::Utf16);
        for (line, character, at) in [(0, 9, 2), (1, 9, 6), (7, 0, 6)] {
            assert_eq!(lines.offset(Position { line, character }), at);
        }
        assert_eq!(lines.position(99), Position { line: 1, character: 2 });
        // Between the two halves of a character.
        assert_eq!(Lines::of("😀", Encoding::Utf16).offset(Position { line: 0, character: 1 }), 0);
    }

    #[test]
    fn a_part_is_carried_unless_it_has_changed() {
        let before = "one\ntwo\nthree\n";
        for (now, found) in [
            ("one\ntwo!\nthree\n", [Some(0..3), Some(4..7), Some(9..14)]),
            ("one\nt-wo\nthree\n", [Some(0..3), None, Some(9..14)]),
            ("one\nthree\n", [Some(0..3), None, Some(4..9)]),
            ("", [None, None, None]),
            (before, [Some(0..3), Some(4..7), Some(8..13)]),
            ("one\none\ntwo\nthree\n", [Some(0..3), Some(8..11), Some(12..17)]),
        ] {
            for (part, found) in [0..3, 4..7, 8..13].iter().zip(found) {
                assert_eq!(carry(part, before, now), found, "{now:?} {part:?}");
            }
        }
    }
}
