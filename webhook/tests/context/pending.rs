//! Findings that are looked at again.

use std::sync::Arc;
use std::time::Duration;

use headlint_policies::engine::{Engine, Limits, Subject, Timing, Verdict};
use headlint_policies::evaluate::{RuleFilter, evaluate};
use headlint_policies::finding::Severity;
use headlint_policies::inventory::{Answer, Inventory};
use headlint_webhook::context::{Context, Settings};
use headlint_webhook::pending::{Judge, Pending};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::api::Api;
use super::{Running, ready, service, until};

/// One rule: the Service that a StatefulSet names isn't there.
struct Missing;

impl Judge for Missing {
    fn wants(&self, kind: &str) -> bool {
        kind == "StatefulSet"
    }

    fn judge(
        &self,
        subject: &Arc<Subject>,
        inventory: &Arc<dyn Inventory + Send + Sync>,
    ) -> Vec<Verdict> {
        let headlint_policies::model::Object::Workload(set) = &subject.projected().object else {
            return Vec::new();
        };
        let name = set.stateful_set.as_ref().and_then(|set| set.service_name.as_deref()).unwrap();
        if !matches!(inventory.service("shop", name), Answer::Absent) {
            return Vec::new();
        }
        let verdict = |rule: &str, timing| Verdict {
            rule: rule.to_owned(),
            severity: Severity::Warning,
            timing,
            path: "$.spec.serviceName".parse().unwrap(),
            range: None,
            what: format!("{name} isn't there"),
            why: "Pods have no names.".to_owned(),
            help: "Make it.".to_owned(),
            places: Vec::new(),
            edits: Vec::new(),
        };
        vec![
            verdict("statefulset-service-missing", Timing::NowAndLater),
            verdict("said-at-once", Timing::Now),
        ]
    }
}

fn set(name: &str, service: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": name, "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "serviceName": service,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "db", "image": "db:1"}]},
            },
        },
    })
}

struct Looking {
    pending: Arc<Pending>,
    task: JoinHandle<()>,
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn look(api: &Api, context: &Arc<Context>, judge: impl Judge, grace: u64) -> Looking {
    let grace = Duration::from_secs(grace);
    let pending = Pending::new(Arc::clone(context), Arc::new(judge), api.client(), grace);
    let pending = Arc::new(pending);
    let runs = Arc::clone(&pending);
    Looking { pending, task: tokio::spawn(async move { runs.run().await }) }
}

async fn scene() -> (Api, Running) {
    let api = Api::default();
    api.put("services", service("db"));
    api.put("statefulsets", set("well", "db"));
    api.put("statefulsets", set("alone", "nowhere"));
    let running = ready(&api, &Settings::default()).await;
    (api, running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_after_the_grace_time_becomes_one_event() {
    let (api, running) = scene().await;
    let looking = look(&api, &running.context, Missing, 1);
    until("an Event is there", || !api.events().is_empty()).await;
    until("it counts", || looking.pending.standing() == 1).await;

    // Another replica, and this one after a restart.
    let other = look(&api, &running.context, Missing, 1);
    until("the other sees it too", || other.pending.standing() == 1).await;
    let events = api.events();
    assert_eq!(events.len(), 1, "{events:?}");
    let event = events.values().next().unwrap();
    assert_eq!(event["reason"], "StatefulsetServiceMissing");
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["regarding"]["name"], "alone");
    assert_eq!(event["regarding"]["uid"], "uid-alone");
    assert_eq!(event["reportingController"], "headlint");

    // What was missing comes.
    api.put("services", service("nowhere"));
    until("nothing stands", || looking.pending.standing() == 0).await;
    assert_eq!(api.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_just_came_has_its_grace_time() {
    let (api, running) = scene().await;
    let looking = look(&api, &running.context, Missing, 3_600);
    // It is as old as its creationTimestamp says.
    until("an Event is there", || !api.events().is_empty()).await;
    api.put("statefulsets", set("new", "nowhere-else"));
    api.put("statefulsets", set("alone", "still-nowhere"));
    // One with less patience finds both, with as many rounds.
    let elsewhere = Api::default();
    let hasty = look(&elsewhere, &running.context, Missing, 1);
    until("the hasty one finds both", || elsewhere.events().len() == 2).await;
    until("the hasty one counts both", || hasty.pending.standing() == 2).await;
    // What was found of the changed one stands until it is looked at again.
    assert_eq!(looking.pending.standing(), 1);
    assert_eq!(api.events().len(), 1);
}

/// The built-in policies.
struct Builtin(Engine);

impl Judge for Builtin {
    fn wants(&self, kind: &str) -> bool {
        self.0.policies().iter().any(|policy| policy.wants(kind))
    }

    fn judge(
        &self,
        subject: &Arc<Subject>,
        inventory: &Arc<dyn Inventory + Send + Sync>,
    ) -> Vec<Verdict> {
        let filter = RuleFilter::default();
        let judged = evaluate(&self.0, &filter, subject, inventory, |_| true);
        judged.into_iter().flat_map(|one| one.verdicts.unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_asks_for_the_raw_object_gets_it() {
    let (api, running) = scene().await;
    // A rule reads the images of a set without a selector, to tell it from the
    // patch of one.
    let mut odd = set("odd", "db");
    odd["spec"].as_object_mut().unwrap().remove("selector");
    api.put("statefulsets", odd);
    let engine = Engine::builtin(Limits::default(), 2, None).unwrap();
    let looking = look(&api, &running.context, Builtin(engine), 1);
    let asked = |call: &String| call.contains("statefulsets?&fieldSelector=metadata.name");
    until("the object is asked for", || api.calls().iter().any(asked)).await;
    until("an Event is there", || !api.events().is_empty()).await;
    until("it counts", || looking.pending.standing() == 1).await;
    let events = api.events();
    let reasons: Vec<_> = events.values().map(|event| event["reason"].clone()).collect();
    assert_eq!(reasons, ["StatefulsetServiceMissing"]);
}
