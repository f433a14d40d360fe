//! A text as libyaml-safer takes it.

use std::io::{self, BufRead, Read};

/// Hands a text to libyaml in small pieces, since it copies each piece to four
/// bytes a character, and ends it with a newline as kubectl's line reader does.
pub(super) struct Feed<'t> {
    text: &'t str,
    piece: &'t [u8],
    closed: bool,
}

impl<'t> Feed<'t> {
    const PIECE: usize = 8 << 10;

    pub(super) fn new(text: &'t str) -> Self {
        Self { text, piece: b"", closed: text.ends_with('\n') }
    }
}

impl BufRead for Feed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece.is_empty() {
            if self.text.is_empty() {
                if !self.closed {
                    self.piece = b"\n";
                    self.closed = true;
                }
            } else {
                let (piece, rest) = self.text.split_at(self.text.floor_char_boundary(Self::PIECE));
                (self.piece, self.text) = (piece.as_bytes(), rest);
            }
        }
        Ok(self.piece)
    }

    fn consume(&mut self, amount: usize) {
        self.piece = &self.piece[amount..];
    }
}

impl Read for Feed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut piece = self.fill_buf()?;
        let read = piece.read(out)?;
        self.consume(read);
        Ok(read)
    }
}
