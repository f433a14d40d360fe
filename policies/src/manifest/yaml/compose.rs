//! libyaml's events to a flat list of what is written.

use std::collections::HashMap;

use libyaml_safer::{Event, EventData, MappingStyle, Parser, ScalarStyle, SequenceStyle};

use super::feed::Feed;
use super::{Unread, tags};
use crate::manifest::node::{Span, Style, offset};
use crate::manifest::problem::Problem;
use crate::manifest::scalar::{self, Scalar};
use crate::manifest::template;
use crate::manifest::{MAX_DEPTH, MAX_NODES};

/// One thing that is written. What a collection holds follows it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) span: Span,
    pub(super) style: Style,
    /// Whether an alias can stand for it, so that it may be needed again.
    pub(super) shared: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    /// A plain `<<`: as a key a merge, else a string.
    Merge,
    Sequence {
        /// Index of the item behind the last one inside.
        end: u32,
    },
    Mapping {
        /// Index of the item behind the last one inside.
        end: u32,
    },
    Alias {
        /// Index of the item that it stands for.
        target: u32,
    },
}

/// A document as it is written.
pub(super) struct Composed<'t> {
    text: &'t str,
    base: u32,
    /// In the order of the text, the root first.
    pub(super) items: Vec<Item>,
    /// The first `{{ … }}` outside of quotes and block scalars.
    pub(super) template: Option<Span>,
    pub(super) entangled: bool,
    pub(super) unread: Option<Unread>,
    anchors: HashMap<String, u32>,
    /// Collections that have begun.
    open: Vec<Open>,
    /// Where the last finished item ends, relative to `text`.
    last_end: usize,
}

struct Open {
    index: usize,
    shared: bool,
    flow: bool,
}

impl<'t> Composed<'t> {
    pub(super) fn new(text: &'t str, base: u32) -> Self {
        Self {
            text,
            base,
            items: Vec::new(),
            template: None,
            entangled: false,
            unread: None,
            anchors: HashMap::new(),
            open: Vec::new(),
            last_end: 0,
        }
    }

    /// Reads the first document. What was found before an error stays.
    pub(super) fn read(&mut self) -> Result<(), Problem> {
        // A byte order mark in the middle of a stream, where files were joined.
        let text = self.text.strip_prefix('\u{FEFF}').unwrap_or(self.text);
        let skipped = offset(self.text.len() - text.len());
        (self.text, self.base) = (text, self.base + skipped);

        if let Some(at) = tags::before_comma(text) {
            let message = "kubectl can't read a `,` right behind a tag: write a space before it, \
                           or quote the value if it isn't a tag";
            return Err(Problem::new(self.base + offset(at), message.to_owned()));
        }
        let mut parser = Parser::new();
        parser.set_input(Feed::new(text));
        loop {
            let event = match parser.parse() {
                Ok(event) => event,
                Err(error) => return Err(Problem::from_libyaml(&error, self.text, self.base)),
            };
            match event.data {
                EventData::StreamEnd => return Ok(()),
                EventData::DocumentEnd { implicit } => {
                    self.unread = self
                        .behind(event.end_mark.index)
                        .map(|at| Unread { at, marked: !implicit });
                    return Ok(());
                }
                EventData::DocumentStart { version_directive, implicit, .. } => {
                    // libyaml has learnt 1.2.
                    if version_directive.is_some_and(|version| version.minor != 1) {
                        let message = "kubectl reads YAML 1.1 only: remove the `%YAML` line";
                        return Err(Problem::new(self.base, message.to_owned()));
                    }
                    self.entangled |= !implicit && self.text.starts_with('%');
                }
                EventData::StreamStart { .. } => {}
                _ => self.node(event)?,
            }
        }
    }

    fn node(&mut self, event: Event) -> Result<(), Problem> {
        let Event { data, start_mark, end_mark, .. } = event;
        let (start, end) = (self.at(start_mark.index), self.at(end_mark.index));
        match data {
            EventData::Alias { anchor } => {
                let at = self.base + offset(start);
                let target = self.target(&anchor).map_err(|message| Problem::new(at, message))?;
                self.entangled = true;
                self.push(Kind::Alias { target }, start, end, Style::Plain, None);
                self.last_end = end;
            }
            EventData::Scalar { anchor, tag, value, plain_implicit, style, .. } => {
                self.scalar(Scanned { value, tag, plain_implicit, style, anchor, start, end })?;
            }
            EventData::SequenceStart { anchor, tag, style, .. } => {
                let start = self.content(start, &anchor, &tag);
                self.begin(Kind::Sequence { end: 0 }, start, anchor, style == SequenceStyle::Flow)?;
            }
            EventData::MappingStart { anchor, tag, style, .. } => {
                let start = self.content(start, &anchor, &tag);
                let flow = style == MappingStyle::Flow;
                if flow && self.template.is_none() {
                    self.template = template::action(&self.text[start..])
                        .map(|length| self.span(start, start + length));
                }
                self.begin(Kind::Mapping { end: 0 }, start, anchor, flow)?;
            }
            EventData::SequenceEnd => self.finish(end, b']'),
            EventData::MappingEnd => self.finish(end, b'}'),
            _ => {}
        }
        if self.items.len() > MAX_NODES {
            return Err(Problem::too_many(self.base + offset(start)));
        }
        Ok(())
    }

    fn scalar(&mut self, scanned: Scanned) -> Result<(), Problem> {
        let Scanned { value, tag, plain_implicit, style, anchor, start, mut end } = scanned;
        let mut start = self.content(start, &anchor, &tag).min(end);
        let style = match style {
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
            _ => Style::Plain,
        };
        match style {
            Style::DoubleQuoted => {
                if let Some(at) = escaped_slash(&self.text[start..end]) {
                    let message = "kubectl can't read the escape `\\/` in YAML: \
                                   write `/` without a backslash";
                    let at = self.base + offset(start + at);
                    return Err(Problem::new(at, message.to_owned()));
                }
            }
            // libyaml's mark is behind the empty lines that follow.
            Style::Literal | Style::Folded => {
                while let Some((before, blank)) = self.text[start..end].rsplit_once('\n')
                    && blank.trim_matches([' ', '\t', '\r']).is_empty()
                {
                    end = start + before.trim_end_matches('\r').len();
                }
            }
            Style::Plain
                if value.is_empty()
                    && anchor.is_none()
                    && tag.is_none()
                    && !self.text[..start].ends_with([':', '-', '?']) =>
            {
                // The mark of what isn't there is at the next token.
                start =
                    self.last_end.max(self.open.last().map_or(0, |open| self.start_of(open.index)));
                end = start;
            }
            Style::Plain if self.template.is_none() && value.contains("{{") => {
                self.template = template::inside(&value).then(|| self.span(start, end));
            }
            // libyaml has become more lenient than go-yaml, here and above.
            Style::Plain
                if value.contains('?') && self.open.last().is_some_and(|open| open.flow) =>
            {
                let at = self.base + offset(start);
                let message =
                    "kubectl can't read a `?` in `[ ]` or `{ }`: quote the value".to_owned();
                return Err(Problem::new(at, message));
            }
            _ => {}
        }
        let merges = plain_implicit || tag.as_deref() == Some("tag:yaml.org,2002:merge");
        let kind = if merges && value == "<<" {
            Kind::Merge
        } else if tag.is_none() && !plain_implicit {
            Kind::Scalar(Scalar::Str(value))
        } else {
            let scalar = scalar::resolve(tag.as_deref(), value)
                .map_err(|message| Problem::new(self.base + offset(start), message))?;
            Kind::Scalar(scalar)
        };
        self.push(kind, start, end, style, anchor);
        self.last_end = end;
        Ok(())
    }

    fn begin(
        &mut self,
        kind: Kind,
        start: usize,
        anchor: Option<String>,
        flow: bool,
    ) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            let at = self.base + offset(start);
            return Err(Problem::too_deep(at));
        }
        let index = self.push(kind, start, start, Style::Collection, anchor);
        let shared = self.items[index].shared;
        self.open.push(Open { index, shared, flow });
        self.last_end = start;
        Ok(())
    }

    /// Ends the innermost collection. A block ends with its last child:
    /// libyaml's mark is at the next token.
    fn finish(&mut self, mark: usize, bracket: u8) {
        let Some(Open { index, flow, .. }) = self.open.pop() else { return };
        let next = offset(self.items.len());
        // The `a: b` of `[a: b]` is flow without brackets.
        let bracketed =
            flow && mark > self.last_end && self.text.as_bytes().get(mark - 1) == Some(&bracket);
        let end = if bracketed { mark } else { self.last_end };
        self.last_end = end;
        let item = &mut self.items[index];
        item.span.end = self.base + offset(end);
        if let Kind::Sequence { end } | Kind::Mapping { end } = &mut item.kind {
            *end = next;
        }
    }

    fn push(
        &mut self,
        kind: Kind,
        start: usize,
        end: usize,
        style: Style,
        anchor: Option<String>,
    ) -> usize {
        let index = self.items.len();
        let shared = anchor.is_some() || self.open.last().is_some_and(|open| open.shared);
        self.items.push(Item { kind, span: self.span(start, end), style, shared });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, offset(index));
        }
        index
    }

    fn target(&self, anchor: &str) -> Result<u32, String> {
        let Some(&target) = self.anchors.get(anchor) else {
            return Err(format!(
                "the alias `*{anchor}` has no anchor `&{anchor}` before it in this document: \
                 define it first, or quote the value if it isn't an alias"
            ));
        };
        if self.open.iter().any(|open| open.index == target as usize) {
            return Err(format!(
                "the anchor `&{anchor}` contains itself through `*{anchor}`: write the value out"
            ));
        }
        Ok(target)
    }

    /// Where the content starts behind an anchor and a tag.
    fn content(&self, start: usize, anchor: &Option<String>, tag: &Option<String>) -> usize {
        if anchor.is_none() && tag.is_none() {
            return start;
        }
        let mut rest = &self.text[start..];
        loop {
            rest = rest.trim_start();
            rest = match rest.as_bytes().first() {
                Some(b'#') => rest.find('\n').map_or("", |newline| &rest[newline..]),
                Some(b'&') => rest[1..]
                    .trim_start_matches(|c: char| c.is_alphanumeric() || c == '-' || c == '_'),
                Some(b'!') => {
                    rest.find([' ', '\t', '\r', '\n', ',', ']', '}']).map_or("", |end| &rest[end..])
                }
                _ => return self.text.len() - rest.len(),
            };
        }
    }

    /// Where text follows that isn't a comment.
    fn behind(&self, index: u64) -> Option<u32> {
        let mut at = self.at(index);
        for line in self.text[at..].split_inclusive('\n') {
            let content = line.trim();
            if !(content.is_empty() || content.starts_with('#') || content == "...") {
                return Some(self.base + offset(at + line.len() - line.trim_start().len()));
            }
            at += line.len();
        }
        None
    }

    fn start_of(&self, index: usize) -> usize {
        (self.items[index].span.start - self.base) as usize
    }

    /// A mark as an index of `text`; libyaml also counts the newline that
    /// [`Feed`] adds.
    fn at(&self, index: u64) -> usize {
        usize::try_from(index).map_or(self.text.len(), |index| index.min(self.text.len()))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { start: self.base + offset(start), end: self.base + offset(end) }
    }
}

/// Offset of a `\/`, which JSON and YAML 1.2 know, but go-yaml doesn't.
fn escaped_slash(quoted: &str) -> Option<usize> {
    let mut bytes = quoted.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && bytes.next().is_some_and(|(_, code)| code == b'/') {
            return Some(at);
        }
    }
    None
}

/// A scalar event with indices of the text.
struct Scanned {
    value: String,
    tag: Option<String>,
    plain_implicit: bool,
    style: ScalarStyle,
    anchor: Option<String>,
    start: usize,
    end: usize,
}
