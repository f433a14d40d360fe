//! Files that are linted again after some of them have changed say just what they
//! would say to somebody who sees them for the first time, and take less.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use headlint_policies::finding::InputError;
use headlint_policies::lint::{Effort, Lint, Memory, Options, lint, lint_again};
use headlint_policies::manifest::Source;
use headlint_tests::cases::{self, documents, joined};
use headlint_tests::random::Random;

/// Files by name.
#[derive(Default)]
struct Files(BTreeMap<String, Arc<Source>>);

impl Files {
    fn put(&mut self, name: &str, text: &str) {
        let source = Source::new(name, text.as_bytes().to_vec()).unwrap();
        self.0.insert(name.to_owned(), Arc::new(source));
    }

    fn inputs(&self) -> Vec<Result<Arc<Source>, InputError>> {
        self.0.values().cloned().map(Ok).collect()
    }

    fn again(&self, options: &Options, memory: &mut Memory) -> Lint {
        lint_again(cases::engine(), self.inputs(), options, memory)
    }

    fn fresh(&self, options: &Options) -> Lint {
        lint(cases::engine(), self.inputs(), options, &|_, _| {})
    }
}

/// Places of a folder whose environments are apart, and of one where they aren't.
const FOLDERS: [&str; 4] = ["", "base/", "dev/", "dev/eu/"];

/// Changes one character, takes a line away or doubles it, or moves all by a line.
fn edited(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
    if lines.is_empty() {
        return "# nothing\n".to_owned();
    }
    let at = random.below(lines.len());
    match random.below(6) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines.insert(0, "# a comment\n".to_owned()),
        3 => lines[at] = lines[at].replace("None", "10.0.0.1"),
        4 => lines[at] = lines[at].replace(['1', '8'], "9"),
        _ => lines[at] = lines[at].replacen(random.pick(&["a", "b", "d", "e"]), "c", 1),
    }
    lines.concat()
}

#[test]
fn after_any_edits_it_says_what_a_first_look_says() {
    let cases: Vec<_> = cases::all().into_iter().filter(|case| case.old.is_none()).collect();
    let (mut spared, mut judged, mut compared) = (0, 0, 0);
    for seed in 0..24 {
        let mut random = Random::new(seed);
        let options = Options { complete: random.chance(50), ..cases::defaults() };
        let (mut files, mut memory) = (Files::default(), Memory::default());
        for number in 0..30 {
            let case = &cases[random.below(cases.len())];
            let documents = documents(&case.text);
            let name = format!("{}{number:02}.yaml", random.pick(&FOLDERS));
            files.put(&name, &joined(&documents));
        }
        for _ in 0..40 {
            let names: Vec<_> = files.0.keys().cloned().collect();
            let name = &names[random.below(names.len())];
            match random.below(12) {
                0 => drop(files.0.remove(name)),
                1 => {
                    let text = files.0[name].text.clone();
                    files.put(&format!("{}x{name}", random.pick(&FOLDERS)), &text);
                }
                _ => {
                    let text = edited(&files.0[name].text, &mut random);
                    files.put(name, &text);
                }
            }
            let (again, fresh) = (files.again(&options, &mut memory), files.fresh(&options));
            assert_eq!(again.report, fresh.report, "seed {seed}");
            let Effort { objects, .. } = memory.effort();
            judged += objects;
            spared += again.report.summary.objects - objects;
            compared += 1;
        }
    }
    assert_eq!(compared, 24 * 40);
    assert!(spared > 4 * judged, "{spared} objects were not judged again, and {judged} were");
}

fn database(number: usize, port: u16) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: db-{number}, namespace: team-{team}}}
spec:
  clusterIP: None
  selector: {{app: db-{number}}}
  ports: [{{name: sql, port: {port}}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db-{number}, namespace: team-{team}}}
spec:
  serviceName: db-{number}
  selector: {{matchLabels: {{app: db-{number}}}}}
  template:
    metadata: {{labels: {{app: db-{number}}}}}
    spec: {{containers: [{{name: db, image: db, ports: [{{name: sql, containerPort: 5432}}]}}]}}
",
        team = number % 40
    )
}

#[test]
fn an_edit_among_a_thousand_files_asks_about_what_it_touches() {
    let (mut files, mut memory) = (Files::default(), Memory::default());
    for number in 0..1000 {
        files.put(&format!("{number:03}.yaml"), &database(number, 5432));
    }
    let options = cases::defaults();
    files.again(&options, &mut memory);
    assert_eq!(memory.effort(), Effort { sources: 1000, objects: 2000 });
    files.again(&options, &mut memory);
    assert_eq!(memory.effort(), Effort { sources: 0, objects: 0 });
    for port in [80, 5432, 443] {
        files.put("500.yaml", &database(500, port));
        let again = files.again(&options, &mut memory);
        assert_eq!(memory.effort(), Effort { sources: 1, objects: 2 });
        assert_eq!(again.report, files.fresh(&options).report);
    }
}
