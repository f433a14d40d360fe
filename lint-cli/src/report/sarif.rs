//! SARIF 2.1.0, as code scanning reads it.
//!
//! # Source
//! docs.oasis-open.org/sarif/sarif/v2.1.0. A test holds it against the schema.

use std::borrow::Cow;
use std::collections::HashMap;

use headlint_policies::engine::RuleInfo;
use headlint_policies::finding::{Finding, Fingerprint, Location, Report, Severity};
use serde::Serialize;

use super::{json, relative};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A change of a text that mends a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What goes away, maybe nothing.
    pub location: Location,
    /// What comes in its place.
    pub text: String,
}

/// One run, with all rules that could have found something, and what would mend
/// each finding, in the order of the report.
pub fn render(report: &Report, rules: &[(&str, &RuleInfo)], changes: &[Option<Change>]) -> String {
    let places: HashMap<_, _> =
        rules.iter().enumerate().map(|(at, (_, rule))| (rule.id.as_str(), at)).collect();
    let notifications: Vec<_> = report
        .errors
        .iter()
        .map(|error| Notification {
            level: "error",
            message: Message { text: Cow::from(&error.message) },
            locations: vec![Place {
                physical_location: Physical {
                    artifact_location: artifact(&error.file),
                    region: error.line.map(|start_line| Region {
                        start_line,
                        start_column: error.column,
                        ..Region::default()
                    }),
                },
                ..Place::default()
            }],
        })
        .chain(report.faults.iter().map(|fault| Notification {
            level: "error",
            message: Message { text: format!("{}: {}", fault.policy, fault.reason).into() },
            locations: Vec::new(),
        }))
        .collect();
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: "headlint",
                semantic_version: env!("CARGO_PKG_VERSION"),
                rules: rules.iter().map(|(policy, rule)| descriptor(policy, rule)).collect(),
            },
        },
        invocations: [Invocation {
            execution_successful: notifications.is_empty(),
            tool_execution_notifications: notifications,
        }],
        column_kind: "unicodeCodePoints",
        results: report
            .findings
            .iter()
            .zip(changes)
            .map(|(finding, change)| result(finding, &places, change.as_ref()))
            .collect(),
    };
    json::render(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })
}

fn descriptor<'r>(policy: &'r str, rule: &'r RuleInfo) -> Descriptor<'r> {
    Descriptor {
        id: &rule.id,
        short_description: Message { text: Cow::from(&rule.summary) },
        help: Help { text: &rule.documentation, markdown: &rule.documentation },
        default_configuration: Configuration { level: level(rule.severity) },
        properties: Properties { tags: [policy] },
    }
}

fn result<'r>(
    finding: &'r Finding,
    places: &HashMap<&str, usize>,
    change: Option<&'r Change>,
) -> Outcome<'r> {
    let text = [&finding.message, &finding.why, &finding.help];
    let text: Vec<_> = text.into_iter().filter(|it| !it.is_empty()).cloned().collect();
    let logical = Logical {
        fully_qualified_name: format!("{} {}", finding.object, finding.path),
        kind: "object",
    };
    let fix = change.map(|change| Fix {
        description: Message { text: Cow::from(&finding.help) },
        artifact_changes: [ArtifactChange {
            artifact_location: artifact(&change.location.file),
            replacements: [Replacement {
                deleted_region: region(&change.location),
                inserted_content: Message { text: Cow::from(&change.text) },
            }],
        }],
    });
    Outcome {
        rule_id: &finding.rule,
        rule_index: places.get(finding.rule.as_str()).copied(),
        level: level(finding.severity),
        message: Message { text: text.join("\n").into() },
        locations: finding
            .location
            .as_ref()
            .map(|at| Place {
                physical_location: physical(at),
                logical_locations: vec![logical],
                ..Place::default()
            })
            .into_iter()
            .collect(),
        related_locations: finding
            .related
            .iter()
            .filter_map(|related| {
                Some(Place {
                    physical_location: Physical {
                        artifact_location: artifact(&related.location.as_ref()?.file),
                        region: related.location.as_ref().map(region),
                    },
                    message: Some(Message { text: Cow::from(&related.label) }),
                    ..Place::default()
                })
            })
            .collect(),
        partial_fingerprints: Fingerprints { headlint: &finding.fingerprint },
        fixes: fix.into_iter().collect(),
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn physical(at: &Location) -> Physical {
    Physical { artifact_location: artifact(&at.file), region: Some(region(at)) }
}

fn region(at: &Location) -> Region {
    Region {
        start_line: at.line,
        start_column: Some(at.column),
        end_line: Some(at.end_line),
        end_column: Some(at.end_column),
    }
}

/// A path as a reference of a URI.
fn artifact(file: &str) -> Artifact {
    let mut uri = String::with_capacity(file.len());
    if file.starts_with('/') {
        uri += "file://";
    }
    for byte in relative(file).bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    Artifact { uri }
}

#[derive(Serialize)]
struct Log<'r> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'r>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'r> {
    tool: Tool<'r>,
    invocations: [Invocation<'r>; 1],
    column_kind: &'static str,
    results: Vec<Outcome<'r>>,
}

#[derive(Serialize)]
struct Tool<'r> {
    driver: Driver<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'r> {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'r> {
    id: &'r str,
    short_description: Message<'r>,
    help: Help<'r>,
    default_configuration: Configuration,
    properties: Properties<'r>,
}

#[derive(Serialize)]
struct Help<'r> {
    text: &'r str,
    markdown: &'r str,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Properties<'r> {
    tags: [&'r str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'r> {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification<'r>>,
}

#[derive(Serialize)]
struct Notification<'r> {
    level: &'static str,
    message: Message<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Place<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'r> {
    rule_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Message<'r>,
    locations: Vec<Place<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Place<'r>>,
    partial_fingerprints: Fingerprints<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Fix<'r>>,
}

#[derive(Serialize)]
struct Fingerprints<'r> {
    #[serde(rename = "headlint/v1")]
    headlint: &'r Fingerprint,
}

#[derive(Serialize)]
struct Message<'r> {
    text: Cow<'r, str>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place<'r> {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'r>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Default, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical {
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fix<'r> {
    description: Message<'r>,
    artifact_changes: [ArtifactChange<'r>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange<'r> {
    artifact_location: Artifact,
    replacements: [Replacement<'r>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement<'r> {
    deleted_region: Region,
    inserted_content: Message<'r>,
}
