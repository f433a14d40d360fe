//! Objects for tests, all in the namespace `default`.

use headlint_policy_sdk::fake::{self, Snapshot};
use headlint_policy_sdk::types::{
    Container, ContainerPort, ContainerRole, EndpointPort, EndpointSubset, Endpoints, IntOrString,
    Label, Metadata, Object, ObjectRef, PodTemplate, Reference, ReferenceVia, Service, ServicePort,
    Traits, Workload,
};
use headlint_policy_sdk::{Operation, Origin, Review};

/// An open snapshot that grows.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
}

impl World {
    pub(crate) fn with(mut self, object: Object) -> Self {
        self.snapshot.objects.push(object);
        self
    }

    /// The snapshot as an object sees it that has this reference.
    pub(crate) fn dialled(&self, reference: Reference) -> Snapshot {
        Snapshot { own_references: vec![reference], ..self.snapshot.clone() }
    }
}

pub(crate) fn review(object: Object) -> Review {
    Review {
        settings: "{}".to_owned(),
        object,
        old: None,
        operation: Operation::Create,
        origin: Origin::Lint,
    }
}

fn meta(api_version: &str, kind: &str, name: &str) -> Metadata {
    Metadata {
        ref_: ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
        },
        labels: Vec::new(),
        traits: Traits::empty(),
    }
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    let label = |&(key, value): &(&str, &str)| Label { key: key.into(), value: value.into() };
    pairs.iter().map(label).collect()
}

pub(crate) fn number(number: i64) -> Option<IntOrString> {
    Some(IntOrString::Int(number))
}

pub(crate) fn named(name: &str) -> Option<IntOrString> {
    Some(IntOrString::Text(name.to_owned()))
}

pub(crate) fn published(name: &str, port: i64, target_port: Option<IntOrString>) -> ServicePort {
    ServicePort {
        name: name.to_owned(),
        protocol: "TCP".to_owned(),
        port: Some(port),
        target_port,
        node_port: None,
    }
}

/// A headless Service that selects `app: <name>`.
pub(crate) fn service(name: &str, ports: Vec<ServicePort>) -> Service {
    Service {
        cluster_ip: Some("None".to_owned()),
        selector: labels(&[("app", name)]),
        ports,
        ..fake::service(meta("v1", "Service", name))
    }
}

/// Name, protocol and number of each port.
pub(crate) fn container(name: &str, ports: &[(&str, &str, i64)]) -> Container {
    Container {
        role: ContainerRole::App,
        index: 0,
        name: name.to_owned(),
        ports: ports
            .iter()
            .map(|&(name, protocol, number)| ContainerPort {
                name: name.to_owned(),
                protocol: protocol.to_owned(),
                container_port: Some(number),
            })
            .collect(),
        readiness_probe: false,
    }
}

/// A Deployment.
pub(crate) fn workload(name: &str, of: &[(&str, &str)], containers: Vec<Container>) -> Workload {
    Workload {
        meta: meta("apps/v1", "Deployment", name),
        template: PodTemplate {
            path: "$.spec.template".to_owned(),
            labels: labels(of),
            added_labels: vec!["pod-template-hash".to_owned()],
            hostname: None,
            subdomain: None,
            host_network: false,
            dns_policy: None,
            set_hostname_as_fqdn: false,
            containers,
            injected: false,
        },
        selector: None,
        replicas: None,
        autoscaled: false,
        indexed: false,
        stateful_set: None,
    }
}

pub(crate) fn slice(service: &str, ports: &[(&str, i64)]) -> Endpoints {
    Endpoints {
        meta: meta("discovery.k8s.io/v1", "EndpointSlice", &format!("{service}-1")),
        service: service.to_owned(),
        address_type: Some("IPv4".to_owned()),
        subsets: vec![EndpointSubset {
            ports: ports
                .iter()
                .map(|&(name, number)| EndpointPort {
                    name: name.to_owned(),
                    protocol: "TCP".to_owned(),
                    port: Some(number),
                })
                .collect(),
            ready: 1,
            not_ready: 0,
        }],
        skip_mirror: false,
    }
}

pub(crate) fn dials(service: &str, port: i64) -> Reference {
    Reference {
        holder: meta("apps/v1", "Deployment", "client"),
        via: ReferenceVia::Dial,
        path: "$.spec.template.spec.containers[0].env[0].value".to_owned(),
        range: None,
        host: service.to_owned(),
        pod: None,
        service: service.to_owned(),
        namespace: "default".to_owned(),
        port: Some(IntOrString::Int(port)),
        scheme: String::new(),
    }
}
