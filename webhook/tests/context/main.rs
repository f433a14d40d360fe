//! The context against an API server in memory that fails in every way.

#![allow(clippy::unwrap_used)]

mod api;
mod pending;

use std::sync::Arc;
use std::time::Duration;

use headlint_policies::inventory::{Answer, Inventory, Knowledge, Live, UnknownReason};
use headlint_webhook::context::{Context, KindStatus, Settings, State};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use self::api::{Api, Unstreamed, resources};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A context that is filled from an API server, until it is dropped.
struct Running {
    context: Arc<Context>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn start(api: &Api, settings: &Settings) -> Running {
    let knowledge = Knowledge { complete: true, ..Knowledge::default() };
    let context = Arc::new(Context::new(settings, Arc::new(Live::new(knowledge))));
    let (client, runs) = (api.client(), Arc::clone(&context));
    let task = tokio::spawn(async move { runs.run(client).await });
    Running { context, task }
}

async fn ready(api: &Api, settings: &Settings) -> Running {
    let running = start(api, settings);
    until("the context is ready", || running.context.is_ready()).await;
    running
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never happened: {what}");
}

impl Running {
    fn status(&self, kind: &str) -> KindStatus {
        self.context.status().into_iter().find(|status| status.kind == kind).unwrap()
    }

    /// What is known of a Service.
    fn service(&self, name: &str) -> Option<UnknownReason> {
        match self.context.live().snapshot().service("shop", name) {
            Answer::Found(_) => panic!("{name} is there"),
            Answer::Absent => None,
            Answer::Unknown(reason) => Some(reason),
        }
    }

    fn has_service(&self, name: &str) -> bool {
        matches!(self.context.live().snapshot().service("shop", name), Answer::Found(_))
    }
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "managedFields": [{"manager": "x"}]},
        "spec": {"clusterIP": "None", "selector": {"app": name}, "ports": [{"port": 80}]},
        "status": {"loadBalancer": {}},
    })
}

fn pod(name: &str, owner: Option<(&str, &str)>) -> Value {
    let owners = owner.map(|(api_version, kind)| {
        json!([{"apiVersion": api_version, "kind": kind, "name": "o", "controller": true}])
    });
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "shop", "labels": {"app": "db"}, "ownerReferences": owners,
        },
        "spec": {"containers": [{"name": "db"}]},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_watches_fill_the_inventory() {
    let api = Api::default();
    api.put("services", service("old"));
    let running = ready(&api, &Settings::default()).await;
    assert!(running.has_service("old"));
    assert_eq!(running.service("new"), None);
    assert_eq!(running.status("Service").objects, 1);
    assert!(running.status("Service").heard.is_some());

    api.put("services", service("new"));
    until("a new Service is known", || running.has_service("new")).await;
    api.delete("services", "shop", "old");
    until("a deleted Service is gone", || !running.has_service("old")).await;
    assert_eq!(running.service("old"), None);

    let asked = resources(&api.calls());
    assert!(!asked.contains("secrets") && !asked.contains("configmaps"), "{asked:?}");
    let slices = api.calls().into_iter().find(|call| call.contains("endpointslices")).unwrap();
    assert!(slices.contains("labelSelector=endpointslice.kubernetes.io"), "{slices}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_read_where_lists_cannot_be_streamed() {
    for how in [Unstreamed::Unknown, Unstreamed::OldEtcd] {
        let api = Api::default();
        api.page_only(how);
        for number in 0..250 {
            api.put("services", service(&format!("s{number}")));
        }
        let running = ready(&api, &Settings::default()).await;
        assert_eq!(running.status("Service").objects, 250);
        let is_page = |call: &&String| call.contains("/services?&limit=100");
        assert_eq!(api.calls().iter().filter(is_page).count(), 3, "{how:?}: {:?}", api.calls());
        api.put("services", service("new"));
        until("a new Service is known", || running.has_service("new")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_breaks_is_resumed() {
    let api = Api::default();
    api.put("services", service("a"));
    let running = ready(&api, &Settings::default()).await;
    api.break_watches("services");
    api.put("services", service("b"));
    until("what came meanwhile is known", || running.has_service("b")).await;
    assert!(running.has_service("a"));
    assert_eq!(running.status("Service").state, State::Live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_vanished_while_nobody_watched_is_gone_after_410() {
    let api = Api::default();
    api.put("services", service("a"));
    api.put("services", service("b"));
    let running = ready(&api, &Settings::default()).await;
    api.delete_unseen("services", "shop", "a");
    api.break_watches("services");
    until("the new list lacks it", || !running.has_service("a")).await;
    assert!(running.has_service("b"));
    assert_eq!(running.service("a"), None);
    assert_eq!(running.status("Service").objects, 1);
    assert!(running.status("Service").restarts > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_kind_is_unknown_until_it_is_granted() {
    let api = Api::default();
    api.put("services", service("a"));
    api.refuse("services", Some(403));
    api.refuse("horizontalpodautoscalers", Some(404));
    api.refuse("statefulsets", Some(403));
    let running = ready(&api, &Settings::default()).await;
    assert_eq!(running.status("Service").state, State::Forbidden);
    assert_eq!(running.status("HorizontalPodAutoscaler").state, State::Missing);
    assert_eq!(running.service("a"), Some(UnknownReason::Unwatched));
    // A StatefulSet could have such Pods.
    let label = headlint_policies::model::Label { key: "app".to_owned(), value: "x".to_owned() };
    let snapshot = running.context.live().snapshot();
    let workloads = snapshot.workloads_matching("shop", &[label]);
    assert!(matches!(workloads, Answer::Unknown(UnknownReason::Unwatched)), "{workloads:?}");
    drop(snapshot);

    api.refuse("services", None);
    until("a permission counts", || running.has_service("a")).await;
    until("absence counts", || running.service("b").is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_ready_while_nobody_answers() {
    let api = Api::default();
    api.set_down(true);
    let running = start(&api, &Settings::default());
    until("a watch has failed", || running.status("Service").restarts > 0).await;
    assert!(!running.context.is_ready());
    assert_eq!(running.service("a"), Some(UnknownReason::Unwatched));
    api.set_down(false);
    until("the context is ready", || running.context.is_ready()).await;
    assert_eq!(running.service("a"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_is_down_for_long_makes_its_kind_unknown_until_it_heals() {
    let api = Api::default();
    api.put("services", service("a"));
    let settings = Settings { stale_after: Duration::from_secs(2), ..Settings::default() };
    let running = ready(&api, &settings).await;
    api.set_down(true);
    until("it is down", || running.status("Service").state == State::Down).await;
    until("nothing of it is found", || !running.has_service("a")).await;
    assert_eq!(running.service("a"), Some(UnknownReason::Unwatched));
    assert!(running.context.is_ready(), "it can still judge");
    api.set_down(false);
    until("it is found again", || running.has_service("a")).await;
    until("absence counts again", || running.service("b").is_none()).await;
    assert_eq!(running.status("Service").state, State::Live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_in_passing_is_no_loss() {
    let api = Api::default();
    api.put("services", service("a"));
    let running = ready(&api, &Settings::default()).await;
    api.refuse("services", Some(403));
    until("it was refused", || running.status("Service").restarts > 0).await;
    assert!(running.has_service("a"));
    api.refuse("services", None);
    api.put("services", service("b"));
    until("it is watched again", || running.has_service("b")).await;
    assert_eq!(running.status("Service").state, State::Live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_malformed_object_spoils_no_list() {
    for paged in [false, true] {
        let api = Api::default();
        if paged {
            api.page_only(Unstreamed::Unknown);
        }
        let mut broken = service("broken");
        broken["spec"]["selector"] = json!("app=db");
        api.put("services", broken);
        api.put("services", json!({"metadata": {"name": ["no", "name"]}, "spec": 5}));
        api.put("services", service("whole"));
        let running = ready(&api, &Settings::default()).await;
        assert!(running.has_service("whole"));
        // It may be the one that is asked for.
        assert_eq!(running.service("broken"), Some(UnknownReason::Unwatched));
        let status = running.status("Service");
        assert_eq!((status.objects, status.malformed), (1, 1));
        api.put("services", service("broken"));
        until("it is mended", || running.has_service("broken")).await;
        until("absence counts again", || running.service("other").is_none()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pods_that_nothing_else_stands_for_are_kept() {
    let api = Api::default();
    api.put("pods", pod("bare", None));
    api.put("pods", pod("of-a-set", Some(("apps/v1", "StatefulSet"))));
    api.put("pods", pod("of-an-operator", Some(("db.example.com/v1", "Database"))));
    let running = ready(&api, &Settings::default()).await;
    assert_eq!(running.status("Pod").objects, 2);
    let reviewable = running.context.reviewable(|kind| kind == "Pod");
    let names: Vec<_> = reviewable.iter().map(|one| one.object.name.as_str()).collect();
    assert_eq!(names, ["bare"]);
    assert_eq!(reviewable[0].uid, "uid-bare");
    // A set adopts the bare one.
    api.put("pods", pod("bare", Some(("apps/v1", "StatefulSet"))));
    until("it is dropped", || running.status("Pod").objects == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configured_namespaces_and_kinds_are_all_that_is_asked_for() {
    let api = Api::default();
    api.refuse("namespaces", Some(403));
    api.put("services", service("a"));
    let mut elsewhere = service("elsewhere");
    elsewhere["metadata"]["namespace"] = json!("other");
    api.put("services", elsewhere);
    let namespaces = ["shop".to_owned(), "lab".to_owned()].into();
    let settings = Settings { namespaces, config_maps: true, ..Settings::default() };
    let running = ready(&api, &settings).await;
    assert!(running.has_service("a"));
    assert_eq!(running.status("Service").objects, 1);
    assert_eq!(running.status("Namespace").state, State::Forbidden);
    let asked = resources(&api.calls());
    assert!(asked.contains("configmaps") && !asked.contains("ingresses"), "{asked:?}");
    let inside = |call: &String| {
        ["/namespaces/shop/", "/namespaces/lab/", "/api/v1/namespaces?"]
            .iter()
            .any(|part| call.contains(part))
    };
    assert!(api.calls().iter().all(inside), "{:?}", api.calls());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_changes_nothing() {
    let api = Api::default();
    api.put("services", service("a"));
    let running = ready(&api, &Settings::default()).await;
    let since = |name: &str| {
        let all = running.context.reviewable(|kind| kind == "Service");
        all.into_iter().find(|one| one.object.name == name).map(|one| one.since)
    };
    let first = since("a").unwrap();
    let mut busy = service("a");
    busy["status"] = json!({"loadBalancer": {"ingress": []}});
    api.put("services", busy);
    // What comes behind it has arrived.
    api.put("services", service("b"));
    until("b is known", || running.has_service("b")).await;
    assert_eq!(since("a"), Some(first));
    let mut changed = service("a");
    changed["spec"]["ports"] = json!([{"port": 81}]);
    api.put("services", changed);
    until("a change counts", || since("a").is_some_and(|at| at > first)).await;
}
