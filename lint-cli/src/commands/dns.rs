//! `headlint dns`

use std::path::Path;
use std::sync::Arc;

use headlint_policies::dns::{Bundle, Options, Outcome, Query};
use headlint_policies::finding::{Report, SCHEMA, Summary};

use crate::args::{DnsArgs, ListFormat};
use crate::error::Error;
use crate::report::{dns, json, text};
use crate::{Exit, Terminal, config, delivered, input, render};

/// Tells what DNS will answer.
pub(crate) fn run(args: DnsArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let query = match (&args.query, &args.from) {
        (Some(query), Some(from)) => Some(Query::parse(query, from, &args.namespace)?),
        _ => None,
    };
    let inputs = args.render.inputs(&args.paths);
    let (cluster, excluded) = config::load_cluster(args.config.as_deref(), &inputs)?;
    let (sources, errors) =
        input::read_all(&input::collect(&args.render.meant(args.paths), &excluded));
    let rendered = render::render(&args.render, &args.namespace, &Path::to_owned, "")?;
    let sources = sources.into_iter().chain(rendered.iter().map(|it| Arc::clone(&it.source)));
    let inputs = sources.map(Ok).chain(errors.into_iter().map(Err)).collect();
    let options = Options { complete: args.complete, default_namespace: args.namespace, cluster };
    let bundle = Bundle::read(inputs, options);

    let mut report = Report {
        schema: SCHEMA,
        findings: Vec::new(),
        errors: bundle.errors.clone(),
        faults: Vec::new(),
        skipped: Vec::new(),
        summary: Summary::default(),
    };
    render::point_at_templates(&mut report, &rendered);
    let look = text::Look {
        quiet: true,
        color: terminal.stderr.color,
        width: terminal.stderr.width,
        ..text::Look::default()
    };
    delivered(terminal.stderr.write_str(&text::render(&report, &|_| None, look)))?;
    let failed = (!bundle.errors.is_empty()).then_some(Exit::CouldNotRun);
    let (told, exit) = match query {
        None => {
            let table = bundle.table();
            let told = match args.format {
                ListFormat::Text => dns::table(&table),
                ListFormat::Json => json::render(&dns::Document::new(dns::Told::Table(&table))),
            };
            (told, Exit::Clean)
        }
        Some(query) => {
            let trace = bundle.trace(&query)?;
            let connects = trace.outcome == Outcome::Connects;
            let told = match args.format {
                ListFormat::Text => dns::trace(&trace),
                ListFormat::Json => json::render(&dns::Document::new(dns::Told::Trace(&trace))),
            };
            (told, if connects { Exit::Clean } else { Exit::Findings })
        }
    };
    delivered(terminal.stdout.write_str(&told))?;
    Ok(failed.unwrap_or(exit))
}
