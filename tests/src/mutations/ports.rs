//! Ports of Services and containers.

use serde_json::{Value, json};

use super::Mutation;
use super::bundle::{Bundle, Object, Serving};

/// Ports of Services with Pods here, each with its path.
fn ports<'b>(serving: &'b [Serving<'b>]) -> Vec<(&'b Serving<'b>, String, &'b Value)> {
    let mut all = Vec::new();
    for serving in serving {
        for (path, port) in serving.service.service_ports() {
            all.push((serving, path, port));
        }
    }
    all
}

/// Whether two ports have the same protocol.
fn is_same_protocol(a: &Value, b: &Value) -> bool {
    let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
    protocol(a) == protocol(b)
}

/// The container ports that a named targetPort leads to: one at least for each
/// workload, or none.
fn targets<'b>(serving: &'b Serving<'b>, port: &Value) -> Vec<(&'b Object, String, &'b Value)> {
    let mut all = Vec::new();
    for workload in &serving.workloads {
        let ports = workload.container_ports().into_iter();
        let mut found = ports.filter(|(_, it)| {
            it["name"] == port["targetPort"] && it["name"].is_string() && is_same_protocol(it, port)
        });
        let Some((path, value)) = found.next() else { return Vec::new() };
        all.push((*workload, path, value));
    }
    all
}

/// The number that a port of a Service leads to in all its Pods.
fn target(serving: &Serving<'_>, port: &Value) -> Option<u64> {
    match &port["targetPort"] {
        Value::Null => port["port"].as_u64(),
        Value::Number(number) => number.as_u64(),
        _ => {
            let targets = targets(serving, port);
            let number = targets.first()?.2["containerPort"].as_u64()?;
            targets.iter().all(|it| it.2["containerPort"] == number).then_some(number)
        }
    }
}

/// Whether another Service, with a cluster IP, has the port and the same Pods: then
/// clients have one that translates, and the headless one may be for names alone.
fn has_twin(bundle: &Bundle, serving: &Serving<'_>, port: &Value) -> bool {
    let pods = |serving: &Serving<'_>| -> Vec<_> {
        serving.workloads.iter().map(|it| it.bytes().start).collect()
    };
    let own = pods(serving);
    bundle.serving().iter().any(|other| {
        other.service.bytes() != serving.service.bytes()
            && !other.service.is_headless()
            && pods(other).iter().any(|it| own.contains(it))
            && other.service.service_ports().iter().any(|(_, it)| it["port"] == port["port"])
    })
}

/// A number that no port of the Service has, nor any of its Pods.
fn unused(serving: &Serving<'_>, near: u64) -> u64 {
    let service = serving.service.service_ports();
    let used = |number: u64| {
        service
            .iter()
            .any(|(_, port)| port["port"] == number || target(serving, port) == Some(number))
            || serving.workloads.iter().any(|it| {
                it.container_ports().iter().any(|(_, port)| port["containerPort"] == number)
            })
    };
    (near + 1..).find(|number| !used(*number)).unwrap_or(near)
}

/// The port that is published isn't the one that is served any more.
pub(super) fn port(bundle: &Bundle) -> Vec<Mutation> {
    let serving = bundle.headless();
    let mutate = |(serving, path, port): (&Serving<'_>, String, &Value)| {
        let number = target(serving, port)?;
        let is_right = port["port"] == number && !port["targetPort"].is_null();
        let service = serving.service;
        let path_of = |key: &str| format!("{path}.{key}");
        is_right
            .then(|| service.set(&path_of("port"), unused(serving, number)))?
            .map(|it| it.told_at(service, &path_of("targetPort")))
    };
    ports(&serving).into_iter().filter_map(mutate).collect()
}

pub(super) fn target_number(bundle: &Bundle) -> Vec<Mutation> {
    let serving = bundle.headless();
    let mutate = |(serving, path, port): (&Serving<'_>, String, &Value)| {
        let number = port["targetPort"].as_u64().filter(|it| port["port"] == *it)?;
        (!has_twin(bundle, serving, port)).then_some(())?;
        serving.service.set(&format!("{path}.targetPort"), unused(serving, number))
    };
    ports(&serving).into_iter().filter_map(mutate).collect()
}

pub(super) fn target_name(bundle: &Bundle) -> Vec<Mutation> {
    let serving = bundle.serving();
    let mutate = |(serving, path, port): (&Serving<'_>, String, &Value)| {
        (!targets(serving, port).is_empty()).then_some(())?;
        let name = port["targetPort"].as_str()?;
        // A name has at most 15 letters.
        let name = format!("{}x", &name[..name.len().min(14)]);
        serving.service.set(&format!("{path}.targetPort"), name)
    };
    ports(&serving).into_iter().filter_map(mutate).collect()
}

/// Of a container, one mutation for each port that a Service leads to by name.
fn each_target(
    bundle: &Bundle,
    headless: bool,
    mutate: impl Fn(&Serving<'_>, &Value, &Object, &str, &Value) -> Option<Mutation>,
) -> Vec<Mutation> {
    let serving = if headless { bundle.headless() } else { bundle.serving() };
    let mut all = Vec::new();
    for (serving, path, port) in ports(&serving) {
        for (workload, of_container, value) in targets(serving, port) {
            let mutation = mutate(serving, port, workload, &of_container, value);
            let told = format!("{path}.targetPort");
            all.extend(mutation.map(|it| it.told_at(serving.service, &told)));
        }
    }
    all
}

pub(super) fn container_name(bundle: &Bundle) -> Vec<Mutation> {
    let all = bundle.serving();
    each_target(bundle, false, |_, _, workload, path, value| {
        let name = value["name"].as_str()?;
        let renamed = format!("{}x", &name[..name.len().min(14)]);
        let mut mutation = workload.set(&format!("{path}.name"), renamed)?;
        // Each Service that leads there may be the one that is told.
        for (other, at, port) in ports(&all) {
            if port["targetPort"] == name
                && other.workloads.iter().any(|it| it.bytes() == workload.bytes())
            {
                mutation = mutation.told_at(other.service, &format!("{at}.targetPort"));
            }
        }
        Some(mutation)
    })
}

pub(super) fn container_port(bundle: &Bundle) -> Vec<Mutation> {
    each_target(bundle, true, |serving, port, workload, path, value| {
        let number = value["containerPort"].as_u64().filter(|it| port["port"] == *it)?;
        (!has_twin(bundle, serving, port)).then_some(())?;
        workload.set(&format!("{path}.containerPort"), unused(serving, number))
    })
}

/// The same where somebody dials the Service at that port, told where that is.
pub(super) fn dialled_container_port(bundle: &Bundle) -> Vec<Mutation> {
    each_target(bundle, true, |serving, port, workload, path, value| {
        let number = value["containerPort"].as_u64().filter(|it| port["port"] == *it)?;
        let (name, namespace) = (serving.service.name(), serving.service.namespace());
        let text = &bundle.source.text;
        let dialled = [
            format!("{name}.{namespace}.svc.cluster.local:{number}"),
            format!("{name}.{namespace}.svc:{number}"),
            format!("//{name}:{number}"),
        ];
        let dialled = dialled.iter().flat_map(|it| text.match_indices(it.as_str()));
        let is_name = |(at, it): &(usize, &str)| {
            let before = text[..*at].chars().next_back();
            let behind = text[at + it.len()..].chars().next();
            let line = text[..*at].rsplit('\n').next().unwrap_or_default();
            !before.is_some_and(|it| it.is_ascii_alphanumeric() || it == '-')
                && !behind.is_some_and(|it| it.is_ascii_digit())
                && !line.contains('#')
                && bundle
                    .object_at(*at)
                    .is_some_and(|holder| !it.starts_with("//") || holder.namespace() == namespace)
        };
        let spots: Vec<_> = dialled.filter(is_name).map(|(at, _)| at).collect();
        if spots.is_empty() {
            return None;
        }
        let mutation = workload.set(&format!("{path}.containerPort"), unused(serving, number))?;
        Some(Mutation { spots, ..mutation })
    })
}

pub(super) fn protocol(bundle: &Bundle) -> Vec<Mutation> {
    let serving = bundle.serving();
    let mutate = |(serving, path, port): (&Serving<'_>, String, &Value)| {
        (!targets(serving, port).is_empty()).then_some(())?;
        let other = if port["protocol"] == "UDP" { "TCP" } else { "UDP" };
        let turned = json!({"targetPort": port["targetPort"], "protocol": other});
        let twin = serving
            .service
            .service_ports()
            .into_iter()
            .any(|(at, it)| at != path && it["port"] == port["port"]);
        let is_defect = !twin && targets(serving, &turned).is_empty();
        let told = [format!("{path}.targetPort"), format!("{path}.protocol")];
        is_defect
            .then(|| serving.service.put(&told[1], other))?
            .map(|it| it.told_at(serving.service, &told[0]).told_at(serving.service, &told[1]))
    };
    ports(&serving).into_iter().filter_map(mutate).collect()
}

/// Of Services with several ports, one mutation for each but the first.
fn each_further(
    bundle: &Bundle,
    mutate: impl Fn(&Object, &Value, &str, &Value) -> Option<Mutation>,
) -> Vec<Mutation> {
    let mut all = Vec::new();
    for service in bundle.kind("Service") {
        let ports = service.service_ports();
        let Some(((_, first), rest)) = ports.split_first() else { continue };
        for (path, port) in rest {
            all.extend(mutate(service, first, path, port));
        }
    }
    all
}

pub(super) fn name_doubled(bundle: &Bundle) -> Vec<Mutation> {
    each_further(bundle, |service, first, path, _| {
        service.set(&format!("{path}.name"), first["name"].as_str()?)
    })
}

pub(super) fn name_dropped(bundle: &Bundle) -> Vec<Mutation> {
    each_further(bundle, |service, _, path, _| {
        Some(service.remove(&format!("{path}.name"))?.told_at(service, path))
    })
}

pub(super) fn number_doubled(bundle: &Bundle) -> Vec<Mutation> {
    each_further(bundle, |service, first, path, port| {
        let is_other = first["port"] != port["port"] && is_same_protocol(first, port);
        is_other.then(|| service.set(&format!("{path}.port"), first["port"].clone()))?
    })
}

pub(super) fn quoted(bundle: &Bundle) -> Vec<Mutation> {
    let mutate = |service: &Object, path: &str, port: &Value| {
        let number = port["targetPort"].as_u64()?;
        service.rewrite(&format!("{path}.targetPort"), &format!("\"{number}\""))
    };
    let services = bundle.kind("Service");
    let each = |service| {
        let ports = Object::service_ports(service).into_iter();
        ports.filter_map(move |(path, port)| mutate(service, &path, port))
    };
    services.flat_map(each).collect()
}

pub(super) fn octal(bundle: &Bundle) -> Vec<Mutation> {
    let mutate = |service: &Object, path: &str, port: &Value| {
        let number = port["port"].as_u64()?;
        service.rewrite(&format!("{path}.port"), &format!("0{number}"))
    };
    let services = bundle.kind("Service");
    let each = |service| {
        let ports = Object::service_ports(service).into_iter();
        ports.filter_map(move |(path, port)| mutate(service, &path, port))
    };
    services.flat_map(each).collect()
}

/// An Ingress leads to a port that no Service has.
pub(super) fn ingress(bundle: &Bundle) -> Vec<Mutation> {
    let is_headless = |ingress: &Object, backend: &Value| {
        bundle.kind("Service").any(|service| {
            service.is_headless()
                && service.namespace() == ingress.namespace()
                && backend["service"]["name"] == service.name()
        })
    };
    let mut all = Vec::new();
    for ingress in bundle.kind("Ingress") {
        let rules = ingress.json["spec"]["rules"].as_array().into_iter().flatten().enumerate();
        for (rule, value) in rules {
            let paths = value["http"]["paths"].as_array().into_iter().flatten().enumerate();
            for (path, value) in paths.filter(|(_, it)| is_headless(ingress, &it["backend"])) {
                let port = value["backend"]["service"]["port"].as_object();
                let key = port.and_then(|port| port.keys().next()).map_or("number", String::as_str);
                let wrong = if key == "name" { json!("nowhere") } else { json!(65000) };
                let backend = format!("$.spec.rules[{rule}].http.paths[{path}].backend");
                all.extend(ingress.set(&format!("{backend}.service.port.{key}"), wrong));
            }
        }
    }
    all
}
