//! What a report looks like, as text and as JSON.

use std::collections::BTreeMap;

use headlint::Exit;
use headlint::report::{json, text};
use headlint_policies::finding::{
    Edit, EditOp, Fault, Finding, Fingerprint, InputError, Location, ObjectRef, Related, Report,
    SCHEMA, Safety, Severity, Skipped, Summary,
};
use insta::assert_snapshot;

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: db
spec:
  clusterIP: None
  selector: {app: db}
  ports:
    - name: postgres
      port: 5432
      targetPort: 5433
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
spec:
  serviceName: db-headless
";

/// Sources by name, and a report about them.
struct Sample {
    sources: BTreeMap<&'static str, String>,
    report: Report,
}

impl Sample {
    fn new(sources: &[(&'static str, &str)]) -> Self {
        let summary = Summary {
            files: sources.len(),
            documents: 2 * sources.len(),
            objects: 2 * sources.len(),
            ..Summary::default()
        };
        Self {
            sources: sources.iter().map(|(name, text)| (*name, (*text).to_owned())).collect(),
            report: Report {
                schema: SCHEMA,
                findings: Vec::new(),
                errors: Vec::new(),
                faults: Vec::new(),
                skipped: Vec::new(),
                summary,
            },
        }
    }

    /// Where a part of a source stands; it must occur once.
    fn at(&self, file: &str, part: &str) -> Location {
        let text = &self.sources[file];
        assert_eq!(text.matches(part).count(), 1, "{part} in {file}");
        let start = text.find(part).expect("counted above");
        let position = |at: usize| {
            let line = text[..at].matches('\n').count() + 1;
            let column = text[..at].chars().rev().take_while(|c| *c != '\n').count() + 1;
            (u32::try_from(line).expect("small"), u32::try_from(column).expect("small"))
        };
        let (line, column) = position(start);
        let (end_line, end_column) = position(start + part.len());
        let bytes = start..start + part.len();
        Location { file: file.to_owned(), line, column, end_line, end_column, bytes }
    }

    fn finding(mut self, severity: Severity, file: &str, part: &str) -> Self {
        let finding = Finding {
            rule: "statefulset-service-missing".to_owned(),
            policy: "statefulsets".to_owned(),
            severity,
            message: "StatefulSet db names the Service db-headless, which doesn't exist".to_owned(),
            why: "a client that looks up db-0.db-headless gets NXDOMAIN".to_owned(),
            help: "name the headless Service db, or add the Service db-headless".to_owned(),
            location: Some(self.at(file, part)),
            path: "$.spec.serviceName".to_owned(),
            object: object("StatefulSet", "db"),
            related: Vec::new(),
            edits: Vec::new(),
            fingerprint: Fingerprint::new(
                "statefulset-service-missing",
                &object("StatefulSet", "db"),
                part,
                "",
            ),
        };
        let summary = &mut self.report.summary;
        *match severity {
            Severity::Error => &mut summary.errors,
            Severity::Warning => &mut summary.warnings,
            Severity::Info => &mut summary.hints,
        } += 1;
        self.report.findings.push(finding);
        self
    }

    fn error(self, part: &str) -> Self {
        self.finding(Severity::Error, "db.yaml", part)
    }

    /// Adds a place to the last finding.
    fn related(mut self, file: &str, part: &str, label: &str) -> Self {
        let location = Some(self.at(file, part));
        self.last().related.push(Related {
            location,
            path: "$.metadata.name".to_owned(),
            object: object("Service", "db"),
            label: label.to_owned(),
        });
        self
    }

    fn last(&mut self) -> &mut Finding {
        self.report.findings.last_mut().expect("a finding was added")
    }

    fn input_error(mut self, file: &str, at: Option<(u32, u32)>, message: &str) -> Self {
        self.report.errors.push(InputError {
            file: file.to_owned(),
            line: at.map(|(line, _)| line),
            column: at.map(|(_, column)| column),
            message: message.to_owned(),
        });
        self
    }

    fn fault(mut self) -> Self {
        self.report.faults.push(Fault {
            policy: "statefulsets".to_owned(),
            digest: "sha256:4f0a".to_owned(),
            reason: "used more than 50 ms on StatefulSet default/db".to_owned(),
        });
        self
    }

    fn skipped(mut self, number: usize) -> Self {
        let skipped = Skipped {
            file: "values.yaml".to_owned(),
            line: 1,
            reason: "no apiVersion and kind".to_owned(),
        };
        self.report.skipped.resize(number, skipped);
        self
    }

    fn look(&self, look: text::Look) -> String {
        let sources = |name: &str| self.sources.get(name).map(String::as_str);
        text::render(&self.report, &sources, look)
    }

    fn text(&self) -> String {
        self.look(text::Look::default())
    }

    fn summary(&self) -> String {
        self.text().lines().last().expect("there is always a summary").to_owned()
    }
}

fn object(kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: if kind == "Service" { "v1" } else { "apps/v1" }.to_owned(),
        kind: kind.to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

fn db() -> Sample {
    Sample::new(&[("db.yaml", SERVICE)])
}

/// One of everything that JSON can hold.
fn full() -> Sample {
    let mut sample = Sample::new(&[("db.yaml", SERVICE), ("lb.yaml", "kind: Service\n")])
        .error("db-headless")
        .related("lb.yaml", "Service", "this Service")
        .finding(Severity::Info, "db.yaml", "5433")
        .input_error("other.yaml", Some((3, 7)), "found a tab: indent with spaces")
        .input_error("gone.yaml", None, "no such file")
        .fault()
        .skipped(1);
    sample.report.summary.baseline = 1;
    let edits = [
        (EditOp::Set, Some("db".into()), Safety::Proposed),
        (EditOp::Add, Some(serde_json::json!({ "port": 80 })), Safety::Safe),
        (EditOp::Remove, None, Safety::Safe),
    ];
    sample.report.findings[0].edits = edits
        .into_iter()
        .map(|(op, value, safety)| Edit {
            op,
            path: "$.spec.serviceName".to_owned(),
            value,
            safety,
        })
        .collect();
    let cluster_scoped = ObjectRef { namespace: String::new(), ..object("Namespace", "db") };
    sample.last().related.push(Related {
        location: None,
        path: "$.metadata.name".to_owned(),
        object: cluster_scoped,
        label: "in this namespace".to_owned(),
    });
    sample.last().location = None;
    sample
}

mod text_shows {
    use super::*;

    #[test]
    fn one_finding() {
        assert_snapshot!(db().error("db-headless").text());
    }

    #[test]
    fn two_places_of_one_file_in_one_snippet() {
        let sample = db().error("db-headless").related("db.yaml", "None", "headless, but named db");
        assert_snapshot!(sample.text());
    }

    #[test]
    fn places_of_other_files_in_snippets_of_their_own() {
        let other = "kind: Service\nmetadata:\n  name: db-headles\n";
        let sample = Sample::new(&[("db.yaml", SERVICE), ("more/service.yaml", other)])
            .error("db-headless")
            .related("more/service.yaml", "db-headles", "nearly the same name")
            .related("db.yaml", "5432", "its port");
        assert_snapshot!(sample.text());
    }

    #[test]
    fn places_without_a_file_as_notes() {
        let mut sample = db().error("db-headless").related("db.yaml", "5432", "its port");
        sample.last().location = None;
        sample.last().related[0].location = None;
        assert_snapshot!(sample.text());
    }

    #[test]
    fn hints_on_request() {
        let hints = text::Look { hints: true, ..text::Look::default() };
        let sample = db().finding(Severity::Info, "db.yaml", "5433");
        assert_snapshot!("hint_shown", sample.look(hints));
        assert_snapshot!("hint_counted", sample.text());
    }

    #[test]
    fn a_block_of_lines() {
        let block = "- name: postgres\n      port: 5432\n      targetPort: 5433";
        assert_snapshot!(db().finding(Severity::Warning, "db.yaml", block).text());
    }

    #[test]
    fn a_missing_value_by_one_caret() {
        let mut sample = Sample::new(&[("db.yaml", "spec:\n  selector:\n")]).finding(
            Severity::Warning,
            "db.yaml",
            "selector:",
        );
        let location = sample.last().location.as_mut().expect("set above");
        location.bytes.start = location.bytes.end;
        assert_snapshot!(sample.text());
    }

    #[test]
    fn input_errors() {
        let text = "spec:\n\tports: []\n";
        let sample = Sample::new(&[("db.yaml", text)])
            .input_error("db.yaml", Some((2, 1)), "found a tab: indent with spaces")
            .input_error("latin1.yaml", Some((4, 9)), "not UTF-8: save it as UTF-8")
            .input_error("gone.yaml", None, "no such file: check the path");
        assert_snapshot!(sample.text());
    }

    #[test]
    fn input_errors_at_and_behind_the_end() {
        let sample = Sample::new(&[("db.yaml", "a: [\n")])
            .input_error("db.yaml", Some((1, 5)), "at the end of a line")
            .input_error("db.yaml", Some((2, 1)), "at the end of the text")
            .input_error("db.yaml", Some((9, 9)), "behind the end of the text");
        assert_snapshot!(sample.text());
    }

    #[test]
    fn faults() {
        assert_snapshot!(db().fault().text());
    }

    #[test]
    fn carets_under_wide_and_combining_characters() {
        let text = "metadata:\n  annotations: {説明: \"データベース é e\u{301} 🦀\", next: here}\n";
        let sample = Sample::new(&[("db.yaml", text)])
            .finding(Severity::Warning, "db.yaml", "here")
            .related("db.yaml", "データベース", "ここ");
        assert_snapshot!(sample.text());
    }

    #[test]
    fn the_part_of_a_long_line_that_matters() {
        let text =
            format!("{{\"a\":\"{0}\",\"clusterIP\":\"None\",\"b\":\"{0}\"}}", "x".repeat(5000));
        let sample = Sample::new(&[("db.json", text.as_str())])
            .finding(Severity::Warning, "db.json", "\"None\"")
            .related("db.json", "\"a\"", "far away in the same line");
        assert_snapshot!(sample.look(text::Look { width: Some(80), ..text::Look::default() }));
    }

    #[test]
    fn only_the_place_in_a_line_that_nobody_reads() {
        let text = format!("{{\"clusterIP\":\"None\",\"b\":\"{}\"}}", "x".repeat(1 << 20));
        let sample = Sample::new(&[("db.json", text.as_str())])
            .finding(Severity::Warning, "db.json", "\"None\"")
            .related("db.json", "\"b\"", "in the same line");
        assert_snapshot!(sample.text());
    }

    #[test]
    fn no_carriage_returns() {
        let text = SERVICE.replace('\n', "\r\n");
        let sample = Sample::new(&[("db.yaml", text.as_str())])
            .finding(Severity::Error, "db.yaml", "db-headless")
            .related("db.yaml", "name: postgres\r\n      port: 5432\r\n", "a port");
        assert!(!sample.text().contains('\r'));
        assert_snapshot!(sample.text());
    }

    #[test]
    fn no_control_characters() {
        let evil = "\u{1b}[2J \u{9b}2J \u{7} \u{7f} \r \u{202e}";
        let text = format!("a: {evil} here\n");
        let mut sample = Sample::new(&[("db.yaml", text.as_str())])
            .finding(Severity::Error, "db.yaml", "here")
            .input_error(evil, None, evil)
            .fault();
        let finding = sample.last();
        for field in [&mut finding.message, &mut finding.why, &mut finding.help] {
            field.push_str(evil);
        }
        sample.report.faults[0].reason.push_str(evil);
        let shown = sample.text();
        assert_eq!(shown.replace('\n', "").find(char::is_control), None);
        assert_snapshot!(shown);
        let shown = json::render(&sample.report);
        assert_eq!(shown.replace('\n', "").find(char::is_control), None);
    }

    #[test]
    fn colours_on_request() {
        let look = text::Look { color: true, ..text::Look::default() };
        let shown = db().error("db-headless").look(look);
        assert_snapshot!(shown.replace('\u{1b}', "␛"));
    }

    #[test]
    fn a_finding_whose_range_is_wrong() {
        let mut sample = db().error("db-headless");
        sample.last().location.as_mut().expect("set above").bytes = 5..5000;
        assert_snapshot!(sample.text());
    }
}

#[test]
fn summaries_count_what_was_found_and_what_is_missing() {
    let nothing = Sample::new(&[]);
    let two = || Sample::new(&[("db.yaml", SERVICE), ("lb.yaml", "")]);
    let summaries = [
        nothing.summary(),
        nothing.skipped(3).summary(),
        two().summary(),
        db().skipped(1).summary(),
        two().finding(Severity::Info, "db.yaml", "5432").summary(),
        db().fault().summary(),
        full().summary(),
        two().error("5432").error("5433").finding(Severity::Warning, "db.yaml", "None").summary(),
    ];
    assert_snapshot!(summaries.join("\n"));
}

#[test]
fn json_has_everything() {
    assert_snapshot!(json::render(&full().report));
}

#[test]
fn json_follows_its_schema() {
    let schema = include_str!("../schema/headlint.dev.v1.json");
    let schema = serde_json::from_str(schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    jsonschema::meta::validate(&schema).expect("the schema follows its own schema");
    for sample in [full(), db(), Sample::new(&[])] {
        let report = serde_json::to_value(&sample.report).expect("a report is JSON");
        let errors: Vec<_> = validator.iter_errors(&report).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

/// A schema that knows a property too few would still accept all reports if
/// it weren't closed, one that knows one too many would promise too much.
#[test]
fn json_schema_lists_exactly_the_properties_that_exist() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../schema/headlint.dev.v1.json")).expect("JSON");
    let report = serde_json::to_value(&full().report).expect("a report is JSON");
    let union = |objects: &serde_json::Value| -> Vec<String> {
        let objects = objects.as_array().expect("a list");
        let keys = objects.iter().flat_map(|it| it.as_object().expect("an object").keys());
        let keys: std::collections::BTreeSet<_> = keys.cloned().collect();
        keys.into_iter().collect()
    };
    let related: Vec<_> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|finding| finding["related"].as_array().expect("a list").clone())
        .collect();
    for (name, objects) in [
        ("finding", report["findings"].clone()),
        ("related", related.into()),
        ("edit", report["findings"][0]["edits"].clone()),
        ("inputError", report["errors"].clone()),
        ("fault", report["faults"].clone()),
        ("skipped", report["skipped"].clone()),
        ("summary", serde_json::json!([report["summary"]])),
        ("objectRef", serde_json::json!([report["findings"][0]["object"]])),
    ] {
        let known = union(&serde_json::json!([schema["$defs"][name]["properties"]]));
        assert_eq!(union(&objects), known, "{name}");
    }
}

#[test]
fn exit_code_tells_the_worst_that_happened() {
    let hint = || db().finding(Severity::Info, "db.yaml", "5432");
    let warning = || hint().finding(Severity::Warning, "db.yaml", "5432");
    let error = || warning().error("5432");
    for (sample, on_error, on_warning, on_info) in [
        (db(), 0, 0, 0),
        (db().skipped(1), 0, 0, 0),
        (hint(), 0, 0, 1),
        (warning(), 0, 1, 1),
        (error(), 1, 1, 1),
        (error().input_error("gone.yaml", None, "no such file"), 2, 2, 2),
        (db().input_error("gone.yaml", None, "no such file"), 2, 2, 2),
        (db().fault(), 2, 2, 2),
    ] {
        let code = |level| Exit::of(&sample.report, level).code();
        let codes = (code(Severity::Error), code(Severity::Warning), code(Severity::Info));
        assert_eq!(codes, (on_error, on_warning, on_info), "{}", sample.summary());
    }
}
