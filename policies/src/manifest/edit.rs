//! Edits of an object as changes of its text, in which every other byte stays.
//!
//! What a change should mean is known beforehand: the object as JSON, with the
//! edit made there. A change that reads as anything else isn't made. So the ways
//! to write an edit down may be simple, and the next one is tried.

mod block;
mod flow;
mod write;

use std::ops::Range;

use serde_json::{Map, Value as Json};

use super::origin::{Format, parse};
use super::{Document, Entry, Node, Span, Value};
use crate::finding::{Edit, EditOp};
use crate::path::{Path, Segment};

/// A change of a text: some bytes, maybe none, that others take the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Bytes of the source.
    pub range: Range<usize>,
    /// What comes there.
    pub text: String,
}

impl Document {
    /// The change that makes these edits, one after the other; none where some
    /// edit can't be made without changing anything else.
    pub fn edited(&self, edits: &[Edit]) -> Option<Splice> {
        let chunk = self.origin.chunk.range();
        let before = &self.source.text[chunk.clone()];
        let mut text = before.to_owned();
        let item = self.origin.item.as_ref().map(|item| item.index);
        for edit in edits {
            let path = edit.path.parse().ok()?;
            let edit = Step { op: edit.op, path, value: edit.value.clone().unwrap_or(Json::Null) };
            text = make(&text, self.origin.format, item, &edit)?;
        }
        let splice = shortest(before, &text);
        (!splice.range.is_empty() || !splice.text.is_empty()).then(|| Splice {
            range: chunk.start + splice.range.start..chunk.start + splice.range.end,
            ..splice
        })
    }
}

/// One edit, its path read.
#[derive(Clone, Debug)]
struct Step {
    op: EditOp,
    path: Path,
    /// Null for a removal.
    value: Json,
}

/// A text, and what is to be written in it.
#[derive(Clone, Copy)]
struct Page<'t> {
    text: &'t str,
    /// Keys and strings take double quotes.
    json: bool,
}

/// Makes one edit in the text of a document, or of one item of a list.
fn make(text: &str, format: Format, item: Option<usize>, edit: &Step) -> Option<String> {
    let read = |text: &str| parse(text, 0, format).ok()?.filter(|read| read.unread.is_none());
    let root = read(text)?.root;
    let object = match item {
        None => &root,
        Some(index) => root.get("items")?.as_sequence()?.get(index)?,
    };
    let parts = parts(object, edit);
    if let [_, _, ..] = parts[..] {
        let made = |text: String, part: &Step| make(&text, format, item, part);
        return parts.iter().try_fold(text.to_owned(), made);
    }
    let edit = parts.first()?;
    let mut expected = root.to_json();
    let expected_object = match item {
        None => &mut expected,
        Some(index) => expected.get_mut("items")?.get_mut(index)?,
    };
    change(expected_object, edit.path.segments(), edit)?;
    let page = Page { text, json: format == Format::Json };
    let splices = splices(page, object, edit)?;
    splices
        .into_iter()
        .map(|splice| spliced(text, &splice))
        .find(|text| read(text).is_some_and(|read| read.root.to_json() == expected))
}

/// An edit that gives a mapping another one is made key by key, so that what
/// both have stays as it is written.
fn parts(object: &Node, edit: &Step) -> Vec<Step> {
    let found = edit.path.resolve(object);
    let (EditOp::Set, true, Json::Object(new)) = (edit.op, found.exact, &edit.value) else {
        return vec![edit.clone()];
    };
    let Some(old) = found.node.as_mapping().filter(|_| !new.is_empty()) else {
        return vec![edit.clone()];
    };
    let step = |op, key: &str, value: Json| Step { op, path: edit.path.child(key), value };
    let is_old = |key: &str| old.iter().any(|entry| entry.key == key);
    let added = new.iter().filter(|(key, _)| !is_old(key));
    let mut steps: Vec<_> =
        added.map(|(key, value)| step(EditOp::Add, key, value.clone())).collect();
    for entry in old {
        match new.get(&entry.key) {
            None => steps.push(step(EditOp::Remove, &entry.key, Json::Null)),
            Some(value) if entry.value.to_json() != *value => {
                steps.extend(parts(object, &step(EditOp::Set, &entry.key, value.clone())));
            }
            Some(_) => {}
        }
    }
    steps
}

/// Makes an edit in an object as JSON; none where the path doesn't suit it.
fn change(object: &mut Json, path: &[Segment], edit: &Step) -> Option<()> {
    let (last, before) = path.split_last()?;
    let mut parent = object;
    for segment in before {
        parent = match segment {
            Segment::Key(key) => parent.get_mut(key)?,
            Segment::Index(index) => parent.get_mut(index)?,
        };
    }
    if parent.is_null() && edit.op == EditOp::Add && matches!(last, Segment::Key(_)) {
        *parent = Json::Object(Map::new());
    }
    let value = edit.value.clone();
    match (edit.op, last, parent) {
        (EditOp::Set, Segment::Key(key), Json::Object(map)) => *map.get_mut(key)? = value,
        (EditOp::Set, Segment::Index(index), Json::Array(list)) => *list.get_mut(*index)? = value,
        (EditOp::Add, Segment::Key(key), Json::Object(map)) => {
            // What is null stands there, and is set.
            if map.get(key).is_some_and(|there| !there.is_null()) {
                return None;
            }
            map.insert(key.clone(), value);
        }
        (EditOp::Add, Segment::Index(index), Json::Array(list)) if *index == list.len() => {
            list.push(value);
        }
        (EditOp::Remove, Segment::Key(key), Json::Object(map)) => {
            map.remove(key)?;
        }
        (EditOp::Remove, Segment::Index(index), Json::Array(list)) if *index < list.len() => {
            list.remove(*index);
        }
        _ => return None,
    }
    Some(())
}

/// The ways to write an edit down, the best one first.
fn splices(page: Page<'_>, object: &Node, edit: &Step) -> Option<Vec<Splice>> {
    let found = edit.path.resolve(object);
    let (last, before) = edit.path.segments().split_last()?;
    let parent_path = before.iter().fold(Path::default(), |path, segment| match segment {
        Segment::Key(key) => path.child(key),
        Segment::Index(index) => path.index(*index),
    });
    let parent = parent_path.resolve(object);
    match edit.op {
        EditOp::Set | EditOp::Add if found.exact => {
            Some(write::over(page, found.node, found.key, &edit.value))
        }
        EditOp::Set => None,
        EditOp::Add if !parent.exact => None,
        EditOp::Add if parent.node.is_null() => {
            let Segment::Key(key) = last else { return None };
            let value = Json::Object(Map::from_iter([(key.clone(), edit.value.clone())]));
            Some(write::over(page, parent.node, parent.key, &value))
        }
        EditOp::Add if is_flow(page, parent.node) => {
            flow::add(page, parent.node, last, &edit.value)
        }
        EditOp::Add => block::add(page, parent.node, last, &edit.value),
        EditOp::Remove if !found.exact => None,
        EditOp::Remove if is_flow(page, parent.node) => flow::remove(parent.node, last),
        EditOp::Remove => block::remove(page, parent.node, parent.key, last),
    }
}

/// Whether a collection stands in brackets.
fn is_flow(page: Page<'_>, node: &Node) -> bool {
    page.text[node.span.range()].starts_with(['{', '['])
}

/// The entries that stand in a mapping itself, in the order of the text: what
/// is merged into it stands elsewhere.
fn own(node: &Node) -> Option<Vec<&Entry>> {
    let Value::Mapping(entries) = &node.value else { return None };
    let inside =
        |it: &&Entry| node.span.start <= it.key_span.start && it.key_span.end <= node.span.end;
    let mut entries: Vec<_> = entries.iter().filter(inside).collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    Some(entries)
}

/// Where an entry ends; none if its value is an alias, which stands elsewhere.
fn end_of(key: Span, value: &Node) -> Option<usize> {
    (value.span.start >= key.end).then_some(value.span.end as usize)
}

fn spliced(text: &str, splice: &Splice) -> String {
    [&text[..splice.range.start], &splice.text, &text[splice.range.end..]].concat()
}

/// The shortest change that makes one text of another.
fn shortest(before: &str, after: &str) -> Splice {
    let same = before.char_indices().zip(after.chars()).find(|((_, a), b)| a != b);
    let start = same.map_or(before.len().min(after.len()), |((at, _), _)| at);
    let (rest, new) = (&before[start..], &after[start..]);
    let same = rest.chars().rev().zip(new.chars().rev()).take_while(|(a, b)| a == b);
    let kept: usize = same.map(|(character, _)| character.len_utf8()).sum();
    Splice { range: start..before.len() - kept, text: new[..new.len() - kept].to_owned() }
}

#[cfg(test)]
mod tests;
