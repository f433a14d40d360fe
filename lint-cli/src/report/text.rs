//! Text for people, in the manner of rustc: what, where, the source with
//! carets, why, what to do.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet,
    normalize_untrusted_str,
};
use headlint_policies::finding::{Fault, Finding, InputError, Location, Report, Severity};

use crate::error::Error;
use crate::terminal::Output;

/// How a report is to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Findings of severity info are shown, not only counted.
    pub hints: bool,
    /// Only what is found, without counts.
    pub quiet: bool,
    /// With colours.
    pub color: bool,
    /// Columns; longer source lines are trimmed. A fixed width if unknown.
    pub width: Option<usize>,
}

/// Gives the text of a source by its name, which is [`Location::file`]; none
/// where it isn't text.
pub type Sources<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// The whole report; the summary is its last line.
pub fn render(report: &Report, sources: &Sources<'_>, look: Look) -> String {
    let renderer = renderer(look.color, look.width);
    let shown = |finding: &&Finding| look.hints || finding.severity > Severity::Info;
    let findings = report.findings.iter().filter(shown).map(|it| finding(it, sources));
    let errors = report.errors.iter().map(|it| input_error(it, sources));
    let faults = report.faults.iter().map(fault);
    let mut out = String::new();
    for group in findings.chain(errors).chain(faults) {
        out += &renderer.render(&[group]);
        out += "\n\n";
    }
    if !look.quiet {
        out += &summary(report, look.hints);
        out.push('\n');
    }
    out
}

/// Faults by themselves, for commands that lint nothing.
pub(crate) fn faults(faults: &[Fault], output: &Output) -> String {
    let renderer = renderer(output.color, output.width);
    faults.iter().map(|it| renderer.render(&[fault(it)]) + "\n").collect()
}

/// Tells why a run could not go on. Where even that can't be written, the exit
/// code has to do.
pub(crate) fn failure(error: &Error, output: &mut Output) {
    let group = Level::ERROR
        .primary_title(harmless(&error.to_string()))
        .element(Level::HELP.message(harmless(&error.help())));
    let text = renderer(output.color, output.width).render(&[group]);
    let _ = output.write_str(&(text + "\n"));
}

/// Text in which no character controls a terminal.
pub(crate) fn harmless(text: &str) -> String {
    normalize_untrusted_str(&without_c1(text))
}

/// `annotate-snippets` replaces the other control characters itself, but not
/// these, which some terminals take for the start of an escape sequence. The
/// replacement has as many bytes, so that ranges of bytes stay right.
fn without_c1(text: &str) -> Cow<'_, str> {
    const C1: std::ops::RangeInclusive<char> = '\u{80}'..='\u{9f}';
    if text.contains(|c| C1.contains(&c)) {
        text.replace(|c| C1.contains(&c), "·").into()
    } else {
        text.into()
    }
}

fn renderer(color: bool, width: Option<usize>) -> Renderer {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    match width {
        Some(width) => renderer.term_width(width),
        None => renderer,
    }
}

fn finding<'a>(finding: &Finding, sources: &Sources<'a>) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(harmless(&finding.message)).id(harmless(&finding.rule));

    let mut places = Vec::new();
    let mut elsewhere = Vec::new();
    match &finding.location {
        Some(location) => {
            places.push(Place { location, label: None, kind: AnnotationKind::Primary })
        }
        None => elsewhere.push(format!("in {}, {}", finding.object, finding.path)),
    }
    for related in &finding.related {
        match &related.location {
            Some(location) => places.push(Place {
                location,
                label: Some(&related.label),
                kind: AnnotationKind::Context,
            }),
            None => {
                elsewhere.push(format!("{}: {}, {}", related.label, related.object, related.path));
            }
        }
    }
    let notes = elsewhere.iter().chain([&finding.why]).filter(|note| !note.is_empty());
    let help = Some(&finding.help).filter(|help| !help.is_empty());
    Group::with_title(title)
        .elements(snippets(&places, sources))
        .elements(notes.map(|note| Level::NOTE.message(harmless(note))))
        .elements(help.map(|help| Level::HELP.message(harmless(help))))
}

fn input_error<'a>(error: &InputError, sources: &Sources<'a>) -> Group<'a> {
    let title = Level::ERROR.primary_title(harmless(&error.message));
    let location = Location {
        file: error.file.clone(),
        line: error.line.unwrap_or_default(),
        column: error.column.unwrap_or_default(),
        ..Location::default()
    };
    let bytes = sources(&error.file).and_then(|text| bytes(text, error.line?, error.column));
    let elements = match bytes {
        Some(bytes) => {
            let location = &Location { bytes, ..location };
            snippets(&[Place { location, label: None, kind: AnnotationKind::Primary }], sources)
        }
        None => vec![origin(&location)],
    };
    Group::with_title(title).elements(elements)
}

fn fault<'a>(fault: &Fault) -> Group<'a> {
    // Reasons of the WebAssembly runtime may be laid out over several lines.
    let reason = fault.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = match fault.digest.as_str() {
        "" => reason,
        digest => format!("{reason} ({digest})"),
    };
    let level = Level::ERROR.with_name("fault");
    Group::with_title(level.primary_title(harmless(&title)).id(harmless(&fault.policy)))
}

/// A part of a source to be shown.
struct Place<'p> {
    location: &'p Location,
    label: Option<&'p str>,
    kind: AnnotationKind,
}

/// The snippets of each file, in the order in which the places name them.
fn snippets<'a>(places: &[Place<'_>], sources: &Sources<'a>) -> Vec<Element<'a>> {
    let mut files: Vec<&str> = Vec::new();
    for place in places {
        if !files.contains(&place.location.file.as_str()) {
            files.push(&place.location.file);
        }
    }
    files
        .into_iter()
        .flat_map(|file| {
            let here: Vec<_> = places.iter().filter(|it| it.location.file == file).collect();
            sources(file)
                .and_then(|text| snippets_of(file, text, &here))
                .unwrap_or_else(|| here.iter().flat_map(|place| without_source(place)).collect())
        })
        .collect()
}

/// One snippet for all places of a file, and one more for each that is in a
/// long line: the renderer trims such a line only around a single place.
/// None if a range doesn't fit the text, or a line is too long to be shown.
fn snippets_of<'a>(file: &str, text: &'a str, places: &[&Place<'_>]) -> Option<Vec<Element<'a>>> {
    let mut alone = Vec::new();
    let mut together = Vec::new();
    for place in places {
        let bytes = &place.location.bytes;
        let one_line = !text.get(bytes.clone())?.contains('\n');
        match lines(text, bytes).len() {
            HUGE_LINE.. if one_line => return None,
            LONG_LINE.. if one_line => alone.push(vec![*place]),
            _ => together.push(*place),
        }
    }
    let mut groups = alone;
    groups.extend(Some(together).filter(|places| !places.is_empty()));
    groups.sort_by_key(|places| places.iter().map(|place| place.kind).min());
    Some(groups.iter().map(|places| snippet(file, text, places).into()).collect())
}

/// In bytes: wider than any terminal.
const LONG_LINE: usize = 1 << 10;

/// In bytes: drawing it takes a millisecond, and a person sees little in it.
const HUGE_LINE: usize = 64 << 10;

/// Widens a range to whole lines, line breaks included.
fn lines(text: &str, range: &Range<usize>) -> Range<usize> {
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at + 1);
    start..end
}

/// Places of one file; there is at least one. Only their lines and those
/// between are handed on, for the renderer looks at every line that it gets.
fn snippet<'a>(file: &str, text: &'a str, places: &[&Place<'_>]) -> Snippet<'a, Annotation<'a>> {
    let first = places.iter().map(|place| place.location).min_by_key(|it| it.bytes.start);
    let first = first.expect("there is at least one place");
    let last = places.iter().map(|place| place.location.bytes.end).max();
    let lines = lines(text, &(first.bytes.start..last.unwrap_or(first.bytes.end)));
    let annotations = places.iter().map(|Place { location, label, kind }| {
        // A line break isn't worth a caret, let alone a line.
        let length = text[location.bytes.clone()].trim_end().len();
        let start = location.bytes.start - lines.start;
        kind.span(start..start + length).label(label.map(harmless))
    });
    Snippet::source(without_c1(&text[lines.clone()]))
        .path(harmless(file))
        .line_start(first.line as usize)
        .annotations(annotations)
}

fn without_source<'a>(place: &Place<'_>) -> impl Iterator<Item = Element<'a>> {
    let label = place.label.map(|label| Level::NOTE.message(harmless(label)).into());
    std::iter::once(origin(place.location)).chain(label)
}

/// The name of a place. Line 0 stands for the whole file.
fn origin<'a>(location: &Location) -> Element<'a> {
    let origin = Origin::path(harmless(&location.file));
    match (location.line, location.column) {
        (0, _) => origin,
        (line, 0) => origin.line(line as usize),
        (line, column) => origin.line(line as usize).char_column(column as usize),
    }
    .into()
}

/// The character at a line and column, both counting from 1; without a column
/// the whole line.
fn bytes(text: &str, line: u32, column: Option<u32>) -> Option<Range<usize>> {
    let line = text.split_inclusive('\n').nth(line.checked_sub(1)? as usize)?;
    let start = line.as_ptr() as usize - text.as_ptr() as usize;
    let content = line.trim_end();
    let Some(column) = column else {
        let indent = content.len() - content.trim_start().len();
        return Some(start + indent..start + content.len());
    };
    let mut characters = content.char_indices().skip(column.checked_sub(1)? as usize);
    let at = characters.next().map_or(content.len(), |(at, _)| at);
    let next = characters.next().map_or(content.len(), |(at, _)| at);
    Some(start + at..start + next)
}

/// The last line: counts, and what stands in the way of taking it for a pass.
fn summary(report: &Report, hints: bool) -> String {
    let counts = &report.summary;
    let hidden = if hints { 0 } else { counts.hints };
    let shown: Vec<_> =
        [(counts.errors, "error"), (counts.warnings, "warning"), (counts.hints - hidden, "hint")]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| plural(number, what))
            .collect();

    let files = plural(counts.files, "file");
    let mut line = if counts.objects == 0 {
        format!("nothing checked: no Kubernetes object in {files}")
    } else {
        let found = match (shown.is_empty(), hidden) {
            (true, 0) => "no findings".to_owned(),
            (true, _) => "no errors or warnings".to_owned(),
            (false, _) => shown.join(", "),
        };
        format!("{found} in {files} ({})", plural(counts.objects, "object"))
    };
    if hidden > 0 {
        line += &format!("; {} not shown (--hints)", plural(hidden, "hint"));
    }
    if counts.baseline > 0 {
        line += &format!("; {} of the baseline", counts.baseline);
    }
    if !report.skipped.is_empty() {
        let documents = plural(report.skipped.len(), "document");
        line += &format!("; {documents} skipped (--format json lists them)");
    }
    let missing: Vec<_> =
        [(report.errors.len(), "input error"), (report.faults.len(), "policy fault")]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| plural(number, what))
            .collect();
    if !missing.is_empty() {
        line += &format!("; incomplete: {}", missing.join(", "));
    }
    line
}

pub(crate) fn plural(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
