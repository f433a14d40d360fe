//! One evaluation in a fresh instance, on a StatefulSet with twelve variables
//! and six volumes: all policies, and where the time of one of them goes.
//!
//! The parts are differences from a guest that does nothing: one that only looks
//! up the object under review shows what handing it over costs, and one that only
//! answers what taking a finding back does.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use headlint_policies::engine::{Engine, Limits, Origin, Subject, Version};
use headlint_policies::evaluate::evaluate;
use headlint_policies::inventory::{Inventory, Knowledge, Snapshot};
use headlint_policies::manifest::{Document, Source, load};
use headlint_policies::model::{ObjectRef, Projected, project};
use headlint_tests::cases;
use headlint_tests::guest::Guest;
use nix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::native;

/// Looks up the object under review, into memory that nothing else uses.
const REVIEWED: &str =
    r#"(import "headlint:policy/context@1.0.0" "reviewed" (func $reviewed (param i32 i32)))"#;
const READ: &str = "(call $reviewed (i32.const 0) (i32.const 24576)) ";

/// The policy that is taken apart.
const POLICY: &str = "statefulset-binding";

struct Bench {
    engine: Engine,
    inventory: Arc<dyn Inventory + Send + Sync>,
    /// Where the objects are, and their JSON for whoever asks.
    written: HashMap<ObjectRef, (Document, Value)>,
}

pub(crate) fn print() {
    let text = std::fs::read(cases::root().join("tests/benches/statefulset.yaml")).unwrap();
    let source = Arc::new(Source::new("statefulset.yaml", text).unwrap());
    let manifests = load(source).manifests;
    let objects: Vec<Arc<Projected>> = manifests
        .iter()
        .map(|manifest| Arc::new(project(&manifest.root, "default").unwrap()))
        .collect();
    let names = objects.iter().map(|object| object.meta().object_ref.clone());
    let written = manifests.iter().map(|one| (one.document.clone(), one.root.to_json()));
    let written = names.zip(written).collect();
    let snapshot = Snapshot::build(objects.iter().map(Arc::clone), Knowledge::default());
    let mut engine = Engine::builtin(Limits::default(), 1, None).unwrap();
    let builtin: Vec<String> = engine.policies().iter().map(|it| it.name().to_owned()).collect();
    let quiet = Guest::quiet("quiet");
    let mut reading = Guest::evaluating("reading", READ.to_owned() + &quiet.evaluate);
    reading.imports = REVIEWED;
    let mut loud = Guest::evaluating("loud", format!("i32.const {}", Guest::DATA));
    loud.data = Guest::findings(1, b"loud", b"$.spec.serviceName", b"a text of some length");
    for mut guest in [quiet, reading, loud] {
        guest.kinds = ["Service", "StatefulSet"];
        engine.load(guest.name, &guest.component()).unwrap();
    }
    let bench = Bench { engine, inventory: Arc::new(snapshot), written };

    println!("one evaluation in a fresh instance, in microseconds of CPU");
    for projected in &objects {
        for policy in &builtin {
            let kind = &projected.meta().object_ref.kind;
            if let Some((findings, cost)) = bench.evaluation(projected, policy) {
                println!("{policy:22} {kind:12} {cost:7.1}  {findings} findings");
            }
        }
    }
    bench.split(&objects[1]);
}

impl Bench {
    fn split(&self, set: &Arc<Projected>) {
        let total = self.evaluation(set, POLICY).unwrap().1;
        let quiet = self.evaluation(set, "quiet").unwrap().1;
        let loud = self.evaluation(set, "loud").unwrap().1;
        let instance = self.instance(POLICY);
        let lower = self.evaluation(set, "reading").unwrap().1 - quiet;
        let lift = loud - quiet;
        let review = native::review();
        let world = native::world();
        let native = cpu(|| {
            black_box(native::check(black_box(&review), &world));
        });
        println!("\nthe parts of {POLICY} on the StatefulSet (aim: 10 above the guest's own work)");
        for (part, cost) in [
            ("instance, made and dropped", instance),
            ("the object handed over", lower),
            ("the rules, with their look-ups", total - instance - lower - lift),
            ("the finding taken back", lift),
            ("all of it", total),
            ("the same rules, natively", native),
        ] {
            println!("{part:35} {cost:7.1}");
        }
    }

    /// Findings of one policy, and what an evaluation takes; none where it
    /// isn't interested.
    fn evaluation(&self, projected: &Arc<Projected>, policy: &str) -> Option<(usize, f64)> {
        let (document, json) = self.written[&projected.meta().object_ref].clone();
        let version = Version::new(Arc::clone(projected), Box::new(move || json.clone()))
            .searched_by(Box::new(move |texts| document.has_one(texts)));
        let subject = Arc::new(Subject::created(version, Origin::Lint));
        let filter = cases::defaults().rules;
        let ask =
            || evaluate(&self.engine, &filter, &subject, &self.inventory, |it| it.name() == policy);
        let findings = ask().first()?.verdicts.as_ref().unwrap().len();
        Some((findings, cpu(|| drop(black_box(ask())))))
    }

    /// A fresh instance that is asked next to nothing.
    fn instance(&self, policy: &str) -> f64 {
        let policy = self.engine.policies().iter().find(|it| it.name() == policy).unwrap();
        cpu(|| drop(black_box(policy.check_settings("{}").unwrap())))
    }
}

/// Microseconds of CPU that a call takes, in the best of some rounds.
fn cpu(mut call: impl FnMut()) -> f64 {
    const ROUNDS: usize = 9;
    const CALLS: u32 = 500;
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let round = |_| {
        let before = now();
        (0..CALLS).for_each(|_| call());
        (now() - before).as_secs_f64() * 1e6 / f64::from(CALLS)
    };
    (0..ROUNDS).map(round).min_by(f64::total_cmp).unwrap()
}
