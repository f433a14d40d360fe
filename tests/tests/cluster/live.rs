//! A live cluster, as `kubectl get` prints it: defaults, status, managed fields,
//! and the objects that controllers make.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use headlint_tests::cases::root;
use headlint_tests::cluster::{Cluster, Namespace, until};
use serde_json::Value;

use crate::Test::{self, Sharing};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("a_live_cluster_is_judged_as_its_manifests", Sharing(is_judged_as_its_manifests))];

/// Like the README's, and what controllers make besides.
const KINDS: &str = "services,statefulsets,deployments,endpointslices,networkpolicies,\
                     replicasets,daemonsets,pods,endpoints,configmaps,controllerrevisions";

/// Rule, object and path of each finding, hints too.
fn findings(input: &str, namespace: &str) -> BTreeSet<String> {
    let mut command = Command::new(root().join("target/release/headlint"));
    command
        .args(["lint", "-", "--namespace", namespace, "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut headlint = command.spawn().unwrap();
    headlint.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = headlint.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["errors"], serde_json::json!([]), "{report}");
    assert_eq!(report["faults"], serde_json::json!([]), "{report}");
    let findings = report["findings"].as_array().unwrap().iter();
    // What is about the text of a manifest is gone when it lives.
    let findings = findings.filter(|one| one["policy"] != "manifest");
    findings.map(|one| format!("{} {} {}", one["rule"], one["object"], one["path"])).collect()
}

/// Waits until controllers have made what they make.
fn until_controlled(namespace: &Namespace<'_>) {
    let observed = |object: &Value| {
        let generation = &object["metadata"]["generation"];
        object["status"]["observedGeneration"] == *generation
    };
    // kubectl prints nothing where there is nothing.
    let list = |kinds: &str| -> Vec<Value> {
        let list = namespace.get(kinds).map(|mut list| list["items"].take());
        list.and_then(|items| items.as_array().cloned()).unwrap_or_default()
    };
    until("controllers to have seen all workloads", || {
        list("statefulsets,deployments,replicasets").iter().all(observed).then_some(())
    });
    until("each Service with a selector to have its slices", || {
        let slices = list("endpointslices");
        let selects = |service: &&Value| service["spec"]["selector"].is_object();
        let has = |service: &Value| {
            let name = &service["metadata"]["name"];
            slices.iter().any(|it| it["metadata"]["labels"]["kubernetes.io/service-name"] == *name)
        };
        list("services").iter().filter(selects).all(has).then_some(())
    });
}

/// A bundle of one namespace, in another.
fn moved(text: &str, namespace: &str) -> String {
    match text.lines().find_map(|line| line.strip_prefix("  namespace: ")) {
        None => text.to_owned(),
        Some(old) => text
            .replace(&format!("namespace: {old}"), &format!("namespace: {namespace}"))
            .replace(&format!(".{old}.svc"), &format!(".{namespace}.svc")),
    }
}

fn is_judged_as_its_manifests(cluster: &Cluster) {
    let own = cluster.namespace().kubectl(&["get", KINDS, "-n", "default", "-o", "yaml"], "");
    let own = own.succeeded().stdout;
    assert!(own.contains("name: kubernetes"), "{own}");
    assert_eq!(findings(&own, "default"), BTreeSet::new(), "what every cluster has");
    let mut judged = 0;
    let mut all = 0;
    for entry in fs::read_dir(root().join("tests/manifests")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let namespace = cluster.namespace();
        let text = moved(&text, namespace.name());
        if !namespace.apply(&text).success {
            // What the API server refuses never lives.
            continue;
        }
        until_controlled(&namespace);
        let live = namespace.kubectl(&["get", KINDS, "-o", "yaml"], "").succeeded().stdout;
        let expected = findings(&text, namespace.name());
        let found = findings(&live, namespace.name());
        assert_eq!(found, expected, "{}:\n{live}", path.display());
        judged += 1;
        all += found.len();
    }
    assert!(judged > 5 && all > 5, "{judged} bundles with {all} findings");
    println!("{judged} live bundles, {all} findings");
}
