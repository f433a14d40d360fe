//! A case on a real control plane, with somebody who acts as its scheduler and
//! kubelet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use headlint_policies::dns::{Code, RecordType};
use headlint_tests::cases::Case;
use headlint_tests::cluster::{Cluster, Namespace, Outcome, until};
use headlint_tests::dns::Client;
use headlint_tests::parity::{namespace, objects, sendable};
use headlint_tests::truth::{Cut, Fact, Records, Scene, Stored};
use hyper::Method;
use serde_json::{Value, json};

/// Of its Service, which tells that CoreDNS knows all that was there before it.
const LAST: &str = "after-all-others";
/// Of its endpoints.
const NOWHERE: &str = "192.0.2.1";
/// Far beyond what any controller takes on a busy machine, for what may never be
/// seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// An address that no other Pod has.
fn next_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 64, 0, 0)) + NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A case that has been applied, in namespaces of its own.
pub(crate) struct Stage<'c> {
    client: Mutex<Client>,
    /// By their names in the case.
    namespaces: BTreeMap<String, Namespace<'c>>,
    /// The one of the first object, by its name in the case.
    main: String,
    unready: bool,
    applied: Outcome,
    /// The names of all Pods that have run, by address.
    pods: Mutex<BTreeMap<String, String>>,
}

impl<'c> Stage<'c> {
    /// Applies a case, or what was there before and then the change, and waits each
    /// time until the controllers have done all that they will do.
    pub(crate) fn play(
        cluster: &'c Cluster,
        client: Client,
        case: &Case,
        scene: &Scene<Fact>,
    ) -> Self {
        let texts = match scene.applies.as_slice() {
            [] => case.old.iter().chain([&case.text]).cloned().collect(),
            applies => applies.to_vec(),
        };
        let first = texts.iter().flat_map(|text| objects(text)).map(|it| namespace(&it, case));
        let all: Vec<_> = first.collect();
        let mut stage = Self {
            client: Mutex::new(client),
            main: all[0].clone(),
            namespaces: all.into_iter().map(|name| (name, cluster.namespace())).collect(),
            unready: scene.unready,
            applied: nothing_done(),
            pods: Mutex::default(),
        };
        let mut before = Vec::new();
        for text in texts {
            if !before.is_empty() {
                let _ = stage.applied.clone().succeeded();
            }
            let staged = stage.staged(&text, case);
            before.retain(|object| !staged.iter().any(|it| is_same(object, it)));
            for namespace in stage.namespaces.values() {
                let gone = in_namespace(&before, namespace);
                if !gone.is_empty() {
                    let _ = namespace.delete(&list(&gone)).succeeded();
                }
            }
            stage.applied = stage.apply(&text, &staged);
            stage.settle();
            before = staged;
        }
        stage
    }

    /// What is asked from now on.
    pub(crate) fn ask_of(&mut self, client: Client) {
        self.client = Mutex::new(client);
    }

    fn main(&self) -> &Namespace<'c> {
        &self.namespaces[&self.main]
    }

    /// The objects of a text in the namespaces of the stage.
    fn staged(&self, text: &str, case: &Case) -> Vec<Value> {
        let stage = |object: &Value| {
            let mut staged = sendable(object);
            let namespace = &self.namespaces[&namespace(object, case)];
            staged["metadata"]["namespace"] = json!(namespace.name());
            staged
        };
        objects(text).iter().map(stage).collect()
    }

    /// Applies a text as it is, unless it names a namespace, or what the API server
    /// decides.
    fn apply(&self, text: &str, staged: &[Value]) -> Outcome {
        if objects(text).iter().all(|object| sendable(object) == *object) {
            return self.main().apply(text);
        }
        let outcomes = self.namespaces.values().map(|namespace| {
            let own = in_namespace(staged, namespace);
            (!own.is_empty()).then(|| namespace.apply(&list(&own)))
        });
        outcomes.flatten().fold(nothing_done(), |sum, one| Outcome {
            success: sum.success && one.success,
            stdout: sum.stdout + &one.stdout,
            stderr: sum.stderr + &one.stderr,
        })
    }

    /// Waits until controllers have made what they make of what is there, and
    /// CoreDNS has heard of it.
    fn settle(&self) {
        for namespace in self.namespaces.values() {
            until("controllers to have done their part", || {
                self.run_pods(namespace);
                let is_done = is_complete(namespace, self.unready) && is_published(namespace);
                is_done.then_some(())
            });
        }
        // CoreDNS and the controllers hear of what is there in its order.
        let namespace = self.main();
        let _ = namespace.delete(&last()).succeeded();
        let name = format!("{LAST}.{}.svc.cluster.local", namespace.name());
        until("CoreDNS to forget", || self.look_up(&name, RecordType::A).is_err().then_some(()));
        let _ = namespace.apply(&last()).succeeded();
        until("CoreDNS to know all", || self.look_up(&name, RecordType::A).ok());
    }

    /// Gives each Pod a Node, an address and a status, as a scheduler and a kubelet
    /// would.
    fn run_pods(&self, namespace: &Namespace<'_>) {
        let path = format!("/api/v1/namespaces/{}/pods", namespace.name());
        for mut pod in items(namespace, "pods") {
            let path = format!("{path}/{}", pod["metadata"]["name"].as_str().unwrap());
            if !pod["metadata"]["deletionTimestamp"].is_null() {
                let now = json!({"gracePeriodSeconds": 0});
                let _ = namespace.cluster().call(Method::DELETE, &path, &now);
                continue;
            }
            if !pod["status"]["podIP"].is_null() {
                continue;
            }
            if pod["spec"]["nodeName"].is_null() {
                let name = pod["metadata"]["name"].as_str().unwrap();
                namespace.cluster().bind(namespace.name(), name).unwrap();
                pod = namespace.cluster().get(&path).unwrap();
            }
            let address = next_address().to_string();
            self.pods.lock().unwrap().insert(address.clone(), made_by(&pod));
            // A controller may have changed it meanwhile; then it comes again.
            let _ = namespace.cluster().report(&pod, &[address], !self.unready);
        }
    }

    /// That all was admitted, unless a refusal is expected.
    pub(crate) fn check_admission(&self, scene: &Scene<Fact>) -> Result<(), String> {
        let is_refused = scene.shows.iter().any(|fact| matches!(fact, Fact::Refused(_)));
        match self.applied.success != is_refused {
            true => Ok(()),
            false => Err(format!("applied: {}{}", self.applied.stdout, self.applied.stderr)),
        }
    }

    /// Waits until something is seen.
    pub(crate) fn check(&self, fact: &Fact) -> Result<(), String> {
        let start = Instant::now();
        loop {
            match self.sees(fact) {
                Err(_) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                seen => return seen,
            }
        }
    }

    /// Whether something is seen, or what else.
    pub(crate) fn sees(&self, fact: &Fact) -> Result<(), String> {
        let is = |expected: &Value, seen: Value| match seen == *expected {
            true => Ok(()),
            false => Err(format!("{fact:?}, seen: {seen}")),
        };
        let has = |text: &str, all: String| match all.contains(text) {
            true => Ok(()),
            false => Err(format!("{fact:?}, seen: {all}")),
        };
        match fact {
            Fact::Refused(text) if self.applied.success => Err(format!("not refused: {text}")),
            Fact::Refused(text) => has(text, self.applied.stderr.clone()),
            Fact::Warned(text) => has(text, self.applied.warnings().join("\n")),
            Fact::Event(text) => has(text, events(self.main())),
            Fact::A(records) => is(&json!(records.is), self.ask(records, RecordType::A)),
            Fact::Srv(records) => is(&json!(records.is), self.ask(records, RecordType::Srv)),
            Fact::Cut(Cut { name, is: expected }) => {
                let name = self.full_name(name);
                let reply = self.client.lock().unwrap().ask(&name, RecordType::A);
                is(&json!(expected), json!(reply.cut))
            }
            Fact::Object(Stored { name, at, is: expected }) => {
                let object = self.main().get(name).unwrap_or_default();
                is(expected, object.pointer(at).cloned().unwrap_or_default())
            }
        }
    }

    /// The records of a name, or that there is none.
    fn look_up(&self, name: &str, kind: RecordType) -> Result<BTreeSet<String>, &'static str> {
        let reply = self.client.lock().unwrap().ask(name, kind);
        match reply.code {
            Code::NoError => Ok(reply.records),
            Code::NxDomain => Err("NXDOMAIN"),
            Code::Elsewhere => panic!("{name}: refused"),
        }
    }

    /// The whole name of what a declaration names.
    fn full_name(&self, name: &str) -> String {
        if let Some(name) = name.strip_suffix('.') {
            return name.to_owned();
        }
        let labels: Vec<_> = name.split('.').collect();
        let (labels, namespace) = match labels.split_last() {
            Some((last, rest)) if !rest.is_empty() && self.namespaces.contains_key(*last) => {
                (rest, &self.namespaces[*last])
            }
            _ => (&labels[..], self.main()),
        };
        let named = labels.iter().map(|label| match label.strip_prefix('{') {
            Some(workload) => made_up_by(namespace, workload.trim_end_matches('}')),
            None => (*label).to_owned(),
        });
        let name = named.collect::<Vec<_>>().join(".");
        format!("{name}.{}.svc.cluster.local", namespace.name())
    }

    fn ask(&self, records: &Records, kind: RecordType) -> Value {
        let name = self.full_name(&records.name);
        let answer = match self.look_up(&name, kind) {
            Ok(answer) => answer,
            Err(code) => return json!([code]),
        };
        let mut names = self.pods.lock().unwrap().clone();
        for namespace in self.namespaces.values() {
            let services = items(namespace, "services").into_iter();
            names.extend(services.map(|service| {
                let name = service["metadata"]["name"].as_str().unwrap_or_default();
                let ip = service["spec"]["clusterIP"].as_str().unwrap_or_default();
                (ip.to_owned(), format!("service/{name}"))
            }));
        }
        let mut answer: Vec<_> = answer
            .iter()
            .map(|record| match record.split(' ').collect::<Vec<_>>()[..] {
                [_, port, _] => json!(port.parse::<u16>().unwrap()),
                ["CNAME", name] => json!(name),
                _ => json!(names.get(record).unwrap_or(record)),
            })
            .collect();
        answer.sort_by_key(Value::to_string);
        json!(answer)
    }
}

/// The name of a Pod, without what its controller made up.
fn made_by(pod: &Value) -> String {
    let metadata = &pod["metadata"];
    let hash = metadata["labels"]["pod-template-hash"].as_str().unwrap_or_default();
    let name = match metadata["generateName"].as_str() {
        Some(prefix) if metadata["labels"]["statefulset.kubernetes.io/pod-name"].is_null() => {
            prefix.trim_end_matches('-').trim_end_matches(hash).trim_end_matches('-')
        }
        _ => metadata["name"].as_str().unwrap_or_default(),
    };
    name.to_owned()
}

/// The whole name of a Pod of a workload.
fn made_up_by(namespace: &Namespace<'_>, workload: &str) -> String {
    let pods = items(namespace, "pods");
    let pod = pods.iter().find(|pod| made_by(pod) == workload);
    pod.and_then(|pod| pod["metadata"]["name"].as_str()).unwrap_or_default().to_owned()
}

fn nothing_done() -> Outcome {
    Outcome { success: true, stdout: String::new(), stderr: String::new() }
}

fn in_namespace(objects: &[Value], namespace: &Namespace<'_>) -> Vec<Value> {
    let is_in = |object: &&Value| object["metadata"]["namespace"] == namespace.name();
    objects.iter().filter(is_in).cloned().collect()
}

fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

fn is_same(a: &Value, b: &Value) -> bool {
    let name = |object: &Value| {
        let metadata = &object["metadata"];
        (object["kind"].clone(), metadata["namespace"].clone(), metadata["name"].clone())
    };
    name(a) == name(b)
}

/// A Service with endpoints that a controller has to mirror.
fn last() -> String {
    list(&[
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": LAST},
            "spec": {"clusterIP": "None"},
        }),
        json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": LAST},
            "subsets": [{"addresses": [{"ip": NOWHERE}]}],
        }),
    ])
}

fn items(namespace: &Namespace<'_>, resource: &str) -> Vec<Value> {
    let folder = match resource {
        "pods" | "services" | "events" | "replicationcontrollers" => "api/v1",
        "endpointslices" => "apis/discovery.k8s.io/v1",
        "jobs" => "apis/batch/v1",
        _ => "apis/apps/v1",
    };
    let path = format!("/{folder}/namespaces/{}/{resource}", namespace.name());
    let mut all = namespace.cluster().get(&path).unwrap();
    serde_json::from_value(all["items"].take()).unwrap()
}

fn events(namespace: &Namespace<'_>) -> String {
    let told = items(namespace, "events").into_iter();
    let told = told.map(|event| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{} {}\n", text(&event["reason"]), text(&event["message"]))
    });
    told.collect()
}

/// Whether each workload has its Pods, or an event says why it can't. One that
/// waits for each Pod to be ready has no second one where none ever is.
fn is_complete(namespace: &Namespace<'_>, unready: bool) -> bool {
    let failed: BTreeSet<_> = items(namespace, "events")
        .into_iter()
        .filter(|event| event["reason"] == "FailedCreate")
        .map(|event| event["involvedObject"]["uid"].to_string())
        .collect();
    let resources = [
        "statefulsets",
        "deployments",
        "replicasets",
        "daemonsets",
        "jobs",
        "replicationcontrollers",
    ];
    resources.into_iter().flat_map(|resource| items(namespace, resource)).all(|workload| {
        let (spec, status) = (&workload["spec"], &workload["status"]);
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let observed = status["observedGeneration"] == workload["metadata"]["generation"];
        let pods = match (&spec["replicas"], &spec["completions"]) {
            (Value::Null, Value::Null) => {
                let wanted = number(&status["desiredNumberScheduled"]);
                observed && number(&status["currentNumberScheduled"]) == wanted && wanted > 0
            }
            (Value::Null, _) => {
                let wanted = number(&spec["completions"]).min(number(&spec["parallelism"]));
                number(&status["active"]) == wanted
            }
            (replicas, _) => {
                let in_turn = !spec["serviceName"].is_null()
                    && spec["podManagementPolicy"] != "Parallel"
                    && unready;
                let wanted = if in_turn { 1 } else { number(replicas) };
                observed && number(&status["replicas"]) == wanted
            }
        };
        pods || failed.contains(&workload["metadata"]["uid"].to_string())
    }) && items(namespace, "pods").iter().all(|pod| !pod["status"]["podIP"].is_null())
}

/// Whether each Service with a selector has slices with all its Pods, as ready as
/// they are.
fn is_published(namespace: &Namespace<'_>) -> bool {
    let pods = items(namespace, "pods");
    let slices = items(namespace, "endpointslices");
    items(namespace, "services").iter().all(|service| {
        let spec = &service["spec"];
        let Some(selector) = spec["selector"].as_object() else { return true };
        if spec["type"] == "ExternalName" {
            return true;
        }
        let selects = |pod: &&Value| {
            selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value)
        };
        let is_ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array();
            let ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
            spec["publishNotReadyAddresses"] == true
                || conditions.is_some_and(|all| all.iter().any(ready))
        };
        let expected: BTreeSet<_> = pods
            .iter()
            .filter(selects)
            .map(|pod| (pod["status"]["podIP"].to_string(), is_ready(pod)))
            .collect();
        let (name, manager) =
            ("kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by");
        let own = slices.iter().filter(|slice| {
            let labels = &slice["metadata"]["labels"];
            labels[name] == service["metadata"]["name"]
                && labels[manager] == "endpointslice-controller.k8s.io"
        });
        let own: Vec<_> = own.collect();
        let published = own.iter().flat_map(|slice| slice["endpoints"].as_array()).flatten();
        let published: BTreeSet<_> = published
            .map(|one| (one["addresses"][0].to_string(), one["conditions"]["ready"] == true))
            .collect();
        !own.is_empty() && published == expected
    })
}
