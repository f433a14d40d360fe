//! Records of the model, as the contract has them, and findings back.

use wasmtime::Result;

use super::meter::Meter;
use super::port;
use crate::engine::bindings::{rules, types};
use crate::engine::policy::Place;
use crate::finding::{Edit, EditOp, ObjectRef, Safety, Severity};
use crate::model;

pub(super) fn object(meter: &mut Meter, object: &model::Object) -> Result<types::Object> {
    Ok(match object {
        model::Object::Service(one) => types::Object::Service(service(meter, one)?),
        model::Object::Workload(one) => types::Object::Workload(workload(meter, one)?),
        model::Object::Endpoints(one) => types::Object::Endpoints(endpoints(meter, one)?),
        model::Object::NetworkPolicy(one) => {
            types::Object::NetworkPolicy(network_policy(meter, one)?)
        }
        model::Object::Other(meta) => types::Object::Other(metadata(meter, meta)?),
    })
}

fn object_ref(meter: &mut Meter, object: &ObjectRef) -> Result<types::ObjectRef> {
    Ok(types::ObjectRef {
        api_version: meter.text(&object.api_version)?,
        kind: meter.text(&object.kind)?,
        namespace: meter.text(&object.namespace)?,
        name: meter.text(&object.name)?,
    })
}

fn label(meter: &mut Meter, label: &model::Label) -> Result<types::Label> {
    Ok(types::Label { key: meter.text(&label.key)?, value: meter.text(&label.value)? })
}

fn metadata(meter: &mut Meter, meta: &model::Metadata) -> Result<types::Metadata> {
    let labels = meter.list(&meta.labels, label)?;
    Ok(types::Metadata { labels, ..unlabelled(meter, meta)? })
}

fn unlabelled(meter: &mut Meter, meta: &model::Metadata) -> Result<types::Metadata> {
    let traits = [
        (meta.traits.hook, types::Traits::HOOK),
        (meta.traits.test_hook, types::Traits::TEST_HOOK),
        (meta.traits.operator_managed, types::Traits::OPERATOR_MANAGED),
        (meta.traits.endpoints_managed_elsewhere, types::Traits::ENDPOINTS_MANAGED_ELSEWHERE),
        (meta.traits.injected, types::Traits::INJECTED),
        (meta.traits.deleting, types::Traits::DELETING),
    ];
    Ok(types::Metadata {
        ref_: object_ref(meter, &meta.object_ref)?,
        labels: Vec::new(),
        traits: traits
            .into_iter()
            .filter(|(set, _)| *set)
            .fold(types::Traits::empty(), |all, (_, one)| all | one),
    })
}

pub(super) fn service(meter: &mut Meter, service: &model::Service) -> Result<types::Service> {
    Ok(types::Service {
        meta: metadata(meter, &service.meta)?,
        service_type: meter.text(&service.service_type)?,
        cluster_ip: meter.maybe(service.cluster_ip.as_ref())?,
        cluster_ips: meter.texts(&service.cluster_ips)?,
        selector: meter.list(&service.selector, label)?,
        ports: meter.list(&service.ports, service_port)?,
        publish_not_ready_addresses: service.publish_not_ready_addresses,
        external_name: meter.maybe(service.external_name.as_ref())?,
        session_affinity: meter.maybe(service.session_affinity.as_ref())?,
        internal_traffic_policy: meter.maybe(service.internal_traffic_policy.as_ref())?,
        ip_families: meter.texts(&service.ip_families)?,
        ip_family_policy: meter.maybe(service.ip_family_policy.as_ref())?,
        type_errors: meter.list(&service.type_errors, |meter, error| {
            Ok(types::TypeError {
                path: meter.text(&error.path)?,
                value: meter.text(&error.value)?,
                expected: meter.text(error.expected)?,
            })
        })?,
    })
}

fn service_port(meter: &mut Meter, one: &model::ServicePort) -> Result<types::ServicePort> {
    Ok(types::ServicePort {
        name: meter.text(&one.name)?,
        protocol: meter.text(&one.protocol)?,
        port: one.port,
        target_port: one.target_port.as_ref().map(|target| port(meter, target)).transpose()?,
        node_port: one.node_port,
    })
}

fn label_selector(
    meter: &mut Meter,
    selector: &model::LabelSelector,
) -> Result<types::LabelSelector> {
    Ok(types::LabelSelector {
        match_labels: meter.list(&selector.match_labels, label)?,
        match_expressions: meter.list(&selector.match_expressions, |meter, one| {
            Ok(types::LabelRequirement {
                key: meter.text(&one.key)?,
                operator: meter.text(&one.operator)?,
                values: meter.texts(&one.values)?,
            })
        })?,
    })
}

fn maybe_selector(
    meter: &mut Meter,
    selector: Option<&model::LabelSelector>,
) -> Result<Option<types::LabelSelector>> {
    selector.map(|selector| label_selector(meter, selector)).transpose()
}

pub(super) fn workload(meter: &mut Meter, workload: &model::Workload) -> Result<types::Workload> {
    Ok(types::Workload {
        meta: metadata(meter, &workload.meta)?,
        template: pod_template(meter, &workload.template)?,
        selector: maybe_selector(meter, workload.selector.as_ref())?,
        replicas: workload.replicas,
        autoscaled: workload.autoscaled,
        indexed: workload.indexed,
        stateful_set: workload
            .stateful_set
            .as_ref()
            .map(|set| {
                Ok::<_, wasmtime::Error>(types::StatefulSet {
                    service_name: meter.maybe(set.service_name.as_ref())?,
                    first_ordinal: set.first_ordinal,
                    pod_management_policy: meter.text(&set.pod_management_policy)?,
                })
            })
            .transpose()?,
    })
}

fn pod_template(meter: &mut Meter, template: &model::PodTemplate) -> Result<types::PodTemplate> {
    Ok(types::PodTemplate {
        path: meter.text(&template.path)?,
        labels: meter.list(&template.labels, label)?,
        added_labels: meter.texts(&template.added_labels)?,
        hostname: meter.maybe(template.hostname.as_ref())?,
        subdomain: meter.maybe(template.subdomain.as_ref())?,
        host_network: template.host_network,
        dns_policy: meter.maybe(template.dns_policy.as_ref())?,
        set_hostname_as_fqdn: template.set_hostname_as_fqdn,
        containers: meter.list(&template.containers, container)?,
        injected: template.injected,
    })
}

fn container(meter: &mut Meter, container: &model::Container) -> Result<types::Container> {
    Ok(types::Container {
        role: match container.role {
            model::ContainerRole::App => types::ContainerRole::App,
            model::ContainerRole::Sidecar => types::ContainerRole::Sidecar,
            model::ContainerRole::Init => types::ContainerRole::Init,
        },
        index: container.index,
        name: meter.text(&container.name)?,
        ports: meter.list(&container.ports, |meter, port| {
            Ok(types::ContainerPort {
                name: meter.text(&port.name)?,
                protocol: meter.text(&port.protocol)?,
                container_port: port.container_port,
            })
        })?,
        readiness_probe: container.readiness_probe,
    })
}

pub(super) fn endpoints(
    meter: &mut Meter,
    endpoints: &model::Endpoints,
) -> Result<types::Endpoints> {
    Ok(types::Endpoints {
        meta: metadata(meter, &endpoints.meta)?,
        service: meter.text(&endpoints.service)?,
        address_type: meter.maybe(endpoints.address_type.as_ref())?,
        subsets: meter.list(&endpoints.subsets, |meter, subset| {
            Ok(types::EndpointSubset {
                ports: meter.list(&subset.ports, |meter, port| {
                    Ok(types::EndpointPort {
                        name: meter.text(&port.name)?,
                        protocol: meter.text(&port.protocol)?,
                        port: port.port,
                    })
                })?,
                ready: subset.ready,
                not_ready: subset.not_ready,
            })
        })?,
        skip_mirror: endpoints.skip_mirror,
    })
}

pub(super) fn network_policy(
    meter: &mut Meter,
    policy: &model::NetworkPolicy,
) -> Result<types::NetworkPolicy> {
    let mut rules = |list: Option<&Vec<model::NetworkPolicyRule>>| {
        list.map(|list| meter.list(list, network_policy_rule)).transpose()
    };
    let (ingress, egress) = (rules(policy.ingress.as_ref())?, rules(policy.egress.as_ref())?);
    Ok(types::NetworkPolicy {
        meta: metadata(meter, &policy.meta)?,
        pod_selector: label_selector(meter, &policy.pod_selector)?,
        ingress,
        egress,
    })
}

fn network_policy_rule(
    meter: &mut Meter,
    rule: &model::NetworkPolicyRule,
) -> Result<types::NetworkPolicyRule> {
    Ok(types::NetworkPolicyRule {
        peers: meter.list(&rule.peers, |meter, peer| {
            Ok(types::NetworkPolicyPeer {
                pod_selector: maybe_selector(meter, peer.pod_selector.as_ref())?,
                namespace_selector: maybe_selector(meter, peer.namespace_selector.as_ref())?,
                ip_block: peer
                    .ip_block
                    .as_ref()
                    .map(|block| {
                        Ok::<_, wasmtime::Error>(types::IpBlock {
                            cidr: meter.text(&block.cidr)?,
                            excluded: meter.texts(&block.excluded)?,
                        })
                    })
                    .transpose()?,
            })
        })?,
        ports: meter.list(&rule.ports, |meter, one| {
            Ok(types::NetworkPolicyPort {
                protocol: meter.text(&one.protocol)?,
                port: one.port.as_ref().map(|number| port(meter, number)).transpose()?,
                end_port: one.end_port,
            })
        })?,
    })
}

pub(super) fn reference(
    meter: &mut Meter,
    reference: &model::Reference,
) -> Result<types::Reference> {
    Ok(types::Reference {
        holder: unlabelled(meter, &reference.holder)?,
        via: match reference.via {
            model::Via::Dial => types::ReferenceVia::Dial,
            model::Via::Srv => types::ReferenceVia::Srv,
            model::Via::Route => types::ReferenceVia::Route,
            model::Via::Monitor => types::ReferenceVia::Monitor,
            model::Via::ControlPlane => types::ReferenceVia::ControlPlane,
        },
        path: meter.text(&reference.path)?,
        range: reference.range.map(|range| types::ByteRange { start: range.start, end: range.end }),
        host: meter.text(&reference.host)?,
        pod: meter.maybe(reference.pod.as_ref())?,
        service: meter.text(&reference.service)?,
        namespace: meter.text(&reference.namespace)?,
        port: reference.port.as_ref().map(|number| port(meter, number)).transpose()?,
        scheme: meter.text(&reference.scheme)?,
    })
}

pub(crate) fn severity(severity: rules::Severity) -> Severity {
    match severity {
        rules::Severity::Info => Severity::Info,
        rules::Severity::Warning => Severity::Warning,
        rules::Severity::Error => Severity::Error,
    }
}

/// A related place. Its path was checked by the caller.
pub(crate) fn place(place: rules::Place, path: crate::path::Path) -> Place {
    Place {
        object: ObjectRef {
            api_version: place.object.api_version,
            kind: place.object.kind,
            namespace: place.object.namespace,
            name: place.object.name,
        },
        path,
        range: place.range.map(|range| range.start as usize..range.end as usize),
        label: place.label,
    }
}

/// Edits, or what is wrong with the first bad one.
pub(crate) fn edits(wire: Vec<rules::Edit>) -> std::result::Result<Vec<Edit>, String> {
    wire.into_iter()
        .map(|edit| {
            let op = match edit.op {
                rules::EditOp::Set => EditOp::Set,
                rules::EditOp::Remove => EditOp::Remove,
                rules::EditOp::Add => EditOp::Add,
            };
            let path: crate::path::Path = edit
                .path
                .parse()
                .map_err(|error| format!("an edit at `{}`: {error}", edit.path))?;
            let value = match op {
                EditOp::Remove => None,
                EditOp::Set | EditOp::Add => Some(
                    serde_json::from_str(&edit.value)
                        .map_err(|error| format!("an edit whose value is no JSON: {error}"))?,
                ),
            };
            let safety = match edit.safety {
                rules::Safety::Safe => Safety::Safe,
                rules::Safety::Proposed => Safety::Proposed,
            };
            Ok(Edit { op, path: path.to_string(), value, safety })
        })
        .collect()
}
