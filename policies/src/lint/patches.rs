//! Patches that lie beside what they patch, as in the folders of a Kustomize
//! overlay. Applied alone they would be refused; they must not stand in for the
//! whole object.

use std::collections::HashSet;

use crate::k8s;
use crate::model::{Object, Projected, Workload};

/// Whether each of these objects, in order, is a patch: it doesn't say which
/// Pods it is about, and another one of the same name does.
pub(crate) fn are_patches<'o>(objects: impl Iterator<Item = &'o Projected> + Clone) -> Vec<bool> {
    let whole: HashSet<_> = objects
        .clone()
        .map(|one| &one.object)
        .filter(|object| has_pods(object) == Some(true))
        .map(|object| object.meta().object_ref.identity())
        .collect();
    let is_patch = |object: &Object| {
        has_pods(object) == Some(false)
            && !object.meta().object_ref.name.is_empty()
            && whole.contains(&object.meta().object_ref.identity())
    };
    objects.map(|one| is_patch(&one.object)).collect()
}

/// Whether an object says which Pods it is about; none for kinds that have no
/// need to.
fn has_pods(object: &Object) -> Option<bool> {
    match object {
        Object::Service(service) => Some(!service.selector.is_empty()),
        Object::Workload(workload) => Some(is_whole(workload)),
        Object::Endpoints(_) | Object::NetworkPolicy(_) | Object::Other(_) => None,
    }
}

/// # Source
/// kubernetes v1.36 `pkg/apis/apps/validation/validation.go`: the kinds of
/// `apps` are refused without a selector, and all without containers.
fn is_whole(workload: &Workload) -> bool {
    let needs_selector = k8s::group(&workload.meta.object_ref.api_version) == "apps";
    !workload.template.containers.is_empty() && (!needs_selector || workload.selector.is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::manifest::{self, Source};
    use crate::model::project;

    fn told(yaml: &str) -> Vec<bool> {
        let source = Arc::new(Source::new("t.yaml", yaml.as_bytes().to_vec()).expect("UTF-8"));
        let objects: Vec<_> = manifest::load(source)
            .manifests
            .iter()
            .map(|one| project(&one.root, "default").expect("right types"))
            .collect();
        are_patches(objects.iter())
    }

    #[test]
    fn only_what_lies_beside_the_whole_object_is_a_patch() {
        let service = |spec: &str| {
            format!(
                "---\n{{apiVersion: v1, kind: Service, metadata: {{name: db}}, spec: {spec}}}\n"
            )
        };
        let whole = service("{clusterIP: None, selector: {app: db}}");
        let ports = service("{ports: [{port: 80}]}");
        assert_eq!(told(&format!("{whole}{ports}")), [false, true]);
        assert_eq!(told(&format!("{ports}{whole}")), [true, false]);
        assert_eq!(told(&format!("{ports}{ports}")), [false, false]);
        assert_eq!(told(&format!("{whole}{whole}")), [false, false]);
    }

    #[test]
    fn a_workload_is_whole_with_selector_and_containers() {
        let set = |spec: &str| {
            format!(
                "---\n{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: db}}, spec: \
                 {spec}}}\n"
            )
        };
        let containers = "template: {spec: {containers: [{name: db, image: db}]}}";
        let whole = set(&format!("{{selector: {{matchLabels: {{app: db}}}}, {containers}}}"));
        let image = set(&format!("{{{containers}}}"));
        let replicas = set("{replicas: 3}");
        assert_eq!(told(&format!("{whole}{image}{replicas}")), [false, true, true]);
        assert_eq!(told(&format!("{image}{replicas}")), [false, false]);
    }
}
