//! A release from its installation to its end.

use headlint_tests::cluster::{Authority, Identity, MISMATCH, Namespace, mismatched_service};
use headlint_tests::guest::Guest;
use headlint_tests::helm::Helm;
use headlint_tests::node::{Node, POD_IMAGE};
use k8s_openapi::ByteString;
use serde_json::json;

use crate::Test;
use crate::release::{HELM_3, HELM_4, Release, across};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_release_of_helm_3_lives_and_goes", |node| lives_and_goes(node, HELM_3, "Ignore")),
    ("a_release_of_helm_4_lives_and_goes", |node| lives_and_goes(node, HELM_4, "Fail")),
    ("a_release_takes_a_certificate_and_policies_of_ours", takes_what_is_ours),
];

/// Its Pods can't be made, and no other object heals that.
const TOO_LONG: &str = "statefulset-name-too-long";

/// A Service that is right, with the Pod behind it.
fn correct() -> String {
    let mut service = mismatched_service("right");
    service["spec"]["ports"][0]["port"] = json!(8080);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "right", "labels": {"app": "right"}},
        "spec": {"containers": [{
            "name": "server", "image": POD_IMAGE,
            "ports": [{"name": "tcp", "containerPort": 8080}],
        }]},
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [pod, service]}).to_string()
}

fn too_long() -> String {
    let labels = json!({"app": "long"});
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "x".repeat(60)},
        "spec": {
            "serviceName": "long", "replicas": 0, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "server", "image": POD_IMAGE}]},
            },
        },
    })
    .to_string()
}

fn lives_and_goes(node: &Node, helm: Helm, failure_policy: &str) {
    let namespace = node.cluster().namespace();
    let wrong = mismatched_service("wrong").to_string();
    let mut release = Release::install(node, helm);
    assert_eq!(release.pods().len(), 2);
    let authority = release.bundle();
    assert_eq!(authority, release.secret("ca.crt"));

    namespace.accepts(&correct());
    namespace.warns_with(MISMATCH, &wrong);
    assert!(namespace.apply(&too_long()).success, "it only warns");
    let _ = namespace.delete(&too_long()).succeeded();
    release.test();

    release.upgrade(&["config.enforcement=deny"]);
    namespace.denies_with(TOO_LONG, &too_long());
    namespace.warns_with(MISMATCH, &wrong);
    assert_eq!(release.bundle(), authority, "an upgrade keeps the authority");
    assert_eq!(release.secret("ca.crt"), authority);

    release.rollback();
    assert!(namespace.apply(&too_long()).success, "it only warns again");
    assert_eq!(release.bundle(), authority, "a rollback keeps the authority");
    let _ = namespace.delete(&too_long()).succeeded();
    let _ = namespace.delete(&correct()).succeeded();
    let _ = namespace.delete(&wrong).succeeded();

    release.upgrade(&[&format!("webhook.failurePolicy={failure_policy}")]);
    let load = release.load(&namespace, Some(MISMATCH));
    load.flow("before the end", 5);
    drop(load);
    let load = release.load(&namespace, None);
    across(&load, "the uninstallation", || release.uninstall());
    drop(load);
    release.assert_nothing_is_left();
}

/// A Secret with a certificate, and a ConfigMap with a policy, that are there
/// before the release: the values that name them.
fn ours(namespace: &Namespace<'_>) -> Vec<String> {
    let authority = Authority::new();
    let name = format!("headlint.{}.svc", namespace.name());
    let Identity { certificate, key } = authority.issue(&[name]);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "our-certificate"},
        "stringData": {"tls.crt": certificate, "tls.key": key},
    });
    let mut policy = Guest::evaluating("our-policy", format!("i32.const {}", Guest::DATA));
    policy.data = Guest::findings(1, b"our-policy", b"$.spec", b"we found it");
    let policies = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "our-policies"},
        "binaryData": {"our-policy.wasm": ByteString(policy.component())},
    });
    let _ = namespace.apply(&secret.to_string()).succeeded();
    let _ = namespace.kubectl(&["create", "-f", "-"], &policies.to_string()).succeeded();
    vec![
        "certificates.source=secret".to_owned(),
        "certificates.secret.name=our-certificate".to_owned(),
        format!("certificates.secret.caBundle={}", authority.certificate()),
        "policies.configMap.name=our-policies".to_owned(),
    ]
}

fn takes_what_is_ours(node: &Node) {
    let namespace = node.cluster().namespace();
    let mut release = Release::install_with(node, HELM_4, ours);
    let outcome = namespace.dry_run(&mismatched_service("wrong").to_string()).succeeded();
    let warnings = outcome.warnings();
    for told in [MISMATCH, "our-policy: we found it"] {
        assert!(warnings.iter().any(|warning| warning.starts_with(told)), "{warnings:?}");
    }
    release.uninstall();
    release.assert_nothing_is_left();
}
