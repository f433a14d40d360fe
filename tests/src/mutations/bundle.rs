//! The objects of a text, as whoever makes a defect looks at them: none of it is
//! the model that rules see.

use std::sync::Arc;

use headlint_policies::finding::{Edit, EditOp, Safety};
use headlint_policies::manifest::{Manifest, Source, Splice, load};
use headlint_policies::path::Path;
use serde_json::{Value, json};

use super::Mutation;

/// One object of a text.
pub struct Object {
    manifest: Manifest,
    /// What it means.
    pub json: Value,
}

/// All objects of a text.
pub struct Bundle {
    /// The text.
    pub source: Arc<Source>,
    /// In the order of the text.
    pub objects: Vec<Object>,
}

/// A Service with the workloads whose Pods it selects.
pub struct Serving<'b> {
    /// The Service.
    pub service: &'b Object,
    /// At least one.
    pub workloads: Vec<&'b Object>,
}

const TEMPLATE: &str = "/spec/template";

impl Bundle {
    /// Reads a text.
    #[must_use]
    pub fn read(source: &Arc<Source>) -> Self {
        let loaded = load(Arc::clone(source));
        let object = |manifest: Manifest| Object { json: manifest.root.to_json(), manifest };
        let objects = loaded.manifests.into_iter().map(object);
        // What a hook makes is there for a moment.
        let stays = |object: &Object| {
            let annotations = &object.json["metadata"]["annotations"];
            annotations["helm.sh/hook"].is_null()
                && annotations["argocd.argoproj.io/hook"].is_null()
        };
        Self { source: Arc::clone(source), objects: objects.filter(stays).collect() }
    }

    /// Objects of a kind.
    pub fn kind<'b>(&'b self, kind: &'b str) -> impl Iterator<Item = &'b Object> {
        self.objects.iter().filter(move |object| object.json["kind"] == kind)
    }

    /// Services with a selector, each with its workloads; those that select
    /// nothing here are left out.
    #[must_use]
    pub fn serving(&self) -> Vec<Serving<'_>> {
        let serving = |service| {
            let workloads: Vec<_> = self.selected_by(service).collect();
            (!workloads.is_empty()).then_some(Serving { service, workloads })
        };
        self.kind("Service").filter_map(serving).collect()
    }

    /// The headless ones among them.
    #[must_use]
    pub fn headless(&self) -> Vec<Serving<'_>> {
        self.serving().into_iter().filter(|it| it.service.is_headless()).collect()
    }

    /// Workloads whose Pods a Service selects.
    pub fn selected_by<'b>(&'b self, service: &'b Object) -> impl Iterator<Item = &'b Object> {
        let selector = service.json["spec"]["selector"].as_object();
        self.objects.iter().filter(move |workload| {
            let labels = workload.template().map(|template| &template["metadata"]["labels"]);
            let (Some(selector), Some(labels)) = (selector, labels) else { return false };
            workload.namespace() == service.namespace()
                && !selector.is_empty()
                && selector.iter().all(|(key, value)| labels[key] == *value)
        })
    }

    /// StatefulSets, each with the headless Service that it names and that selects
    /// its Pods.
    #[must_use]
    pub fn governed(&self) -> Vec<(&Object, &Object)> {
        let mut governed = Vec::new();
        for serving in self.headless() {
            for workload in serving.workloads {
                if workload.json["kind"] == "StatefulSet"
                    && workload.json["spec"]["serviceName"] == serving.service.name()
                {
                    governed.push((workload, serving.service));
                }
            }
        }
        governed
    }

    /// The object that a byte belongs to.
    #[must_use]
    pub fn object_at(&self, at: usize) -> Option<&Object> {
        self.objects.iter().find(|object| object.bytes().contains(&at))
    }

    /// Where a text stands that begins at a word's start; the rest of the word
    /// doesn't count.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<usize> {
        let before = |at: usize| self.source.text[..at].chars().next_back();
        let is_start = |at: &usize| {
            before(*at).is_none_or(|it| !it.is_ascii_alphanumeric() && !"-._".contains(it))
        };
        self.source.text.match_indices(text).map(|(at, _)| at).filter(is_start).collect()
    }
}

impl Object {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.json["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its namespace; the default one if it names none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self.json["metadata"]["namespace"].as_str() {
            None | Some("") => "default",
            Some(namespace) => namespace,
        }
    }

    /// The template of its Pods.
    #[must_use]
    pub fn template(&self) -> Option<&Value> {
        let kinds = ["StatefulSet", "Deployment", "DaemonSet", "ReplicaSet"];
        let kind = self.json["kind"].as_str()?;
        kinds.contains(&kind).then(|| self.json.pointer(TEMPLATE)).flatten()
    }

    /// Whether it is a headless Service.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.json["spec"]["clusterIP"] == "None"
            && self.json["spec"]["type"].as_str().is_none_or(|it| it == "ClusterIP")
    }

    /// Ports of the containers of its Pods, each with its path.
    #[must_use]
    pub fn container_ports(&self) -> Vec<(String, &Value)> {
        let mut ports = Vec::new();
        let containers = self.json.pointer("/spec/template/spec/containers");
        for (at, container) in
            containers.and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            for (port, value) in container["ports"].as_array().into_iter().flatten().enumerate() {
                let path = format!("$.spec.template.spec.containers[{at}].ports[{port}]");
                ports.push((path, value));
            }
        }
        ports
    }

    /// Ports of a Service, each with its path.
    #[must_use]
    pub fn service_ports(&self) -> Vec<(String, &Value)> {
        let ports = self.json["spec"]["ports"].as_array().into_iter().flatten().enumerate();
        ports.map(|(at, port)| (format!("$.spec.ports[{at}]"), port)).collect()
    }

    /// Where it stands in the text.
    #[must_use]
    pub fn bytes(&self) -> std::ops::Range<usize> {
        self.manifest.document.span().range()
    }

    /// Where a path is told of: its value, its key, or those of what is around it.
    ///
    /// # Panics
    /// When it isn't a path.
    #[must_use]
    pub fn spot(&self, path: &str) -> usize {
        let path: Path = path.parse().expect("it is a path");
        path.resolve(&self.manifest.root).highlight().start as usize
    }

    /// Gives what is at a path another value.
    #[must_use]
    pub fn set(&self, path: &str, value: impl Into<Value>) -> Option<Mutation> {
        self.edit(EditOp::Set, path, Some(value.into()))
    }

    /// Adds a key.
    #[must_use]
    pub fn add(&self, path: &str, value: impl Into<Value>) -> Option<Mutation> {
        self.edit(EditOp::Add, path, Some(value.into()))
    }

    /// Sets or adds a key.
    #[must_use]
    pub fn put(&self, path: &str, value: impl Into<Value> + Clone) -> Option<Mutation> {
        self.set(path, value.clone()).or_else(|| self.add(path, value))
    }

    /// Removes a key.
    #[must_use]
    pub fn remove(&self, path: &str) -> Option<Mutation> {
        self.edit(EditOp::Remove, path, None)
    }

    /// Adds to the end of a string.
    #[must_use]
    pub fn append(&self, path: &str, more: &str) -> Option<Mutation> {
        let parsed: Path = path.parse().ok()?;
        let found = parsed.resolve(&self.manifest.root);
        let text = found.node.as_str().filter(|_| found.exact)?;
        self.set(path, json!(format!("{text}{more}")))
    }

    /// Writes a key in another way.
    #[must_use]
    pub fn rename_key(&self, path: &str, name: &str) -> Option<Mutation> {
        let path: Path = path.parse().ok()?;
        let found = path.resolve(&self.manifest.root);
        let range = found.key.filter(|_| found.exact)?.range();
        Some(Mutation { splice: Splice { range, text: name.to_owned() }, spots: Vec::new() })
    }

    /// Writes a value in another way.
    #[must_use]
    pub fn rewrite(&self, path: &str, text: &str) -> Option<Mutation> {
        let path: Path = path.parse().ok()?;
        let found = path.resolve(&self.manifest.root);
        let range = found.exact.then(|| found.node.span.range())?;
        Some(Mutation { splice: Splice { range, text: text.to_owned() }, spots: Vec::new() })
    }

    fn edit(&self, op: EditOp, path: &str, value: Option<Value>) -> Option<Mutation> {
        let edit = Edit { op, path: path.to_owned(), value, safety: Safety::Proposed };
        let splice = self.manifest.document.edited(&[edit])?;
        Some(Mutation { splice, spots: Vec::new() })
    }
}

impl Mutation {
    /// It may be told at this path of an object, too.
    #[must_use]
    pub fn told_at(mut self, object: &Object, path: &str) -> Self {
        self.spots.push(object.spot(path));
        self
    }
}

/// A key in a path, in brackets.
#[must_use]
pub(super) fn quoted(key: &str) -> String {
    format!("['{key}']")
}
