//! One object, from its tree to what the model keeps of it.

use std::sync::Arc;

use super::{
    DecodeError, Decoded, Fields, Metadata, Object, ObjectRef, endpoints, labels, network_policy,
    service, traits, workload,
};
use crate::k8s::{self, Kind};
use crate::manifest::Node;
use crate::names::{self, Mention};

/// What the model keeps of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projected {
    /// The object as policies see it.
    pub object: Object,
    /// The owner that has `controller: true`. Such an object is never under
    /// review.
    pub controller: Option<Box<ObjectRef>>,
    /// The ids of rules that its annotation `headlint.dev/ignore` names.
    pub ignored: Vec<String>,
    /// What it scales, if it is a HorizontalPodAutoscaler or a ScaledObject.
    pub scales: Option<ScaleTarget>,
    /// Places that may name Services, in order of place. Which of them do is
    /// known only beside the other objects.
    pub mentions: Vec<Mention>,
}

/// A workload in the namespace of what scales it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScaleTarget {
    /// Such as `StatefulSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Projected {
    /// The object's metadata.
    pub fn meta(&self) -> &Arc<Metadata> {
        self.object.meta()
    }

    /// Whether a controller wrote it, or the API server, which gives itself a
    /// Service.
    pub fn is_controlled(&self) -> bool {
        let ObjectRef { kind, namespace, name, .. } = &self.meta().object_ref;
        let own = || {
            namespace == "default"
                && name == "kubernetes"
                && ["Service", "Endpoints", "EndpointSlice"].contains(&kind.as_str())
        };
        self.controller.is_some() || own()
    }
}

/// Reads an object. A missing or empty namespace is `default_namespace`, unless
/// the kind is known to have none.
///
/// # Errors
/// A value of a type that the API server refuses, in a field that the model
/// reads and that no rule owns.
pub fn project(root: &Node, default_namespace: &str) -> Result<Projected, DecodeError> {
    decode(root, default_namespace).map_err(|wrong| wrong.within(root))
}

fn decode<'n>(root: &'n Node, default_namespace: &str) -> Decoded<'n, Projected> {
    let Head { meta, controller, ignored } = head(root, default_namespace)?;
    let kind = k8s::kind(&meta.object_ref.api_version, &meta.object_ref.kind);
    let mentions = names::mentions(root, &meta.object_ref, kind)?;
    let scales = scale_target(root, &meta.object_ref, kind)?;
    let object = match kind {
        Some(Kind::Service) => Object::Service(service::decode(root, meta)?),
        Some(Kind::Endpoints) => Object::Endpoints(endpoints::decode_endpoints(root, meta)?),
        Some(Kind::EndpointSlice) => Object::Endpoints(endpoints::decode_slice(root, meta)?),
        Some(Kind::NetworkPolicy) => Object::NetworkPolicy(network_policy::decode(root, meta)?),
        Some(kind) => match workload::decode(root, kind, &meta)? {
            Some(workload) => Object::Workload(workload),
            None => Object::Other(meta),
        },
        None => Object::Other(meta),
    };
    Ok(Projected { object, controller, ignored, scales, mentions })
}

/// What every object has.
#[derive(Default)]
struct Head {
    meta: Arc<Metadata>,
    controller: Option<Box<ObjectRef>>,
    ignored: Vec<String>,
}

/// The annotation whose value lists rules that are to keep quiet about the
/// object, with commas between them.
const IGNORE: &str = "headlint.dev/ignore";

fn head<'n>(root: &'n Node, default_namespace: &str) -> Decoded<'n, Head> {
    let own = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let mut object_ref = ObjectRef {
        api_version: own(root.text("apiVersion")?),
        kind: own(root.text("kind")?),
        namespace: default_namespace.to_owned(),
        name: String::new(),
    };
    let namespaced = !k8s::is_cluster_scoped(&object_ref.api_version, &object_ref.kind);
    if !namespaced {
        object_ref.namespace.clear();
    }
    let Some(node) = root.object("metadata")? else {
        let meta = Arc::new(Metadata { object_ref, ..Metadata::default() });
        return Ok(Head { meta, ..Head::default() });
    };
    object_ref.name = own(node.text("name")?);
    if let Some(namespace) = node.filled("namespace")?.filter(|_| namespaced) {
        object_ref.namespace = namespace.to_owned();
    }
    let own_labels = labels(node, "labels")?;
    let annotations = labels(node, "annotations")?;
    let owners = node.objects("ownerReferences")?;
    let mut controller = None;
    for owner in owners {
        if owner.flag("controller")? {
            let mut owner = ObjectRef {
                api_version: own(owner.text("apiVersion")?),
                kind: own(owner.text("kind")?),
                namespace: object_ref.namespace.clone(),
                name: own(owner.text("name")?),
            };
            if k8s::is_cluster_scoped(&owner.api_version, &owner.kind) {
                owner.namespace.clear();
            }
            controller = Some(Box::new(owner));
        }
    }
    if controller.is_none() && traits::by_endpoints_controller(&own_labels, &annotations) {
        // It names no owner, but takes the Service's name.
        controller = (object_ref.kind == "Endpoints")
            .then(|| Box::new(ObjectRef { kind: "Service".to_owned(), ..object_ref.clone() }));
    }
    let mut traits = traits::traits(&own_labels, &annotations, !owners.is_empty());
    traits.deleting = node.present("deletionTimestamp").is_some();
    traits.injected = object_ref.kind == "Namespace"
        && object_ref.api_version == "v1"
        && traits::namespace_injects(&own_labels, &annotations);
    let ignored = annotations.iter().filter(|annotation| annotation.key == IGNORE);
    let ignored = ignored.flat_map(|annotation| annotation.value.split(','));
    let ignored = ignored.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect();
    let meta = Arc::new(Metadata { object_ref, labels: own_labels.into(), traits });
    Ok(Head { meta, controller, ignored })
}

/// # Source
/// keda.sh v2 "ScaledObject spec": `scaleTargetRef.kind` is a Deployment by
/// default.
fn scale_target<'n>(
    root: &'n Node,
    object: &ObjectRef,
    kind: Option<Kind>,
) -> Decoded<'n, Option<ScaleTarget>> {
    let is_keda = k8s::group(&object.api_version) == "keda.sh" && object.kind == "ScaledObject";
    if kind != Some(Kind::HorizontalPodAutoscaler) && !is_keda {
        return Ok(None);
    }
    let Some(spec) = root.object("spec")? else { return Ok(None) };
    let Some(target) = spec.object("scaleTargetRef")? else { return Ok(None) };
    Ok(Some(ScaleTarget {
        kind: target.filled("kind")?.unwrap_or("Deployment").to_owned(),
        name: target.text("name")?.unwrap_or_default().to_owned(),
    }))
}

#[cfg(test)]
mod tests;
