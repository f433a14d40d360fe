//! What the server knows, and what it is asked.

use std::sync::Arc;

use headlint_policies::inventory::Change;
use headlint_policies::manifest::Node;
use headlint_policies::model::project;
use serde_json::{Value, json};

const NAMESPACES: usize = 100;
const SERVICES: usize = 10_000;
const SETS: usize = 2_000;
const PODS: usize = 50_000;

/// A review of a Service of this name, as an API server sends it: with
/// defaults, managed fields, and a port that nothing translates.
pub(crate) fn review(namespace: &str, name: &str) -> String {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": "4b1b0c5e-3c1d-4d5b-8f5f-0f4d1f5c6a7b",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": labels(name),
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "managedFields": [{
                "manager": "kubectl-client-side-apply",
                "operation": "Update",
                "apiVersion": "v1",
                "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:clusterIP": {}, "f:ports": {}, "f:selector": {}}},
            }],
        },
        "spec": {
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8000}],
            "selector": {"app": name},
            "clusterIP": "None",
            "clusterIPs": ["None"],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    });
    let resource = json!({"group": "", "version": "v1", "resource": "services"});
    let kind = json!({"group": "", "version": "v1", "kind": "Service"});
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind, "resource": resource,
            "requestKind": kind, "requestResource": resource,
            "name": name, "namespace": namespace, "operation": "CREATE",
            "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
            "object": object, "oldObject": null, "dryRun": false,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions", "fieldManager": "kubectl"},
        },
    })
    .to_string()
}

fn labels(name: &str) -> Value {
    json!({
        "app": name,
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": "bench",
        "app.kubernetes.io/managed-by": "Helm",
    })
}

/// 10,000 Services, 2,000 StatefulSets and 50,000 Pods that no owner stands for.
pub(crate) fn changes() -> Vec<Change> {
    let objects = (0..SERVICES).map(service).chain((0..SETS).map(set)).chain((0..PODS).map(pod));
    objects
        .map(|object| {
            let node: Node = serde_json::from_value(object).unwrap();
            Change::Put(Arc::new(project(&node, "default").unwrap()))
        })
        .collect()
}

/// A place for each object, so that Services, sets and Pods of a number meet.
fn metadata(name: &str, number: usize) -> Value {
    json!({"name": name, "namespace": format!("team-{}", number % NAMESPACES), "labels": labels(name)})
}

fn service(number: usize) -> Value {
    let name = format!("service-{number}");
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata(&name, number),
        "spec": {
            "ports": [{"name": "tcp", "port": 9092, "targetPort": 9092, "protocol": "TCP"}],
            "selector": {"app": format!("broker-{}", number % SETS)},
            "clusterIP": "None", "clusterIPs": ["None"], "type": "ClusterIP",
        },
    })
}

fn template(name: &str) -> Value {
    json!({
        "metadata": {"labels": labels(name)},
        "spec": {"containers": [{
            "name": "broker",
            "image": "registry.example.com/broker:1",
            "ports": [{"name": "tcp", "containerPort": 9092}],
            "env": [{"name": "PEERS", "value": format!("{name}-0.{name}:9092,{name}-1.{name}:9092")}],
        }]},
    })
}

fn set(number: usize) -> Value {
    let name = format!("broker-{number}");
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata(&name, number),
        "spec": {
            "serviceName": format!("service-{number}"), "replicas": 3,
            "selector": {"matchLabels": {"app": name}}, "template": template(&name),
        },
    })
}

fn pod(number: usize) -> Value {
    let name = format!("job-{number}");
    let Value::Object(mut pod) = template(&name) else { unreachable!("it is an object") };
    pod.insert("apiVersion".to_owned(), json!("v1"));
    pod.insert("kind".to_owned(), json!("Pod"));
    pod.insert("metadata".to_owned(), metadata(&name, number));
    Value::Object(pod)
}
