//! A release whose replicas are replaced, whose certificates change, and that is
//! dead while the API server refuses what it can't ask about.

use headlint_tests::cluster::{MISMATCH, mismatched_service, until};
use headlint_tests::node::{Node, POD_IMAGE};
use serde_json::json;

use crate::Test;
use crate::release::{HELM_3, HELM_4, Release, across};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("no_request_fails_while_replicas_are_replaced", replicas_are_replaced),
    ("no_request_fails_while_the_authority_changes", the_authority_changes),
    ("a_dead_webhook_locks_no_cluster", a_dead_webhook_locks_no_cluster),
];

const FAIL: &[&str] = &["webhook.failurePolicy=Fail"];

fn replicas_are_replaced(node: &Node) {
    let namespace = node.cluster().namespace();
    let release = Release::install(node, HELM_4);
    release.upgrade(FAIL);
    let load = release.load(&namespace, Some(MISMATCH));
    load.flow("before", 10);
    // It is gone when kubectl returns, and there is another one.
    across(&load, "the end of one of two replicas", || {
        release.kubectl(&["delete", &release.pods()[0]]);
    });
    across(&load, "a rollout", || release.restart());
    across(&load, "an upgrade", || release.upgrade(&[FAIL[0], "log.level=debug"]));
}

fn the_authority_changes(node: &Node) {
    let namespace = node.cluster().namespace();
    let release = Release::install(node, HELM_3);
    release.upgrade(FAIL);
    let old = release.bundle();
    let load = release.load(&namespace, Some(MISMATCH));
    load.flow("before", 5);
    // As the chart's README says.
    let lost = ["patch", "secret", "headlint-certificate", "--type=merge", "-p", "{\"data\":null}"];
    across(&load, "another authority", || {
        release.kubectl(&lost);
        // It is trusted before anybody serves a certificate of it.
        until("two authorities to be trusted", || {
            let authorities = release.bundle().matches("BEGIN CERTIFICATE").count();
            (authorities == 2).then_some(())
        });
    });
    let both = release.bundle();
    assert!(both.contains(old.trim()), "{both}");
    assert_eq!(both, release.secret("ca.crt"));
    across(&load, "a rollout with two authorities", || release.restart());
    assert_eq!(release.bundle(), both);
}

/// A Deployment without a fault.
fn deployment(name: &str) -> String {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "server", "image": POD_IMAGE}]},
            },
        },
    })
    .to_string()
}

fn a_dead_webhook_locks_no_cluster(node: &Node) {
    let cluster = node.cluster();
    let namespace = cluster.namespace();
    let _ = namespace.apply(&deployment("before")).succeeded();
    let wait = ["rollout", "status", "deployment/before", "--timeout=2m"];
    let _ = namespace.kubectl(&wait, "").succeeded();
    let doomed = cluster.namespace();
    let _ = doomed.apply(&mismatched_service("doomed").to_string()).succeeded();
    let mut release = Release::install(node, HELM_3);
    release.upgrade(FAIL);
    release.scale(0);
    let service = mismatched_service("any").to_string();
    let refused = namespace.apply(&service).refused_with("failed calling webhook");
    println!("what is refused: {}", refused.stderr.trim());

    // The node says that it lives, and can be told something.
    let lease = || {
        let lease =
            cluster.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node");
        lease.unwrap()["spec"]["renewTime"].clone()
    };
    let renewed = lease();
    until("the node to renew its lease", || (lease() != renewed).then_some(()));
    let _ = namespace.kubectl(&["label", "node", "node", "headlint.test/told=yes"], "").succeeded();
    // What the system needs can change.
    let _ = namespace.kubectl(&["apply", "-n", "kube-system", "-f", "-"], &service).succeeded();
    let _ = namespace
        .kubectl(&["apply", "-n", "kube-system", "-f", "-"], &deployment("system"))
        .succeeded();
    let wait = ["-n", "kube-system", "rollout", "status", "deployment/system", "--timeout=2m"];
    let _ = namespace.kubectl(&wait, "").succeeded();
    // The API server can say where it is.
    let own = ["-n", "default", "delete", "endpoints,endpointslices", "kubernetes"];
    let _ = namespace.kubectl(&own, "").succeeded();
    for kind in [
        "/api/v1/namespaces/default/endpoints",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
    ] {
        until("the API server to be found", || cluster.get(&format!("{kind}/kubernetes")).ok());
    }
    // Controllers go on: there is another Pod for the one that goes.
    let _ = namespace.kubectl(&["delete", "pod", "--all"], "").succeeded();
    let wait = ["rollout", "status", "deployment/before", "--timeout=2m"];
    let _ = namespace.kubectl(&wait, "").succeeded();
    // A namespace can be emptied.
    let delete = ["delete", "namespace", doomed.name(), "--timeout=2m"];
    let _ = namespace.kubectl(&delete, "").succeeded();
    // Or left alone.
    let ignored = cluster.namespace();
    let label = ["label", "namespace", ignored.name(), "headlint.dev/webhook=ignore"];
    let _ = ignored.kubectl(&label, "").succeeded();
    let _ = ignored.apply(&service).succeeded();

    // The release itself can be mended.
    let _ = release.apply(&service).succeeded();
    release.kubectl(&["delete", "service/any"]);
    release.upgrade(FAIL);
    release.scale(2);
    namespace.warns_with(MISMATCH, &service);

    // Or removed.
    release.scale(0);
    let _ = namespace
        .apply(&mismatched_service("other").to_string())
        .refused_with("failed calling webhook");
    release.uninstall();
    let _ = namespace.apply(&mismatched_service("other").to_string()).succeeded();
    let system = ["-n", "kube-system", "delete", "service/any", "deployment/system"];
    let _ = namespace.kubectl(&system, "").succeeded();
}
