//! StatefulSets, and the Services that they name.

use headlint_policies::manifest::Splice;
use serde_json::json;

use super::Mutation;
use super::bundle::{Bundle, Object};

const CLUSTER_IP: &str = "$.spec.clusterIP";
const SERVICE_NAME: &str = "$.spec.serviceName";

fn each_headless(bundle: &Bundle, mutate: impl Fn(&Object) -> Option<Mutation>) -> Vec<Mutation> {
    let services = bundle.kind("Service").filter(|service| service.is_headless());
    services.filter_map(mutate).collect()
}

pub(super) fn misspelled(bundle: &Bundle) -> Vec<Mutation> {
    each_headless(bundle, |service| service.rewrite(CLUSTER_IP, "none"))
}

pub(super) fn list_alone(bundle: &Bundle) -> Vec<Mutation> {
    each_headless(bundle, |service| {
        service.json["spec"]["clusterIPs"].is_null().then_some(())?;
        let Mutation { splice: key, .. } = service.rename_key(CLUSTER_IP, "clusterIPs")?;
        let Mutation { splice: value, .. } = service.rewrite(CLUSTER_IP, "[None]")?;
        let splice = Splice {
            range: key.range.start..value.range.end,
            text: "clusterIPs: [None]".to_owned(),
        };
        Some(Mutation { splice, spots: Vec::new() })
    })
}

pub(super) fn cluster_ip_dropped(bundle: &Bundle) -> Vec<Mutation> {
    let mut services: Vec<_> = bundle.governed().into_iter().map(|(_, service)| service).collect();
    services.dedup_by_key(|service| service.bytes().start);
    let drop = |service: &Object| Some(service.remove(CLUSTER_IP)?.told_at(service, "$.spec"));
    services.into_iter().filter_map(drop).collect()
}

pub(super) fn cluster_ip_doubled(bundle: &Bundle) -> Vec<Mutation> {
    each_headless(bundle, |service| {
        let Mutation { splice, spots } = service.rewrite(CLUSTER_IP, "")?;
        let start = bundle.source.text[..splice.range.start].rfind('\n')? + 1;
        let line = &bundle.source.text[start..splice.range.start];
        let is_block = line.trim_start() == "clusterIP: ";
        let text = format!("None\n{line}\"\"");
        let splice = Splice { text, ..splice };
        is_block.then_some(Mutation { splice, spots })
    })
}

/// The Service stands there once more, with a cluster IP.
pub(super) fn doubled(bundle: &Bundle) -> Vec<Mutation> {
    each_headless(bundle, |service| {
        let bytes = service.bytes();
        let is_block = bytes.start == 0 || bundle.source.text[..bytes.start].ends_with('\n');
        let text = bundle.source.text[bytes.clone()].trim_end();
        let again = text.replace("clusterIP: None", "clusterIP: \"\"");
        let end = bytes.start + text.len();
        let splice = Splice { range: end..end, text: format!("\n---\n{again}") };
        (is_block && !text.starts_with('{') && again != text)
            .then_some(Mutation { splice, spots: Vec::new() })
    })
}

pub(super) fn node_port(bundle: &Bundle) -> Vec<Mutation> {
    each_headless(bundle, |service| {
        Some(service.put("$.spec.type", "NodePort")?.told_at(service, "$.spec.type"))
    })
}

pub(super) fn affinity(bundle: &Bundle) -> Vec<Mutation> {
    each_headless(bundle, |service| service.put("$.spec.sessionAffinity", "ClientIP"))
}

pub(super) fn traffic(bundle: &Bundle) -> Vec<Mutation> {
    each_headless(bundle, |service| service.put("$.spec.internalTrafficPolicy", "Local"))
}

pub(super) fn external(bundle: &Bundle) -> Vec<Mutation> {
    each_headless(bundle, |service| service.put("$.spec.externalIPs", json!(["203.0.113.7"])))
}

fn each_set(
    bundle: &Bundle,
    mutate: impl Fn(&Object, &Object) -> Option<Mutation>,
) -> Vec<Mutation> {
    let governed = bundle.governed().into_iter();
    governed.filter_map(|(set, service)| mutate(set, service)).collect()
}

pub(super) fn service_name_changed(bundle: &Bundle) -> Vec<Mutation> {
    each_set(bundle, |set, _| set.append(SERVICE_NAME, "x"))
}

pub(super) fn service_name_dropped(bundle: &Bundle) -> Vec<Mutation> {
    each_set(bundle, |set, _| Some(set.remove(SERVICE_NAME)?.told_at(set, "$.spec")))
}

pub(super) fn service_name_dotted(bundle: &Bundle) -> Vec<Mutation> {
    each_set(bundle, |set, _| set.append(SERVICE_NAME, ".databases"))
}

/// The Service with a cluster IP over the same Pods.
pub(super) fn service_name_of_another(bundle: &Bundle) -> Vec<Mutation> {
    let serving = bundle.serving();
    each_set(bundle, |set, _| {
        let another = serving.iter().find(|serving| {
            let spec = &serving.service.json["spec"];
            let has_address = spec["clusterIP"].is_null() && spec["type"] != "ExternalName";
            has_address && serving.workloads.iter().any(|it| it.bytes() == set.bytes())
        })?;
        let mutation = set.set(SERVICE_NAME, another.service.name())?;
        Some(mutation.told_at(another.service, CLUSTER_IP))
    })
}

pub(super) fn service_renamed(bundle: &Bundle) -> Vec<Mutation> {
    each_set(bundle, |set, service| {
        Some(service.append("$.metadata.name", "x")?.told_at(set, SERVICE_NAME))
    })
}

/// Where the namespace is written: otherwise it is up to whoever applies it.
pub(super) fn service_moved(bundle: &Bundle) -> Vec<Mutation> {
    each_set(bundle, |set, service| {
        Some(service.set("$.metadata.namespace", "elsewhere")?.told_at(set, SERVICE_NAME))
    })
}

pub(super) fn set_moved(bundle: &Bundle) -> Vec<Mutation> {
    let serving = bundle.serving();
    each_set(bundle, |set, _| {
        let mutation = set.set("$.metadata.namespace", "elsewhere")?.told_at(set, SERVICE_NAME);
        // Its Services stay behind without Pods.
        let own =
            serving.iter().filter(|it| it.workloads.iter().all(|it| it.bytes() == set.bytes()));
        Some(own.fold(mutation, |all, it| all.told_at(it.service, "$.spec.selector")))
    })
}

pub(super) fn name_too_long(bundle: &Bundle) -> Vec<Mutation> {
    each_set(bundle, |set, _| {
        let more = "x".repeat(57_usize.checked_sub(set.name().len())?);
        set.append("$.metadata.name", &more)
    })
}

/// Pods that find each other by a Service that published them from the start.
pub(super) fn published_dropped(bundle: &Bundle) -> Vec<Mutation> {
    const PUBLISHED: &str = "$.spec.publishNotReadyAddresses";
    let published = |service: &Object| service.json["spec"]["publishNotReadyAddresses"] == true;
    each_set(bundle, |set, service| {
        let text = &bundle.source.text[set.bytes()];
        let several = set.json["spec"]["replicas"].as_u64()? > 1;
        let probed = text.contains("readinessProbe:");
        let dials = text.contains(&format!("{}-0.{}", set.name(), service.name()));
        let another = bundle.headless().iter().any(|it| {
            published(it.service)
                && it.service.bytes() != service.bytes()
                && it.workloads.iter().any(|it| it.bytes() == set.bytes())
        });
        let is_defect = published(service) && several && probed && dials && !another;
        is_defect.then(|| service.remove(PUBLISHED))?.map(|it| it.told_at(service, "$.spec"))
    })
}
