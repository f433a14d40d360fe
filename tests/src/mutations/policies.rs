//! NetworkPolicies.

use serde_json::Value;

use super::Mutation;
use super::bundle::{Bundle, Object, quoted};

/// The workloads that a policy is about; none where it says so by expressions.
fn selected<'b>(bundle: &'b Bundle, policy: &Object) -> Vec<&'b Object> {
    let selector = &policy.json["spec"]["podSelector"];
    let labels = selector["matchLabels"].as_object();
    let is_selected = |workload: &&Object| {
        let Some(template) = workload.template() else { return false };
        let own = &template["metadata"]["labels"];
        workload.namespace() == policy.namespace()
            && labels.into_iter().flatten().all(|(key, value)| own[key] == *value)
    };
    match selector["matchExpressions"].is_null() {
        true => bundle.objects.iter().filter(is_selected).collect(),
        false => Vec::new(),
    }
}

/// Whether these are the Pods of no other policy with the same direction.
fn is_alone(bundle: &Bundle, policy: &Object, direction: &str) -> bool {
    let own: Vec<_> = selected(bundle, policy).iter().map(|it| it.bytes()).collect();
    let meets = |other: &Object| {
        other.bytes() != policy.bytes()
            && !other.json["spec"][direction].is_null()
            && selected(bundle, other).iter().any(|it| own.contains(&it.bytes()))
    };
    !own.is_empty() && !bundle.kind("NetworkPolicy").any(meets)
}

/// Ports of rules for what comes in, each with its path.
fn ingress_ports(policy: &Object) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for (rule, value) in policy.json["spec"]["ingress"].as_array().into_iter().flatten().enumerate()
    {
        for (at, port) in value["ports"].as_array().into_iter().flatten().enumerate() {
            all.push((format!("$.spec.ingress[{rule}].ports[{at}].port"), &port["port"]));
        }
    }
    all
}

/// The number of a Service's port takes the place of that of its Pods.
pub(super) fn port(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for policy in bundle.kind("NetworkPolicy").filter(|it| is_alone(bundle, it, "ingress")) {
        let ports = ingress_ports(policy);
        let pods: Vec<_> = selected(bundle, policy).iter().map(|it| it.bytes()).collect();
        for (path, port) in &ports {
            let published = bundle.serving().into_iter().find_map(|serving| {
                let ours = serving.workloads.iter().all(|it| pods.contains(&it.bytes()));
                let [workload] = serving.workloads[..] else { return None };
                let served = workload.container_ports();
                let service = serving.service.service_ports();
                let leads = service.into_iter().find(|(_, it)| {
                    let named = served.iter().find(|(_, one)| one["name"] == it["targetPort"]);
                    let number = named.map_or(&it["targetPort"], |(_, one)| &one["containerPort"]);
                    number == *port && it["port"] != **port
                })?;
                let number = &leads.1["port"];
                let free = !served.iter().any(|(_, one)| one["containerPort"] == *number)
                    && !ports.iter().any(|(_, one)| *one == number);
                (ours && free).then(|| number.clone())
            });
            all.extend(published.and_then(|number| policy.set(path, number)));
        }
    }
    all
}

pub(super) fn port_name(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for policy in bundle.kind("NetworkPolicy").filter(|it| !selected(bundle, it).is_empty()) {
        for (path, port) in ingress_ports(policy) {
            let Some(name) = port.as_str() else { continue };
            all.extend(policy.set(&path, format!("{}x", &name[..name.len().min(14)])));
        }
    }
    all
}

/// The one rule that lets questions out asks at another port.
pub(super) fn dns(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for policy in bundle.kind("NetworkPolicy").filter(|it| is_alone(bundle, it, "egress")) {
        let rules = policy.json["spec"]["egress"].as_array();
        let rules: Vec<_> = rules.into_iter().flatten().collect();
        let everywhere = rules.iter().any(|rule| rule["ports"].is_null());
        let mut ports = Vec::new();
        for (rule, value) in rules.iter().enumerate() {
            for (at, port) in value["ports"].as_array().into_iter().flatten().enumerate() {
                if port["port"] == 53 && port["protocol"] == "UDP" {
                    ports.push(format!("$.spec.egress[{rule}].ports[{at}].port"));
                }
            }
        }
        let dials = selected(bundle, policy).iter().any(|workload| {
            let text = &bundle.source.text[workload.bytes()];
            text.contains(".svc.cluster.local") || text.contains("://")
        });
        if let ([path], false, true) = (&ports[..], everywhere, dials) {
            let mutation = policy.set(path, 54);
            all.extend(mutation.map(|it| it.told_at(policy, "$.spec.egress")));
        }
    }
    all
}

/// Those that are let in aren't the Pods themselves any more.
pub(super) fn peers(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for policy in bundle.kind("NetworkPolicy").filter(|it| is_alone(bundle, it, "ingress")) {
        let [set] = selected(bundle, policy)[..] else { continue };
        let spec = &set.json["spec"];
        let name = spec["serviceName"].as_str().unwrap_or_default();
        let dials = bundle.source.text[set.bytes()].contains(&format!("{}-0.{name}", set.name()));
        if set.json["kind"] != "StatefulSet" || spec["replicas"].as_u64() < Some(2) || !dials {
            continue;
        }
        let own = &spec["template"]["metadata"]["labels"];
        let (mut paths, mut others) = (Vec::new(), false);
        for (rule, value) in
            policy.json["spec"]["ingress"].as_array().into_iter().flatten().enumerate()
        {
            let peers = value["from"].as_array().map(Vec::as_slice).unwrap_or_default();
            others |= peers.is_empty();
            for (at, peer) in peers.iter().enumerate() {
                let labels = peer["podSelector"]["matchLabels"].as_object();
                let path = format!("$.spec.ingress[{rule}].from[{at}].podSelector.matchLabels");
                match labels.map(|all| (all, all.iter().all(|(key, it)| own[key] == *it))) {
                    Some((labels, true)) => paths.push((path, labels)),
                    Some((_, false)) => {}
                    None => others = true,
                }
            }
        }
        let [(path, labels)] = &paths[..] else { continue };
        for key in labels.keys().filter(|_| !others) {
            let mutation = policy.append(&format!("{path}{}", quoted(key)), "-x");
            all.extend(mutation.map(|it| it.told_at(policy, "$.spec.ingress")));
        }
    }
    all
}
