//! Whatever is typed: what is shown is what `headlint lint` says of these files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{Client, folder, uri};
use crate::{SERVICE, SET};

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's multiplier for a linear generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

/// File, rule, line and column, both from 1.
type Shown = (PathBuf, String, u64, u64);

fn linted(folder: &Path) -> Vec<Shown> {
    let output = Command::new(env!("CARGO_BIN_EXE_headlint"))
        .args(["lint", "--format", "json"])
        .arg(folder)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.map(|it| (it, it["rule"].as_str().unwrap().to_owned()));
    let errors = report["errors"].as_array().unwrap().iter();
    let all = findings.chain(errors.map(|it| (it, String::new())));
    let mut shown: Vec<_> = all
        .map(|(it, rule)| {
            let file = PathBuf::from(it["file"].as_str().unwrap());
            (file, rule, number(&it["line"]), number(&it["column"]))
        })
        .collect();
    shown.sort();
    shown
}

fn shown(client: &Client) -> Vec<Shown> {
    let number = |value: &Value| value.as_u64().unwrap() + 1;
    let of_file = |(uri, diagnostics): (&String, &Vec<Value>)| -> Vec<Shown> {
        let file = PathBuf::from(uri.strip_prefix("file://").unwrap());
        let told = diagnostics.iter().map(|it| {
            let start = &it["range"]["start"];
            let rule = it["code"].as_str().unwrap_or_default().to_owned();
            (file.clone(), rule, number(&start["line"]), number(&start["character"]))
        });
        told.collect()
    };
    let mut shown: Vec<_> = client.shown.iter().flat_map(of_file).collect();
    shown.sort();
    shown
}

#[test]
fn after_any_edits_it_shows_what_lint_says() {
    let mut compared = 0;
    for seed in 0..4 {
        let mut random = Random(seed);
        let (_folder, path) = folder(&[
            ("dev/service.yaml", SERVICE),
            ("dev/set.yaml", SET),
            ("prod/service.yaml", &SERVICE.replace("port: 80", "port: 5432")),
            ("prod/set.yaml", SET),
            (
                "both.yaml",
                &format!("{}---\n{}", SERVICE.replace("db", "q"), SET.replace("db", "q")),
            ),
            ("headlint.yaml", "severities: {statefulset-service-missing: error}\n"),
        ]);
        let mut client = Client::open_folders(&[&path], json!({}));
        assert_eq!(shown(&client), linted(&path));
        let names =
            ["dev/service.yaml", "dev/set.yaml", "prod/service.yaml", "prod/set.yaml", "both.yaml"];
        let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
        for name in names {
            let file = path.join(name);
            let text = fs::read_to_string(&file).unwrap();
            client.open(&file, &text);
            texts.insert(file, text);
        }
        for _ in 0..60 {
            let file = path.join(names[random.below(names.len())]);
            let text = texts.get_mut(&file).unwrap();
            // Words for words, so that what is typed can be read at every step.
            let words = ["db", "q", "5432", "80", "None", "10.0.0.1", "app", "name: sql", "# ä"];
            let (from, to) = (words[random.below(6)], words[random.below(words.len())]);
            let places: Vec<_> = text.match_indices(from).map(|(at, _)| at).collect();
            if places.is_empty() {
                continue;
            }
            let start = places[random.below(places.len())];
            let position = |at: usize| {
                let line = text[..at].matches('\n').count();
                let column = text[..at].rsplit('\n').next().unwrap().encode_utf16().count();
                json!({"line": line, "character": column})
            };
            let range = json!({"start": position(start), "end": position(start + from.len())});
            let before = text.clone();
            text.replace_range(start..start + from.len(), to);
            fs::write(&file, &*text).unwrap();
            let expected = linted(&path);
            if expected.iter().any(|(_, rule, ..)| rule.is_empty()) {
                *text = before;
                fs::write(&file, &*text).unwrap();
                continue;
            }
            client.edit(&file, json!([{"range": range, "text": to}]));
            assert_eq!(shown(&client), expected, "seed {seed}: {to} for {from} in {}", uri(&file));
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared} steps were compared");
}
