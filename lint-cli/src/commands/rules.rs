//! `headlint rules`

use headlint_policies::engine::Action;
use headlint_policies::finding::Severity;
use serde::Serialize;

use crate::args::{ListFormat, RulesArgs};
use crate::error::Error;
use crate::report::{json, table, text};
use crate::{Exit, Terminal, delivered, plan};

/// One rule in the list, as JSON shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: &'a str,
    policy: &'a str,
    severity: Severity,
    action: Action,
    heals_later: bool,
    kinds: &'a [String],
    summary: &'a str,
}

/// Lists all rules in order of their ids.
pub(crate) fn run(args: &RulesArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let (engine, faults) = plan::policies(&args.policies, 1)?;
    let told = text::faults(&faults, &terminal.stderr);
    delivered(terminal.stderr.write_str(&told))?;

    let rules = engine.rules();
    let list = match args.format {
        _ if args.markdown => {
            let rows = rules.iter().map(|(_, rule)| {
                format!(
                    "| `{}` | {} | {} |\n",
                    rule.id,
                    rule.severity,
                    text::harmless(&rule.summary)
                )
            });
            let rows: String = rows.collect();
            format!("| rule | severity | what it finds |\n|---|---|---|\n{rows}")
        }
        ListFormat::Json => {
            let rows = rules.iter().map(|(policy, rule)| Row {
                id: &rule.id,
                policy,
                severity: rule.severity,
                action: rule.action,
                heals_later: rule.heals_later,
                kinds: &rule.kinds,
                summary: &rule.summary,
            });
            json::render(&rows.collect::<Vec<_>>())
        }
        ListFormat::Text => {
            let rows = rules.iter().map(|(policy, rule)| {
                let off = if rule.default_on { "" } else { " (off by default)" };
                [
                    rule.id.clone(),
                    rule.severity.to_string(),
                    rule.action.to_string(),
                    (*policy).to_owned(),
                    format!("{}{off}", rule.summary),
                    rule.kinds.join(" "),
                ]
            });
            let header = ["rule", "severity", "admission", "policy", "summary", "kinds"];
            table::render(header, rows)
        }
    };
    delivered(terminal.stdout.write_str(&list))?;
    Ok(if faults.is_empty() { Exit::Clean } else { Exit::CouldNotRun })
}
