//! Documents to Kubernetes objects.
//!
//! # Source
//! `unstructuredJSONScheme` in apimachinery v0.36.3
//! `pkg/apis/meta/v1/unstructured/helpers.go`.

use std::ops::Range;
use std::sync::Arc;

use super::classify::{Class, classify};
use super::node::{Node, Span, offset};
use super::origin::{Format, Implied, ListItem, Origin, Read, fill, is_alone, parse, take_items};
use super::stream::Chunk;
use super::yaml::Failure;
use super::{Document, Duplicate, Loaded, Manifest, Source, template};
use crate::finding::Skipped;

/// Reads one piece of a source, YAML in the given format, and adds what it
/// holds.
pub(super) fn read(source: &Arc<Source>, chunk: Chunk, yaml: Format, loaded: &mut Loaded) {
    let (range, format) = match chunk {
        Chunk::Json(range) => (range, Format::Json),
        Chunk::Yaml { range, broken_off } => {
            let errors = loaded.errors.len();
            read_chunk(source, range, yaml, loaded);
            if broken_off {
                // The separator is to blame, and is reported by itself.
                loaded.errors.truncate(errors);
            }
            return;
        }
        Chunk::Separator(range) => {
            let line = source.text[range.clone()].trim_end();
            loaded.documents += 1;
            loaded.errors.push(source.error(offset(range.start), separator(line)));
            return;
        }
        Chunk::NotJson(at, reason) => {
            let at = source.text.floor_char_boundary(at);
            let message = not_json(&source.text[at..], &reason);
            loaded.documents += 1;
            loaded.errors.push(source.error(offset(at), message));
            return;
        }
    };
    read_chunk(source, range, format, loaded);
}

fn separator(line: &str) -> String {
    if line.starts_with("----") {
        "a line that starts with `---` separates documents, and kubectl refuses more dashes: \
         write `---` alone, or `#` in front"
            .to_owned()
    } else {
        "kubectl refuses text behind `---`, except for a comment: move it to the next line"
            .to_owned()
    }
}

fn not_json(rest: &str, reason: &str) -> String {
    if rest.starts_with('-') {
        "kubectl takes this file for JSON, since two values follow each other without `---`: \
         write `---` between all of them or none"
            .to_owned()
    } else {
        format!(
            "not valid JSON: {reason}; kubectl takes this file for JSON, \
             since it starts with two JSON values"
        )
    }
}

fn read_chunk(source: &Arc<Source>, range: Range<usize>, format: Format, loaded: &mut Loaded) {
    if let Some(error) = source.invalid_in(&range) {
        loaded.documents += 1;
        loaded.errors.push(error);
        return;
    }
    let chunk = Span::new(range.start, range.end);
    let read = match parse(&source.text[range], chunk.start, format) {
        Ok(Some(read)) => read,
        Ok(None) => return,
        Err(failure) => {
            loaded.documents += 1;
            fail(source, chunk, format, failure, loaded);
            return;
        }
    };
    loaded.documents += 1;
    let unread = read.unread;
    let origin = Origin { chunk, format, item: None };
    match classify(&read.root) {
        Class::Object => {
            loaded.manifests.push(manifest(source, origin, read.root, read.duplicates))
        }
        Class::List => flatten(source, &origin, read, loaded),
        Class::Other(reason) => {
            loaded.skipped.push(skipped(source, read.root.span.start, reason));
        }
        Class::Broken(problem) => loaded.errors.push(source.error(problem.at, problem.message)),
    }
    match unread {
        None => {}
        Some(unread) if unread.marked => {
            let reason =
                "behind `...`, where kubectl reads no further: separate documents with `---`";
            loaded.skipped.push(skipped(source, unread.at, reason.to_owned()));
        }
        Some(unread) => {
            let failure = Failure { problem: unread.problem(), template: None };
            fail(source, chunk, format, failure, loaded);
        }
    }
}

/// Adds what can't be read: a mistake, or a template.
fn fail(source: &Source, chunk: Span, format: Format, failure: Failure, loaded: &mut Loaded) {
    match not_rendered(source, chunk, format, &failure) {
        Some(skipped) => loaded.skipped.push(skipped),
        None => {
            let problem = failure.problem;
            loaded.errors.push(source.error(problem.at, problem.message));
        }
    }
}

/// The document as a template that wasn't rendered, if that is why it failed.
fn not_rendered(
    source: &Source,
    chunk: Span,
    format: Format,
    failure: &Failure,
) -> Option<Skipped> {
    let problem = &failure.problem;
    let action = failure.template.map(Span::range).or_else(|| {
        if format == Format::Json {
            return None;
        }
        [Some(problem.at), problem.context]
            .into_iter()
            .flatten()
            .find_map(|at| template::on_line(&source.text, at as usize))
    })?;
    let line = source.position(offset(action.start)).line;
    let reason = template::reason(&source.text[action], line);
    let start = first_content(&source.text[chunk.range()]);
    Some(skipped(source, chunk.start + offset(start), reason))
}

/// Offset of the first line that isn't empty, a comment or a separator.
fn first_content(text: &str) -> usize {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim();
        if !(content.is_empty() || content.starts_with('#') || content.starts_with("---")) {
            return at;
        }
        at += line.len();
    }
    0
}

fn skipped(source: &Source, at: u32, reason: String) -> Skipped {
    Skipped { file: source.name.clone(), line: source.position(at).line, reason }
}

fn manifest(
    source: &Arc<Source>,
    origin: Origin,
    root: Node,
    duplicates: Vec<Duplicate>,
) -> Manifest {
    let document = Document { source: Arc::clone(source), span: root.span, origin };
    Manifest { document, root, duplicates }
}

/// Takes the items of a list as objects of their own.
fn flatten(source: &Arc<Source>, origin: &Origin, read: Read, loaded: &mut Loaded) {
    let Read { root, mut duplicates, entangled, .. } = read;
    let text_of = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    let kind = text_of(root.get("kind"));
    let item_kind = kind.strip_suffix("List").unwrap_or(&kind).to_owned();
    let implied =
        Arc::new(Implied { api_version: text_of(root.get("apiVersion")), kind: item_kind });
    let Some(items) = take_items(root) else { return };
    let count = items.len();
    for (index, mut item) in items.into_iter().enumerate() {
        let span = item.span;
        let typed = !implied.kind.is_empty() && nameless(&item);
        if typed {
            fill(&mut item, &implied);
        }
        match classify(&item) {
            Class::Object => {
                let alone = count > 1 && !entangled && is_alone(&source.text, span);
                let item_origin = Origin {
                    item: Some(ListItem { index, span, alone, implied: typed.then(|| Arc::clone(&implied)) }),
                    ..origin.clone()
                };
                let (inside, outside) = std::mem::take(&mut duplicates)
                    .into_iter()
                    .partition(|duplicate| span.start <= duplicate.last.start && duplicate.last.end <= span.end);
                duplicates = outside;
                loaded.manifests.push(manifest(source, item_origin, item, inside));
            }
            Class::List => loaded.errors.push(source.error(
                span.start,
                "a list inside a list, which kubectl refuses: move its items up, or to a document of its own",
            )),
            Class::Other(reason) => loaded.errors.push(source.error(
                span.start,
                format!("item {index} of this {kind} is of no use ({reason}), and kubectl refuses it: \
                         give it apiVersion and kind, or remove it"),
            )),
            Class::Broken(problem) => loaded.errors.push(source.error(problem.at, problem.message)),
        }
    }
}

/// Whether an item has neither apiVersion nor kind, so that its list names it.
fn nameless(item: &Node) -> bool {
    let empty = |key| item.get(key).and_then(Node::as_str).is_none_or(str::is_empty);
    item.as_mapping().is_some() && empty("apiVersion") && empty("kind")
}
