//! The names that a Pod's resolver asks for, one after the other.

use super::bundle::Bundle;
use crate::model::Workload;

/// What a Pod's resolver does with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// It asks the cluster's DNS for these, in order.
    Cluster(Vec<String>),
    /// It asks the node's DNS, which knows no name of the cluster; why.
    Node(String),
    /// It asks servers that the Pod names.
    Own(Vec<String>),
}

/// As many dots make a name worth asking for as it is.
const NDOTS: usize = 5;

/// What the resolver of a workload's Pods does.
///
/// # Source
/// kubernetes v1.36 `pkg/kubelet/network/dns/dns.go` (`getPodDNSType`,
/// `generateSearchesForDNSClusterFirst`, `appendDNSConfig`); resolv.conf(5).
pub(super) fn search(bundle: &Bundle, client: &Workload, host: &str) -> Search {
    let template = &client.template;
    let config = bundle.resolver(&client.meta.object_ref);
    let policy = template.dns_policy.as_deref().unwrap_or("ClusterFirst");
    let mut searches = match policy {
        "ClusterFirst" if template.host_network => {
            let why = "hostNetwork turns dnsPolicy ClusterFirst into Default";
            return Search::Node(why.to_owned());
        }
        "Default" => return Search::Node("dnsPolicy is Default".to_owned()),
        "None" => return Search::Own(config.nameservers),
        _ => {
            let zone = &bundle.cluster().zone;
            let namespace = &client.meta.object_ref.namespace;
            vec![format!("{namespace}.svc.{zone}"), format!("svc.{zone}"), zone.clone()]
        }
    };
    for more in config.searches {
        if !searches.contains(&more) {
            searches.push(more);
        }
    }
    if let Some(whole) = host.strip_suffix('.') {
        return Search::Cluster(vec![whole.to_owned()]);
    }
    let mut names: Vec<_> = searches.iter().map(|suffix| format!("{host}.{suffix}")).collect();
    let first = host.matches('.').count() >= config.ndots.unwrap_or(NDOTS);
    names.insert(if first { 0 } else { names.len() }, host.to_owned());
    Search::Cluster(names)
}
