//! Every right that the chart gives is used, and no other one is missed.

use std::collections::BTreeSet;
use std::fs;

use headlint_tests::cluster::{AUDIT_LOG, Cluster, Replica, mismatched_service, until};
use headlint_tests::helm::HELMS;
use hyper::Method;
use serde_json::Value;

use super::release::Release;

/// Group, resource, name if it is restricted to one, and verb.
type Right = (String, String, Option<String>, String);

fn texts(values: &Value) -> impl Iterator<Item = String> {
    values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

/// The rights of a role.
fn given(role: &Value) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        let names: Vec<_> = match &rule["resourceNames"] {
            Value::Null => vec![None],
            names => texts(names).map(Some).collect(),
        };
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for name in &names {
                    for verb in texts(&rule["verbs"]) {
                        rights.insert((group.clone(), resource.clone(), name.clone(), verb));
                    }
                }
            }
        }
    }
    rights
}

/// What an account asked for, and whether it was let.
fn used(cluster: &Cluster, account: &str) -> Vec<(Right, bool)> {
    let log = fs::read_to_string(cluster.folder().join(AUDIT_LOG)).unwrap();
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = entries.filter(|entry| entry["user"]["username"] == account);
    own.map(|entry| {
        let object = &entry["objectRef"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = object["name"].as_str().map(str::to_owned);
        let right =
            (text(&object["apiGroup"]), text(&object["resource"]), name, text(&entry["verb"]));
        (right, entry["responseStatus"]["code"] != 403)
    })
    .collect()
}

pub(super) fn chart_gives_the_rights_that_are_used(cluster: &mut Cluster) {
    let (home, judged) = (cluster.namespace(), cluster.namespace());
    let values = ["config.optionalKinds={ConfigMap,Ingress}", "config.graceSeconds=1"];
    let release = Release::install(HELMS[0], &home, &values);
    let mut replicas = release.replicas(2);
    replicas.iter_mut().for_each(Replica::until_ready);
    // It selects nothing, which becomes an Event.
    let _ = judged.apply(&mismatched_service("db").to_string()).succeeded();

    let role = |kind: &str, name: &str| home.get(&format!("{kind}/{name}")).unwrap();
    let name = release.full_name();
    let roles = [
        role("role", &name),
        role("clusterrole", &name),
        role("clusterrole", &format!("{name}-context")),
    ];
    let given: BTreeSet<_> = roles.iter().flat_map(given).collect();
    let account = format!("system:serviceaccount:{}:{name}", home.name());
    let covers = |given: &Right, used: &Right| {
        let name = given.2.is_none() || given.2 == used.2;
        name && (&given.0, &given.1, &given.3) == (&used.0, &used.1, &used.3)
    };
    until("every right to be used", || {
        // Both see it and repair it; who comes second reads it again.
        let mut configuration = release.configuration();
        for webhook in configuration["webhooks"].as_array_mut().unwrap() {
            webhook["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        }
        let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
        let _ = cluster.call(Method::PUT, &format!("{path}/{name}"), &configuration);
        until("the caBundle", || release.bundle().is_string().then_some(()));
        let used = used(cluster, &account);
        given.iter().all(|right| used.iter().any(|(used, _)| covers(right, used))).then_some(())
    });
    let used = used(cluster, &account);
    let refused: Vec<_> = used.iter().filter(|(_, allowed)| !allowed).collect();
    assert!(refused.is_empty(), "{refused:?}");
    for (right, _) in &used {
        assert!(given.iter().any(|given| covers(given, right)), "{right:?}");
    }
    for replica in &replicas {
        assert!(!replica.log().contains("forbidden"), "{}", replica.log());
        assert_eq!(replica.metric("headlint_context_unknown", ""), 0.0);
    }
    println!("{} requests with {} rights, each used, none missed", used.len(), given.len());
    drop(replicas);
    release.helm(&["uninstall", release.name()]);
}
