//! Charts and overlays: the user's own helm and kubectl say what they make, and
//! what is found in it points at the templates again.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{fs, io};

use headlint_policies::finding::{Location, Report};
use headlint_policies::manifest::{Source, Span};

use crate::args::RenderArgs;
use crate::error::Error;

/// How helm names the template that a document came from.
const ORIGIN: &str = "# Source: ";

/// What a tool made of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) source: Arc<Source>,
    /// The folder of a chart, whose templates it came from.
    chart: Option<PathBuf>,
}

/// Runs the tools that are asked for.
///
/// # Errors
/// When one isn't there, or fails, or makes no text.
pub(crate) fn render(args: &RenderArgs, namespace: &str) -> Result<Vec<Rendered>, Error> {
    let mut rendered = Vec::new();
    if let Some(chart) = &args.helm {
        let mut arguments: Vec<OsString> = vec!["template".into(), chart.into()];
        arguments.extend(["--namespace".into(), namespace.into()]);
        arguments.extend(args.values.iter().flat_map(|file| ["--values".into(), file.into()]));
        arguments.extend(args.set.iter().flat_map(|pair| ["--set".into(), pair.into()]));
        let name = format!("helm template {chart}");
        let text = run("helm", &arguments)?;
        rendered.push(Rendered { source: source(name, text)?, chart: Some(chart.into()) });
    }
    for folder in &args.kustomize {
        let name = format!("kubectl kustomize {}", folder.display());
        let text = run("kubectl", &["kustomize".into(), folder.into()])?;
        rendered.push(Rendered { source: source(name, text)?, chart: None });
    }
    Ok(rendered)
}

fn source(name: String, text: Vec<u8>) -> Result<Arc<Source>, Error> {
    let source = Source::new(name.clone(), text);
    let wrong = |error| Error::Tool { command: name, told: format!("{error:?}") };
    source.map(Arc::new).map_err(wrong)
}

fn run(tool: &'static str, arguments: &[OsString]) -> Result<Vec<u8>, Error> {
    let output =
        Command::new(tool).args(arguments).output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoTool { tool },
            _ => Error::Tool { command: tool.to_owned(), told: error.to_string() },
        })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    let command = std::iter::once(tool.into()).chain(arguments).collect::<Vec<_>>().join(" ");
    let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Tool { command, told })
}

/// Makes what is found in the output of helm point at the templates, as far as
/// these are there. Returns the templates.
pub(crate) fn point_at_templates(report: &mut Report, rendered: &[Rendered]) -> Vec<Arc<Source>> {
    let mut templates = Templates::default();
    let by_name: HashMap<&str, (&Source, &Path)> = rendered
        .iter()
        .filter_map(|it| Some((it.source.name.as_str(), (&*it.source, it.chart.as_deref()?))))
        .collect();
    let places = report.findings.iter_mut().flat_map(|finding| {
        let related = finding.related.iter_mut().map(|related| &mut related.location);
        std::iter::once(&mut finding.location).chain(related)
    });
    for place in places.flatten() {
        if let Some((source, chart)) = by_name.get(place.file.as_str())
            && let Some(found) = templates.locate(source, chart, place)
        {
            *place = found;
        }
    }
    templates.read.into_values().flatten().collect()
}

/// The templates of a chart, each read once.
#[derive(Default)]
struct Templates {
    read: HashMap<PathBuf, Option<Arc<Source>>>,
}

impl Templates {
    /// Where in its template stands what was rendered there: the line that says
    /// the same, or else has the same key, if there is just one; or the first.
    fn locate(&mut self, rendered: &Source, chart: &Path, at: &Location) -> Option<Location> {
        let before = &rendered.text[..at.bytes.start];
        let origin = &before[before.rfind(ORIGIN)? + ORIGIN.len()..];
        let origin = origin.lines().next()?.trim();
        // The first part is the chart's name, whatever its folder is called.
        let path = chart.join(origin.split_once('/')?.1);
        let template = self.read.entry(path.clone()).or_insert_with(|| {
            let source = Source::new(path.display().to_string(), fs::read(&path).ok()?).ok()?;
            Some(Arc::new(source))
        });
        let template = template.as_ref()?;
        let line = line_of(&rendered.text, at.bytes.start);
        let text = rendered.text[line.clone()].trim();
        let range = only_line(&template.text, |other| other == text)
            .map(|found| {
                let indent = |range: &std::ops::Range<usize>, text: &str| {
                    range.start + text[range.clone()].len() - text[range.clone()].trim_start().len()
                };
                let moved = indent(&found, &template.text);
                let start =
                    moved + at.bytes.start - indent(&line, &rendered.text).min(at.bytes.start);
                let length = at.bytes.len().min(found.end.saturating_sub(start));
                start..start + length
            })
            .or_else(|| {
                let key = text.trim_start_matches("- ").split_once(':')?.0;
                let has_key = |other: &str| {
                    other
                        .trim_start_matches("- ")
                        .strip_prefix(key)
                        .is_some_and(|it| it.starts_with(':'))
                };
                let found = only_line(&template.text, has_key)?;
                let start = found.start + template.text[found.clone()].find(key)?;
                Some(start..start + key.len())
            })
            .unwrap_or(0..0);
        Some(template.location(Span::new(range.start, range.end)))
    }
}

/// The line that an offset is on, without its line break.
fn line_of(text: &str, at: usize) -> std::ops::Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    start..end
}

/// The only line whose content, without blanks around it, is such a one.
fn only_line(text: &str, is: impl Fn(&str) -> bool) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        let range = start..start + line.trim_end_matches(['\n', '\r']).len();
        start += line.len();
        range
    });
    let mut found = lines.filter(|range| is(text[range.clone()].trim()));
    found.next().filter(|_| found.next().is_none())
}
