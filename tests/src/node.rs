//! A real node, on which Pods run: containerd, the kubelet, kube-proxy, the
//! scheduler and CoreDNS, beside a control plane, which `make node` builds.
//!
//! ```text
//! Sandbox   namespaces of this test program, without a way out
//! └─ Node ─┬ Cluster     at the node's address
//!          ├ containerd  Pods at 10.244.0.0/24, each with a route of its own
//!          └ kubelet, kube-proxy, kube-scheduler, CoreDNS
//! ```
//!
//! The test is in the sandbox too: it sees what the API server and the node see.

mod sandbox;
mod servers;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

pub use self::sandbox::Sandbox;
pub use self::servers::POD_IMAGE;
use self::servers::Servers;
pub(crate) use self::servers::program;
use crate::cases::root;
use crate::cluster::{Cluster, Network, until};

/// What the chart's values call the image of `make image`.
pub const REPOSITORY: &str = "headlint.test/headlint";

/// A node, and the control plane that it belongs to, until they are dropped.
pub struct Node {
    // Dropped in this order.
    servers: Servers,
    cluster: Cluster,
}

impl Node {
    /// Starts them, and waits until Pods can run.
    ///
    /// # Panics
    /// When a server doesn't start: then this machine can't host a node.
    #[must_use]
    #[allow(clippy::print_stdout, reason = "it is for whoever runs the test")]
    pub fn start(sandbox: &Sandbox) -> Self {
        let start = Instant::now();
        let mut cluster = Cluster::start_in(Network::of_node(Sandbox::ADDRESS));
        // It goes with the sandbox.
        cluster.keep_folder();
        let servers = Servers::start(&cluster, sandbox);
        let mut node = Self { servers, cluster };
        node.until_ready();
        load_image(&program("pod.tar"), "headlint.test/pod");
        let image = root().join("target/headlint-image.tar");
        assert!(image.exists(), "no {}: `make image` builds it", image.display());
        load_image(&image, REPOSITORY);
        node.name_the_resolver();
        println!("a node after {:.1} s", start.elapsed().as_secs_f64());
        node
    }

    /// The control plane.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn until_ready(&mut self) {
        let Self { servers, cluster } = self;
        until("the node to be ready", || {
            servers.assert_running();
            let node = cluster.get("/api/v1/nodes/node").ok()?;
            let conditions = node["status"]["conditions"].as_array()?;
            let is_ready = |it: &&Value| it["type"] == "Ready" && it["status"] == "True";
            conditions.iter().find(is_ready).map(|_| ())
        });
    }

    /// The Service by which Pods find CoreDNS, a process of the node.
    fn name_the_resolver(&self) {
        let port = json!([{"name": "dns", "port": 53, "protocol": "UDP"}]);
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": servers::RESOLVER, "ports": port},
        });
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns", "namespace": "kube-system",
                "labels": {"kubernetes.io/service-name": "kube-dns"},
            },
            "addressType": "IPv4", "ports": port,
            "endpoints": [{"addresses": [Sandbox::ADDRESS.to_string()]}],
        });
        let namespace = self.cluster.namespace();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [service, slice]});
        let _ = namespace
            .kubectl(&["apply", "-n", "kube-system", "-f", "-"], &list.to_string())
            .succeeded();
    }
}

/// The archive knows the image's tag.
fn load_image(archive: &Path, repository: &str) {
    let output = Command::new(program("ctr"))
        .args(["--address", servers::CONTAINERD, "--namespace", "k8s.io"])
        .args(["images", "import", "--local", "--snapshotter", servers::SNAPSHOTTER])
        .args(["--base-name", repository])
        .arg(archive)
        .output()
        .expect("ctr can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
