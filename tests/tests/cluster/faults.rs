//! The webhook under load while things change or break, each request counted.
//!
//! Load is at least 200 requests a second at each Service for at least 30 s
//! before and after each event, and across it. It comes from clients that do
//! what an API server does, dialling anew all the time, and from the API server
//! itself, where `failurePolicy: Fail` lets no failure pass. The pace is a
//! ceiling: a slow machine takes longer for the same number of requests.
//!
//! Tests that kill a server have a control plane of their own, so that they run
//! beside the others.

mod crash;
mod overload;
mod rotation;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use headlint_tests::cluster::{Cluster, Namespace, Replica};
use hyper::Method;
use serde_json::{Value, json};

use crate::Test::{self, Apart, Sharing};

pub(crate) use self::rotation::serve_with_short_lifetimes;

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "no_request_fails_while_certificates_and_replicas_change",
        Sharing(rotation::no_request_fails_while_certificates_and_replicas_change),
    ),
    (
        "without_the_webhook_requests_fare_as_the_failure_policy_says",
        Apart(crash::without_the_webhook_requests_fare_as_the_failure_policy_says),
    ),
    (
        "no_request_fails_while_the_api_server_restarts",
        Apart(crash::no_request_fails_while_the_api_server_restarts),
    ),
    ("what_is_too_much_is_shed_at_once", Sharing(overload::what_is_too_much_is_shed_at_once)),
    (
        "a_slow_policy_holds_up_no_other_kind",
        Sharing(overload::a_slow_policy_holds_up_no_other_kind),
    ),
];

/// Requests a second at each Service, and for how many seconds between events.
/// A tenth more than 200, so that no less arrive.
const RATE: u32 = 220;
const SECONDS: u32 = 30;
/// Of the API server itself, beside them.
const API_SERVER_RATE: u32 = 100;
/// Open connections of each stream.
const CLIENTS: usize = 8;
const PORT: u16 = 8443;

const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// Certificates that clients were shown.
type Seen = Arc<Mutex<BTreeSet<Vec<u8>>>>;

fn number(seen: &Seen) -> usize {
    seen.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// A Service, and where it is.
fn service(namespace: &Namespace<'_>, name: &str) -> SocketAddr {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"ports": [{"port": PORT}]},
    });
    let _ = namespace.apply(&service.to_string()).succeeded();
    SocketAddr::new(namespace.cluster().cluster_ip(namespace.name(), name), PORT)
}

/// The part of a ValidatingWebhookConfiguration that leads to a Service.
fn client_config(namespace: &str, service: &str) -> Value {
    let path = json!({"namespace": namespace, "name": service, "port": PORT, "path": "/validate"});
    json!({"service": path})
}

/// Creations of these resources of `apps/v1` and `v1`.
fn creations() -> Value {
    json!([{
        "apiGroups": ["", "apps"], "apiVersions": ["v1"], "resources": ["services", "statefulsets"],
        "operations": ["CREATE"],
    }])
}

fn in_namespace(name: &str) -> String {
    format!("request.namespace == '{name}'")
}

/// The path of a namespace's Services.
fn services(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/services")
}

/// The program with a certificate from `tls.crt` and `tls.key` in a folder.
fn with_certificate_of(folder: &Path) -> Command {
    let mut command = Command::new(Replica::program());
    command
        .arg("--tls-cert")
        .arg(folder.join("tls.crt"))
        .arg("--tls-key")
        .arg(folder.join("tls.key"));
    command
}

/// One replica that listens in place of the Service `hook`, with a certificate
/// of the cluster's authority: so that nobody is there when it is killed. The
/// configuration is `config`, and the folder `policies` holds policies, if
/// there are any.
fn hook(
    namespace: &Namespace<'_>,
    config: &str,
    policies: &[(&str, Vec<u8>)],
) -> (Replica, SocketAddr) {
    let (cluster, name) = (namespace.cluster(), namespace.name());
    let folder = cluster.folder().join(format!("hook-{name}"));
    std::fs::create_dir_all(folder.join("policies")).unwrap();
    let identity = cluster.authority().issue(&[format!("hook.{name}.svc")]);
    std::fs::write(folder.join("tls.crt"), identity.certificate).unwrap();
    std::fs::write(folder.join("tls.key"), identity.key).unwrap();
    std::fs::write(folder.join("config.yaml"), config).unwrap();
    let mut command = with_certificate_of(&folder);
    command.arg("--config").arg(folder.join("config.yaml"));
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    if !policies.is_empty() {
        command.arg("--policy-dir").arg(folder.join("policies"));
    }
    for (policy, bytes) in policies {
        std::fs::write(folder.join("policies").join(format!("{policy}.wasm")), bytes).unwrap();
    }
    let address = service(namespace, "hook");
    let mut replica = Replica::start(cluster, &format!("hook-{name}"), address, command);
    replica.until_ready();
    (replica, address)
}

/// Registers the Service `hook` of a namespace, under the namespace's name.
/// `rest` are the fields that differ.
fn register_hook(cluster: &Cluster, namespace: &str, rest: &Value) {
    register_hook_as(cluster, namespace, namespace, rest);
}

/// The same under another name.
fn register_hook_as(cluster: &Cluster, name: &str, namespace: &str, rest: &Value) {
    let mut client_config = client_config(namespace, "hook");
    client_config["caBundle"] = cluster.ca_bundle();
    let mut webhook = json!({
        "name": "validate.headlint.dev",
        "clientConfig": client_config,
        "rules": creations(),
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    });
    webhook.as_object_mut().unwrap().append(&mut rest.as_object().unwrap().clone());
    let object = json!({"metadata": {"name": name}, "webhooks": [webhook]});
    cluster.call(Method::POST, WEBHOOKS, &object).unwrap();
}
