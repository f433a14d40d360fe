//! Certificates that two replicas look after together: what the API server
//! makes of them while they change.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONNECTION;
use axum::routing::post;
use headlint_tests::cluster::{Cluster, Namespace, until};
use headlint_webhook::certificates::{Keeper, Lifetimes, Settings, Status, owner, service_names};
use headlint_webhook::tls::Serving;
use hyper::Method;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustls::ServerConfig;
use rustls::crypto::ring;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::Test::{self, Sharing};

pub(crate) const TESTS: &[(&str, Test)] = &[(
    "no_request_fails_while_certificates_change",
    Sharing(no_request_fails_while_certificates_change),
)];

/// Short, but long enough that a busy machine renews in time.
const LIFETIMES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(45),
    serving: Duration::from_secs(15),
    settle: Duration::from_secs(2),
};

/// A webhook that admits everything, and closes each connection so that the API
/// server has to check the certificate for each request.
struct Replica {
    serving: Arc<Serving>,
    status: tokio::sync::watch::Receiver<Status>,
    tasks: [JoinHandle<()>; 2],
}

impl Replica {
    fn start(
        cluster: &Cluster,
        namespace: &Namespace<'_>,
        owner: &OwnerReference,
        address: SocketAddr,
        addresses: &[SocketAddr],
    ) -> Self {
        let mut names = service_names("headlint", namespace.name(), "cluster.local");
        names.extend(addresses.iter().map(|address| address.ip().to_string()));
        let settings = Settings {
            namespace: namespace.name().to_owned(),
            secret: "certificates".to_owned(),
            configuration: namespace.name().to_owned(),
            owner: Some(owner.clone()),
            names,
            lifetimes: LIFETIMES,
        };
        let serving = Arc::<Serving>::default();
        let (keeper, status) =
            Keeper::new(account(cluster, namespace), settings, Arc::clone(&serving));
        let listener = cluster.block_on(TcpListener::bind(address)).unwrap();
        let server = serve(listener, Arc::clone(&serving));
        let tasks = cluster.block_on(async { [tokio::spawn(keeper.run()), tokio::spawn(server)] });
        Self { serving, status, tasks }
    }

    fn status(&self) -> Status {
        *self.status.borrow()
    }

    fn certificate(&self) -> Vec<u8> {
        self.serving.current().unwrap().cert[0].to_vec()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn serve(listener: TcpListener, serving: Arc<Serving>) {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(serving);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let router = Router::new().route("/validate", post(admit));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
                .await;
        });
    }
}

async fn admit(body: Bytes) -> ([(hyper::header::HeaderName, &'static str); 1], String) {
    let review: Value = serde_json::from_slice(&body).unwrap();
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": true},
    });
    ([(CONNECTION, "close")], answer.to_string())
}

/// A client that has no rights but those of the webhook's account.
fn account(cluster: &Cluster, namespace: &Namespace<'_>) -> Client {
    let mut kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let user = kubeconfig.auth_infos[0].auth_info.as_mut().unwrap();
    user.impersonate = Some(format!("system:serviceaccount:{}:headlint", namespace.name()));
    cluster.block_on(async {
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        Client::try_from(config).unwrap()
    })
}

/// The account's rights: everything by name, where that can be.
fn rights(namespace: &str) -> String {
    let subjects = json!([{"kind": "ServiceAccount", "name": "headlint", "namespace": namespace}]);
    let object = |kind: &str, name: &str, rest: Value| {
        let mut object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
            "metadata": {"name": name},
        });
        object.as_object_mut().unwrap().append(&mut rest.as_object().unwrap().clone());
        object
    };
    let role = |kind: &str, name: &str| {
        json!({
            "subjects": subjects,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        })
    };
    let own = json!({"rules": [
        {
            "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["certificates"],
            "verbs": ["get", "list", "watch", "update"],
        },
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
        {
            "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["headlint"],
            "verbs": ["get"],
        },
    ]});
    let global = json!({"rules": [{
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["validatingwebhookconfigurations"], "resourceNames": [namespace],
        "verbs": ["get", "list", "watch", "patch"],
    }]});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "headlint"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "headlint"}},
            "template": {
                "metadata": {"labels": {"app": "headlint"}},
                "spec": {"containers": [{"name": "webhook", "image": "headlint"}]},
            },
        },
    });
    let items = [
        deployment,
        object("Role", "headlint", own),
        object("RoleBinding", "headlint", role("Role", "headlint")),
        object("ClusterRole", namespace, global),
        object("ClusterRoleBinding", namespace, role("ClusterRole", namespace)),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

const CONFIGURATIONS: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// Each request has to be admitted by both replicas.
fn register(cluster: &Cluster, namespace: &str, addresses: &[SocketAddr]) {
    let webhook = |address: &SocketAddr| {
        json!({
            "name": format!("at-{}.headlint.dev", address.ip()).replace('.', "-") + ".test.dev",
            "clientConfig": {"url": format!("https://{address}/validate")},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                "operations": ["CREATE"],
            }],
            "matchConditions": [
                {"name": "own", "expression": format!("request.namespace == '{namespace}'")},
            ],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
        })
    };
    let webhooks: Vec<_> = addresses.iter().map(webhook).collect();
    let object = json!({"metadata": {"name": namespace}, "webhooks": webhooks});
    cluster.call(Method::POST, CONFIGURATIONS, &object).unwrap();
}

/// The configuration without what our writes may change.
fn configuration(cluster: &Cluster, name: &str) -> Value {
    let mut object = cluster.get(&format!("{CONFIGURATIONS}/{name}")).unwrap();
    for webhook in object["webhooks"].as_array_mut().unwrap() {
        webhook["clientConfig"]["caBundle"] = Value::Null;
    }
    for field in ["managedFields", "resourceVersion", "generation"] {
        object["metadata"][field] = Value::Null;
    }
    object
}

fn no_request_fails_while_certificates_change(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let name = namespace.name();
    let _ = namespace.apply(&rights(name)).succeeded();
    let addresses = [(); 2].map(|()| SocketAddr::from((cluster.free_address(), 8443)));
    register(cluster, name, &addresses);
    let before = configuration(cluster, name);
    let owner = owner(account(cluster, &namespace), name, "headlint");
    let owner = cluster.block_on(owner).unwrap();
    let replicas =
        addresses.map(|address| Replica::start(cluster, &namespace, &owner, address, &addresses));
    let request = || {
        let path = format!("/api/v1/namespaces/{name}/configmaps?dryRun=All");
        cluster.call(Method::POST, &path, &json!({"metadata": {"generateName": "asked-"}}))
    };
    until("both replicas to be ready", || {
        replicas.iter().all(|replica| replica.status().ready).then_some(())
    });
    until("the API server to have the caBundle", || request().ok());
    assert_eq!(configuration(cluster, name), before, "nothing but the caBundle was written");

    // Each condition is waited for while requests flow, and none may fail.
    let mut certificates = [const { BTreeSet::new() }; 2];
    let mut authorities = [const { BTreeSet::new() }; 2];
    let mut requests = 0;
    let mut flow_until = |what: &str, mut holds: Box<dyn FnMut(usize) -> bool + '_>| {
        until(what, || {
            request().unwrap_or_else(|error| panic!("{what}, after {requests}: {error}"));
            requests += 1;
            for (i, replica) in replicas.iter().enumerate() {
                certificates[i].insert(replica.certificate());
                authorities[i].insert(replica.status().authority_expires);
            }
            let least = authorities.iter().map(BTreeSet::len).min().unwrap();
            holds(least).then_some(())
        });
    };
    flow_until("the second authority", Box::new(|authorities| authorities >= 2));

    let secret = || namespace.get("secret/certificates");
    let old = secret().unwrap();
    let _ = namespace.kubectl(&["delete", "secret", "certificates"], "").succeeded();
    flow_until("the authority after the Secret was deleted", Box::new(|count| count >= 3));
    let new = secret().unwrap();
    assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
    assert_ne!(new["data"]["ca.key"], old["data"]["ca.key"]);
    assert_eq!(new["metadata"]["ownerReferences"][0]["uid"], json!(owner.uid));

    for key in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
        let spoilt = json!({"data": {key: "anVuaw=="}});
        let _ = namespace.patch("secret/certificates", &spoilt).succeeded();
        let repaired = || secret().is_some_and(|secret| secret["data"][key] != "anVuaw==");
        flow_until(&format!("{key} to be repaired"), Box::new(move |_| repaired()));
    }
    let settled = |(): ()| {
        let same = replicas[0].certificate() == replicas[1].certificate();
        same && replicas.iter().all(|replica| replica.status().trusted)
    };
    flow_until("both to serve the same", Box::new(move |_| settled(())));
    println!(
        "{requests} requests, each admitted by both replicas; certificates {:?}, authorities {:?}",
        certificates.each_ref().map(BTreeSet::len),
        authorities.each_ref().map(BTreeSet::len),
    );

    // Somebody takes the caBundles away.
    let mut reset = cluster.get(&format!("{CONFIGURATIONS}/{name}")).unwrap();
    for webhook in reset["webhooks"].as_array_mut().unwrap() {
        webhook["clientConfig"].as_object_mut().unwrap().remove("caBundle");
    }
    cluster.call(Method::PUT, &format!("{CONFIGURATIONS}/{name}"), &reset).unwrap();
    until("the caBundles to be back", || {
        let now = cluster.get(&format!("{CONFIGURATIONS}/{name}")).unwrap();
        let webhooks = now["webhooks"].as_array().unwrap();
        webhooks.iter().all(|webhook| webhook["clientConfig"]["caBundle"].is_string()).then_some(())
    });
    until("requests to be admitted again", || request().ok());
    assert_eq!(configuration(cluster, name), before, "nothing but the caBundle was written");

    drop(replicas);
    cluster.call(Method::DELETE, &format!("{CONFIGURATIONS}/{name}"), &Value::Null).unwrap();
    let _ = namespace.kubectl(&["delete", "deployment", "headlint"], "").succeeded();
    until("the Secret to go with its owner", || secret().is_none().then_some(()));
}
