//! `headlint review`: the webhook's answer without a cluster.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::run;

const SET: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: \"db:1\", ports: [{containerPort: 5432}]}]}
";

/// The creation of a Service that a StatefulSet names, with a virtual IP or
/// without.
fn request(folder: &Path, cluster_ip: &str) -> String {
    let resource = json!({"group": "", "version": "v1", "resource": "services"});
    let kind = json!({"group": "", "version": "v1", "kind": "Service"});
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": "db", "namespace": "default", "operation": "CREATE",
            "userInfo": {"username": "admin"}, "dryRun": false,
            "object": {
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "db", "namespace": "default"},
                "spec": {
                    "clusterIP": cluster_ip, "type": "ClusterIP", "selector": {"app": "db"},
                    "ports": [{"port": 5432, "targetPort": 5432, "protocol": "TCP"}],
                },
            },
        },
    });
    let file = folder.join("review.json");
    fs::write(&file, review.to_string()).unwrap();
    file.display().to_string()
}

fn answer(arguments: &[&str]) -> (Value, u8) {
    let ran = run(&[&["review"], arguments].concat());
    assert_eq!(ran.stderr, "");
    (serde_json::from_str(&ran.stdout).unwrap(), ran.code)
}

#[test]
fn the_answer_is_that_of_a_cluster_with_this_context() {
    let folder = tempfile::tempdir().unwrap();
    let context = folder.path().join("context");
    fs::create_dir(&context).unwrap();
    fs::write(context.join("set.yaml"), SET).unwrap();
    fs::write(context.join("notes.txt"), "nothing").unwrap();
    let context = context.to_str().unwrap();

    let file = request(folder.path(), "10.0.0.1");
    let (said, code) = answer(&[&file, "--context", context]);
    assert_eq!((said["response"]["allowed"].as_bool(), code), (Some(true), 0));
    assert_eq!(said["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    let warnings = said["response"]["warnings"].to_string();
    assert!(warnings.contains("statefulset-service-not-headless"), "{said}");
    let (said, _) = answer(&[&file]);
    assert!(said["response"]["warnings"].is_null(), "without a context: {said}");

    let config = folder.path().join("config.yaml");
    fs::write(&config, "rules: {statefulset-service-not-headless: deny}").unwrap();
    let config = config.to_str().unwrap();
    let (said, code) = answer(&[&file, "--context", context, "--config", config]);
    assert_eq!((said["response"]["allowed"].as_bool(), code), (Some(false), 1), "{said}");
    let file = request(folder.path(), "None");
    let (said, code) = answer(&[&file, "--context", context, "--config", config]);
    assert_eq!((said["response"]["allowed"].as_bool(), code), (Some(true), 0), "{said}");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = request(folder.path(), "None");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let broken = write("broken.yaml", "a: 1\nb: [\n");
    let wrong = write("wrong.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: 1}\n");
    let none = write("none.json", "{}");
    let typo = write("typo.yaml", "enforcment: deny\n");
    for (arguments, told) in [
        (&["gone.json"][..], "gone.json: can't be read"),
        (&[&none], "the webhook would answer 400: "),
        (&[&broken], "the webhook would answer 400: "),
        (&[&file, "--context", &broken], "broken.yaml:3"),
        (&[&file, "--context", &wrong], "wrong.yaml:3:18: `$.metadata.name` must be a string"),
        (&[&file, "--context", "gone"], "gone: can't be read"),
        (&[&file, "--config", "gone.yaml"], "can't read gone.yaml"),
        (&[&file, "--config", &typo], "typo.yaml:1:1: "),
    ] {
        let ran = run(&[&["review"], arguments].concat());
        assert!(ran.stderr.contains(told), "{arguments:?}: {}", ran.stderr);
        assert_eq!((ran.stdout.as_str(), ran.code), ("", 2), "{arguments:?}");
    }
}
