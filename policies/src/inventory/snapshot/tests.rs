use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::inventory::{Answer, Inventory, Live, UnknownReason};
use crate::manifest::{Source, load};
use crate::model::{Label, LabelSelector, Object, project};

const WORLD: &str = "
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: prod, labels: {app: db}}, spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 5432}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: db-1, namespace: prod}, spec: {selector: {app: db, statefulset.kubernetes.io/pod-name: db-1}}}
---
{apiVersion: v1, kind: Service, metadata: {name: all, namespace: prod}, spec: {}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: other}, spec: {}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: prod}, spec: {serviceName: db, replicas: 3, template: {metadata: {labels: {app: db, tier: a}}, spec: {containers: [{name: c, args: ['--join=db-0.db:5432,db-1.db:5432']}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: prod}, spec: {template: {metadata: {labels: {app: web, tier: a}}, spec: {containers: [{name: c, env: [{name: URL, value: 'postgres://db/app'}]}]}}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-x, namespace: prod, labels: {app: web, pod-template-hash: '1'}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, controller: true}]}}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web-1, namespace: prod, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, controller: true}]}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: prod}, spec: {scaleTargetRef: {kind: Deployment, name: web}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: prod, labels: {istio-injection: enabled}}}
---
{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: m, namespace: other}, spec: {namespaceSelector: {any: true}, selector: {matchLabels: {app: db}}, endpoints: [{port: sql}]}}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: all, namespace: prod}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: prod}}
---
{apiVersion: v1, kind: Pod, metadata: {generateName: g-, namespace: prod, labels: {app: gen}}}
---
{apiVersion: v1, kind: Pod, metadata: {generateName: g-, namespace: prod, labels: {app: gen, x: '2'}}}
";

fn read(yaml: &str) -> Vec<Arc<Projected>> {
    let source = Source::new("test.yaml", yaml.as_bytes().to_vec()).expect("it is UTF-8");
    let loaded = load(Arc::new(source));
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let project = |root| Arc::new(project(root, "default").expect("it decodes"));
    loaded.manifests.iter().map(|manifest| project(&manifest.root)).collect()
}

fn world() -> Snapshot {
    Snapshot::build(read(WORLD), Knowledge::default())
}

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    let label =
        |(key, value): &(&str, &str)| Label { key: (*key).to_owned(), value: (*value).to_owned() };
    let mut labels: Vec<_> = pairs.iter().map(label).collect();
    labels.sort();
    labels
}

fn workloads(answer: Answer<Vec<&crate::model::Workload>>) -> Vec<String> {
    let found = answer.found().unwrap_or_default();
    found.iter().map(|one| one.meta.object_ref.to_string()).collect()
}

fn matching(pairs: &[(&str, &str)]) -> Vec<String> {
    workloads(world().workloads_matching("prod", &labels(pairs)))
}

#[test]
fn workloads_are_found_by_the_selector_of_a_service() {
    assert_eq!(matching(&[("app", "db")]), ["StatefulSet prod/db"]);
    assert_eq!(matching(&[("tier", "a")]), ["Deployment prod/web", "StatefulSet prod/db"]);
    assert_eq!(matching(&[("app", "gen")]), ["Pod prod/", "Pod prod/"]);
    assert!(matching(&[("app", "db"), ("tier", "b")]).is_empty());
    assert!(matching(&[]).is_empty());
}

#[test]
fn a_key_that_the_controller_adds_matches_but_for_the_pod_name() {
    let pod = "statefulset.kubernetes.io/pod-name";
    assert_eq!(matching(&[("app", "web"), ("pod-template-hash", "7")]), ["Deployment prod/web"]);
    assert_eq!(matching(&[(pod, "db-2")]), ["StatefulSet prod/db"]);
    assert!(matching(&[(pod, "db-3")]).is_empty());
    assert!(matching(&[(pod, "db-02")]).is_empty());
    assert!(matching(&[(pod, "web-0")]).is_empty());
}

#[test]
fn policies_select_by_labels_and_expressions() {
    let select = |yaml: &str| {
        let policy = format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p}}, spec: {{podSelector: {yaml}}}}}"
        );
        let Object::NetworkPolicy(policy) = &read(&policy)[0].object else { panic!("a policy") };
        workloads(world().workloads_selected("prod", &policy.pod_selector)).len()
    };
    assert_eq!(select("{}"), 4);
    assert_eq!(select("{matchLabels: {app: db}}"), 1);
    assert_eq!(select("{matchExpressions: [{key: app, operator: In, values: [db, web]}]}"), 2);
    assert_eq!(select("{matchExpressions: [{key: app, operator: NotIn, values: [db, web]}]}"), 2);
    assert_eq!(select("{matchExpressions: [{key: tier, operator: Exists}]}"), 2);
    assert_eq!(select("{matchExpressions: [{key: tier, operator: DoesNotExist}]}"), 2);
    assert_eq!(select("{matchExpressions: [{key: pod-template-hash, operator: Exists}]}"), 1);
    assert_eq!(select("{matchExpressions: [{key: app, operator: Like, values: [db]}]}"), 0);
}

#[test]
fn services_are_found_by_the_labels_of_a_pod() {
    let world = world();
    let names = |pairs: &[(&str, &str)]| -> Vec<String> {
        let found = world.services_selecting("prod", &labels(pairs)).found().unwrap_or_default();
        found.iter().map(|service| service.meta.object_ref.name.clone()).collect()
    };
    assert_eq!(names(&[("app", "db"), ("x", "y")]), ["db"]);
    let pod = ("statefulset.kubernetes.io/pod-name", "db-1");
    assert_eq!(names(&[("app", "db"), pod]), ["db", "db-1"]);
    assert!(names(&[("x", "y")]).is_empty());
    let named = world.services_named("db").found().unwrap_or_default();
    let namespaces: Vec<_> =
        named.iter().map(|one| one.meta.object_ref.namespace.as_str()).collect();
    assert_eq!(namespaces, ["other", "prod"]);
}

#[test]
fn pods_of_a_known_owner_are_left_out_and_facts_of_others_join() {
    let world = world();
    let Answer::Found(pods) = world.objects_of("Pod", "prod") else { panic!("there are Pods") };
    assert_eq!(pods.len(), 2);
    assert_eq!(world.objects_of("ReplicaSet", "prod"), Answer::Unknown(UnknownReason::Elsewhere));
    let all =
        world.workloads_selected("prod", &LabelSelector::default()).found().unwrap_or_default();
    assert!(all.iter().all(|one| one.template.injected));
    let scaled: Vec<_> = all.iter().filter(|one| one.autoscaled).collect();
    assert_eq!(scaled.len(), 1);
    assert_eq!(scaled[0].meta.object_ref.name, "web");
}

#[test]
fn references_are_found_by_service_and_by_holder() {
    let world = world();
    let found: Vec<_> = world
        .references_to("prod", "db")
        .found()
        .unwrap_or_default()
        .iter()
        .map(|one| (one.holder.object_ref.to_string(), one.host.clone(), one.port.clone()))
        .collect();
    let int = |port| Some(crate::model::IntOrString::Int(port));
    let sql = Some(crate::model::IntOrString::Text("sql".to_owned()));
    assert_eq!(
        found,
        [
            ("Deployment prod/web".to_owned(), "db".to_owned(), int(5432)),
            ("ServiceMonitor other/m".to_owned(), "db".to_owned(), sql),
            ("StatefulSet prod/db".to_owned(), "db-0.db".to_owned(), int(5432)),
            ("StatefulSet prod/db".to_owned(), "db-1.db".to_owned(), int(5432)),
        ]
    );
    let set = &read(WORLD)[4];
    let own: Vec<_> = world.references_in(set).into_iter().map(|one| one.pod).collect();
    assert_eq!(own, [Some("db-0".to_owned()), Some("db-1".to_owned())]);
}

#[test]
fn not_finding_means_what_is_known() {
    let ask = |yaml: &str, knowledge: Knowledge| {
        let world = Snapshot::build(read(yaml), knowledge);
        match world.service("default", "x") {
            Answer::Found(_) => "found",
            Answer::Absent => "absent",
            Answer::Unknown(UnknownReason::Unwatched) => "unwatched",
            Answer::Unknown(UnknownReason::Produced) => "produced",
            Answer::Unknown(UnknownReason::Unreadable) => "unreadable",
            Answer::Unknown(UnknownReason::Elsewhere) => "elsewhere",
        }
    };
    let complete = || Knowledge { complete: true, ..Knowledge::default() };
    let unreadable = || Knowledge { unreadable: true, ..complete() };
    let kafka = "{apiVersion: kafka.strimzi.io/v1beta2, kind: Kafka}";
    let far = "{apiVersion: kafka.strimzi.io/v1beta2, kind: Kafka, metadata: {namespace: far}}";
    let monitor = "{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor}";
    let release =
        "{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {namespace: far}}";
    assert_eq!(ask("", Knowledge::default()), "elsewhere");
    assert_eq!(ask("", complete()), "absent");
    assert_eq!(ask("", unreadable()), "unreadable");
    assert_eq!(ask(kafka, unreadable()), "produced");
    assert_eq!(ask(kafka, Knowledge::default()), "produced");
    assert_eq!(ask(far, complete()), "absent");
    assert_eq!(ask(monitor, complete()), "absent");
    assert_eq!(ask(release, complete()), "produced");
    let unwatched = Knowledge { unwatched: vec!["Service".to_owned()], ..complete() };
    assert_eq!(ask(kafka, unwatched), "unwatched");
    let kinds = |kind: &str| Knowledge { kinds: vec![kind.to_owned()], ..complete() };
    assert_eq!(ask("", kinds("Pod")), "unwatched");
    assert_eq!(ask("", kinds("Service")), "absent");
    let only = |name: &str| Knowledge { namespaces: vec![name.to_owned()], ..complete() };
    assert_eq!(ask("", only("other")), "unwatched");
    assert_eq!(ask("", only("default")), "absent");
}

#[test]
fn the_later_of_two_equal_objects_counts() {
    let world = Snapshot::build(
        read(
            "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: None}}
---
{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: NodePort}}",
        ),
        Knowledge::default(),
    );
    let service = world.service("default", "a").found().expect("it is there");
    assert_eq!(service.service_type, "NodePort");
    assert_eq!(world.services_named("a").found().map(|found| found.len()), Some(1));
}

/// Every question about a world, with its answer.
fn print(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for namespace in ["prod", "other", ""] {
        for kind in ["Service", "StatefulSet", "Deployment", "Pod", "ReplicaSet", "Namespace"] {
            writeln!(text, "{:?}", snapshot.objects_of(kind, namespace)).unwrap();
        }
        for service in ["db", "db-1", "all"] {
            writeln!(text, "{:?}", snapshot.service(namespace, service)).unwrap();
            writeln!(text, "{:?}", snapshot.references_to(namespace, service)).unwrap();
            writeln!(text, "{:?}", snapshot.endpoints_of(namespace, service)).unwrap();
            writeln!(text, "{:?}", snapshot.workloads_naming(namespace, service)).unwrap();
        }
        for pair in [("app", "db"), ("tier", "a"), ("app", "web"), ("app", "gen")] {
            let pair = labels(&[pair]);
            writeln!(text, "{:?}", snapshot.workloads_matching(namespace, &pair)).unwrap();
            writeln!(text, "{:?}", snapshot.services_selecting(namespace, &pair)).unwrap();
        }
        let all = LabelSelector::default();
        writeln!(text, "{:?}", snapshot.workloads_selected(namespace, &all)).unwrap();
        writeln!(text, "{:?}", snapshot.network_policies_in(namespace)).unwrap();
    }
    writeln!(text, "{:?}", snapshot.services_named("db")).unwrap();
    text
}

/// Compares answers one by one, for all of them fill pages.
fn same(one: &str, other: &str, about: &dyn std::fmt::Debug) {
    for (one, other) in one.lines().zip(other.lines()) {
        assert_eq!(one, other, "{about:?}");
    }
    assert_eq!(one.lines().count(), other.lines().count(), "{about:?}");
}

/// All indexes from `start` on in steps; with a step that shares no factor with
/// the length, each once.
fn walk(length: usize, start: usize, step: usize) -> impl Iterator<Item = usize> {
    (0..length).map(move |i| (start + i * step) % length)
}

const WALKS: [(usize, usize); 5] = [(14, 0), (2, 5), (7, 3), (11, 8), (4, 1)];

#[test]
fn the_order_of_objects_changes_nothing() {
    let objects = read(WORLD);
    let expected = print(&Snapshot::build(objects.iter().cloned(), Knowledge::default()));
    for (step, start) in WALKS {
        let order = walk(objects.len(), start, step).map(|at| Arc::clone(&objects[at]));
        same(&print(&Snapshot::build(order, Knowledge::default())), &expected, &step);
    }
}

/// All of the world that has a name, which a live object always has.
fn named() -> Vec<Arc<Projected>> {
    let mut objects = read(WORLD);
    objects.retain(|one| !one.meta().object_ref.name.is_empty());
    objects
}

#[test]
fn a_world_that_grew_and_shrank_is_as_if_it_had_been_built_so() {
    let objects = named();
    for (step, start) in WALKS {
        let live = Live::new(Knowledge::default());
        let order: Vec<_> = walk(objects.len(), start, step).collect();
        for &at in &order {
            live.apply(vec![Change::Put(Arc::clone(&objects[at]))]);
        }
        let all = Snapshot::build(objects.iter().cloned(), Knowledge::default());
        same(&print(&live.snapshot()), &print(&all), &step);
        for (gone, &at) in order.iter().enumerate() {
            live.apply(vec![Change::Remove(objects[at].meta().object_ref.clone())]);
            let left = order[gone + 1..].iter().map(|&at| Arc::clone(&objects[at]));
            let left = Snapshot::build(left, Knowledge::default());
            same(&print(&live.snapshot()), &print(&left), &(step, gone));
        }
    }
}

#[test]
fn a_change_that_is_only_thought_of_is_as_if_it_had_been_made() {
    let objects = named();
    let told = ["HorizontalPodAutoscaler", "Namespace"];
    for (at, object) in objects.iter().enumerate() {
        let name = &object.meta().object_ref;
        // Nobody asks about what tells of others, or about what has dependents.
        if told.contains(&name.kind.as_str()) || ["ReplicaSet", "Deployment"].contains(&&*name.kind)
        {
            continue;
        }
        let others = || objects.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, one)| one);
        let all = Snapshot::build(objects.iter().cloned(), Knowledge::default());
        let without = Snapshot::build(others().cloned(), Knowledge::default());
        let put = Change::Put(Arc::clone(object));
        let remove = Change::Remove(name.clone());
        if object.controller.is_none() {
            same(&print(&without.over(&put)), &print(&all), name);
        }
        same(&print(&all.over(&remove)), &print(&without), name);
        same(&print(&all.over(&put)), &print(&all), name);
    }
}

#[test]
fn a_snapshot_that_is_held_keeps_its_world() {
    let objects = named();
    let live = Live::new(Knowledge::default());
    live.apply(objects.iter().cloned().map(Change::Put).collect());
    let held = live.snapshot();
    let before = print(&held);
    let gone = Change::Remove(objects[0].meta().object_ref.clone());
    live.apply(vec![gone]);
    assert_eq!(print(&held), before);
    assert_ne!(print(&live.snapshot()), before);
    live.know(|knowledge| knowledge.complete = true);
    assert_eq!(live.snapshot().service("prod", "x"), Answer::Absent);
    // The next change waits until nobody looks at the world before this one.
    std::thread::scope(|scope| {
        let change = Change::Put(Arc::clone(&objects[0]));
        let writer = scope.spawn(|| live.apply(vec![change]));
        drop(held);
        writer.join().unwrap();
    });
    assert_eq!(print(&live.snapshot()), before.replace("Unknown(Elsewhere)", "Absent"));
}

#[test]
fn several_changes_lie_over_each_other() {
    let objects = named();
    let put = |at: usize| Change::Put(Arc::clone(&objects[at]));
    let remove = |at: usize| Change::Remove(objects[at].meta().object_ref.clone());
    // Two Services and the set that names one of them.
    let (db, other, set) = (0, 3, 4);
    let kept = objects.iter().enumerate().filter(|(at, _)| ![db, other, set].contains(at));
    let kept: Vec<_> = kept.map(|(_, one)| Arc::clone(one)).collect();
    let base = Snapshot::build(kept.iter().cloned(), Knowledge::default());
    let all = print(&Snapshot::build(objects.iter().cloned(), Knowledge::default()));
    let none = print(&base);
    same(&print(&base.over_all(&[put(db), put(other), put(set)])), &all, &"put");
    same(&print(&base.over(&put(set)).over(&put(other)).over(&put(db))), &all, &"stacked");
    let undone = base.over_all(&[put(db), put(set), remove(set), remove(db)]);
    same(&print(&undone), &none, &"undone");
    let again = undone.over_all(&[put(set), put(db), put(other), remove(other), put(other)]);
    same(&print(&again), &all, &"again");
}
