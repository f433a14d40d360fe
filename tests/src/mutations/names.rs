//! Names of Pods that clients dial.

use headlint_policies::manifest::Splice;

use super::Mutation;
use super::bundle::{Bundle, Object};

/// A name `set-0.service` in a text.
struct Dialled<'b> {
    set: &'b Object,
    /// Where it begins.
    at: usize,
    ordinal: u64,
    /// Behind the ordinal.
    end: usize,
}

/// The names of Pods of governed sets, outside of comments.
fn dialled(bundle: &Bundle) -> Vec<Dialled<'_>> {
    let text = &bundle.source.text;
    let mut all = Vec::new();
    for (set, service) in bundle.governed() {
        for at in bundle.find(&format!("{}-", set.name())) {
            let digits = at + set.name().len() + 1;
            let length = text[digits..].bytes().take_while(u8::is_ascii_digit).count();
            let end = digits + length;
            let line = &text[text[..at].rfind('\n').map_or(0, |at| at + 1)..at];
            let behind = format!(".{}", service.name());
            let rest = text[end..].strip_prefix(&behind);
            let is_service = rest.is_some_and(|rest| {
                !rest.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '-')
            });
            let in_object = bundle.object_at(at).is_some_and(|holder| {
                holder.namespace() == set.namespace() || rest.is_some_and(|it| it.starts_with('.'))
            });
            if let Ok(ordinal) = text[digits..end].parse()
                && is_service
                && in_object
                && !line.contains('#')
            {
                all.push(Dialled { set, at, ordinal, end });
            }
        }
    }
    all
}

fn replicas(set: &Object) -> u64 {
    set.json["spec"]["replicas"].as_u64().unwrap_or(1)
}

/// Whether the number of Pods stands in the set.
fn is_fixed(bundle: &Bundle, set: &Object) -> bool {
    let target = |scaler: &Object| {
        let target = &scaler.json["spec"]["scaleTargetRef"];
        target["kind"] == "StatefulSet" && target["name"] == set.name()
    };
    set.json["spec"]["replicas"].is_u64()
        && set.json["spec"]["ordinals"].is_null()
        && !bundle.objects.iter().any(target)
}

fn splice(range: std::ops::Range<usize>, text: String) -> Mutation {
    Mutation { splice: Splice { range, text }, spots: Vec::new() }
}

pub(super) fn ordinal(bundle: &Bundle) -> Vec<Mutation> {
    let valid = dialled(bundle).into_iter();
    let valid = valid.filter(|it| it.ordinal < replicas(it.set) && is_fixed(bundle, it.set));
    let beyond = |it: &Dialled<'_>| replicas(it.set).to_string();
    let start = |it: &Dialled<'_>| it.at + it.set.name().len() + 1;
    valid.map(|it| splice(start(&it)..it.end, beyond(&it))).collect()
}

/// The Service of a Pod is written with one letter too many.
pub(super) fn service(bundle: &Bundle) -> Vec<Mutation> {
    dialled(bundle).into_iter().map(|it| splice(it.end + 1..it.end + 1, "x".to_owned())).collect()
}

/// The set of a Pod is written with one letter too many.
pub(super) fn pod(bundle: &Bundle) -> Vec<Mutation> {
    let end = |it: &Dialled<'_>| it.at + it.set.name().len();
    dialled(bundle).into_iter().map(|it| splice(end(&it)..end(&it), "x".to_owned())).collect()
}

pub(super) fn replicas_lowered(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for (set, _) in bundle.governed() {
        let own = dialled(bundle).into_iter().filter(|it| it.set.bytes() == set.bytes());
        let last = own.filter(|it| it.ordinal > 0 && it.ordinal < replicas(set));
        let last: Vec<_> = last.collect();
        let Some(highest) = last.iter().map(|it| it.ordinal).max() else { continue };
        if is_fixed(bundle, set) {
            let spots = last.iter().filter(|it| it.ordinal == highest).map(|it| it.at).collect();
            let mutation = set.set("$.spec.replicas", highest);
            all.extend(mutation.map(|it| Mutation { spots, ..it }));
        }
    }
    all
}

pub(super) fn set_renamed(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for (set, _) in bundle.governed() {
        let own = dialled(bundle).into_iter().filter(|it| it.set.bytes() == set.bytes());
        let spots: Vec<_> = own.map(|it| it.at).collect();
        if !spots.is_empty() {
            let mutation = set.append("$.metadata.name", "x");
            all.extend(mutation.map(|it| Mutation { spots, ..it }));
        }
    }
    all
}

/// Where a text stands in objects, outside of comments, not as the end of a longer
/// name.
fn written<'b>(bundle: &'b Bundle, name: &'b str) -> impl Iterator<Item = (usize, &'b Object)> {
    bundle.find(name).into_iter().filter_map(|at| {
        let line = bundle.source.text[..at].rsplit('\n').next().unwrap_or_default();
        let holder = bundle.object_at(at).filter(|_| !line.contains('#'))?;
        Some((at, holder))
    })
}

/// The namespace goes missing in the whole name of a Service.
pub(super) fn namespace(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for service in bundle.kind("Service") {
        let (name, namespace) = (service.name(), service.namespace());
        for (at, _) in written(bundle, &format!("{name}.{namespace}.svc.cluster.local")) {
            let start = at + name.len();
            all.push(splice(start..start + 1 + namespace.len(), String::new()));
        }
    }
    all
}

/// The port in an SRV name is written with one letter too many.
pub(super) fn srv_port(bundle: &Bundle) -> Vec<Mutation> {
    let mut all = Vec::new();
    for serving in bundle.headless() {
        let (name, namespace) = (serving.service.name(), serving.service.namespace());
        for (_, port) in serving.service.service_ports() {
            let Some(port) = port["name"].as_str() else { continue };
            for (at, _) in written(bundle, &format!("_{port}._tcp.{name}.{namespace}.svc")) {
                let end = at + 1 + port.len();
                all.push(splice(end..end, "x".to_owned()));
            }
        }
    }
    all
}

/// Workloads that dial a Service of the bundle by its whole name: with a port, or
/// in a URL. A name alone may stand in a certificate.
fn clients(bundle: &Bundle) -> Vec<&Object> {
    let names: Vec<_> = bundle
        .kind("Service")
        .map(|service| format!("{}.{}.svc.cluster.local", service.name(), service.namespace()))
        .collect();
    let is_client = |client: &&Object| {
        let spec = client.template().map(|template| &template["spec"]);
        let is_plain =
            spec.is_some_and(|spec| spec["hostNetwork"].is_null() && spec["dnsPolicy"].is_null());
        let all = &bundle.source.text;
        let is_dialled = |name: &str, at: usize| {
            let port = all[at + name.len()..].strip_prefix(':').unwrap_or_default();
            let is_url = ["http://", "https://"].iter().any(|scheme| all[..at].ends_with(scheme));
            client.bytes().contains(&at)
                && (is_url || port.starts_with(|it: char| it.is_ascii_digit()))
        };
        let dials = |name: &String| written(bundle, name).any(|(at, _)| is_dialled(name, at));
        is_plain && names.iter().any(dials)
    };
    bundle.objects.iter().filter(is_client).collect()
}

pub(super) fn host_network(bundle: &Bundle) -> Vec<Mutation> {
    let share = |client: &Object| {
        let mutation = client.add("$.spec.template.spec.hostNetwork", true)?;
        Some(mutation.told_at(client, "$.spec.template.spec"))
    };
    clients(bundle).into_iter().filter_map(share).collect()
}

pub(super) fn dns_policy(bundle: &Bundle) -> Vec<Mutation> {
    let of_node = |client: &Object| client.add("$.spec.template.spec.dnsPolicy", "Default");
    clients(bundle).into_iter().filter_map(of_node).collect()
}

/// Where the specification of Pods stands, but for those of StatefulSets, which
/// have names of their own.
fn pods(bundle: &Bundle) -> impl Iterator<Item = (&Object, &'static str)> {
    bundle.objects.iter().filter_map(|object| match object.json["kind"].as_str()? {
        "Pod" => Some((object, "$.spec")),
        "Deployment" | "DaemonSet" | "ReplicaSet" => Some((object, "$.spec.template.spec")),
        _ => None,
    })
}

/// Those with both names, of a headless Service that is there.
fn named(bundle: &Bundle) -> Vec<(&Object, &'static str)> {
    let all = pods(bundle).filter(|(object, path)| {
        let pointer = path.trim_start_matches('$').replace('.', "/");
        let Some(spec) = object.json.pointer(&pointer) else { return false };
        let service = bundle.kind("Service").find(|service| {
            service.is_headless()
                && service.namespace() == object.namespace()
                && spec["subdomain"] == service.name()
        });
        spec["hostname"].is_string() && service.is_some()
    });
    all.collect()
}

pub(super) fn subdomain(bundle: &Bundle) -> Vec<Mutation> {
    let named = named(bundle).into_iter();
    named.filter_map(|(pods, path)| pods.append(&format!("{path}.subdomain"), "x")).collect()
}

pub(super) fn hostname(bundle: &Bundle) -> Vec<Mutation> {
    let named = named(bundle).into_iter();
    let drop = |(pods, path): (&Object, &str)| {
        let mutation = pods.remove(&format!("{path}.hostname"))?;
        Some(mutation.told_at(pods, &format!("{path}.subdomain")))
    };
    named.filter_map(drop).collect()
}

/// CoreDNS isn't to watch endpoints.
pub(super) fn not_watched(bundle: &Bundle) -> Vec<Mutation> {
    let words = ["pods insecure", "pods verified"];
    let all = words.iter().flat_map(|words| written(bundle, words));
    let corefiles = all.filter(|(_, holder)| holder.json["data"]["Corefile"].is_string());
    let indent = |at: usize| bundle.source.text[..at].rsplit('\n').next().unwrap_or_default();
    let add = |(at, _)| splice(at..at, format!("noendpoints\n{}", indent(at)));
    corefiles.map(add).collect()
}
