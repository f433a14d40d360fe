//! Which line of a template became which line of what was rendered from it.

use std::ops::Range;

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices};

/// How helm names the template that a document came from.
const ORIGIN: &str = "# Source: ";

/// Between two documents, in YAML and in templates of it.
const SEPARATOR: &str = "---";

/// What was rendered of one document of a template.
pub(super) struct Document<'r> {
    /// The template, as helm names it.
    pub(super) origin: &'r str,
    /// Bytes of the output, behind the line with the name.
    pub(super) range: Range<usize>,
}

/// All documents that helm printed, in their order.
pub(super) fn documents(rendered: &str) -> Vec<Document<'_>> {
    let mut found: Vec<Document<'_>> = Vec::new();
    let mut is_separated = false;
    for line in lines(rendered) {
        if let Some(origin) = line.text.strip_prefix(ORIGIN).filter(|_| is_separated) {
            if let Some(before) = found.last_mut() {
                before.range.end = line.start;
            }
            let start = line.start + line.text.len();
            found.push(Document { origin, range: start..rendered.len() });
        }
        is_separated = line.text == SEPARATOR;
    }
    found
}

/// A line that isn't blank, without blanks around it.
#[derive(Clone, Copy)]
struct Line<'t> {
    /// In bytes.
    start: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    /// What stays where a value is put in.
    fn key(&self) -> &'t str {
        let text = self.text.trim_start_matches("- ");
        text.split_once(':').map_or(text, |(key, _)| key)
    }
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut end = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        end += line.len();
        let start = end - line.trim_start().len();
        Line { start, text: line.trim() }
    });
    lines.filter(|line| !line.text.is_empty()).collect()
}

/// A document, and the template that it came from.
pub(super) struct Aligned<'t> {
    /// Each with the line of the template.
    lines: Vec<(Line<'t>, Option<Line<'t>>)>,
    /// Where the template's own document begins.
    start: usize,
}

impl<'t> Aligned<'t> {
    /// Of a document, after the `earlier` ones that came from the same template.
    pub(super) fn new(document: &'t str, earlier: &[&str], template: &'t str) -> Self {
        let template = lines(template);
        let parts: Vec<&[Line<'t>]> =
            template.split(|line| line.text.starts_with(SEPARATOR)).collect();
        let document = lines(document);
        let own = most_alike(&document, &parts);
        // Those that are as much alike come in the order of the template.
        let nth = match own.as_slice() {
            [_] => 0,
            _ => earlier.iter().filter(|it| most_alike(&lines(it), &parts) == own).count(),
        };
        let part = own.get(nth).or(own.last()).map_or(&[][..], |part| parts[*part]);
        let found = align(&document, part);
        Self {
            lines: document.into_iter().zip(found).collect(),
            start: part.first().map_or(0, |line| line.start),
        }
    }

    /// Where in the template stands what is in these bytes of the document.
    pub(super) fn locate(&self, range: Range<usize>) -> Range<usize> {
        let behind = self.lines.partition_point(|(line, _)| line.start <= range.start);
        let mut above = self.lines[..behind].iter().rev();
        match above.next() {
            Some((line, Some(found))) if line.text == found.text => {
                let start = found.start + (range.start - line.start).min(found.text.len());
                start..start + range.len().min(found.start + found.text.len() - start)
            }
            Some((line, Some(found))) => {
                let key = line.key();
                let start =
                    found.start + found.text.len() - found.text.trim_start_matches("- ").len();
                start..start + key.len()
            }
            _ => {
                let known = above.find_map(|(_, found)| *found);
                let start = known.map_or(self.start, |found| found.start);
                start..start
            }
        }
    }
}

/// The parts that a document may have come from: of those that have most of its
/// kind and name, the ones that have the most lines in common with it.
fn most_alike(document: &[Line<'_>], parts: &[&[Line<'_>]]) -> Vec<usize> {
    let alike = |part: &&[Line<'_>]| {
        let same = same(&texts(document), &texts(part));
        let common: usize = same.iter().map(|op| op.old_range().len()).sum();
        (identity(document, part), common)
    };
    let alike: Vec<_> = parts.iter().map(alike).collect();
    let most = alike.iter().max();
    (0..parts.len()).filter(|part| Some(&alike[*part]) == most).collect()
}

/// How many bytes of its kind and name stand in the template; none where these
/// are others.
fn identity(document: &[Line<'_>], part: &[Line<'_>]) -> Option<usize> {
    fn first<'t>(lines: &[Line<'t>], key: &str) -> Option<&'t str> {
        lines.iter().find(|line| line.key() == key).map(|line| line.text)
    }
    let keys = ["kind", "name"].into_iter();
    keys.map(|key| literal(first(part, key)?, first(document, key)?)).sum()
}

/// How many bytes of a line stand around the value in its template.
fn literal(template: &str, rendered: &str) -> Option<usize> {
    let Some((head, value)) = template.split_once("{{") else {
        return (template == rendered).then_some(template.len());
    };
    let tail = value.rsplit_once("}}").map_or("", |(_, tail)| tail);
    rendered.strip_prefix(head)?.strip_suffix(tail)?;
    Some(head.len() + tail.len())
}

/// The line of the template for each line that was rendered: the one that says the
/// same, and between two of those the one with the same key.
fn align<'t>(rendered: &[Line<'t>], template: &[Line<'t>]) -> Vec<Option<Line<'t>>> {
    let (rendered_keys, template_keys) = (keys(rendered), keys(template));
    let ops = capture_diff_slices(Algorithm::Patience, &texts(rendered), &texts(template));
    let mut found = vec![None; rendered.len()];
    for op in ops {
        let (old, new) = (op.old_range(), op.new_range());
        if op.tag() == DiffTag::Equal {
            fill(&mut found[old], &template[new]);
        } else {
            for op in same(&rendered_keys[old.clone()], &template_keys[new.clone()]) {
                let (within_old, within_new) = (op.old_range(), op.new_range());
                fill(&mut found[old.clone()][within_old], &template[new.clone()][within_new]);
            }
        }
    }
    found
}

fn fill<'t>(found: &mut [Option<Line<'t>>], lines: &[Line<'t>]) {
    for (found, line) in found.iter_mut().zip(lines) {
        *found = Some(*line);
    }
}

/// What two lists have in common.
fn same(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut ops = capture_diff_slices(Algorithm::Patience, old, new);
    ops.retain(|op| op.tag() == DiffTag::Equal);
    ops
}

fn texts<'t>(lines: &[Line<'t>]) -> Vec<&'t str> {
    lines.iter().map(|line| line.text).collect()
}

fn keys<'t>(lines: &[Line<'t>]) -> Vec<&'t str> {
    lines.iter().map(Line::key).collect()
}
