//! Charts and overlays: the user's own helm and kubectl say what they make, and
//! what is found in it points at the templates again.

mod align;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use headlint_policies::finding::{InputError, Location, Report};
use headlint_policies::manifest::{Source, Span};

use self::align::{Aligned, Document, documents};
use crate::args::RenderArgs;
use crate::error::Error;
use crate::report::byte_at;
use crate::tool::run;

/// What a tool made of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) source: Arc<Source>,
    /// The chart whose templates it came from.
    chart: Option<Chart>,
}

/// Where a chart is, and what its files are called.
#[derive(Clone, Debug)]
struct Chart {
    folder: PathBuf,
    shown: PathBuf,
    prefix: String,
}

impl Chart {
    /// A template by the name that helm gives it: where it is, and what it is
    /// called. Of a chart that isn't a folder here, it is only called something.
    fn template(&self, origin: &str) -> (PathBuf, String) {
        // The first part is the chart's name, whatever its folder is called.
        let below = origin.split_once('/').map_or(origin, |(_, below)| below);
        let path = self.folder.join(below);
        let shown = if path.is_file() { self.shown.join(below) } else { origin.into() };
        (path, format!("{}{}", self.prefix, shown.display()))
    }
}

impl Rendered {
    /// What the user knows it by: the templates of a chart, or the tool.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let Some(chart) = &self.chart else { return [self.source.name.clone()].into() };
        let templates = documents(&self.source.text);
        templates.iter().map(|document| chart.template(document.origin).1).collect()
    }
}

/// Runs the tools that are asked for, on what is `at` the paths. `prefix` goes in
/// front of all names.
///
/// # Errors
/// When one isn't there, or fails, or makes no text.
pub(crate) fn render(
    args: &RenderArgs,
    namespace: &str,
    at: &dyn Fn(&Path) -> PathBuf,
    prefix: &str,
) -> Result<Vec<Rendered>, Error> {
    let mut rendered = Vec::new();
    if let Some(chart) = &args.helm {
        let folder = at(chart.as_ref());
        let mut helm = Command::new("helm");
        helm.arg("template").arg(&folder).args(["--namespace", namespace]);
        for file in &args.values {
            helm.arg("--values").arg(at(file));
        }
        for pair in &args.set {
            helm.arg("--set").arg(pair);
        }
        let source = printed(&mut helm, format!("{prefix}helm template {chart}"))?;
        let chart = Chart { folder, shown: chart.into(), prefix: prefix.to_owned() };
        rendered.push(Rendered { source, chart: Some(chart) });
    }
    for folder in &args.kustomize {
        let mut kubectl = Command::new("kubectl");
        kubectl.arg("kustomize").arg(at(folder));
        let name = format!("{prefix}kubectl kustomize {}", folder.display());
        rendered.push(Rendered { source: printed(&mut kubectl, name)?, chart: None });
    }
    Ok(rendered)
}

fn printed(tool: &mut Command, name: String) -> Result<Arc<Source>, Error> {
    let text = run(tool, &[])?;
    let wrong = |told| Error::Tool { command: name.clone(), told };
    // Nothing would be checked, and that would be a pass.
    if text.trim_ascii().is_empty() {
        return Err(wrong("it printed nothing".to_owned()));
    }
    Source::new(name.clone(), text).map(Arc::new).map_err(|error| wrong(error.message))
}

/// Makes what is found in the output of helm, or could not be read in it, point at
/// the templates. Returns those that are there.
pub(crate) fn point_at_templates(report: &mut Report, rendered: &[Rendered]) -> Vec<Arc<Source>> {
    let charts = rendered.iter().filter_map(|it| Some((&*it.source, it.chart.as_ref()?)));
    let mut charts: HashMap<&str, Templates<'_>> = charts
        .map(|(source, chart)| (source.name.as_str(), Templates::new(source, chart)))
        .collect();
    let places = report.findings.iter_mut().flat_map(|finding| {
        let related = finding.related.iter_mut().map(|related| &mut related.location);
        std::iter::once(&mut finding.location).chain(related)
    });
    for place in places.flatten() {
        if let Some(templates) = charts.get_mut(place.file.as_str())
            && let Some(found) = templates.locate(place.bytes.clone())
        {
            *place = found;
        }
    }
    for error in &mut report.errors {
        if let Some(templates) = charts.get_mut(error.file.as_str())
            && let Some(found) = templates.locate_error(error)
        {
            error.file = found.file;
            error.line = Some(found.line);
            error.column = Some(found.column);
        }
    }
    charts.into_values().flat_map(|chart| chart.read.into_values().flatten()).collect()
}

/// The templates of a chart, each read once.
struct Templates<'r> {
    rendered: &'r Source,
    chart: &'r Chart,
    documents: Vec<Document<'r>>,
    read: HashMap<&'r str, Option<Arc<Source>>>,
}

impl<'r> Templates<'r> {
    fn new(rendered: &'r Source, chart: &'r Chart) -> Self {
        let documents = documents(&rendered.text);
        Self { rendered, chart, documents, read: HashMap::new() }
    }

    /// Where in its template stands what was rendered there: what says the same,
    /// or the key of the same name, or the line above that is known. Of a template
    /// that isn't there only its name is known.
    fn locate(&mut self, at: Range<usize>) -> Option<Location> {
        let behind = self.documents.partition_point(|it| it.range.start <= at.start);
        let (document, before) = self.documents[..behind].split_last()?;
        let (path, name) = self.chart.template(document.origin);
        let template = self.read.entry(document.origin).or_insert_with(|| {
            let bytes = fs::read(path).ok()?;
            Some(Arc::new(Source::new(name.clone(), bytes).ok()?))
        });
        let Some(template) = template else {
            let (line, column) = (1, 1);
            let bytes = 0..0;
            return Some(Location { file: name, line, column, end_line: 1, end_column: 1, bytes });
        };
        let is_same = |other: &&Document<'_>| other.origin == document.origin;
        let earlier = before.iter().filter(is_same);
        let text = |document: &Document<'_>| &self.rendered.text[document.range.clone()];
        let earlier: Vec<_> = earlier.map(text).collect();
        let aligned = Aligned::new(text(document), &earlier, &template.text);
        let start = at.start - document.range.start;
        let range = aligned.locate(start..start + at.len());
        Some(template.location(Span::new(range.start, range.end)))
    }

    /// The same for what could not be read.
    fn locate_error(&mut self, error: &InputError) -> Option<Location> {
        let at = byte_at(&self.rendered.text, error.line?.into(), error.column.unwrap_or(1).into());
        self.locate(at..at)
    }
}
