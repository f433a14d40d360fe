//! What a scheduler and a kubelet say of Pods that never run.

use hyper::Method;
use serde_json::{Value, json};

use super::Cluster;

/// The node that all of them are said to run on.
const NODE: &str = "node";

impl Cluster {
    /// Makes the node: endpoints of Pods without one aren't published.
    ///
    /// # Panics
    /// When the API server refuses it.
    pub fn make_node(&self) {
        let node = json!({"metadata": {"name": NODE}});
        self.call(Method::POST, "/api/v1/nodes", &node).expect("a node");
    }

    /// Gives a Pod its node.
    ///
    /// # Errors
    /// What the API server says: it may be gone by now.
    pub fn bind(&self, namespace: &str, pod: &str) -> Result<(), kube::Error> {
        let binding = json!({
            "metadata": {"name": pod, "namespace": namespace},
            "target": {"kind": "Node", "name": NODE},
        });
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/binding");
        self.call(Method::POST, &path, &binding).map(drop)
    }

    /// Says that a Pod runs, with these addresses. The first one counts.
    ///
    /// # Errors
    /// What the API server says: a controller may have changed it meanwhile.
    pub fn report(&self, pod: &Value, ips: &[String], ready: bool) -> Result<(), kube::Error> {
        let mut pod = pod.clone();
        pod["status"] = json!({
            "phase": "Running",
            "podIP": ips[0],
            "podIPs": ips.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>(),
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
        });
        let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/status");
        self.call(Method::PUT, &path, &pod).map(drop)
    }
}
