//! What a client sees of what headlint warns of.

use headlint_tests::cluster::{MISMATCH, Namespace, until};
use headlint_tests::node::{Node, POD_IMAGE};
use serde_json::{Value, json};

use crate::Test;
use crate::release::{HELM_3, Release};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("a_client_sees_what_headlint_warns_of", a_client_sees_what_headlint_warns_of)];

/// A Service of the Pod `server`, which listens on 8080.
fn service(name: &str, cluster_ip: Option<&str>, port: u16) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {
            "clusterIP": cluster_ip, "selector": {"app": "server"},
            "ports": [{"name": "tcp", "port": port, "targetPort": 8080}],
        },
    })
    .to_string()
}

fn pod(name: &str, args: &[&str]) -> Value {
    let ports = json!([{"name": "tcp", "containerPort": 8080}]);
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{
            "name": name, "image": POD_IMAGE, "args": args, "ports": ports,
        }]},
    })
}

/// The client gets to see this, once DNS and kube-proxy have heard of the Service.
#[track_caller]
fn sees(namespace: &Namespace<'_>, address: &str, expected: &str) {
    until(&format!("a client of {address} to be {expected}"), || {
        let dial = ["exec", "client", "--", "/pod", "dial", address];
        let seen = namespace.kubectl(&dial, "").succeeded().stdout;
        (seen.trim() == expected).then_some(())
    });
}

fn a_client_sees_what_headlint_warns_of(node: &Node) {
    let namespace = node.cluster().namespace();
    let _release = Release::install(node, HELM_3);
    let pods = [pod("server", &["serve", ":8080"]), pod("client", &["serve", ":8081"])];
    let pods = json!({"apiVersion": "v1", "kind": "List", "items": pods}).to_string();
    let _ = namespace.apply(&pods).succeeded();
    let ready = ["wait", "--for=condition=Ready", "pods", "--all", "--timeout=2m"];
    let _ = namespace.kubectl(&ready, "").succeeded();

    // A cluster IP translates ports, and a headless Service doesn't.
    namespace.warns_with(MISMATCH, &service("wrong", Some("None"), 80));
    sees(&namespace, "wrong:80", "refused");
    namespace.accepts(&service("right", Some("None"), 8080));
    sees(&namespace, "right:8080", "connected");
    namespace.accepts(&service("translated", None, 80));
    sees(&namespace, "translated:80", "connected");
}
