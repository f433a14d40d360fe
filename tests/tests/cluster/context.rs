//! What the webhook knows of a real cluster, and what it says later.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headlint_policies::engine::{Engine, Limits, Subject, Verdict};
use headlint_policies::evaluate::{RuleFilter, evaluate};
use headlint_policies::inventory::{Answer, Inventory, Knowledge, Live, UnknownReason};
use headlint_tests::cluster::{Cluster, Namespace, Webhook, review, until};
use headlint_webhook::context::{Context, Settings, State, connect};
use headlint_webhook::pending::{Judge, Pending};
use hyper::{Method, StatusCode};
use kube::Client;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::Test::{self, Alone, Sharing};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("the_context_follows_the_api_server", Sharing(follows)),
    ("the_context_outlives_a_killed_api_server", Alone(outlives)),
    ("a_forbidden_kind_is_unknown_until_it_is_granted", Sharing(forbidden)),
    ("a_finding_that_stands_becomes_one_event", Sharing(one_event)),
    ("what_is_not_read_is_unknown", Sharing(what_is_not_read_is_unknown)),
];

/// A context of its own, on threads of its own, until it is dropped.
struct Running {
    context: Arc<Context>,
    client: Client,
    runtime: Runtime,
}

fn start(kubeconfig: &Path, settings: &Settings) -> Running {
    let runtime = Runtime::new().unwrap();
    let client = runtime.block_on(connect(Some(kubeconfig))).unwrap();
    let knowledge = Knowledge { complete: true, ..Knowledge::default() };
    let context = Arc::new(Context::new(settings, Arc::new(Live::new(knowledge))));
    let (runs, with) = (Arc::clone(&context), client.clone());
    runtime.spawn(async move { runs.run(with).await });
    until("the context to be ready", || context.is_ready().then_some(()));
    Running { context, client, runtime }
}

impl Running {
    fn service(&self, namespace: &Namespace<'_>, name: &str) -> Answer<()> {
        match self.context.live().snapshot().service(namespace.name(), name) {
            Answer::Found(_) => Answer::Found(()),
            Answer::Absent => Answer::Absent,
            Answer::Unknown(reason) => Answer::Unknown(reason),
        }
    }

    fn until_service(&self, namespace: &Namespace<'_>, name: &str, expected: &Answer<()>) {
        until("what is known of a Service", || {
            (self.service(namespace, name) == *expected).then_some(())
        });
    }

    fn state(&self, kind: &str) -> State {
        self.context.status().into_iter().find(|one| one.kind == kind).unwrap().state
    }
}

fn service(name: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, \
         spec: {{clusterIP: None, selector: {{app: db}}, ports: [{{port: 80}}]}}}}"
    )
}

fn set(name: &str, service: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: {name}}}, \
         spec: {{serviceName: {service}, selector: {{matchLabels: {{app: {name}}}}}, \
         template: {{metadata: {{labels: {{app: {name}}}}}, \
         spec: {{containers: [{{name: db, image: 'db:1'}}]}}}}}}}}"
    )
}

fn follows(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _ = namespace.apply(&service("old")).succeeded();
    let running = start(&cluster.kubeconfig(), &Settings::default());
    assert_eq!(running.service(&namespace, "old"), Answer::Found(()));
    assert_eq!(running.service(&namespace, "new"), Answer::Absent);
    let _ = namespace.apply(&service("new")).succeeded();
    running.until_service(&namespace, "new", &Answer::Found(()));
    let _ = namespace.delete(&service("old")).succeeded();
    running.until_service(&namespace, "old", &Answer::Absent);

    // The template of a set stands for its Pod, which is there too.
    let _ = namespace.apply(&set("db", "new")).succeeded();
    until("the set's Pod", || namespace.get("pod/db-0"));
    let label = headlint_policies::model::Label { key: "app".to_owned(), value: "db".to_owned() };
    until("the set to be known, and only the set", || {
        let snapshot = running.context.live().snapshot();
        let found = snapshot.workloads_matching(namespace.name(), std::slice::from_ref(&label));
        let kinds = found.found()?.into_iter().map(|one| one.meta.object_ref.kind.clone());
        (kinds.collect::<Vec<_>>() == ["StatefulSet"]).then_some(())
    });
    for status in running.context.status() {
        assert_eq!((status.state, status.malformed), (State::Live, 0), "{}", status.kind);
    }
}

/// The Service is there, and the webhook doesn't look.
fn what_is_not_read_is_unknown(cluster: &Cluster) {
    let (read, other) = (cluster.namespace(), cluster.namespace());
    let webhook = Webhook::start(&read, &format!("namespaces: [{}]", read.name()));
    for (namespace, missing) in [(&read, true), (&other, false)] {
        let set = crate::webhook_requests::set("db", "db");
        let review = review(namespace.name(), "statefulsets", &set).to_string();
        let (status, body) = webhook.post(0, "/validate", &review);
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body.contains("statefulset-service-missing"), missing, "{body}");
    }
}

fn outlives(cluster: &mut Cluster) {
    let settings = Settings { stale_after: Duration::from_secs(4), ..Settings::default() };
    let kubeconfig = cluster.kubeconfig();
    let name = {
        let namespace = cluster.namespace();
        let _ = namespace.apply(&service("old")).succeeded();
        namespace.name().to_owned()
    };
    let running = start(&kubeconfig, &settings);
    let service_of = |service: &str| match running.context.live().snapshot().service(&name, service)
    {
        Answer::Found(_) => Ok(true),
        Answer::Absent => Ok(false),
        Answer::Unknown(reason) => Err(reason),
    };
    assert_eq!(service_of("old"), Ok(true));
    cluster.kill_api_server();
    until("the kind to be unknown", || {
        (service_of("old") == Err(UnknownReason::Unwatched)).then_some(())
    });
    assert_eq!(running.state("Service"), State::Down);
    assert!(running.context.is_ready());
    cluster.restart_api_server();
    until("it to be found again", || (service_of("old") == Ok(true)).then_some(()));
    let object = json!({
        "metadata": {"name": "new"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]},
    });
    let path = format!("/api/v1/namespaces/{name}/services");
    cluster.call(Method::POST, &path, &object).unwrap();
    until("a new one to be found", || (service_of("new") == Ok(true)).then_some(()));
    until("all kinds to be known", || {
        running.context.status().iter().all(|one| one.state == State::Live).then_some(())
    });
}

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// The role that the module's documentation asks for, without StatefulSets.
fn role(with_sets: bool) -> Value {
    let rule = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": ["list", "watch"]});
    let apps: &[&str] = if with_sets {
        &["statefulsets", "deployments", "replicasets", "daemonsets"]
    } else {
        &["deployments", "replicasets", "daemonsets"]
    };
    json!({
        "metadata": {"name": "headlint-context"},
        "rules": [
            rule("", &["services", "pods", "endpoints", "replicationcontrollers", "namespaces"]),
            rule("apps", apps),
            rule("batch", &["jobs", "cronjobs"]),
            rule("discovery.k8s.io", &["endpointslices"]),
            rule("networking.k8s.io", &["networkpolicies"]),
            rule("autoscaling", &["horizontalpodautoscalers"]),
        ],
    })
}

fn forbidden(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let accounts = format!("/api/v1/namespaces/{}/serviceaccounts", namespace.name());
    let post = |path: &str, object: &Value| cluster.call(Method::POST, path, object).unwrap();
    post(&accounts, &json!({"metadata": {"name": "webhook"}}));
    post(&format!("{RBAC}/clusterroles"), &role(false));
    let subject =
        json!({"kind": "ServiceAccount", "name": "webhook", "namespace": namespace.name()});
    post(
        &format!("{RBAC}/clusterrolebindings"),
        &json!({
            "metadata": {"name": "headlint-context"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": "headlint-context"},
            "subjects": [subject],
        }),
    );
    let token = post(&format!("{accounts}/webhook/token"), &json!({"spec": {}}));
    let token = token["status"]["token"].as_str().unwrap();

    let mut kubeconfig: Value =
        serde_json::from_str(&fs::read_to_string(cluster.kubeconfig()).unwrap()).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token});
    let file = cluster.folder().join("restricted.kubeconfig");
    fs::write(&file, kubeconfig.to_string()).unwrap();

    let running = start(&file, &Settings::default());
    for status in running.context.status() {
        let sets = status.kind == "StatefulSet";
        let expected = if sets { State::Forbidden } else { State::Live };
        assert_eq!(status.state, expected, "{}", status.kind);
    }
    let sets = || {
        let snapshot = running.context.live().snapshot();
        match snapshot.objects_of("StatefulSet", namespace.name()) {
            Answer::Found(_) => Ok(true),
            Answer::Absent => Ok(false),
            Answer::Unknown(reason) => Err(reason),
        }
    };
    let _ = namespace.apply(&set("db", "db")).succeeded();
    assert_eq!(sets(), Err(UnknownReason::Unwatched));
    cluster
        .call(Method::PUT, &format!("{RBAC}/clusterroles/headlint-context"), &role(true))
        .unwrap();
    until("the permission to count", || (sets() == Ok(true)).then_some(()));
    assert_eq!(running.state("StatefulSet"), State::Live);
}

/// The built-in policies, on objects of one namespace.
struct Builtin {
    engine: Engine,
    namespace: String,
}

impl Judge for Builtin {
    fn wants(&self, kind: &str) -> bool {
        self.engine.policies().iter().any(|policy| policy.wants(kind))
    }

    fn judge(
        &self,
        subject: &Arc<Subject>,
        inventory: &Arc<dyn Inventory + Send + Sync>,
    ) -> Vec<Verdict> {
        if subject.projected().meta().object_ref.namespace != self.namespace {
            return Vec::new();
        }
        let filter = RuleFilter::default();
        let judged = evaluate(&self.engine, &filter, subject, inventory, |_| true);
        judged.into_iter().flat_map(|one| one.verdicts.unwrap()).collect()
    }
}

fn one_event(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _ = namespace.apply(&set("alone", "nowhere")).succeeded();
    let running = start(&cluster.kubeconfig(), &Settings::default());
    let looking = || {
        let judge = Builtin {
            engine: Engine::builtin(Limits::default(), 2, None).unwrap(),
            namespace: namespace.name().to_owned(),
        };
        let context = Arc::clone(&running.context);
        let grace = Duration::from_secs(1);
        let pending =
            Arc::new(Pending::new(context, Arc::new(judge), running.client.clone(), grace));
        let runs = Arc::clone(&pending);
        running.runtime.spawn(async move { runs.run().await });
        pending
    };
    let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", namespace.name());
    let ours = || {
        let events = cluster.get(&path).unwrap();
        let all = events["items"].as_array().unwrap().iter();
        all.filter(|event| event["reportingController"] == "headlint").cloned().collect::<Vec<_>>()
    };
    let first = looking();
    until("it to stand", || (first.standing() == 1).then_some(()));
    // As another replica, or after a restart.
    let second = looking();
    until("the other to see it", || (second.standing() == 1).then_some(()));
    let events = ours();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["reason"], "StatefulsetServiceMissing");
    assert_eq!(events[0]["regarding"]["name"], "alone");

    let _ = namespace.apply(&service("nowhere").replace("app: db", "app: alone")).succeeded();
    until("nothing to stand", || (first.standing() + second.standing() == 0).then_some(()));
    assert_eq!(ours().len(), 1);
}
