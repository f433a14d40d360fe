//! What rules say of the API server and its controllers.

use headlint_tests::cluster::{Cluster, until};
use serde_json::json;

use crate::Test::{self, Sharing};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("cluster_ips_none_alone_is_refused", Sharing(cluster_ips_none_alone_is_refused)),
    ("headless_is_refused_for_node_ports", Sharing(headless_is_refused_for_node_ports)),
    ("none_in_other_letters_is_no_address", Sharing(none_in_other_letters_is_no_address)),
    ("a_port_other_than_the_target_port_is_admitted", Sharing(a_port_other_than_the_target_port)),
    ("dropping_cluster_ip_none_changes_nothing", Sharing(dropping_cluster_ip_none)),
    ("none_cant_become_an_address", Sharing(none_cant_become_an_address)),
    ("an_empty_selector_is_stored_as_none", Sharing(an_empty_selector)),
    ("ignored_fields_of_headless_services_are_warned_of", Sharing(ignored_fields)),
    ("endpoints_of_a_selectorless_service_are_mirrored", Sharing(endpoints_are_mirrored)),
    ("a_set_with_a_long_name_makes_no_pods", Sharing(a_set_with_a_long_name)),
    ("a_doubled_key_passes_kubectl", Sharing(a_doubled_key_passes_kubectl)),
    ("a_headless_service_is_never_called", Sharing(a_headless_service_is_never_called)),
];

fn service(spec: &str) -> String {
    format!("{{apiVersion: v1, kind: Service, metadata: {{name: db}}, spec: {spec}}}")
}

fn cluster_ips_none_alone_is_refused(cluster: &Cluster) {
    let service = service("{clusterIPs: [None], selector: {app: db}, ports: [{port: 80}]}");
    let _ = cluster
        .namespace()
        .apply(&service)
        .refused_with("must be empty when `clusterIP` is not specified");
}

fn headless_is_refused_for_node_ports(cluster: &Cluster) {
    let service = service("{clusterIP: None, type: NodePort, ports: [{port: 80}]}");
    let refusal = "may not be set to 'None' for NodePort services";
    let _ = cluster.namespace().apply(&service).refused_with(refusal);
}

fn none_in_other_letters_is_no_address(cluster: &Cluster) {
    for word in ["none", "NONE"] {
        let service = service(&format!("{{clusterIP: {word}, ports: [{{port: 80}}]}}"));
        let _ = cluster.namespace().apply(&service).refused_with("must be a valid IP address");
    }
}

fn a_port_other_than_the_target_port(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let spec = "{clusterIP: None, selector: {app: db}, ports: [{port: 80, targetPort: 8000}]}";
    let outcome = namespace.apply(&service(spec)).succeeded();
    assert!(outcome.warnings().is_empty(), "{}", outcome.stderr);
    assert_eq!(namespace.get("service/db").unwrap()["spec"]["ports"][0]["targetPort"], 8000);
}

fn dropping_cluster_ip_none(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _ = namespace.apply(&service("{clusterIP: None, ports: [{port: 80}]}")).succeeded();
    let outcome = namespace.apply(&service("{ports: [{port: 80}]}")).succeeded();
    assert_eq!(outcome.stdout, "service/db configured\n");
    let service = namespace.get("service/db").unwrap();
    assert_eq!(service["spec"]["clusterIP"], "None");
    let applied =
        &service["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    assert!(!applied.as_str().unwrap().contains("clusterIP"), "{applied}");
    for value in [json!(null), json!("")] {
        let _ = namespace.patch("service/db", &json!({"spec": {"clusterIP": value}})).succeeded();
        assert_eq!(namespace.get("service/db").unwrap()["spec"]["clusterIP"], "None");
    }
}

fn none_cant_become_an_address(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let spec =
        |ip: &str| format!("{{clusterIP: {ip}, selector: {{app: db}}, ports: [{{port: 80}}]}}");
    let _ = namespace.apply(&service(&spec("None"))).succeeded();
    let address = service(&spec("10.0.0.1"));
    let _ = namespace.apply(&address).refused_with("may not change once set");
    let _ = namespace.apply_server_side(&address).refused_with("may not change once set");
}

fn an_empty_selector(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let spec = "{clusterIP: None, selector: {}, ports: [{port: 80}]}";
    let _ = namespace.apply(&service(spec)).succeeded();
    let stored = namespace.get("service/db").unwrap();
    assert_eq!(stored["spec"].get("selector"), None, "{stored}");
    // As if it were selectorless.
    assert_eq!(stored["spec"]["ipFamilyPolicy"], "RequireDualStack", "{stored}");
}

fn ignored_fields(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let warned = "{clusterIP: None, sessionAffinity: ClientIP, ports: [{port: 80}]}";
    let outcome = namespace.dry_run(&service(warned)).succeeded();
    assert_eq!(outcome.warnings(), ["spec.SessionAffinity is ignored for headless services"]);
    let silent = "{clusterIP: None, internalTrafficPolicy: Local, ports: [{port: 80}]}";
    let outcome = namespace.dry_run(&service(silent)).succeeded();
    assert!(outcome.warnings().is_empty(), "{}", outcome.stderr);
}

fn endpoints_are_mirrored(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _ = namespace.apply(&service("{clusterIP: None, ports: [{port: 80}]}")).succeeded();
    let endpoints = "
apiVersion: v1
kind: Endpoints
metadata: {name: db}
subsets:
- addresses: [{ip: 10.1.2.3}]
  ports: [{name: http, port: 8080}]";
    let outcome = namespace.apply(endpoints).succeeded();
    assert!(outcome.stderr.contains("v1 Endpoints is deprecated"), "{}", outcome.stderr);
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", namespace.name());
    let slice = until("the mirror of the Endpoints", || {
        cluster.get(&path).unwrap()["items"].as_array()?.first().cloned()
    });
    assert_eq!(slice["metadata"]["labels"]["kubernetes.io/service-name"], "db", "{slice}");
    assert_eq!(slice["ports"][0]["name"], "http", "{slice}");
    assert_eq!(slice["ports"][0]["port"], 8080, "{slice}");
    // The controller that mirrors doesn't say that the Service is headless.
    let headless = slice["metadata"]["labels"].get("service.kubernetes.io/headless");
    assert_eq!(headless, None, "{slice}");
}

fn a_set_with_a_long_name(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let set = |name: &str| {
        format!(
            "
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}}}
spec:
  serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec: {{containers: [{{name: db, image: db}}]}}"
        )
    };
    let long = "x".repeat(60);
    let _ = namespace.apply(&set(&long)).succeeded();
    let _ = namespace.apply(&set("short")).succeeded();
    let path = format!("/api/v1/namespaces/{}", namespace.name());
    let event = until("an event of the long set", || {
        let events = cluster.get(&format!("{path}/events")).unwrap();
        events["items"].as_array()?.iter().find(|it| it["involvedObject"]["name"] == *long).cloned()
    });
    assert_eq!(event["reason"], "FailedCreate", "{event}");
    let message = event["message"].as_str().unwrap();
    assert!(message.contains("must be no more than 63 bytes"), "{message}");
    until("the pod of the short set", || namespace.get("pod/short-0"));
    assert_eq!(namespace.get(&format!("pod/{long}-0")), None);
}

fn a_doubled_key_passes_kubectl(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let doubled =
        service("{clusterIP: None, selector: {app: a}, selector: {app: b}, ports: [{port: 80}]}");
    let outcome = namespace.apply(&doubled).succeeded();
    assert_eq!(outcome.stderr, "");
    assert_eq!(namespace.get("service/db").unwrap()["spec"]["selector"], json!({"app": "b"}));
}

fn a_headless_service_is_never_called(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _ = namespace.apply(&service("{clusterIP: None, ports: [{port: 443}]}")).succeeded();
    let client_config = json!({"service": {"namespace": namespace.name(), "name": "db"}});
    let rules = json!([{
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["configmaps"],
    }]);
    // Others aren't in its way.
    let condition = format!("request.namespace == '{}'", namespace.name());
    cluster.register_webhook("headless", &client_config, &rules, &condition);
    let object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: db}}";
    let outcome = until("the API server to call the webhook", || {
        let outcome = namespace.dry_run(object);
        (!outcome.success).then_some(outcome)
    });
    cluster.unregister_webhook("headless");
    let _ = outcome.refused_with("cannot route to service with ClusterIP \"None\"");
}
