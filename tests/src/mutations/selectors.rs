//! Selectors and labels.

use serde_json::{Value, json};

use super::Mutation;
use super::bundle::{Bundle, Object, quoted};

const SELECTOR: &str = "$.spec.selector";
const LABELS: &str = "$.spec.template.metadata.labels";

/// Labels of a selector that controllers don't add by themselves.
fn labels(object: &Value) -> Vec<&String> {
    let added = ["statefulset.kubernetes.io/pod-name", "pod-template-hash"];
    let keys = object.as_object().into_iter().flat_map(|map| map.keys());
    keys.filter(|key| !added.contains(&key.as_str())).collect()
}

/// One mutation for each label of the selectors of headless Services.
fn each_label(
    bundle: &Bundle,
    mutate: impl Fn(&Object, &str) -> Option<Mutation>,
) -> Vec<Mutation> {
    let mut all = Vec::new();
    for serving in bundle.headless() {
        let service = serving.service;
        for key in labels(&service.json["spec"]["selector"]) {
            let mutation = mutate(service, &format!("{SELECTOR}{}", quoted(key)));
            all.extend(mutation.map(|it| it.told_at(service, SELECTOR)));
        }
    }
    all
}

pub(super) fn dropped(bundle: &Bundle) -> Vec<Mutation> {
    let drop = |service: &Object| Some(service.remove(SELECTOR)?.told_at(service, "$.spec"));
    bundle.headless().iter().filter_map(|it| drop(it.service)).collect()
}

pub(super) fn emptied(bundle: &Bundle) -> Vec<Mutation> {
    let empty =
        |service: &Object| Some(service.set(SELECTOR, json!({}))?.told_at(service, SELECTOR));
    bundle.headless().iter().filter_map(|it| empty(it.service)).collect()
}

pub(super) fn value_changed(bundle: &Bundle) -> Vec<Mutation> {
    each_label(bundle, |service, path| service.append(path, "-x"))
}

pub(super) fn key_changed(bundle: &Bundle) -> Vec<Mutation> {
    each_label(bundle, |service, path| {
        let key = path.rsplit('\'').nth(1)?;
        service.rename_key(path, &format!("{key}-x"))
    })
}

pub(super) fn label_added(bundle: &Bundle) -> Vec<Mutation> {
    let add = |service: &Object| {
        let path = format!("{SELECTOR}{}", quoted("tier"));
        Some(service.add(&path, "data")?.told_at(service, SELECTOR))
    };
    bundle.headless().iter().filter_map(|it| add(it.service)).collect()
}

/// A label goes away, and Pods of others are selected too.
pub(super) fn widened(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for (_, service) in bundle.governed() {
        let Some(selector) = service.json["spec"]["selector"].as_object() else { continue };
        let before = bundle.selected_by(service).count();
        for key in selector.keys().filter(|_| selector.len() > 1) {
            let matches = |object: &&Object| {
                let labels = object.template().map(|template| &template["metadata"]["labels"]);
                object.namespace() == service.namespace()
                    && selector.iter().all(|(other, value)| {
                        other == key || labels.is_some_and(|labels| labels[other] == *value)
                    })
            };
            if bundle.objects.iter().filter(matches).count() > before {
                let mutation = service.remove(&format!("{SELECTOR}{}", quoted(key)));
                all.extend(mutation.map(|it| it.told_at(service, SELECTOR)));
            }
        }
    }
    all
}

/// Labels of the template that the workload itself selects, or that it doesn't.
fn each_pod_label(
    bundle: &Bundle,
    selected: bool,
    mutate: impl Fn(&Object, &str) -> Option<Mutation>,
) -> Vec<Mutation> {
    let mut all = Vec::new();
    for serving in bundle.headless() {
        let [workload] = serving.workloads[..] else { continue };
        for key in labels(&serving.service.json["spec"]["selector"]) {
            let own = &workload.json["spec"]["selector"];
            let by_label = !own["matchLabels"][key].is_null();
            if by_label != selected || !own["matchExpressions"].is_null() {
                continue;
            }
            let mutation = mutate(workload, &format!("{LABELS}{}", quoted(key)));
            all.extend(mutation.map(|it| match selected {
                true => it.told_at(workload, LABELS),
                false => it.told_at(serving.service, SELECTOR),
            }));
        }
    }
    all
}

pub(super) fn pod_label_changed(bundle: &Bundle) -> Vec<Mutation> {
    each_pod_label(bundle, true, |workload, path| workload.append(path, "-x"))
}

pub(super) fn pod_label_dropped(bundle: &Bundle) -> Vec<Mutation> {
    each_pod_label(bundle, true, |workload, path| workload.remove(path))
}

pub(super) fn own_label_changed(bundle: &Bundle) -> Vec<Mutation> {
    each_pod_label(bundle, false, |workload, path| workload.append(path, "-x"))
}

pub(super) fn match_labels_changed(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for workload in bundle.objects.iter().filter(|object| object.template().is_some()) {
        for key in labels(&workload.json["spec"]["selector"]["matchLabels"]) {
            let path = format!("$.spec.selector.matchLabels{}", quoted(key));
            let mutation = workload.append(&path, "-x");
            all.extend(mutation.map(|it| it.told_at(workload, LABELS)));
        }
    }
    all
}

pub(super) fn workload(bundle: &Bundle) -> Vec<Mutation> {
    let workloads = bundle.objects.iter().filter(|object| object.template().is_some());
    let drop = |workload: &Object| Some(workload.remove(SELECTOR)?.told_at(workload, "$.spec"));
    workloads.filter_map(drop).collect()
}
