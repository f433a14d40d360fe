//! Findings in the words of the protocol.

use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use gen_lsp_types::{
    CodeAction, CodeActionKind, Contents, Diagnostic, DiagnosticRelatedInformation,
    DiagnosticSeverity, Location, MarkupContent, MarkupKind, TextEdit, Uri,
};
use headlint_policies::config::Problem;
use headlint_policies::finding::{Edit, EditOp, Finding, InputError, Safety, Severity};
use headlint_policies::fix::Editable;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::text::Lines;
use crate::report::byte_at;

/// Who says it.
const SOURCE: &str = "headlint";

/// Tells where a range of a file is.
pub(super) type Place<'p> = dyn Fn(&Path, &Range<usize>) -> Option<Location> + 'p;

/// A finding. `place` tells where other files have what it points at.
pub(super) fn diagnostic(
    finding: &Finding,
    lines: &Lines<'_>,
    place: Option<&Place<'_>>,
) -> Diagnostic {
    let location = finding.location.as_ref();
    let mut message = finding.message.clone();
    let mut related = Vec::new();
    for other in &finding.related {
        let at = other.location.as_ref().zip(place);
        match at.and_then(|(at, place)| place(Path::new(&at.file), &at.bytes)) {
            Some(location) => related
                .push(DiagnosticRelatedInformation { location, message: other.label.clone() }),
            None => message += &format!("\n{}: {}, {}", other.label, other.object, other.path),
        }
    }
    if !finding.why.is_empty() {
        message += &format!("\n{}", finding.why);
    }
    if !finding.help.is_empty() {
        message += &format!("\nhelp: {}", finding.help);
    }
    Diagnostic {
        range: location.map(|at| lines.range(&at.bytes)).unwrap_or_default(),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
            Severity::Info => DiagnosticSeverity::Hint,
        }),
        code: Some(finding.rule.clone().into()),
        source: Some(SOURCE.to_owned()),
        message: message.into(),
        related_information: (!related.is_empty()).then_some(related),
        ..Diagnostic::default()
    }
}

/// A text that can't be read.
pub(super) fn unreadable(error: &InputError, text: &str, lines: &Lines<'_>) -> Diagnostic {
    let at = error.line.zip(error.column);
    let bytes = at.map_or(0..0, |(line, column)| rest_of_line(text, line.into(), column.into()));
    mistake(error.message.clone(), lines.range(&bytes))
}

/// A configuration that can't be used.
pub(super) fn problem(problem: &Problem, text: &str, lines: &Lines<'_>) -> Diagnostic {
    let bytes = rest_of_line(text, problem.line, problem.column);
    mistake(problem.message.clone(), lines.range(&bytes))
}

fn mistake(message: String, range: gen_lsp_types::Range) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(DiagnosticSeverity::Error),
        source: Some(SOURCE.to_owned()),
        message: message.into(),
        ..Diagnostic::default()
    }
}

/// From a character of a line on, both counting from 1; lines end as in reports.
fn rest_of_line(text: &str, line: u64, column: u64) -> Range<usize> {
    let start = byte_at(text, line, column);
    let rest = text[start..].split('\n').next().unwrap_or_default();
    start..start + rest.trim_end().len()
}

/// What would mend a finding, if anything would.
pub(super) fn action(
    finding: &Finding,
    editable: &Editable,
    lines: &Lines<'_>,
) -> Option<(CodeAction, TextEdit)> {
    let splice = editable.change(finding, Safety::Proposed)?;
    let is_safe = finding.edits.iter().all(|edit| edit.safety == Safety::Safe);
    let edits: Vec<_> = finding.edits.iter().map(title).collect();
    let guess = if is_safe { "" } else { " (a guess)" };
    let action = CodeAction {
        title: format!("{}{guess}", edits.join(", ")),
        kind: Some(CodeActionKind::QuickFix),
        diagnostics: Some(vec![diagnostic(finding, lines, None)]),
        is_preferred: Some(is_safe),
        ..CodeAction::default()
    };
    Some((action, TextEdit { range: lines.range(&splice.range), new_text: splice.text }))
}

fn title(edit: &Edit) -> String {
    let path = edit.path.strip_prefix("$.").unwrap_or(&edit.path);
    match (edit.op, &edit.value) {
        (EditOp::Remove, _) | (_, None) => format!("Remove {path}"),
        (EditOp::Set, Some(value)) => format!("Set {path} to {value}"),
        (EditOp::Add, Some(value)) => format!("Add {value} at {path}"),
    }
}

/// What a rule says of itself.
pub(super) fn explanation<'d>(documentation: impl Iterator<Item = &'d str>) -> Contents {
    let value = documentation.collect::<Vec<_>>().join("\n\n---\n\n");
    MarkupContent { kind: MarkupKind::Markdown, value }.into()
}

/// What stands for itself in the path of a URI: RFC 3986 `pchar`, and `/`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b'+')
    .remove(b',')
    .remove(b'=');

/// The file that a URI names; none for what is no file of this machine.
pub(super) fn path(uri: &Uri) -> Option<PathBuf> {
    let path = uri.as_ref().strip_prefix("file://")?;
    let path = path.strip_prefix("localhost").unwrap_or(path);
    let bytes: Vec<u8> = path.starts_with('/').then(|| percent_decode_str(path).collect())?;
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

/// The URI of a file.
pub(super) fn uri(path: &Path) -> Uri {
    Uri(format!("file://{}", percent_encode(path.as_os_str().as_bytes(), KEPT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_files_and_files_have_uris() {
        for (uri_text, path_text) in [
            ("file:///a/b.yaml", "/a/b.yaml"),
            ("file:///a%20b/%C3%A4%23%3f.yaml", "/a b/ä#?.yaml"),
            ("file://localhost/a", "/a"),
            ("file:///a@b+c~d,e=f_g", "/a@b+c~d,e=f_g"),
        ] {
            assert_eq!(path(&uri_text.into()), Some(path_text.into()), "{uri_text}");
            assert_eq!(path(&uri(path_text.as_ref())), Some(path_text.into()));
        }
        assert_eq!(uri("/a b/ä.yaml".as_ref()).as_ref(), "file:///a%20b/%C3%A4.yaml");
        for other in ["untitled:Untitled-1", "file:a", "file://host/a", "http://h/a.yaml"] {
            assert_eq!(path(&other.into()), None, "{other}");
        }
    }
}
