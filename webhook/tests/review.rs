//! `headlint-webhook review`: one answer without a cluster.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use headlint_webhook::args::{Args, Command, ReviewArgs};
use headlint_webhook::review::review;
use serde_json::{Value, json};

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

fn answer(arguments: &[&str]) -> Result<(Value, u8), String> {
    let arguments = ["headlint-webhook", "review"].iter().chain(arguments);
    let args = <Args as clap::Parser>::try_parse_from(arguments).map_err(|it| it.to_string())?;
    let Command::Review(args) = args.command() else { panic!("it is `review`") };
    let args: ReviewArgs = args;
    let mut stdout = Vec::new();
    let code = review(&args, &mut stdout).map_err(|error| format!("{error:#}"))?;
    Ok((serde_json::from_slice(&stdout).unwrap(), code))
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
    let (said, code) = answer(&[&file, "--context", context]).unwrap();
    assert_eq!((said["response"]["allowed"].as_bool(), code), (Some(true), 0));
    assert_eq!(said["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    let warnings = said["response"]["warnings"].to_string();
    assert!(warnings.contains("statefulset-service-not-headless"), "{said}");
    let (said, _) = answer(&[&file]).unwrap();
    assert!(said["response"]["warnings"].is_null(), "without a context: {said}");

    let config = folder.path().join("config.yaml");
    fs::write(&config, "rules: {statefulset-service-not-headless: deny}").unwrap();
    let config = config.to_str().unwrap();
    let (said, code) = answer(&[&file, "--context", context, "--config", config]).unwrap();
    assert_eq!((said["response"]["allowed"].as_bool(), code), (Some(false), 1), "{said}");
    let file = request(folder.path(), "None");
    let (said, code) = answer(&[&file, "--context", context, "--config", config]).unwrap();
    assert_eq!((said["response"]["allowed"].as_bool(), code), (Some(true), 0), "{said}");
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = request(folder.path(), "None");
    let broken = folder.path().join("broken.yaml");
    fs::write(&broken, "a: [\n").unwrap();
    let broken = broken.to_str().unwrap();
    for (arguments, told) in [
        (&["gone.json"][..], "can't read gone.json"),
        (&[broken], "broken.yaml: "),
        (&[&file, "--context", broken], "broken.yaml: line "),
        (&[&file, "--context", "gone"], "can't read gone"),
        (&[&file, "--config", "gone.yaml"], "can't read gone.yaml"),
    ] {
        let error = answer(arguments).unwrap_err();
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}
