//! Endpoints and EndpointSlices that are written by hand.

use serde_json::{Value, json};

use super::Mutation;
use super::bundle::{Bundle, Object, quoted};

const NAME: &str = "$.metadata.name";
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Endpoints with a headless Service without a selector.
fn endpoints(bundle: &Bundle) -> Vec<(&Object, &Object)> {
    let service = |endpoints: &Object| {
        bundle.kind("Service").find(|service| {
            service.is_headless()
                && service.json["spec"]["selector"].is_null()
                && service.name() == endpoints.name()
                && service.namespace() == endpoints.namespace()
        })
    };
    bundle.kind("Endpoints").filter_map(|it| Some((it, service(it)?))).collect()
}

/// The same of EndpointSlices.
fn slices(bundle: &Bundle) -> Vec<(&Object, &Object)> {
    let service = |slice: &Object| {
        bundle.kind("Service").find(|service| {
            service.is_headless()
                && service.json["spec"]["selector"].is_null()
                && slice.json["metadata"]["labels"][SERVICE_NAME] == service.name()
                && service.namespace() == slice.namespace()
        })
    };
    bundle.kind("EndpointSlice").filter_map(|it| Some((it, service(it)?))).collect()
}

fn each(
    all: Vec<(&Object, &Object)>,
    mutate: impl Fn(&Object, &Object) -> Option<Mutation>,
) -> Vec<Mutation> {
    all.into_iter().filter_map(|(endpoints, service)| mutate(endpoints, service)).collect()
}

pub(super) fn renamed(bundle: &Bundle) -> Vec<Mutation> {
    each(endpoints(bundle), |endpoints, service| {
        Some(endpoints.append(NAME, "x")?.told_at(service, "$.spec"))
    })
}

/// The path of the only port of hand-written endpoints, with its value.
fn only_port(endpoints: &Object) -> Option<(&'static str, &Value)> {
    let (path, ports) = match endpoints.json["kind"] == "Endpoints" {
        true => ("$.subsets[0].ports[0]", endpoints.json.pointer("/subsets/0/ports")?),
        false => ("$.ports[0]", endpoints.json.get("ports")?),
    };
    let subsets = endpoints.json["subsets"].as_array().map_or(1, Vec::len);
    match ports.as_array()?.as_slice() {
        [port] if subsets == 1 => Some((path, port)),
        _ => None,
    }
}

/// Both, of headless Services without a selector.
fn all(bundle: &Bundle) -> Vec<(&Object, &Object)> {
    [endpoints(bundle), slices(bundle)].concat()
}

pub(super) fn port_renamed(bundle: &Bundle) -> Vec<Mutation> {
    each(all(bundle), |endpoints, service| {
        let (path, port) = only_port(endpoints)?;
        port["name"].as_str()?;
        let mutation = endpoints.append(&format!("{path}.name"), "x")?;
        Some(mutation.told_at(service, "$.spec.ports[0].name"))
    })
}

pub(super) fn port_changed(bundle: &Bundle) -> Vec<Mutation> {
    each(all(bundle), |endpoints, service| {
        let (path, port) = only_port(endpoints)?;
        let number = port["port"].as_u64()?;
        let published = service.service_ports();
        let (told, _) = published.iter().find(|(_, it)| it["port"] == number)?;
        let mutation = endpoints.set(&format!("{path}.port"), number + 1)?;
        Some(mutation.told_at(service, &format!("{told}.port")))
    })
}

pub(super) fn skipped(bundle: &Bundle) -> Vec<Mutation> {
    each(endpoints(bundle), |endpoints, service| {
        let has_slice = slices(bundle).iter().any(|(_, it)| it.bytes() == service.bytes());
        let label = quoted("endpointslice.kubernetes.io/skip-mirror");
        let label = format!("$.metadata.labels{label}");
        let labels = json!({"endpointslice.kubernetes.io/skip-mirror": "true"});
        let mutation = endpoints
            .put(&label, "true")
            .or_else(|| endpoints.add("$.metadata.labels", labels.clone()));
        if has_slice { None } else { mutation }
    })
}

pub(super) fn not_ready(bundle: &Bundle) -> Vec<Mutation> {
    each(endpoints(bundle), |endpoints, _| {
        let [subset] = endpoints.json["subsets"].as_array()?.as_slice() else { return None };
        let alone = subset["notReadyAddresses"].is_null() && !subset["addresses"].is_null();
        let mutation = endpoints.rename_key("$.subsets[0].addresses", "notReadyAddresses")?;
        alone.then_some(mutation.told_at(endpoints, "$.subsets"))
    })
}

pub(super) fn loopback(bundle: &Bundle) -> Vec<Mutation> {
    each(endpoints(bundle), |endpoints, _| {
        endpoints.set("$.subsets[0].addresses[0].ip", "127.0.0.1")
    })
}

pub(super) fn label_dropped(bundle: &Bundle) -> Vec<Mutation> {
    each(slices(bundle), |slice, _| {
        let mutation = slice.remove(&format!("$.metadata.labels{}", quoted(SERVICE_NAME)))?;
        Some(mutation.told_at(slice, "$.metadata.labels").told_at(slice, "$.metadata"))
    })
}

pub(super) fn label_changed(bundle: &Bundle) -> Vec<Mutation> {
    each(slices(bundle), |slice, service| {
        let mutation = slice.append(&format!("$.metadata.labels{}", quoted(SERVICE_NAME)), "x")?;
        Some(mutation.told_at(service, "$.spec"))
    })
}

pub(super) fn fqdn(bundle: &Bundle) -> Vec<Mutation> {
    each(slices(bundle), |slice, _| slice.rewrite("$.addressType", "FQDN"))
}
