//! Which documents are Kubernetes objects.

use super::node::{Node, Value};
use super::problem::Problem;
use crate::k8s;

/// What a document is.
pub(super) enum Class {
    Object,
    List,
    /// Nothing for us: why.
    Other(String),
    /// Meant as an object, but kubectl wouldn't take it.
    Broken(Problem),
}

/// Tells objects from lists, from other files, and from mistakes.
pub(super) fn classify(root: &Node) -> Class {
    if root.as_mapping().is_none() {
        return Class::Other(format!("of type {}, not a Kubernetes object", root.type_name()));
    }
    let (api_version, kind) = (root.get("apiVersion"), root.get("kind"));
    let name = |node: Option<&Node>| {
        node.and_then(Node::as_str).filter(|name| !name.is_empty()).map(str::to_owned)
    };
    match (name(api_version), name(kind)) {
        (Some(api_version), Some(kind)) => {
            if api_version.starts_with("kustomize.config.k8s.io/") {
                return Class::Other(format!(
                    "a {kind} for kustomize: check the output of `kubectl kustomize`"
                ));
            }
            // Whatever the kind is called.
            match root.get("items") {
                None => match unnamed(root, &api_version, &kind) {
                    Some(problem) => Class::Broken(problem),
                    None => Class::Object,
                },
                Some(Node { value: Value::Sequence(_) | Value::Null, .. }) => Class::List,
                Some(items) => Class::Broken(Problem::new(
                    items.span.start,
                    format!(
                        "`items` makes a list of this {kind}, and must be a list itself, but is of type {}: write them with `-`",
                        items.type_name()
                    ),
                )),
            }
        }
        (version, kind_name) => {
            let meant = root.get("metadata").is_some_and(|node| node.as_mapping().is_some())
                || root.get("spec").is_some_and(|node| node.as_mapping().is_some());
            if !meant || api_version.is_none() && kind.is_none() {
                return Class::Other(match (version, kind_name) {
                    (Some(_), _) => "no kind".to_owned(),
                    (_, Some(_)) => "no apiVersion".to_owned(),
                    _ => "no apiVersion and kind".to_owned(),
                });
            }
            Class::Broken(if version.is_none() {
                missing(root, "apiVersion", api_version, "v1")
            } else {
                missing(root, "kind", kind, "Service")
            })
        }
    }
}

/// The error for an object of a kind that we know without a name. A name of
/// another type is found where the object is decoded.
fn unnamed(root: &Node, api_version: &str, kind: &str) -> Option<Problem> {
    k8s::kind(api_version, kind)?;
    let empty = |node: Option<&Node>| {
        node.is_none_or(|node| node.is_null() || node.as_str().is_some_and(str::is_empty))
    };
    let metadata = root.get("metadata").filter(|metadata| !metadata.is_null());
    if let Some(metadata) = metadata
        && (metadata.as_mapping().is_none()
            || !empty(metadata.get("name"))
            || !empty(metadata.get("generateName")))
    {
        return None;
    }
    let at = metadata.map_or(root.span, |metadata| metadata.span).start;
    Some(Problem::new(
        at,
        format!(
            "this {kind} has no name, and kubectl refuses it (resource name may not be empty): \
             add `metadata.name`"
        ),
    ))
}

/// The error for an object whose `apiVersion` or `kind` says nothing.
fn missing(root: &Node, field: &str, node: Option<&Node>, example: &str) -> Problem {
    match node {
        None => Problem::new(
            root.span.start,
            format!(
                "this object has no {field}, and kubectl refuses it: add one, such as `{field}: {example}`"
            ),
        ),
        Some(node) => {
            let is = match &node.value {
                Value::String(_) => "empty".to_owned(),
                _ => format!("of type {}", node.type_name()),
            };
            Problem::new(
                node.span.start,
                format!(
                    "{field} must be a string, and is {is}: write one, such as `{field}: {example}`"
                ),
            )
        }
    }
}
