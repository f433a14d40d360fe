//! What `make image` made.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use headlint_tests::cases::{root, rule_ids};
use headlint_tests::cluster::until;
use headlint_tests::node::{Node, REPOSITORY};
use serde_json::{Value, json};

use crate::Test;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("the_image_is_two_programs_and_little_else", the_image_is_two_programs),
    ("both_programs_run_in_the_image", both_programs_run_in_the_image),
];

const MOST_BYTES: u64 = 40 << 20;

fn archive() -> PathBuf {
    root().join("target/headlint-image.tar")
}

/// A file of the archive.
fn file(name: &str) -> Vec<u8> {
    let output = Command::new("tar").arg("-xOf").arg(archive()).arg(name).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn blob(descriptor: &Value) -> Vec<u8> {
    file(&format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/")))
}

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn the_image_is_two_programs(_node: &Node) {
    let bytes = fs::metadata(archive()).unwrap().len();
    println!("the image's archive has {:.1} MiB", bytes as f64 / f64::from(1 << 20));
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
    let manifest = read(&blob(&read(&file("index.json"))["manifests"][0]));
    let config = read(&blob(&manifest["config"]));
    let config = &config["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], json!(["/usr/bin/headlint-webhook"]));
    let labels = &config["Labels"];
    assert_eq!(labels["org.opencontainers.image.title"], "headlint");
    assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    let layers = manifest["layers"].as_array().unwrap().iter();
    let folder = tempfile::tempdir().unwrap();
    let files = layers.flat_map(|layer| {
        let path = folder.path().join("layer");
        fs::write(&path, blob(layer)).unwrap();
        let output = Command::new("tar").arg("-tf").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let list = String::from_utf8(output.stdout).unwrap();
        list.lines().filter(|name| !name.ends_with('/')).map(str::to_owned).collect::<Vec<_>>()
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert_eq!(files, ["usr/bin/headlint", "usr/bin/headlint-webhook"]);
}

fn both_programs_run_in_the_image(node: &Node) {
    let namespace = node.cluster().namespace();
    let image = format!("{REPOSITORY}:{}", env!("CARGO_PKG_VERSION"));
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "programs"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {"name": "headlint", "image": image, "command": ["/usr/bin/headlint", "rules"]},
                {"name": "webhook", "image": image, "args": ["--version"]},
            ],
        },
    });
    let manifest = pod.to_string();
    // A namespace gets its account a moment later.
    until("the Pod to be admitted", || namespace.apply(&manifest).success.then_some(()));
    until("the programs to end", || {
        let pod = namespace.get("pod/programs")?;
        let phase = pod["status"]["phase"].as_str()?;
        assert_ne!(phase, "Failed", "{}", pod["status"]);
        (phase == "Succeeded").then_some(())
    });
    let log = |container| {
        namespace.kubectl(&["logs", "programs", "-c", container], "").succeeded().stdout
    };
    let rules = log("headlint");
    assert!(rule_ids().iter().all(|id| rules.contains(id.as_str())), "{rules}");
    let version = format!("headlint-webhook {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(log("webhook"), version);
}
