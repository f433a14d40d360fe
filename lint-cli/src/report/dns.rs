//! What `headlint dns` tells. Its JSON has the shape of
//! `schema/headlint-dns.v1.json`.

use std::fmt::Write;

use headlint_policies::dns::{Missing, Readiness, Row, Table, Trace, Transport};
use schemars::JsonSchema;
use serde::Serialize;

use super::table;
use super::text::harmless;

/// The whole of a JSON output.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "headlint dns")]
pub struct Document<'t> {
    /// Names the shape: `headlint.dev/dns/v1`.
    schema: &'static str,
    /// What was asked for.
    #[serde(flatten)]
    told: Told<'t>,
}

/// What `headlint dns` tells.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Told<'t> {
    /// All names.
    Table(&'t Table),
    /// What one client gets.
    Trace(&'t Trace),
}

impl<'t> Document<'t> {
    /// It, with the name of its shape.
    pub fn new(told: Told<'t>) -> Self {
        Self { schema: "headlint.dev/dns/v1", told }
    }
}

/// Names that exist, then those that don't, then what isn't certain.
pub fn table(table: &Table) -> String {
    let mut out = String::new();
    if table.names.is_empty() {
        out += "These manifests bring no name into being.\n";
    } else {
        let header = ["name", "type", "who answers", "ports", "when", "ttl", "bytes", "fits"];
        out += &table::render(header, table.names.iter().map(cells));
    }
    if !table.missing.is_empty() {
        out += "\nNames that look as if they should exist, and don't:\n";
        out += &table::render(["name", "why", "where", "rule"], table.missing.iter().map(missing));
    }
    let rows = table.names.iter().map(|row| (&row.name, &row.doubts));
    let rows = rows.chain(table.missing.iter().map(|it| (&it.name, &it.doubts)));
    let mut doubts: Vec<(&String, Vec<&String>)> = Vec::new();
    for doubt in rows.flat_map(|(name, doubts)| doubts.iter().map(move |it| (it, name))) {
        match doubts.iter_mut().find(|(known, _)| *known == doubt.0) {
            Some((_, names)) if names.contains(&doubt.1) => {}
            Some((_, names)) => names.push(doubt.1),
            None => doubts.push((doubt.0, vec![doubt.1])),
        }
    }
    if !doubts.is_empty() {
        out += "\nNot certain (?):\n";
    }
    for (doubt, names) in doubts {
        let others = match names.len() {
            1 => String::new(),
            more => format!(" and {} more", more - 1),
        };
        let _ = writeln!(out, "  {}: {}{others}", harmless(doubt), harmless(names[0]));
    }
    out
}

fn cells(row: &Row) -> [String; 8] {
    let open = if row.doubts.is_empty() { "" } else { "?" };
    let ports: Vec<_> = row.ports.iter().map(u16::to_string).collect();
    let at_most = if row.bytes_at_most { "<=" } else { "" };
    [
        row.name.clone(),
        row.record_type.to_owned(),
        row.answers.join(", ") + open,
        ports.join(", "),
        match row.ready {
            Readiness::Always => "always",
            Readiness::WhilePresent => "even if not Ready",
            Readiness::WhenReady => "when Ready",
            Readiness::WhenRunning => "when running",
        }
        .to_owned(),
        format!("{} s", row.ttl),
        row.bytes.map(|bytes| format!("{at_most}{bytes}")).unwrap_or_default(),
        match row.fits {
            _ if row.bytes.is_none() => "",
            Transport::Udp => "UDP",
            Transport::Edns => "UDP with EDNS",
            Transport::Tcp => "TCP only",
            Transport::Cut => "not at all",
        }
        .to_owned(),
    ]
}

fn missing(missing: &Missing) -> [String; 4] {
    let open = if missing.doubts.is_empty() { "" } else { "?" };
    let place = match missing.path.as_str() {
        "" => missing.object.to_string(),
        path => format!("{} {path}", missing.object),
    };
    [
        missing.name.clone(),
        missing.why.clone() + open,
        place,
        missing.rule.unwrap_or_default().to_owned(),
    ]
}

/// The steps, one on a line, the end, and what to change.
pub fn trace(trace: &Trace) -> String {
    let mut out =
        format!("{} from {}\n", harmless(&trace.query), harmless(&trace.from.to_string()));
    for step in &trace.steps {
        let _ = writeln!(out, "  {}: {}", step.stage, harmless(&step.text));
    }
    let _ = writeln!(out, "=> {}", trace.outcome);
    if let Some(advice) = &trace.advice {
        let place = format!("{} of {}", advice.path, advice.object);
        let _ = writeln!(out, "change {}: {}", harmless(&place), harmless(&advice.text));
        if let Some(rule) = advice.rule {
            let _ = writeln!(out, "why: headlint explain {rule}");
        }
    }
    out
}
