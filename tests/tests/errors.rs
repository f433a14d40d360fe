//! What is said where something can't be read or run: every text, held by a
//! snapshot.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use headlint_policies::engine::{EngineError, FaultReason};
use headlint_policies::lint::lint;
use headlint_policies::manifest::{MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES, Source, too_large};
use headlint_tests::cases;

/// Texts that are no YAML to kubectl.
const YAML: &[&str] = &[
    "a:\n\tb: c\n",
    "a: \tb: c\n",
    "a: \"b\nc: d\n",
    "a: 'b' c\n",
    "a:\n  b: c\n d: e\n",
    "- a\nb: c\n",
    "a: b: c\n",
    "a: ? b\n",
    "a: - b\n",
    "a: b\nc\n",
    "a: [b\n",
    "a: {b: c\n",
    "a: @b\n",
    "a: `b`\n",
    "a: [b, ]c]\n",
    "a: ]\n",
    "a: *b\n",
    "a: *\n",
    "a: & b\n",
    "a: &a [*a]\n",
    "a: | b\n",
    "a: |0\n b\n",
    "a: \"\\d\"\n",
    "a: \"\\xZZ\"\n",
    "a: \"\\uD800\"\n",
    "a: !b!c d\n",
    "a: !\"b\" d\n",
    "%YAML 1.1\n",
    "%YAML 1.2\n\r---\na: b\n",
    "a: [b?c]\n",
    "a: b\n\u{FEFF}c: d\n",
    "a: [!, b]\n",
    "a: \"\\/\"\n",
    "a: {b:}\n",
    "a: \"\0\"\n",
    "? [a]\n: b\n",
    "~: b\n",
    "a: .inf\n",
    "18446744073709551615: a\n",
    "<<: 3\n",
    "a: !!int b\n",
    "a: !!timestamp b\n",
    "a: !!binary '*'\n",
    "---- a\n",
    "--- a: b\n",
    "{a: b}\n{c: d}\n",
    "a: b\n...\nc: d\n",
];

/// Texts that kubectl takes for JSON, and can't read.
const JSON: &[&str] = &[
    "{\"a\": 1}\n{\"b\": 1}\n{\"c\": }\n",
    "{\"a\": 1}\n{\"b\": 1}\n---\n{\"c\": 1}\n",
    "{\"a\": 1e999}\n{\"b\": 1}\n",
    "{\"a\": \"\\ud800\"}\n{\"b\": 1}\n",
];

/// Documents that are no objects, or broken ones.
const OBJECTS: &[&str] = &[
    "just text\n",
    "- a\n",
    "a: b\n",
    "kind: Service\n",
    "apiVersion: v1\n",
    "kind: Service\nmetadata: {name: db}\n",
    "apiVersion: v1\nmetadata: {name: db}\n",
    "apiVersion: ''\nkind: Service\nspec: {}\n",
    "apiVersion: 1\nkind: Service\nspec: {}\n",
    "apiVersion: v1\nkind: [Service]\nspec: {}\n",
    "apiVersion: v1\nkind: Service\n",
    "apiVersion: v1\nkind: Service\nmetadata: {labels: {a: b}}\n",
    "apiVersion: v1\nkind: List\nitems: {a: b}\n",
    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: []\n",
    "apiVersion: v1\nkind: List\nitems:\n- a: b\n- 3\n",
    "apiVersion: v1\nkind: List\nitems:\n- {kind: Service, metadata: {name: a}}\n",
    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.name }}}\n",
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: db-{{ .Release.Name }}\n",
    "{{- if .Values.on }}\napiVersion: v1\n{{- end }}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {selector: {a: b}}\n---\n\
     apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {ports: [{port: 1}]}\n",
];

/// Fields of an object with values of a type that the API server refuses.
const FIELDS: &[&str] = &[
    "metadata: []",
    "metadata: {name: y}",
    "metadata: {name: 7}",
    "metadata: {name: 1.5}",
    "metadata: {name: db, labels: [a]}",
    "metadata: {name: db, ownerReferences: [{controller: 'true'}]}",
    "metadata: {name: db}\nspec: {ports: {port: 80}}",
    "metadata: {name: db}\nspec: {ports: [80]}",
    "metadata: {name: db}\nspec: {selector: {enabled: on}}",
    "metadata: {name: db}\nspec: {selector: {app: {name: db}}}",
    "metadata: {name: db}\nspec: {publishNotReadyAddresses: 'yes'}",
];

/// The errors and the skipped documents of a file.
fn told(bytes: &[u8]) -> String {
    let source = Source::new("-", bytes.to_vec()).map(Arc::new);
    let report = lint(cases::engine(), vec![source], &cases::defaults(), &|_, _| {}).report;
    let mut told = String::new();
    for error in report.errors {
        let place =
            error.line.zip(error.column).map_or(String::new(), |(l, c)| format!("{l}:{c}: "));
        writeln!(told, "    {place}{}", error.message).unwrap();
    }
    for skipped in report.skipped {
        writeln!(told, "    skipped at {}: {}", skipped.line, skipped.reason).unwrap();
    }
    told
}

/// Each text, and what is told of it: something, or the entry is in vain.
fn table<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut table = String::new();
    for text in texts {
        let told = told(text.as_bytes());
        assert!(!told.is_empty(), "{text:?} was read");
        writeln!(table, "{text:?}\n{told}").unwrap();
    }
    table
}

#[test]
fn texts_that_are_no_yaml() {
    insta::assert_snapshot!(table(YAML.iter().copied()));
}

#[test]
fn texts_that_are_no_json() {
    insta::assert_snapshot!(table(JSON.iter().copied()));
}

#[test]
fn documents_that_are_no_objects() {
    insta::assert_snapshot!(table(OBJECTS.iter().copied()));
}

#[test]
fn values_of_a_wrong_type() {
    let texts: Vec<_> =
        FIELDS.iter().map(|field| format!("apiVersion: v1\nkind: Service\n{field}\n")).collect();
    insta::assert_snapshot!(table(texts.iter().map(String::as_str)));
}

#[test]
fn what_is_too_much_and_what_is_no_text() {
    let bomb: String = (1..12)
        .map(|n| format!("- &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")))
        .collect();
    let mut table = String::new();
    for (name, bytes) in [
        ("deep", "[".repeat(MAX_DEPTH + 1).into_bytes()),
        ("deep JSON", format!("{{}}{{\"a\": {}", "[".repeat(10_000)).into_bytes()),
        ("many", format!("[{}]", "a,".repeat(MAX_NODES + 1)).into_bytes()),
        ("aliases of aliases", format!("- &a0 x\n{bomb}").into_bytes()),
        ("not UTF-8", b"a: \xFF\n".to_vec()),
        ("not UTF-16", b"\xFF\xFEa".to_vec()),
    ] {
        let told = told(&bytes);
        assert!(!told.is_empty(), "{name} was read");
        writeln!(table, "{name}\n{told}").unwrap();
    }
    assert_eq!(MAX_SOURCE_BYTES % (1 << 20), 0);
    writeln!(table, "too large\n    {}", too_large("-").message).unwrap();
    insta::assert_snapshot!(table);
}

#[test]
fn policies_that_fail() {
    let text = || "<what>".to_owned();
    let reasons = [
        FaultReason::NoComponent(text()),
        FaultReason::Unusable(text()),
        FaultReason::Version { found: "headlint:policy/rules@2.0.0".to_owned() },
        FaultReason::NoRules,
        FaultReason::Import("wasi:cli/stdout@0.2.0".to_owned()),
        FaultReason::Clash("the rule `db`".to_owned()),
        FaultReason::Unconfigured("missing field `label`".to_owned()),
        FaultReason::Trap(text()),
        FaultReason::Deadline { milliseconds: 5000 },
        FaultReason::NoInstance(text()),
        FaultReason::Stack,
        FaultReason::Limit(text()),
        FaultReason::Message { limit: 1024 },
        FaultReason::Findings { count: 1001, limit: 1000 },
        FaultReason::Malformed(text()),
    ];
    // A reason that is new belongs to the list above.
    for reason in &reasons {
        match reason {
            FaultReason::NoComponent(_)
            | FaultReason::Unusable(_)
            | FaultReason::Version { .. }
            | FaultReason::NoRules
            | FaultReason::Import(_)
            | FaultReason::Clash(_)
            | FaultReason::Unconfigured(_)
            | FaultReason::Trap(_)
            | FaultReason::Deadline { .. }
            | FaultReason::NoInstance(_)
            | FaultReason::Stack
            | FaultReason::Limit(_)
            | FaultReason::Message { .. }
            | FaultReason::Findings { .. }
            | FaultReason::Malformed(_) => {}
        }
    }
    let engine = [
        EngineError::Setup { reason: text() },
        EngineError::Builtin { policy: "port-consistency", reason: FaultReason::NoRules },
        EngineError::NoPolicies,
        EngineError::Thread(io::Error::other("out of threads")),
    ];
    let texts: Vec<_> = reasons
        .iter()
        .map(ToString::to_string)
        .chain(engine.iter().map(ToString::to_string))
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}
