//! An object as it arrives.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use headlint_policies::k8s;
use headlint_policies::manifest::{Entry, Node, Style, Value};
use jiff::Timestamp;
use kube::core::{ApiResource, DynamicResourceScope, ObjectMeta, Resource};
use serde::{Deserialize, Deserializer};

use super::kinds::{Kind, is_workload};

/// One object of a list or of a watch. Any JSON will do, so that one that is
/// malformed spoils no list; what is wrong with it shows when it is projected.
///
/// It lacks what nobody reads and what changes all the time: `status`, and
/// `managedFields`, `resourceVersion` and `generation` in its metadata.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Only name, namespace and version.
    meta: ObjectMeta,
    node: Node,
}

impl<'de> Deserialize<'de> for Arrival {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut node = Node::deserialize(deserializer)?;
        let text = |key| text(&node, key).map(str::to_owned);
        let meta = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        drop_keys(&mut node, &["status"]);
        if let Value::Mapping(entries) = &mut node.value
            && let Some(metadata) = entries.iter_mut().find(|entry| entry.key == "metadata")
        {
            let restless = ["managedFields", "resourceVersion", "generation"];
            drop_keys(&mut metadata.value, &restless);
        }
        Ok(Self { meta, node })
    }
}

/// A string in the metadata.
fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get("metadata")?.get(key)?.as_str()
}

fn drop_keys(node: &mut Node, keys: &[&str]) {
    if let Value::Mapping(entries) = &mut node.value {
        entries.retain(|entry| !keys.contains(&entry.key.as_str()));
    }
}

impl Arrival {
    /// Empty for a cluster-scoped object.
    pub(crate) fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }

    /// Empty where there is none.
    pub(crate) fn name(&self) -> &str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn uid(&self) -> &str {
        text(&self.node, "uid").unwrap_or_default()
    }

    /// When it was made.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        text(&self.node, "creationTimestamp")?.parse().ok()
    }

    /// The tree, with the type that items of a list don't carry.
    pub(crate) fn into_node(mut self, api_version: &str, kind: &str) -> Node {
        if let Value::Mapping(entries) = &mut self.node.value {
            entries.retain(|entry| entry.key != "apiVersion" && entry.key != "kind");
            for (key, value) in [("apiVersion", api_version), ("kind", kind)] {
                let value = Node {
                    value: Value::String(value.to_owned()),
                    span: Default::default(),
                    style: Style::DoubleQuoted,
                };
                let key = key.to_owned();
                entries.push(Entry { key, key_span: Default::default(), value });
            }
        }
        self.node
    }

    /// The owner that has `controller: true`, as group and kind.
    fn controller(&self) -> Option<(&str, &str)> {
        let owners = self.node.get("metadata")?.get("ownerReferences")?.as_sequence()?;
        let controls =
            |owner: &&Node| owner.get("controller").and_then(Node::as_bool) == Some(true);
        let owner = owners.iter().find(controls)?;
        let field = |key| owner.get(key).and_then(Node::as_str).unwrap_or_default();
        Some((k8s::group(field("apiVersion")), field("kind")))
    }

    pub(crate) fn is_controlled(&self) -> bool {
        self.controller().is_some()
    }

    /// Whether a watched workload stands for this one.
    pub(super) fn is_stood_for(&self, kind: &Kind) -> bool {
        let makes_pods = kind.kind == "Pod" || is_workload(kind.group, kind.kind);
        makes_pods && self.controller().is_some_and(|(group, kind)| is_workload(group, kind))
    }

    /// Equal for equal objects.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        digest(&self.node, &mut hasher);
        hasher.finish()
    }
}

fn digest(node: &Node, hasher: &mut impl Hasher) {
    // Items of lists have no type, those of watches do.
    const TYPE: [&str; 2] = ["apiVersion", "kind"];
    std::mem::discriminant(&node.value).hash(hasher);
    match &node.value {
        Value::Null => {}
        Value::Bool(bool) => bool.hash(hasher),
        Value::Int(int) => int.hash(hasher),
        Value::Float(float) => float.to_bits().hash(hasher),
        Value::String(string) => string.hash(hasher),
        Value::Sequence(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| digest(item, hasher));
        }
        Value::Mapping(entries) => {
            for entry in entries.iter().filter(|entry| !TYPE.contains(&entry.key.as_str())) {
                entry.key.hash(hasher);
                digest(&entry.value, hasher);
            }
        }
    }
}

impl Resource for Arrival {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.kind)
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.group)
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.version)
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.plural)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(text: &str) -> Arrival {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_changes_all_the_time_is_dropped() {
        let old = arrival(
            r#"{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"1",
                "generation":1,"managedFields":[{}]},"spec":{"x":1},"status":{"ready":1}}"#,
        );
        let new = arrival(
            r#"{"kind":"Service","apiVersion":"v1","metadata":{"name":"a","namespace":"n",
                "uid":"u","resourceVersion":"2"},"spec":{"x":1},"status":{"ready":2}}"#,
        );
        assert_eq!((old.namespace(), old.name(), old.uid()), ("n", "a", "u"));
        assert_eq!(new.meta().resource_version.as_deref(), Some("2"));
        assert_eq!(old.digest(), new.digest());
        let json = new.into_node("v1", "Service").to_json().to_string();
        let kept = r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"a","namespace":"n","uid":"u"},"spec":{"x":1}}"#;
        assert_eq!(json, kept);
        let other =
            arrival(r#"{"metadata":{"name":"a","namespace":"n","uid":"u"},"spec":{"x":2}}"#);
        assert_ne!(old.digest(), other.digest());
    }

    #[test]
    fn any_json_arrives() {
        for text in ["null", "5", "[]", r#"{"metadata":"x"}"#, r#"{"metadata":{"name":{}}}"#] {
            assert_eq!(arrival(text).name(), "");
        }
    }

    #[test]
    fn a_watched_owner_stands_for_its_pods_and_an_operator_does_not() {
        let pod = Kind {
            group: "",
            version: "v1",
            kind: "Pod",
            plural: "pods",
            namespaced: true,
            labels: None,
        };
        let service = Kind { kind: "Service", ..pod };
        let owned = |api_version: &str, kind: &str, controller: bool| {
            arrival(&format!(
                r#"{{"metadata":{{"name":"a","ownerReferences":[{{"apiVersion":"{api_version}",
                    "kind":"{kind}","name":"o","controller":{controller}}}]}}}}"#
            ))
        };
        assert!(owned("apps/v1", "ReplicaSet", true).is_stood_for(&pod));
        assert!(!owned("apps/v1", "ReplicaSet", true).is_stood_for(&service));
        assert!(!owned("apps/v1", "ReplicaSet", false).is_stood_for(&pod));
        assert!(!owned("argoproj.io/v1alpha1", "Rollout", true).is_stood_for(&pod));
        assert!(owned("argoproj.io/v1alpha1", "Rollout", true).is_controlled());
    }
}
