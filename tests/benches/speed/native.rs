//! The rules of one policy without a sandbox, on what `statefulset.yaml` holds.

use headlint_policy_sdk::fake::{self, Snapshot};
use headlint_policy_sdk::types::{
    Container, ContainerPort, ContainerRole, Label, LabelSelector, Metadata, Object, ObjectRef,
    PodTemplate, Service, ServicePort, StatefulSet, Traits, Workload,
};
use headlint_policy_sdk::{Findings, Operation, Origin, Review};
use headlint_policy_statefulset_binding::RULES;

/// Runs the rules that report on StatefulSets.
pub(crate) fn check(review: &Review, world: &Snapshot) -> Findings {
    let mut findings = Findings::default();
    for rule in RULES.iter().filter(|rule| rule.kinds.contains(&"StatefulSet")) {
        (rule.check)(review, world, &mut findings);
    }
    findings
}

pub(crate) fn review() -> Review {
    Review {
        settings: "{}".to_owned(),
        object: Object::Workload(workload()),
        old: None,
        operation: Operation::Create,
        origin: Origin::Lint,
    }
}

pub(crate) fn world() -> Snapshot {
    Snapshot {
        objects: vec![Object::Service(service()), Object::Workload(workload())],
        ..Snapshot::default()
    }
}

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    pairs.iter().map(|&(key, value)| Label { key: key.into(), value: value.into() }).collect()
}

fn meta(api_version: &str, kind: &str) -> Metadata {
    Metadata {
        ref_: ObjectRef {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: "default".into(),
            name: "events".into(),
        },
        labels: labels(&[("app", "events"), ("app.kubernetes.io/component", "broker")]),
        traits: Traits::empty(),
    }
}

const PORTS: [(&str, i64); 2] = [("client", 9092), ("peer", 9093)];

fn service() -> Service {
    Service {
        cluster_ip: Some("None".into()),
        selector: labels(&[("app", "events"), ("tier", "broker")]),
        ports: PORTS
            .map(|(name, port)| ServicePort {
                name: name.into(),
                protocol: "TCP".into(),
                port: Some(port),
                target_port: None,
                node_port: None,
            })
            .into(),
        ..fake::service(meta("v1", "Service"))
    }
}

fn workload() -> Workload {
    Workload {
        meta: meta("apps/v1", "StatefulSet"),
        template: PodTemplate {
            path: "$.spec.template".into(),
            labels: labels(&[("app", "events"), ("tier", "broker")]),
            added_labels: [
                "apps.kubernetes.io/pod-index",
                "controller-revision-hash",
                "statefulset.kubernetes.io/pod-name",
            ]
            .map(String::from)
            .into(),
            hostname: None,
            subdomain: None,
            host_network: false,
            dns_policy: None,
            set_hostname_as_fqdn: false,
            containers: vec![Container {
                role: ContainerRole::App,
                index: 0,
                name: "broker".into(),
                ports: PORTS
                    .map(|(name, port)| ContainerPort {
                        name: name.into(),
                        protocol: "TCP".into(),
                        container_port: Some(port),
                    })
                    .into(),
                readiness_probe: false,
            }],
            injected: false,
        },
        selector: Some(LabelSelector {
            match_labels: labels(&[("app", "events")]),
            match_expressions: Vec::new(),
        }),
        replicas: Some(3),
        autoscaled: false,
        indexed: false,
        stateful_set: Some(StatefulSet {
            service_name: Some("events-headless".into()),
            first_ordinal: 0,
            pod_management_policy: "OrderedReady".into(),
        }),
    }
}
