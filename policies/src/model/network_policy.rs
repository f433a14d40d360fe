//! NetworkPolicies.

use std::sync::Arc;

use super::selector::selector;
use super::{Decoded, Fields, IntOrString, LabelSelector, Metadata, port};
use crate::manifest::Node;

/// A NetworkPolicy of `networking.k8s.io`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPolicy {
    /// Its metadata.
    pub meta: Arc<Metadata>,
    /// The Pods that it is about, of its own namespace.
    pub pod_selector: LabelSelector,
    /// None: the policy doesn't isolate for ingress. An empty list: nothing is
    /// let in.
    pub ingress: Option<Vec<NetworkPolicyRule>>,
    /// None: the policy doesn't isolate for egress. An empty list: nothing is
    /// let out.
    pub egress: Option<Vec<NetworkPolicyRule>>,
}

/// One entry of `ingress` or `egress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPolicyRule {
    /// `from` or `to`. Empty: everyone.
    pub peers: Vec<NetworkPolicyPeer>,
    /// Empty: every port.
    pub ports: Vec<NetworkPolicyPort>,
}

/// One entry of `from` or `to`. With neither selector nor block it selects
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPolicyPeer {
    /// `podSelector`.
    pub pod_selector: Option<LabelSelector>,
    /// `namespaceSelector`.
    pub namespace_selector: Option<LabelSelector>,
    /// `ipBlock`.
    pub ip_block: Option<IpBlock>,
}

/// A range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpBlock {
    /// Such as `10.0.0.0/8`.
    pub cidr: String,
    /// `except`.
    pub excluded: Vec<String>,
}

/// One entry of `ports`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPolicyPort {
    /// `TCP` when missing.
    pub protocol: String,
    /// None: every port of the protocol.
    pub port: Option<IntOrString>,
    /// The end of a range that starts with `port`.
    pub end_port: Option<i64>,
}

/// # Source
/// kubernetes v1.36 `pkg/apis/networking/v1/defaults.go`
/// (`SetDefaults_NetworkPolicy`): without `policyTypes` a policy isolates for
/// ingress, and for egress iff it has egress rules.
pub(super) fn decode(root: &Node, meta: Arc<Metadata>) -> Decoded<'_, NetworkPolicy> {
    let mut policy = NetworkPolicy { meta, ..NetworkPolicy::default() };
    let Some(spec) = root.object("spec")? else {
        policy.ingress = Some(Vec::new());
        return Ok(policy);
    };
    policy.pod_selector = selector(spec, "podSelector")?.unwrap_or_default();
    let types = spec.texts("policyTypes")?;
    let ingress = rules(spec, "ingress", "from")?;
    let egress = rules(spec, "egress", "to")?;
    let (isolates_in, isolates_out) = if types.is_empty() {
        (true, !egress.is_empty())
    } else {
        let has = |wanted: &str| types.iter().any(|(_, name)| *name == wanted);
        (has("Ingress"), has("Egress"))
    };
    policy.ingress = isolates_in.then_some(ingress);
    policy.egress = isolates_out.then_some(egress);
    Ok(policy)
}

fn rules<'n>(spec: &'n Node, key: &str, peers: &str) -> Decoded<'n, Vec<NetworkPolicyRule>> {
    spec.objects(key)?
        .iter()
        .map(|rule| {
            Ok(NetworkPolicyRule {
                peers: rule.objects(peers)?.iter().map(peer).collect::<Result<_, _>>()?,
                ports: rule.objects("ports")?.iter().map(rule_port).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

fn peer(node: &Node) -> Decoded<'_, NetworkPolicyPeer> {
    let ip_block = match node.object("ipBlock")? {
        Some(block) => Some(IpBlock {
            cidr: block.text("cidr")?.unwrap_or_default().to_owned(),
            excluded: block.texts("except")?.into_iter().map(|(_, net)| net.to_owned()).collect(),
        }),
        None => None,
    };
    Ok(NetworkPolicyPeer {
        pod_selector: selector(node, "podSelector")?,
        namespace_selector: selector(node, "namespaceSelector")?,
        ip_block,
    })
}

fn rule_port(node: &Node) -> Decoded<'_, NetworkPolicyPort> {
    Ok(NetworkPolicyPort {
        protocol: node.filled("protocol")?.unwrap_or("TCP").to_owned(),
        port: port(node, "port")?,
        end_port: node.int("endPort")?,
    })
}
