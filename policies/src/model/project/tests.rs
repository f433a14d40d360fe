use super::*;
use crate::manifest::tree;
use crate::model::{ContainerRole, IntOrString, Service, Workload};
use crate::names::Target;

fn try_one(yaml: &str) -> Result<Projected, String> {
    project(&tree(yaml), "default").map_err(|error| error.to_string())
}

fn one(yaml: &str) -> Projected {
    try_one(yaml).expect("the object decodes")
}

fn service(spec: &str) -> Service {
    match one(&format!("{{apiVersion: v1, kind: Service, metadata: {{name: db}}, spec: {spec}}}"))
        .object
    {
        Object::Service(service) => service,
        other => panic!("{other:?} is no Service"),
    }
}

fn workload(yaml: &str) -> Workload {
    match one(yaml).object {
        Object::Workload(workload) => workload,
        other => panic!("{other:?} is no workload"),
    }
}

#[test]
fn missing_null_and_empty_are_what_the_api_server_makes_of_them() {
    let bare = service("{clusterIP: ~, selector: {}, ports: [{port: 80, targetPort: 0}]}");
    assert_eq!((bare.cluster_ip, bare.service_type.as_str()), (None, "ClusterIP"));
    assert!(bare.selector.is_empty());
    assert_eq!(bare.ports[0].target_port, None);
    assert_eq!(bare.ports[0].protocol, "TCP");
    let full = service("{clusterIP: None, type: ClusterIP, ports: [{port: 80, targetPort: web}]}");
    assert!(full.is_headless());
    assert_eq!(full.ports[0].target_port, Some(IntOrString::Text("web".to_owned())));
    assert!(!service("{clusterIP: none}").is_headless());
    assert!(!service("{clusterIP: None, type: ExternalName, externalName: x}").is_headless());
}

#[test]
fn a_wrong_type_in_a_field_that_a_rule_owns_is_kept_for_it() {
    let service = service("{clusterIP: no, ports: [{port: '80', targetPort: [1], name: 5}]}");
    let errors: Vec<_> = service
        .type_errors
        .iter()
        .map(|error| format!("{} {} {}", error.path, error.value, error.expected))
        .collect();
    assert_eq!(
        errors,
        [
            "$.spec.clusterIP false string",
            "$.spec.ports[0].name 5 string",
            "$.spec.ports[0].port \"80\" integer",
            "$.spec.ports[0].targetPort [1] integer or a string",
        ]
    );
    assert_eq!((service.cluster_ip, service.ports[0].port), (None, None));
}

#[test]
fn a_wrong_type_elsewhere_is_an_error_with_its_path() {
    for (yaml, expected) in [
        (
            "{apiVersion: v1, kind: Service, metadata: {labels: {x: 1}}}",
            "`$.metadata.labels.x` must be a string, not an integer: write it in quotes",
        ),
        (
            "{apiVersion: v1, kind: Service, spec: {selector: {enabled: yes}}}",
            "`$.spec.selector.enabled` must be a string, not a boolean: write it in quotes",
        ),
        (
            "{apiVersion: v1, kind: Pod, spec: {containers: [{ports: [{containerPort: '80'}]}]}}",
            "`$.spec.containers[0].ports[0].containerPort` must be an integer, not a string",
        ),
        (
            "{apiVersion: v1, kind: Pod, spec: {containers: [{env: [{name: A, value: 1}]}]}}",
            "`$.spec.containers[0].env[0].value` must be a string, not an integer: write it in quotes",
        ),
        (
            "{apiVersion: v1, kind: Pod, spec: {hostNetwork: 'true'}}",
            "`$.spec.hostNetwork` must be a boolean, not a string",
        ),
        (
            "{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 1.5}}",
            "`$.spec.replicas` must be an integer, not a number",
        ),
        (
            "{apiVersion: v1, kind: ConfigMap, data: {a.b: {}}}",
            "`$.data['a.b']` must be a string, not an object",
        ),
        ("{apiVersion: v1, kind: Service, spec: []}", "`$.spec` must be an object, not a list"),
    ] {
        assert_eq!(try_one(yaml).err().as_deref(), Some(expected), "{yaml}");
    }
}

#[test]
fn fields_that_the_model_does_not_read_may_be_anything() {
    assert!(
        try_one(
            "{apiVersion: v1, kind: Pod, spec: {priority: high, containers: [{resources: 1}]}}"
        )
        .is_ok()
    );
    assert!(try_one("{apiVersion: x.io/v1, kind: Thing, spec: 1}").is_ok());
}

#[test]
fn a_namespace_is_never_empty_but_for_what_has_none() {
    let namespace = |yaml| one(yaml).meta().object_ref.namespace.clone();
    assert_eq!(namespace("{apiVersion: v1, kind: Service, metadata: {namespace: ''}}"), "default");
    assert_eq!(namespace("{apiVersion: v1, kind: Service, metadata: {namespace: a}}"), "a");
    assert_eq!(namespace("{apiVersion: v1, kind: Namespace, metadata: {name: a}}"), "");
}

#[test]
fn a_stateful_set_has_its_own_fields_and_added_labels() {
    let set = workload(
        "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  ordinals: {start: 2}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}, annotations: {linkerd.io/inject: enabled}}
    spec:
      subdomain: ''
      containers: [{name: db, ports: [{containerPort: 80}], readinessProbe: {}}]
      initContainers: [{name: s, restartPolicy: Always}, {name: i}]
",
    );
    let only = set.stateful_set.expect("it is a StatefulSet");
    assert_eq!((only.service_name.as_deref(), only.first_ordinal), (Some("db"), 2));
    assert_eq!((set.replicas, set.template.path.as_str()), (None, "$.spec.template"));
    assert!(set.template.added_labels.iter().any(|key| key == k8s::POD_NAME_LABEL));
    assert!(set.template.injected && set.meta.traits.injected);
    assert_eq!(set.template.subdomain, None);
    let roles: Vec<_> = set.template.containers.iter().map(|one| (one.role, one.index)).collect();
    let expected = [(ContainerRole::App, 0), (ContainerRole::Sidecar, 0), (ContainerRole::Init, 1)];
    assert_eq!(roles, expected);
}

#[test]
fn every_kind_keeps_its_template_somewhere() {
    for (kind, path) in [
        ("apiVersion: v1, kind: Pod", "$"),
        ("apiVersion: v1, kind: ReplicationController", "$.spec.template"),
        ("apiVersion: apps/v1, kind: DaemonSet", "$.spec.template"),
        ("apiVersion: batch/v1, kind: Job", "$.spec.template"),
        ("apiVersion: batch/v1, kind: CronJob", "$.spec.jobTemplate.spec.template"),
    ] {
        assert_eq!(workload(&format!("{{{kind}}}")).template.path, path, "{kind}");
    }
    let job = "{apiVersion: batch/v1, kind: Job, spec: {completionMode: Indexed, completions: 3}}";
    assert_eq!((workload(job).indexed, workload(job).replicas), (true, Some(3)));
}

#[test]
fn policies_isolate_by_default_for_ingress() {
    for (spec, ingress, egress) in [
        ("{}", true, false),
        ("{egress: [{}]}", true, true),
        ("{policyTypes: [Egress]}", false, true),
        ("{policyTypes: [Ingress], egress: [{}]}", true, false),
    ] {
        let yaml =
            format!("{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {spec}}}");
        let Object::NetworkPolicy(policy) = one(&yaml).object else { panic!("it is a policy") };
        assert_eq!(
            (policy.ingress.is_some(), policy.egress.is_some()),
            (ingress, egress),
            "{spec}"
        );
    }
}

#[test]
fn addresses_are_counted() {
    let endpoints = |yaml| match one(yaml).object {
        Object::Endpoints(endpoints) => endpoints,
        other => panic!("{other:?} has no endpoints"),
    };
    let old = endpoints(
        "{apiVersion: v1, kind: Endpoints, metadata: {name: db}, subsets: [{addresses: [{ip: 10.0.0.1}], notReadyAddresses: [{ip: 10.0.0.2}, {ip: 10.0.0.3}], ports: [{port: 80}]}]}",
    );
    assert_eq!(
        (old.service.as_str(), old.subsets[0].ready, old.subsets[0].not_ready),
        ("db", 1, 2)
    );
    assert_eq!(old.subsets[0].ports[0].protocol, "TCP");
    let slice = endpoints(
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {labels: {kubernetes.io/service-name: db}}, addressType: IPv4, endpoints: [{addresses: [a]}, {addresses: [b], conditions: {ready: false}}]}",
    );
    assert_eq!(
        (slice.service.as_str(), slice.subsets[0].ready, slice.subsets[0].not_ready),
        ("db", 1, 1)
    );
}

#[test]
fn controllers_and_scalers_are_noted() {
    let pod = one(
        "{apiVersion: v1, kind: Pod, metadata: {ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, controller: true}]}}",
    );
    assert_eq!(pod.controller.as_ref().map(|owner| owner.name.as_str()), Some("web"));
    assert!(pod.is_controlled() && pod.meta().traits.operator_managed);
    let scaled = one(
        "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, spec: {scaleTargetRef: {name: web}}}",
    );
    assert_eq!(scaled.scales.map(|target| target.kind), Some("Deployment".to_owned()));
}

#[test]
fn mentions_lead_to_their_place() {
    let pod = one("apiVersion: v1
kind: Pod
metadata: {namespace: prod}
spec:
  containers:
  - name: c
    args: ['--discovery-srv', 'etcd.x.svc', 'http://$(HOST).$(NS):80']
    env:
    - {name: HOST, value: db}
    - {name: NS, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    - {name: URL, value: 'http://$(HOST):$(LATER)'}
    - {name: LATER, value: '1'}
    - {name: OK, value: 'http://$(HOST):8'}
    livenessProbe: {httpGet: {host: db.x, port: web}}
");
    let found: Vec<_> = pod
        .mentions
        .iter()
        .map(|mention| {
            let Target::Host { host, srv, .. } = &mention.target else { panic!("it is a host") };
            let range = mention.range.map(|range| (range.start, range.end));
            (mention.path.as_str(), host.as_str(), *srv, range)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("$.spec.containers[0].args[1]", "etcd.x.svc", true, Some((0, 10))),
            ("$.spec.containers[0].args[2]", "db.prod", false, Some((7, 23))),
            ("$.spec.containers[0].env[4].value", "db", false, Some((7, 16))),
            ("$.spec.containers[0].livenessProbe.httpGet.host", "db.x", false, None),
        ]
    );
}

#[test]
fn endpoints_of_a_service_with_pods_are_a_controllers() {
    let by_hand = "apiVersion: v1\nkind: Endpoints\nmetadata:\n  name: db\n";
    assert!(!one(by_hand).is_controlled());
    for mark in [
        "labels: {endpoints.kubernetes.io/managed-by: endpoint-controller}",
        "annotations: {endpoints.kubernetes.io/last-change-trigger-time: \"2026-11-25T10:42:01Z\"}",
    ] {
        assert!(one(&format!("{by_hand}  {mark}\n")).is_controlled(), "{mark}");
    }
}
