//! What is asked, and what has to be answered.

use std::collections::BTreeSet;

use headlint_policies::dns::{Answer, Bundle, Code, Data, RecordType, UNKNOWN_ADDRESS, Who};
use headlint_policies::model::{IntOrString, Service, Workload};

use super::pods::Pod;

/// Stands for an address that the API server chose.
pub(super) const CLUSTER_IP: &str = "cluster IP";

/// A name that is asked for, with each type of record.
pub(super) type Question = (String, RecordType);

const TYPES: [RecordType; 3] = [RecordType::A, RecordType::Aaaa, RecordType::Srv];

/// The names of a bundle, those that miss it by little, and those of the Pods that
/// are there.
pub(super) fn questions(bundle: &Bundle, pods: &[Pod]) -> BTreeSet<Question> {
    let zone = &bundle.cluster().zone;
    let table = bundle.table();
    let mut names: BTreeSet<String> = table.names.into_iter().map(|row| row.name).collect();
    names.extend(table.missing.into_iter().map(|missing| missing.name));
    for service in bundle.services() {
        let object = &service.meta.object_ref;
        let (name, namespace) = (&object.name, &object.namespace);
        let own = format!("{name}.{namespace}.svc.{zone}");
        names.insert(own.clone());
        names.insert(format!("{name}.svc.{zone}"));
        names.insert(format!("{name}.svc.svc.{zone}"));
        names.insert(format!("{name}.default.svc.{zone}"));
        names.insert(format!("{name}.{namespace}.{zone}"));
        names.insert(format!("{namespace}.svc.{zone}"));
        names.insert(format!("a.b.c.{own}"));
        names.insert(format!("10-0-0-1.{own}"));
        for port in &service.ports {
            for protocol in ["tcp", "udp"] {
                if let Some(number) = port.port {
                    names.insert(format!("_{number}._{protocol}.{own}"));
                }
                if let Some(IntOrString::Text(target)) = &port.target_port {
                    names.insert(format!("_{target}._{protocol}.{own}"));
                }
                if !port.name.is_empty() {
                    names.insert(format!("_{}._{protocol}.{own}", port.name));
                }
            }
        }
        for workload in bundle.workloads().filter(|it| it.meta.object_ref.namespace == *namespace) {
            for host in hosts(workload) {
                names.insert(format!("{host}.{own}"));
            }
        }
        for pod in pods.iter().filter(|pod| pod.namespace == *namespace) {
            names.insert(format!("{}.{own}", pod.name));
            names.insert(format!("{}.{own}", pod.v4.replace('.', "-")));
            if let Some(v6) = &pod.v6 {
                names.insert(format!("{}.{own}", v6.replace(':', "-")));
            }
        }
    }
    names.retain(|name| !name.contains(UNKNOWN_ADDRESS));
    // DNS has none that are longer, and YAML may hold anything.
    names.retain(|name| {
        name.len() < 254 && name.split('.').all(|label| (1..64).contains(&label.len()))
    });
    names.into_iter().flat_map(|name| TYPES.map(|it| (name.clone(), it))).collect()
}

/// Host names that Pods of a workload have, or miss by one.
fn hosts(workload: &Workload) -> Vec<String> {
    let name = &workload.meta.object_ref.name;
    let first = workload.stateful_set.as_ref().map_or(0, |set| set.first_ordinal);
    let beyond = first.saturating_add(workload.replicas.unwrap_or(1));
    let numbered = [first - 1, first, beyond - 1, beyond].map(|number| format!("{name}-{number}"));
    let hostname = workload.template.hostname.clone();
    [name.clone()].into_iter().chain(numbered).chain(hostname).collect()
}

/// What has to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) code: Code,
    pub(super) records: BTreeSet<String>,
    /// Not more than that many; exactly that many, if it is exact.
    pub(super) bytes: Option<(usize, bool)>,
    /// By UDP, for a client without EDNS.
    pub(super) cut: bool,
}

/// What is answered once these Pods are there; none if headlint isn't certain.
pub(super) fn expected(
    (name, record_type): &Question,
    bundle: &Bundle,
    pods: &[Pod],
) -> Option<Expected> {
    let Some((service, pod, is_v6)) = of_address(name, bundle, pods) else {
        return filled(&bundle.ask(name, *record_type), bundle, pods);
    };
    let maker = bundle.workloads().find(|it| is_maker(it, pod)).map(|it| &it.meta.object_ref);
    let maker = (maker?, Some(pod.name.as_str()));
    let answer = bundle.ask_of_pod(service, maker, is_v6, *record_type);
    filled(&answer, bundle, std::slice::from_ref(pod))
}

/// An answer with the addresses of the Pods that are there.
fn filled(answer: &Answer<'_>, bundle: &Bundle, pods: &[Pod]) -> Option<Expected> {
    // Whether a Pod has some address is known by now: it would be asked for.
    if answer.doubts.iter().any(|doubt| doubt != "a Pod may have this address") {
        return None;
    }
    let mut records = BTreeSet::new();
    for record in &answer.records {
        let whose = match &record.who {
            Who::Pod(pod) => pods
                .iter()
                .filter(|it| is_maker(pod.workload, it) || is_unnamed(pod.workload, it, bundle))
                .filter(|it| pod.name.as_ref().is_none_or(|name| *name == it.name))
                .collect(),
            Who::Written { .. } | Who::Service(_) => Vec::new(),
        };
        let address = |pod: &&Pod, is_v6| if is_v6 { pod.v6.clone() } else { Some(pod.v4.clone()) };
        match (&record.data, &record.who) {
            (Data::Cname(target), _) => {
                records.insert(format!("CNAME {target}"));
            }
            (Data::A | Data::Aaaa, Who::Pod(_)) => {
                let is_v6 = record.data == Data::Aaaa;
                records.extend(whose.iter().filter_map(|pod| address(pod, is_v6)));
            }
            (Data::A | Data::Aaaa, Who::Written { address, .. }) => {
                records.insert(address.clone());
            }
            (Data::A | Data::Aaaa, Who::Service(_)) => {
                records.insert(CLUSTER_IP.to_owned());
            }
            (Data::Srv { weight, port, target }, _) if target.contains(UNKNOWN_ADDRESS) => {
                let addresses = whose.iter().filter_map(|pod| address(pod, record.is_v6_target()));
                let targets = addresses.map(|it| target.replace(UNKNOWN_ADDRESS, &dashed(&it)));
                records.extend(targets.map(|target| format!("{weight} {port} {target}")));
            }
            (Data::Srv { weight, port, target }, _) => {
                records.insert(format!("{weight} {port} {target}"));
            }
        }
    }
    // What another server adds to it isn't known.
    let is_open = matches!(answer.records.last().map(|it| &it.data), Some(Data::Cname(_)));
    let is_measured = !answer.records.is_empty() && !is_open;
    Some(Expected {
        code: answer.code,
        records,
        bytes: is_measured.then_some((answer.size.plain, !answer.size.at_most)),
        cut: is_measured && !answer.size.fits_udp(),
    })
}

fn is_maker(workload: &Workload, pod: &Pod) -> bool {
    let object = &workload.meta.object_ref;
    object.namespace == pod.namespace
        && (&object.kind, &object.name) == (&pod.maker.0, &pod.maker.1)
}

/// Whether a Pod may be what a manifest with `generateName` makes.
fn is_unnamed(workload: &Workload, pod: &Pod, bundle: &Bundle) -> bool {
    let object = &workload.meta.object_ref;
    object.kind == "Pod"
        && object.name.is_empty()
        && object.namespace == pod.namespace
        && pod.maker.0 == "Pod"
        && !bundle.workloads().any(|it| is_maker(it, pod))
}

fn dashed(address: &str) -> String {
    address.replace(['.', ':'], "-")
}

/// The Service and the Pod whose dashed IP a name begins with, and whether that is
/// the one of IPv6.
fn of_address<'a>(
    name: &str,
    bundle: &'a Bundle,
    pods: &'a [Pod],
) -> Option<(&'a Service, &'a Pod, bool)> {
    let (label, rest) = name.split_once('.')?;
    let service = bundle.services().find(|it| {
        let object = &it.meta.object_ref;
        rest.strip_prefix(&format!("{}.{}.svc.", object.name, object.namespace)).is_some()
    })?;
    let pods = pods.iter().filter(|pod| pod.namespace == service.meta.object_ref.namespace);
    pods.flat_map(|pod| [(pod, Some(&pod.v4), false), (pod, pod.v6.as_ref(), true)])
        .find(|(_, address, _)| address.is_some_and(|it| dashed(it) == label))
        .map(|(pod, _, is_v6)| (service, pod, is_v6))
}
