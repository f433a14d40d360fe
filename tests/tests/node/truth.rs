//! What a kubelet, kube-proxy and clients show of rules: `node` in the `truth.yaml` of
//! their cases.

use std::thread;

use headlint_tests::cases::Case;
use headlint_tests::cluster::{Namespace, Outcome, until};
use headlint_tests::node::{Node, POD_IMAGE};
use headlint_tests::parity::{namespace, objects};
use headlint_tests::truth::{self, Scene, Sight, Truth};
use serde_json::{Value, json};

use crate::Test;

pub(crate) const TESTS: &[(&str, Test)] =
    &[("the_node_shows_what_rules_say", the_node_shows_what_rules_say)];

/// Of the Pod that dials.
const CLIENT: &str = "client-of-the-test";

/// Where the templates of Pods are in the objects of cases.
const TEMPLATES: [&str; 3] =
    ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];

fn the_node_shows_what_rules_say(node: &Node) {
    let declared = truth::declared().into_iter();
    let shown: Vec<_> = declared
        .filter_map(|(rule, truth)| match truth {
            Truth::OnNode(seen) => Some((rule, seen.node)),
            Truth::Seen(_) | Truth::Unseen(_) => None,
        })
        .collect();
    assert!(!shown.is_empty(), "no rule says so");
    thread::scope(|scope| {
        for (rule, pair) in &shown {
            scope.spawn(move || {
                for scene in [&pair.fires, &pair.quiet] {
                    let case = truth::case(rule, &scene.case).expect("it has such a case");
                    Stage::play(node, &case).shows(scene);
                }
                println!("{rule:<40} seen");
            });
        }
    });
}

/// A case whose Pods run.
struct Stage<'n> {
    /// Of objects that name none.
    own: Namespace<'n>,
    /// Of its first object.
    main: String,
}

impl<'n> Stage<'n> {
    fn play(node: &'n Node, case: &Case) -> Self {
        let objects = objects(&case.text);
        let own = node.cluster().namespace();
        let main = place(&own, &objects[0], case);
        let places = objects.iter().map(|object| place(&own, object, case));
        for name in places.filter(|name| name != own.name()) {
            // Another case may have made it. Pods take an account that a controller makes.
            let _ = own.kubectl(&["create", "namespace", &name], "");
            let account = ["get", "serviceaccount", "default", "--namespace", &name];
            until("an account for Pods", || own.kubectl(&account, "").success.then_some(()));
        }
        let stage = Self { main, own };
        let client = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": CLIENT},
            "spec": {"containers": [{"name": "client", "image": POD_IMAGE}]},
        });
        let _ = stage.apply(&client, &stage.main).succeeded();
        // Variables are of the Services that are there when a Pod starts.
        let is_service = |object: &&Value| object["kind"] == "Service";
        let (services, others): (Vec<_>, Vec<_>) = objects.iter().partition(is_service);
        for object in services.into_iter().chain(others) {
            let place = place(&stage.own, object, case);
            let _ = stage.apply(&runnable(object), &place).succeeded();
        }
        stage
    }

    fn apply(&self, object: &Value, namespace: &str) -> Outcome {
        self.own.kubectl(&["apply", "--namespace", namespace, "-f", "-"], &object.to_string())
    }

    fn shows(&self, scene: &Scene<Sight>) {
        for sight in &scene.shows {
            until(&format!("{} to show {sight:?}", scene.case), || self.sees(sight).then_some(()));
        }
    }

    fn sees(&self, sight: &Sight) -> bool {
        match sight {
            Sight::Ready(pod) => self.pod(pod).is_some_and(|pod| is_ready(&pod)),
            Sight::File(content) => self.pod(&content.pod).is_some_and(|pod| {
                let has = content.has.replace("{namespace}", &self.main);
                let file = self.run(&pod, &["show", &content.path]);
                file.success && file.stdout.contains(&has) == content.is
            }),
            Sight::Dial(dial) => self
                .pod(CLIENT)
                .is_some_and(|pod| self.run(&pod, &["dial", &dial.to]).stdout.contains(&dial.sees)),
            Sight::Event(text) => self.list("events").iter().any(|event| {
                event["message"].as_str().is_some_and(|message| message.contains(text))
            }),
        }
    }

    /// Runs the Pods' program once more in a Pod.
    fn run(&self, pod: &Value, args: &[&str]) -> Outcome {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let exec = ["exec", "--namespace", &self.main, name, "--", "/pod"];
        self.own.kubectl(&[&exec, args].concat(), "")
    }

    /// A Pod of this name, or one that a workload of this name has made.
    fn pod(&self, name: &str) -> Option<Value> {
        let of_workload = format!("{name}-");
        self.list("pods").into_iter().find(|pod| {
            let own = pod["metadata"]["name"].as_str().unwrap();
            own == name || own.starts_with(&of_workload)
        })
    }

    fn list(&self, resource: &str) -> Vec<Value> {
        let get = ["get", resource, "--namespace", &self.main, "-o", "json"];
        let list = self.own.kubectl(&get, "").succeeded().stdout;
        let list: Value = serde_json::from_str(&list).unwrap();
        list["items"].as_array().unwrap().clone()
    }
}

/// The namespace of an object: names in DNS are as long as the case says only where it
/// says.
fn place(own: &Namespace<'_>, object: &Value, case: &Case) -> String {
    match object["metadata"]["namespace"].as_str() {
        Some(_) => namespace(object, case),
        None => own.name().to_owned(),
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
    })
}

/// An object of a case, whose containers run what tests have: it listens on the first
/// port that each declares.
fn runnable(object: &Value) -> Value {
    let mut object = object.clone();
    for template in TEMPLATES {
        let containers = object.pointer_mut(&format!("{template}/containers"));
        for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
            container["image"] = json!(POD_IMAGE);
            if let Some(port) = container.pointer("/ports/0/containerPort") {
                container["args"] = json!(["serve", format!(":{port}")]);
            }
        }
    }
    object
}
