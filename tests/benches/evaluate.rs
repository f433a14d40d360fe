//! What one fresh instance and evaluation of each built-in policy costs, on a
//! realistic StatefulSet beside its Service. Prints figures, asserts no time.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use headlint_policies::engine::Subject;
use headlint_policies::evaluate::evaluate;
use headlint_policies::inventory::{Inventory, Knowledge, Snapshot};
use headlint_policies::manifest::{Source, load};
use headlint_policies::model::{Projected, project};
use headlint_tests::cases;

fn main() {
    let text = std::fs::read(cases::root().join("tests/benches/statefulset.yaml")).unwrap();
    let source = Arc::new(Source::new("statefulset.yaml", text).unwrap());
    let objects: Vec<Arc<Projected>> = load(source)
        .manifests
        .iter()
        .map(|manifest| Arc::new(project(&manifest.root, "default").unwrap()))
        .collect();
    let snapshot = Snapshot::build(objects.iter().cloned(), Knowledge::default());
    let inventory: Arc<dyn Inventory + Send + Sync> = Arc::new(snapshot);
    let engine = cases::engine();
    let options = cases::defaults();

    println!("{:22} {:12} {:>8} {:>10} {:>10}", "policy", "kind", "findings", "median", "minimum");
    for projected in &objects {
        let subject = Arc::new(Subject::from_file(
            Arc::clone(projected),
            Box::new(|| unreachable!("no built-in policy asks for JSON here")),
        ));
        for policy in engine.policies().iter().filter(|policy| policy.wants(subject.kind())) {
            let mut times: Vec<Duration> = Vec::new();
            let mut findings = 0;
            for _ in 0..20_000 {
                let start = Instant::now();
                let judged = evaluate(engine, &options.rules, &subject, &inventory, |one| {
                    one.name() == policy.name()
                });
                times.push(start.elapsed());
                findings = judged[0].verdicts.as_ref().unwrap().len();
            }
            times.sort();
            println!(
                "{:22} {:12} {findings:8} {:>10.1?} {:>10.1?}",
                policy.name(),
                subject.kind(),
                times[times.len() / 2],
                times[0]
            );
        }
    }
}
