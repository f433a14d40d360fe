//! More than can be judged, and what takes long to judge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use headlint_tests::cluster::{
    Asker, Cluster, Direct, Load, MISMATCH, Trust, mismatched_service, review,
};
use headlint_tests::guest::Guest;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::{CLIENTS, RATE, SECONDS, Seen, hook, in_namespace, register_hook};

/// Kinds that the policies of these tests judge, and the built-in ones hardly.
const KINDS: [&str; 2] = ["ConfigMap", "Secret"];

fn config_map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}})
}

/// A Service, which may be refused for want of room while there is a flood of
/// other requests.
struct Patient {
    asker: Direct,
    flooded: Arc<AtomicBool>,
    shed: Arc<AtomicUsize>,
}

impl Asker for Patient {
    async fn ask(&mut self) -> Result<(), String> {
        let before = self.flooded.load(Ordering::Relaxed);
        let (status, body) = self.asker.once().await?;
        let flooded = before || self.flooded.load(Ordering::Relaxed);
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if flooded => {
                self.shed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            _ => self.asker.check(status, &body),
        }
    }
}

/// One is judged and four may wait, while a policy loops until its deadline:
/// all others are told at once that there is no room for them. Before and after
/// that every Service is judged.
pub(super) fn what_is_too_much_is_shed_at_once(cluster: &Cluster) {
    const ALL: usize = 32;
    const ROOM: usize = 5;
    let namespace = cluster.namespace();
    let name = namespace.name();
    let config = "concurrency: 1\nqueue: 4\nevaluationDeadlineMilliseconds: 1000\nonFault: admit\n";
    let looping = Guest::evaluating("endless-loop", "(loop $again br $again) unreachable");
    let policy = Guest { kinds: KINDS, ..looping }.component();
    let (replica, address) = hook(&namespace, config, &[("loop", policy)]);
    register_hook(
        cluster,
        name,
        &json!({"matchConditions": [
            {"name": "never", "expression": "false"},
        ]}),
    );
    let (trust, seen) = (Trust::follow(cluster, name), Seen::default());
    let host = format!("hook.{name}.svc");
    let service = review(name, "services", &mismatched_service("db"));
    let (flooded, shed) = (Arc::new(AtomicBool::new(false)), Arc::<AtomicUsize>::default());
    // No more at once than there is room for.
    let services = Direct::askers(ROOM - 1, (&host, address), &trust, (&service, MISMATCH), &seen);
    let services = services.into_iter().map(|asker| {
        let (flooded, shed) = (Arc::clone(&flooded), Arc::clone(&shed));
        Patient { asker, flooded, shed }
    });
    let mut load = Load::new(cluster);
    load.add("Services", RATE, services.collect());
    let before = load.flow("before the flood", SECONDS);
    assert_eq!(replica.metric("headlint_requests_total", "verdict=\"shed\""), 0.0);

    flooded.store(true, Ordering::Relaxed);
    let review = review(name, "configmaps", &config_map());
    let askers = Direct::askers(ALL, (&host, address), &trust, (&review, ""), &seen);
    let answers = cluster.block_on(async {
        // What was answered before each answer of the first kind.
        let tasks: Vec<_> = askers
            .into_iter()
            .map(|mut asker| tokio::spawn(async move { asker.once().await }))
            .collect();
        let (mut order, mut judged) = (Vec::new(), 0);
        let mut answers = futures::stream::FuturesUnordered::from_iter(tasks);
        while let Some(answer) = futures::StreamExt::next(&mut answers).await {
            let (status, body) = answer.unwrap().expect("none hangs or breaks");
            judged += usize::from(status == StatusCode::OK);
            order.push((status, body, judged));
        }
        order
    });
    let of = |wanted| answers.iter().filter(move |(status, _, _)| *status == wanted);
    let (judged, full) = (of(StatusCode::OK).count(), of(StatusCode::TOO_MANY_REQUESTS).count());
    let late = of(StatusCode::SERVICE_UNAVAILABLE).count();
    assert_eq!(judged + full + late, ALL, "{answers:?}");
    assert!(judged >= 1 && full + late >= 1, "{answers:?}");
    let at_once = of(StatusCode::TOO_MANY_REQUESTS).filter(|(_, _, judged)| *judged == 0).count();
    assert!(at_once >= ALL - ROOM, "told before anything was judged: {answers:?}");
    for (_, text, _) in of(StatusCode::TOO_MANY_REQUESTS) {
        assert!(
            text.starts_with("headlint can't judge this request: 1 requests are being"),
            "{text}"
        );
    }
    for (_, body, _) in of(StatusCode::OK) {
        assert!(body.contains("endless-loop"), "a fault is no silent pass: {body}");
    }
    // Those that were on their way.
    let _ = load.flow("after the flood, at first", 1);
    flooded.store(false, Ordering::Relaxed);
    let after = load.flow("after the flood", SECONDS);
    let services = shed.load(Ordering::Relaxed);
    let shed = replica.metric("headlint_requests_total", "verdict=\"shed\"");
    assert_eq!(shed, (full + late + services) as f64, "whatever was refused is counted");
    println!(
        "{ALL} at once: {judged} judged, {full} refused with 429, {late} with 503, and {services} \
         Services; {before} Services judged before and {after} after"
    );
    drop(load);
    cluster.unregister_webhook(name);
}

/// Notes what other requests were answered while it waits for its own answer.
struct Slow {
    asker: Direct,
    load: Arc<AtomicUsize>,
    least: Arc<AtomicUsize>,
}

impl Asker for Slow {
    async fn ask(&mut self) -> Result<(), String> {
        let before = self.load.load(Ordering::Relaxed);
        self.asker.ask().await?;
        let meanwhile = self.load.load(Ordering::Relaxed) - before;
        self.least.fetch_min(meanwhile, Ordering::Relaxed);
        Ok(())
    }
}

/// Counts its answers where others see it.
struct Quick {
    asker: Direct,
    answered: Arc<AtomicUsize>,
}

impl Asker for Quick {
    async fn ask(&mut self) -> Result<(), String> {
        self.asker.ask().await?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// More requests are judged by a policy that takes some tenths of a second than
/// the webhook has threads; Services are judged all the same meanwhile.
pub(super) fn a_slow_policy_holds_up_no_other_kind(cluster: &Cluster) {
    const SLOW: usize = 4;
    let namespace = cluster.namespace();
    let name = namespace.name();
    let rule = "slow-policy";
    let finding = Guest::findings(1, rule.as_bytes(), b"$.metadata", b"it took its time");
    let evaluate = format!(
        "(global.set $left (i32.const 200000000))
         (loop $again
           (global.set $left (i32.sub (global.get $left) (i32.const 1)))
           (br_if $again (global.get $left)))
         i32.const {}",
        Guest::DATA
    );
    let slow = Guest {
        kinds: KINDS,
        items: "(global $left (mut i32) (i32.const 0))",
        data: finding,
        ..Guest::evaluating(rule, evaluate)
    };
    let config = "evaluationDeadlineMilliseconds: 8000\n";
    let (replica, address) = hook(&namespace, config, &[("slow", slow.component())]);
    let condition = json!([{"name": "own", "expression": in_namespace(name)}]);
    register_hook(cluster, name, &json!({"failurePolicy": "Fail", "matchConditions": condition}));
    let (trust, seen) = (Trust::follow(cluster, name), Seen::default());
    let host = format!("hook.{name}.svc");
    let askers = |number, review: &Value, rule| {
        Direct::askers(number, (host.as_str(), address), &trust, (review, rule), &seen)
    };
    let (answered, least) = (Arc::<AtomicUsize>::default(), Arc::new(AtomicUsize::new(usize::MAX)));
    let quick = askers(CLIENTS, &review(name, "services", &mismatched_service("db")), MISMATCH);
    let quick = quick.into_iter().map(|asker| Quick { asker, answered: Arc::clone(&answered) });
    let slow = askers(SLOW, &review(name, "configmaps", &config_map()), rule);
    let slow = slow.into_iter().map(|asker| Slow {
        asker,
        load: Arc::clone(&answered),
        least: Arc::clone(&least),
    });
    let mut load = Load::new(cluster);
    load.add("Services", RATE, quick.collect());
    load.flow("before slow requests", SECONDS);
    let mut slowing = Load::new(cluster);
    slowing.add("ConfigMaps that are slow", 1, slow.collect());
    load.flow("beside slow requests", SECONDS);
    slowing.flow("slow requests", 1);
    drop(slowing);
    load.flow("after slow requests", SECONDS);
    drop(load);
    let least = least.load(Ordering::Relaxed);
    assert!(least > 0, "a slow request held up the others");
    println!("at least {least} Services were judged during each of the slow requests");
    let faults = replica.metric("headlint_policy_faults_total", rule);
    assert_eq!(faults, 0.0, "the policy was slow, and no more");
    cluster.unregister_webhook(name);
}
