//! What stands in two folders of one tree under the same names never meets.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::sync::Arc;

use headlint_policies::finding::{Finding, Fingerprint, Location, Report};
use headlint_policies::lint::{Options, lint};
use headlint_policies::manifest::Source;
use headlint_tests::cases;

fn report(files: &[(&str, &str)], options: &Options) -> Report {
    let source = |(name, text): &(&str, &str)| {
        Ok(Arc::new(Source::new(*name, text.as_bytes().to_vec()).unwrap()))
    };
    lint(cases::engine(), files.iter().map(source).collect(), options, &|_, _| {}).report
}

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: LABEL}, ports: [{name: sql, port: 5432}]}
";

const SET: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: LABEL}}
  template:
    metadata: {labels: {app: LABEL}}
    spec: {containers: [{name: db, image: db, ports: [{containerPort: 5432}]}]}
";

fn of(text: &str, label: &str) -> String {
    text.replace("LABEL", label)
}

#[test]
fn two_environments_that_are_right_are_quiet() {
    let (dev, prod) = ("db-dev", "db-prod");
    let files = [
        ("k8s/dev/service.yaml", &*of(SERVICE, dev)),
        ("k8s/dev/sets/db.yaml", &*of(SET, dev)),
        ("k8s/prod/service.yaml", &*of(SERVICE, prod)),
        ("k8s/prod/sets/db.yaml", &*of(SET, prod)),
    ];
    assert_eq!(report(&files, &cases::defaults()).findings, []);
}

#[test]
fn environments_within_environments_are_apart_as_well() {
    let mut files = Vec::new();
    for stage in ["test", "live"] {
        for region in ["eu", "us"] {
            let label = format!("{stage}-{region}");
            for (name, text) in [("service", SERVICE), ("set", SET)] {
                files.push((format!("k8s/{stage}/{region}/{name}.yaml"), of(text, &label)));
            }
        }
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    assert_eq!(report(&files, &cases::defaults()).findings, []);
}

#[test]
fn what_is_wrong_in_one_environment_is_told_there() {
    let files = [
        ("dev/service.yaml", &*of(SERVICE, "other")),
        ("dev/set.yaml", &*of(SET, "db-dev")),
        ("prod/service.yaml", &*of(SERVICE, "db-prod")),
        ("prod/set.yaml", &*of(SET, "db-prod")),
    ];
    let found = report(&files, &cases::defaults()).findings;
    let at = |place: &Location| format!("{}:{}", place.file, place.line);
    let brief: Vec<_> = found
        .iter()
        .map(|one| {
            let related = one.related.iter().filter_map(|one| one.location.as_ref());
            let related: Vec<_> = related.map(at).collect();
            (cases::brief(one), at(one.location.as_ref().unwrap()), related)
        })
        .collect();
    // The labels of the set's Pods, and the name of the Service in it.
    let related = vec!["dev/set.yaml:9".to_owned(), "dev/set.yaml:6".to_owned()];
    let brief_of = "statefulset-service-selector-mismatch error Service/db $.spec.selector";
    assert_eq!(brief, [(brief_of.to_owned(), "dev/service.yaml:5".to_owned(), related)]);
}

/// Findings in one folder, with the folder's name taken out.
fn within(folder: &str, findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        // Of two that are the same, the second has another one.
        let finding = Finding { fingerprint: Fingerprint::default(), ..finding.clone() };
        let json = serde_json::to_string(&finding).unwrap();
        if finding.location.as_ref().unwrap().file.starts_with(folder) {
            writeln!(text, "{}", json.replace(&format!("{folder}/"), "")).unwrap();
        }
    }
    text
}

#[test]
fn a_case_beside_its_twin_is_judged_as_if_it_were_alone() {
    let mut compared = 0;
    for case in cases::all() {
        // What has no name yet has no twin either.
        if case.old.is_some() || case.text.contains("generateName") {
            continue;
        }
        let alone = report(&[("a/x.yaml", &*case.text)], &case.options).findings;
        let both = [("a/x.yaml", &*case.text), ("b/x.yaml", &*case.text)];
        let both = report(&both, &case.options).findings;
        for folder in ["a", "b"] {
            let (alone, beside) = (within("a", &alone), within(folder, &both));
            assert_eq!(beside, alone, "{} in {folder}", case.path.display());
        }
        compared += 1;
    }
    assert!(compared > 400, "{compared}");
}
