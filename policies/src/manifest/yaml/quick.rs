//! The short way through everyday YAML.
//!
//! Nearly all that people and tools write is block mappings and sequences of
//! plain, quoted and block scalars, with a short `[a, b]` or `{}` in between.
//! This reader knows no more than that, and gives up on the rest, and wherever
//! it isn't sure: then libyaml reads the document. What it does read becomes
//! the very tree that the long way makes, which tests compare (`tests/tests/
//! fuzz.rs`, `tests/tests/kubectl.rs`), and it refuses nothing.
//!
//! # Source
//! `scanner.c` of libyaml 0.2.5, for what ends a scalar and how lines are
//! joined.

use super::Entries;
use crate::manifest::node::{Entry, Node, Span, Style, Value, offset};
use crate::manifest::{Duplicate, MAX_NODES, scalar, template};

/// Deeper documents are left to libyaml.
const DEPTH: usize = 64;

/// libyaml takes no key of more than 1024 characters.
const KEY_BYTES: usize = 256;

/// The indentation of what follows the last line.
const END: isize = -1;

/// Reads a document that starts at the offset `base` of its source; none
/// where libyaml has to.
pub(super) fn parse(text: &str, base: u32) -> Option<(Node, Vec<Duplicate>)> {
    if !is_everyday(text) {
        return None;
    }
    let bytes = text.as_bytes();
    let mut quick =
        Quick { text, bytes, base, at: 0, indent: END, duplicates: Vec::new(), nodes: 0, depth: 0 };
    quick.next_line()?;
    if quick.indent == 0 && bytes[quick.at..].starts_with(b"---") {
        quick.end_of_line(quick.at + 3)?;
    }
    if quick.indent == END {
        return None;
    }
    let root = quick.block(quick.indent, END)?;
    (quick.indent == END && root.style == Style::Collection).then_some((root, quick.duplicates))
}

/// Whether libyaml takes every character, and none but `\n` for a line break.
fn is_everyday(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut odd, mut ascii) = (false, true);
    for &byte in bytes {
        odd |= (byte < b' ' && byte != b'\n' && byte != b'\t') | (byte == 0x7F);
        ascii &= byte.is_ascii();
    }
    !odd && (ascii
        || text.chars().filter(|c| !c.is_ascii()).all(|c| {
            c >= '\u{A0}'
                && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
        }))
}

/// Where the reader is: between nodes always in front of the content of a line.
struct Quick<'t> {
    text: &'t str,
    bytes: &'t [u8],
    base: u32,
    at: usize,
    /// Of the line at `at`, or [`END`].
    indent: isize,
    duplicates: Vec<Duplicate>,
    /// Keys and values so far.
    nodes: usize,
    depth: usize,
}

/// A key and the offset behind its colon.
struct Key {
    token: Span,
    text: String,
    behind: usize,
}

impl Quick<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), None | Some(b' ' | b'\n'))
    }

    fn behind_spaces(&self, at: usize) -> usize {
        at + self.bytes[at..].iter().take_while(|&&byte| byte == b' ').count()
    }

    /// Offset of the line break, or of the end.
    fn line_end(&self, at: usize) -> usize {
        self.bytes[at..].iter().position(|&byte| byte == b'\n').map_or(self.bytes.len(), |n| at + n)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { start: self.base + offset(start), end: self.base + offset(end) }
    }

    fn node(&mut self, value: Value, start: usize, end: usize, style: Style) -> Option<Node> {
        self.nodes += 1;
        (self.nodes < MAX_NODES).then(|| Node { value, span: self.span(start, end), style })
    }

    /// Where a node ends, in the text.
    fn end_of(&self, node: &Node) -> usize {
        (node.span.end - self.base) as usize
    }

    fn enter(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= DEPTH).then_some(())
    }

    /// From the start of a line to the next content, over empty lines and
    /// comments.
    fn next_line(&mut self) -> Option<()> {
        loop {
            let at = self.behind_spaces(self.at);
            match self.byte(at) {
                None => {
                    (self.at, self.indent) = (at, END);
                    return Some(());
                }
                Some(b'\n') => self.at = at + 1,
                Some(b'#') => self.at = (self.line_end(at) + 1).min(self.bytes.len()),
                Some(b'\t') => return None,
                Some(_) => {
                    self.indent = isize::try_from(at - self.at).ok()?;
                    self.at = at;
                    return Some(());
                }
            }
        }
    }

    /// To the next content, where nothing but a comment is left of this line.
    fn end_of_line(&mut self, at: usize) -> Option<()> {
        let rest = self.behind_spaces(at);
        match self.byte(rest) {
            None | Some(b'\n') => {}
            Some(b'#') if rest > at => {}
            Some(_) => return None,
        }
        self.at = (self.line_end(rest) + 1).min(self.bytes.len());
        self.next_line()
    }

    /// A node that may be a collection. It stands at `column`, inside of a
    /// collection at the column `parent`.
    fn block(&mut self, column: isize, parent: isize) -> Option<Node> {
        if self.is_dash() {
            self.sequence(column)
        } else if let Some(key) = self.key()? {
            self.mapping(column, key)
        } else {
            self.scalar(parent)
        }
    }

    fn is_dash(&self) -> bool {
        self.byte(self.at) == Some(b'-') && self.is_blank(self.at + 1)
    }

    fn sequence(&mut self, column: isize) -> Option<Node> {
        self.enter()?;
        let start = self.at;
        let mut items = Vec::new();
        loop {
            let dash = self.at;
            let at = self.behind_spaces(dash + 1);
            let item = match self.byte(at) {
                None | Some(b'\n' | b'#') => self.below(column, dash + 1, false)?,
                Some(_) => {
                    self.at = at;
                    self.block(column + isize::try_from(at - dash).ok()?, column)?
                }
            };
            items.push(item);
            if self.indent != column || !self.is_dash() {
                break;
            }
        }
        self.depth -= 1;
        let end = items.last().map_or(start, |item| self.end_of(item));
        (self.indent <= column).then_some(())?;
        self.node(Value::Sequence(items), start, end, Style::Collection)
    }

    fn mapping(&mut self, column: isize, first: Key) -> Option<Node> {
        self.enter()?;
        let start = (first.token.start - self.base) as usize;
        let mut entries = Entries::default();
        let mut key = first;
        let end = loop {
            let value = self.value(column, key.behind)?;
            let end = self.end_of(&value);
            let entry = Entry { key: key.text, key_span: key.token, value };
            self.duplicates.extend(entries.insert(entry, false));
            if self.indent != column {
                break end;
            }
            key = self.key()??;
        };
        self.depth -= 1;
        (self.indent < column).then_some(())?;
        self.node(Value::Mapping(entries.list), start, end, Style::Collection)
    }

    /// What stands behind a key, in a mapping at `column`.
    fn value(&mut self, column: isize, behind: usize) -> Option<Node> {
        let at = self.behind_spaces(behind);
        match self.byte(at) {
            None | Some(b'\n' | b'#') => self.below(column, behind, true),
            Some(_) => {
                self.at = at;
                self.scalar(column)
            }
        }
    }

    /// What stands on the lines below a key or a dash, or nothing. A sequence
    /// may stand right below the key that it belongs to.
    fn below(&mut self, column: isize, mark: usize, of_key: bool) -> Option<Node> {
        self.end_of_line(mark)?;
        if self.indent > column {
            self.block(self.indent, column)
        } else if of_key && self.indent == column && self.is_dash() {
            self.sequence(column)
        } else {
            self.node(Value::Null, mark, mark, Style::Plain)
        }
    }

    /// The key at this place, if there is one.
    fn key(&mut self) -> Option<Option<Key>> {
        let start = self.at;
        let quote = self.byte(start).filter(|byte| matches!(byte, b'"' | b'\''));
        let (end, text) = match quote {
            Some(quote) => {
                let inside = &self.bytes[start + 1..];
                let odd = |&byte: &u8| byte == quote || matches!(byte, b'\n' | b'\\' | b'\t');
                let Some(length) = inside.iter().position(odd) else { return Some(None) };
                if inside[length] != quote {
                    return Some(None);
                }
                (start + length + 2, start + 1..start + 1 + length)
            }
            None => {
                let length = self.bytes[start..].iter().take_while(|&&byte| is_key(byte)).count();
                (start + length, start..start + length)
            }
        };
        if end == start || self.byte(end) != Some(b':') || !self.is_blank(end + 1) {
            return Some(None);
        }
        if end - start > KEY_BYTES || quote.is_none() && self.bytes[start] == b'-' {
            return None;
        }
        let text = self.text[text].to_owned();
        let text = match quote {
            Some(_) => text,
            None => scalar::resolve(None, text).ok()?.into_key().ok()?,
        };
        self.nodes += 1;
        Some(Some(Key { token: self.span(start, end), text, behind: end + 1 }))
    }

    /// A scalar, or a collection in brackets, inside of a collection at the
    /// column `parent`; then on to the next content.
    fn scalar(&mut self, parent: isize) -> Option<Node> {
        let start = self.at;
        match self.bytes[start] {
            b'"' => self.quoted(parent, Style::DoubleQuoted),
            b'\'' => self.quoted(parent, Style::SingleQuoted),
            b'|' => self.block_scalar(parent, Style::Literal),
            b'>' => self.block_scalar(parent, Style::Folded),
            b'[' | b'{' => {
                let node = self.flow(parent)?;
                self.end_of_line(self.at)?;
                Some(node)
            }
            b'-' | b':' if !self.is_blank(start + 1) => self.plain(parent),
            byte if starts_plain(byte) => self.plain(parent),
            _ => None,
        }
    }

    fn plain(&mut self, parent: isize) -> Option<Node> {
        let start = self.at;
        let mut end = self.plain_line(start)?;
        let mut joined: Option<String> = None;
        // The scalar goes on where a line is indented more.
        while let Some((next, breaks)) = self.continuation(end, parent)? {
            let value = joined.get_or_insert_with(|| self.text[start..end].to_owned());
            join(value, breaks);
            end = self.plain_line(next)?;
            value.push_str(&self.text[next..end]);
        }
        let value = joined.unwrap_or_else(|| self.text[start..end].to_owned());
        if value.contains("{{") && template::inside(&value) {
            return None;
        }
        self.end_of_line(end)?;
        let value = scalar::resolve(None, value).ok()?.into_value().ok()?;
        self.node(value, start, end, Style::Plain)
    }

    /// Where the text of a plain scalar ends in this line.
    fn plain_line(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            match self.byte(at) {
                None | Some(b'\n') => break,
                Some(b':') if self.is_blank(at + 1) => return None,
                Some(b'#') if self.bytes[at - 1] == b' ' => break,
                Some(b'\t') => return None,
                Some(_) => at += 1,
            }
        }
        while at > from && self.bytes[at - 1] == b' ' {
            at -= 1;
        }
        Some(at)
    }

    /// Where a scalar goes on behind the end of a line, and how many line
    /// breaks lie between; none where it ends.
    fn continuation(&self, end: usize, parent: isize) -> Option<Option<(usize, usize)>> {
        let mut at = self.behind_spaces(end);
        let mut breaks = 0;
        loop {
            match self.byte(at) {
                Some(b'\n') => {}
                None => return Some(None),
                // A comment ends a scalar.
                Some(_) => return Some(None),
            }
            let line = at + 1;
            breaks += 1;
            at = self.behind_spaces(line);
            match self.byte(at) {
                None | Some(b'#') => return Some(None),
                Some(b'\n') => {}
                Some(b'\t') => return None,
                Some(_) if isize::try_from(at - line).ok()? > parent => {
                    return Some(Some((at, breaks)));
                }
                Some(_) => return Some(None),
            }
        }
    }

    fn quoted(&mut self, parent: isize, style: Style) -> Option<Node> {
        let start = self.at;
        let quote = self.bytes[start];
        let mut at = start + 1;
        let mut piece = at;
        let mut value = String::new();
        // Spaces in front of a line break are dropped, but not escaped ones.
        let mut kept = 0;
        loop {
            match self.byte(at)? {
                byte if byte == quote => {
                    value.push_str(&self.text[piece..at]);
                    at += 1;
                    if quote == b'"' || self.byte(at) != Some(b'\'') {
                        break;
                    }
                    // Two quotes are one.
                    piece = at;
                    at += 1;
                }
                b'\\' if quote == b'"' => {
                    value.push_str(&self.text[piece..at]);
                    value.push(match self.byte(at + 1)? {
                        b'n' => '\n',
                        b't' => '\t',
                        b'"' => '"',
                        b'\\' => '\\',
                        _ => return None,
                    });
                    kept = value.len();
                    at += 2;
                    piece = at;
                }
                b'\n' => {
                    value.push_str(&self.text[piece..at]);
                    let content = value[kept..].trim_end_matches(' ').len();
                    value.truncate(kept + content);
                    let (next, breaks) = self.continuation(at, parent).flatten()?;
                    join(&mut value, breaks);
                    kept = value.len();
                    (at, piece) = (next, next);
                }
                b'\t' => return None,
                _ => at += 1,
            }
        }
        self.end_of_line(at)?;
        self.node(Value::String(value), start, at, style)
    }

    /// `|` or `>`, with `-` or `+` or without.
    fn block_scalar(&mut self, parent: isize, style: Style) -> Option<Node> {
        let start = self.at;
        let chomping = self.byte(start + 1).filter(|byte| matches!(byte, b'-' | b'+'));
        let behind = start + 1 + usize::from(chomping.is_some());
        let rest = self.behind_spaces(behind);
        match self.byte(rest)? {
            b'\n' => {}
            b'#' if rest > behind => {}
            _ => return None,
        }
        let mut end = self.line_end(rest);
        let mut line = end + 1;
        let least = usize::try_from(parent + 1).ok()?;
        let Some(indent) = self.block_indent(line.min(self.bytes.len()), least)? else {
            if chomping == Some(b'+') {
                return None;
            }
            // Nothing but empty lines.
            self.at = line.min(self.bytes.len());
            self.next_line()?;
            return self.node(Value::String(String::new()), start, end, style);
        };
        let mut value = String::new();
        let folds = style == Style::Folded;
        // Line breaks since the last text, and whether that began with a blank.
        let (mut breaks, mut was_blank, mut begun) = (0, false, false);
        while line < self.bytes.len() {
            let content = line
                + self.bytes[line..].iter().take(indent).take_while(|&&byte| byte == b' ').count();
            match self.byte(content) {
                None if chomping == Some(b'+') => return None,
                None => {
                    line = self.bytes.len();
                    break;
                }
                Some(b'\n') => {
                    breaks += 1;
                    line = content + 1;
                    continue;
                }
                Some(b'\t') if content < line + indent => return None,
                Some(_) if content < line + indent => break,
                Some(_) => {}
            }
            let is_blank = matches!(self.bytes[content], b' ' | b'\t');
            if folds && begun && !was_blank && !is_blank {
                join(&mut value, breaks);
            } else {
                value.extend(std::iter::repeat_n('\n', breaks));
            }
            let stop = self.line_end(content);
            value.push_str(&self.text[content..stop]);
            if self.bytes[content..stop].iter().any(|byte| !matches!(byte, b' ' | b'\t')) {
                end = stop;
            }
            (breaks, was_blank, begun) = (1, is_blank, true);
            line = (stop + 1).min(self.bytes.len());
        }
        match chomping {
            Some(b'-') => {}
            Some(_) => value.extend(std::iter::repeat_n('\n', breaks)),
            None => value.push('\n'),
        }
        self.at = line;
        self.next_line()?;
        self.node(Value::String(value), start, end, style)
    }

    /// The indentation of a block scalar whose first line starts at `line`;
    /// none where it is empty.
    fn block_indent(&self, mut line: usize, least: usize) -> Option<Option<usize>> {
        let mut longest = 0;
        loop {
            let content = self.behind_spaces(line);
            let spaces = content - line;
            match self.byte(content) {
                None if spaces > 0 => return None,
                None => return Some(None),
                Some(b'\n') => {
                    longest = longest.max(spaces);
                    line = content + 1;
                }
                Some(b'\t') => return None,
                // An empty line that is longer makes the scalar another one.
                Some(_) if longest > spaces.max(least) => return None,
                Some(_) => return Some((spaces >= least).then_some(spaces)),
            }
        }
    }

    /// A collection in brackets.
    fn flow(&mut self, parent: isize) -> Option<Node> {
        self.enter()?;
        let start = self.at;
        let node = match self.bytes[start] {
            b'[' => {
                let mut items = Vec::new();
                self.flow_items(b']', parent, |quick| {
                    items.push(quick.flow_value(parent)?);
                    Some(())
                })?;
                Value::Sequence(items)
            }
            _ => {
                let mut entries = Entries::default();
                self.flow_items(b'}', parent, |quick| {
                    let key = quick.key()??;
                    quick.at = quick.behind_spaces(key.behind);
                    let value = quick.flow_value(parent)?;
                    let entry = Entry { key: key.text, key_span: key.token, value };
                    quick.duplicates.extend(entries.insert(entry, false));
                    Some(())
                })?;
                Value::Mapping(entries.list)
            }
        };
        self.depth -= 1;
        self.node(node, start, self.at, Style::Collection)
    }

    /// Reads what stands between brackets, up to behind the closing one.
    fn flow_items(
        &mut self,
        close: u8,
        parent: isize,
        mut item: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.at = self.flow_space(self.at + 1, parent)?;
        if self.byte(self.at) == Some(close) {
            self.at += 1;
            return Some(());
        }
        loop {
            item(self)?;
            let at = self.flow_space(self.at, parent)?;
            match self.byte(at)? {
                b',' => self.at = self.flow_space(at + 1, parent)?,
                byte if byte == close => {
                    self.at = at + 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Behind spaces and line breaks, where lines are indented as they must be.
    fn flow_space(&self, at: usize, parent: isize) -> Option<usize> {
        let at = self.behind_spaces(at);
        match self.byte(at)? {
            b'\n' => self.continuation(at, parent)?.map(|(next, _)| next),
            _ => Some(at),
        }
    }

    fn flow_value(&mut self, parent: isize) -> Option<Node> {
        let start = self.at;
        match self.byte(start)? {
            b'[' | b'{' => self.flow(parent),
            quote @ (b'"' | b'\'') => {
                let inside = &self.bytes[start + 1..];
                let odd = |&byte: &u8| byte == quote || matches!(byte, b'\n' | b'\\' | b'\t');
                let length = inside.iter().position(odd)?;
                let end = start + length + 2;
                // An escape, or two quotes that are one.
                if inside[length] != quote || self.byte(end) == Some(quote) {
                    return None;
                }
                let text = self.text[start + 1..end - 1].to_owned();
                let style = if quote == b'"' { Style::DoubleQuoted } else { Style::SingleQuoted };
                self.at = end;
                self.node(Value::String(text), start, end, style)
            }
            byte if is_key(byte) => {
                let length = self.bytes[start..].iter().take_while(|&&byte| is_key(byte)).count();
                let end = start + length;
                if byte == b'-' && length == 1 {
                    return None;
                }
                self.at = end;
                let value = scalar::resolve(None, self.text[start..end].to_owned()).ok()?;
                self.node(value.into_value().ok()?, start, end, Style::Plain)
            }
            _ => None,
        }
    }
}

/// What keys, and plain scalars in brackets, are made of.
fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'$' | b'(' | b')' | b'=' | b'+')
}

/// What a plain scalar may start with, for certain.
fn starts_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || !byte.is_ascii()
        || matches!(
            byte,
            b'_' | b'.' | b'/' | b'$' | b'(' | b')' | b'=' | b'+' | b'~' | b'^' | b';' | b'\\'
        )
}

/// Adds what line breaks between two lines of a scalar mean.
fn join(value: &mut String, breaks: usize) {
    match breaks {
        1 => value.push(' '),
        _ => value.extend(std::iter::repeat_n('\n', breaks - 1)),
    }
}
