//! How the servers are started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::KeyPair;
use serde_json::json;

use super::certificate::Authority;
use super::network::Network;
use super::process::Process;
use crate::cases::root;

/// Names of files in the cluster's folder.
pub(super) const KUBECONFIG: &str = "kubeconfig";
const CONTROLLERS_KUBECONFIG: &str = "controllers.kubeconfig";
const AUTHORITY: &str = "ca.crt";
const CERTIFICATE: &str = "api-server.crt";
const KEY: &str = "api-server.key";
const TOKENS: &str = "tokens.csv";
/// What the API server noted of changes of Services, and of all that accounts in
/// the cluster did, one JSON object on a line.
pub const AUDIT_LOG: &str = "audit.log";
const AUDIT_POLICY: &str = "audit-policy.json";
const ACCOUNTS_KEY: &str = "service-accounts.key";
const ACCOUNTS_PUBLIC_KEY: &str = "service-accounts.pub";

/// Of the controllers that ship with Kubernetes, those that make or remove what
/// rules look at. A cluster with a node has all of them.
const CONTROLLERS: &[&str] = &[
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "serviceaccount-controller",
    "statefulset-controller",
];

/// A program of the control plane.
///
/// # Panics
/// When it hasn't been built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let program = root().join("target/control-plane").join(name);
    assert!(program.exists(), "no {}: `make control-plane` builds it", program.display());
    program
}

/// Writes the files that the servers read.
pub(super) fn prepare(network: &Network, authority: &Authority, folder: &Path) {
    let write =
        |name: &str, text: &str| fs::write(folder.join(name), text).expect("it can be written");
    let identity = authority.issue(&network.names());
    write(CERTIFICATE, &identity.certificate);
    write(KEY, &identity.key);
    let accounts = KeyPair::generate().expect("a key");
    write(ACCOUNTS_KEY, &accounts.serialize_pem());
    write(ACCOUNTS_PUBLIC_KEY, &accounts.public_key_pem());
    let users = ["administrator", "system:kube-controller-manager"];
    let tokens = users.map(|user| format!("{user},{user},{user},\"system:masters\"\n"));
    write(TOKENS, &tokens.concat());
    let audit = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "verbs": ["create", "update", "patch", "delete"],
             "resources": [{"group": "", "resources": ["services"]}]},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "None"},
        ],
    });
    write(AUDIT_POLICY, &audit.to_string());
    let ca = folder.join(AUTHORITY);
    fs::write(&ca, authority.certificate()).expect("it can be written");
    let kubeconfig = |user: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "clusters": [{"name": "test", "cluster": {
                "server": format!("https://{}:6443", network.api_server()),
                "certificate-authority": ca,
            }}],
            "users": [{"name": user, "user": {"token": user}}],
        })
    };
    write(KUBECONFIG, &kubeconfig(users[0]).to_string());
    write(CONTROLLERS_KUBECONFIG, &kubeconfig(users[1]).to_string());
}

pub(super) fn etcd(network: &Network, folder: &Path) -> Process {
    let at = |port: u16| format!("http://{}:{port}", network.etcd());
    let mut command = Command::new(program("etcd"));
    command
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args(["--listen-client-urls", &at(2379), "--advertise-client-urls", &at(2379)])
        .args(["--listen-peer-urls", &at(2380), "--initial-advertise-peer-urls", &at(2380)])
        .args(["--initial-cluster", &format!("default={}", at(2380))]);
    Process::start("etcd", &command, folder)
}

pub(super) fn api_server(network: &Network, folder: &Path) -> Process {
    let file = |option: &str, name: &str| format!("--{option}={}", folder.join(name).display());
    let mut command = Command::new(program("kube-apiserver"));
    command
        .arg(format!("--etcd-servers=http://{}:2379", network.etcd()))
        .arg(format!("--bind-address={}", network.api_server()))
        .arg("--secure-port=6443")
        .arg(file("tls-cert-file", CERTIFICATE))
        .arg(file("tls-private-key-file", KEY))
        .arg(file("token-auth-file", TOKENS))
        .arg("--authorization-mode=RBAC")
        // As kubeadm has it; charts take it for granted.
        .arg("--allow-privileged=true")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(file("service-account-key-file", ACCOUNTS_PUBLIC_KEY))
        .arg(file("service-account-signing-key-file", ACCOUNTS_KEY))
        .arg(file("audit-policy-file", AUDIT_POLICY))
        .arg(file("audit-log-path", AUDIT_LOG))
        .arg(format!("--service-cluster-ip-range={}", network.services()));
    match network.node() {
        Some(address) => command
            .arg(format!("--advertise-address={address}"))
            .arg("--kubelet-preferred-address-types=InternalIP"),
        None => command
            // Of the Service `kubernetes`, which nobody dials here; a loopback
            // address isn't allowed.
            .args(["--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none"])
            // Pods need no account, for none of them runs.
            .arg("--disable-admission-plugins=ServiceAccount"),
    };
    Process::start("kube-apiserver", &command, folder)
}

/// The API server must be ready.
pub(super) fn controllers(network: &Network, folder: &Path) -> Process {
    let file = |option: &str, name: &str| format!("--{option}={}", folder.join(name).display());
    let mut command = Command::new(program("kube-controller-manager"));
    match network.node() {
        // Each as an account of its own, as everywhere but in tests.
        Some(_) => command
            .arg("--use-service-account-credentials")
            .arg(file("service-account-private-key-file", ACCOUNTS_KEY))
            .arg(file("root-ca-file", AUTHORITY)),
        None => command.arg(format!("--controllers={}", CONTROLLERS.join(","))),
    };
    command
        .arg(file("kubeconfig", CONTROLLERS_KUBECONFIG))
        .args(["--leader-elect=false", "--secure-port=0"])
        .args(["--kube-api-qps=500", "--kube-api-burst=1000"]);
    Process::start("kube-controller-manager", &command, folder)
}
