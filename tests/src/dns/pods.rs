//! Pods that never run, and are Ready all the same.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cluster::Cluster;

/// A Pod that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The kind and name of what a manifest has: a Deployment, not its ReplicaSet.
    pub(super) maker: (String, String),
    pub(super) v4: String,
    pub(super) v6: Option<String>,
}

/// All Pods of a cluster, each with addresses that it keeps.
pub(super) struct Pods {
    dual_stack: bool,
    addresses: BTreeMap<String, u16>,
    pub(super) seen: Vec<Pod>,
}

impl Pods {
    /// Makes a node for them.
    pub(super) fn new(cluster: &Cluster, dual_stack: bool) -> Self {
        cluster.make_node();
        Self { dual_stack, addresses: BTreeMap::new(), seen: Vec::new() }
    }

    /// Gives each new Pod a node, addresses and readiness; tells whether there was
    /// one.
    pub(super) fn settle(&mut self, cluster: &Cluster) -> bool {
        let list = |path| -> Vec<Value> {
            let mut list = cluster.get(path).expect("a list");
            match list["items"].take() {
                Value::Array(items) => items,
                _ => Vec::new(),
            }
        };
        let sets: BTreeMap<_, _> = list("/apis/apps/v1/replicasets")
            .into_iter()
            .filter_map(|set| {
                let owner = maker(&set)?;
                Some(((text(&set, "namespace"), text(&set, "name")), owner))
            })
            .collect();
        let mut is_news = false;
        self.seen.clear();
        for pod in list("/api/v1/pods") {
            let (namespace, name) = (text(&pod, "namespace"), text(&pod, "name"));
            let count = u16::try_from(self.addresses.len()).expect("not that many Pods");
            let uid = text(&pod, "uid");
            let number = *self.addresses.entry(uid).or_insert(count);
            let v4 = format!("10.244.{}.{}", number / 250, number % 250 + 1);
            let v6 = self.dual_stack.then(|| format!("fd00:10:244::{:x}", number + 1));
            if pod["spec"]["nodeName"].is_null() {
                is_news = true;
                // It may be gone by now; the next round tells.
                let _ = cluster.bind(&namespace, &name);
                continue;
            }
            if pod["status"]["podIP"].is_null() {
                is_news = true;
                let ips: Vec<_> = [Some(v4), v6].into_iter().flatten().collect();
                let _ = cluster.report(&pod, &ips, true);
                continue;
            }
            let owner = maker(&pod).unwrap_or_else(|| ("Pod".to_owned(), name.clone()));
            let maker = match owner.0.as_str() {
                "ReplicaSet" => {
                    sets.get(&(namespace.clone(), owner.1.clone())).cloned().unwrap_or(owner)
                }
                _ => owner,
            };
            self.seen.push(Pod { namespace, name, maker, v4, v6 });
        }
        is_news
    }
}

fn text(object: &Value, key: &str) -> String {
    object["metadata"][key].as_str().unwrap_or_default().to_owned()
}

/// The kind and name of the controller that owns an object.
fn maker(object: &Value) -> Option<(String, String)> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    let text = |key: &str| owner[key].as_str().unwrap_or_default().to_owned();
    Some((text("kind"), text("name")))
}
