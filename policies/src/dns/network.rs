//! Whether NetworkPolicies let a packet through.

use super::bundle::Bundle;
use crate::inventory::Inventory;
use crate::model::{
    IntOrString, Label, LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicyRule, Object, Service, Workload,
};

/// One side of a connection.
#[derive(Clone, Copy)]
pub(super) enum Side<'b> {
    Pods(&'b Workload),
    /// The Pods of the cluster's DNS.
    Dns,
    /// An address that isn't known to be a Pod's.
    Address,
}

/// Whether packets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// Nothing is in the way; the policies that let them through, if any has to.
    Open(Vec<String>),
    /// These policies isolate, and none lets them through.
    Blocked { by: Vec<String>, direction: Direction },
    /// Depends on what manifests don't tell.
    Unknown(String),
}

/// Which rules of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Egress,
    Ingress,
}

impl Direction {
    /// The field of a NetworkPolicy.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Egress => "$.spec.egress",
            Self::Ingress => "$.spec.ingress",
        }
    }

    fn rules(self, policy: &NetworkPolicy) -> Option<&[NetworkPolicyRule]> {
        match self {
            Self::Egress => policy.egress.as_deref(),
            Self::Ingress => policy.ingress.as_deref(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    No,
    Unknown,
    Yes,
}

/// What the label of a Namespace is that every one has.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/core/v1/types.go`
/// (`LabelMetadataName`).
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
const DNS_NAMESPACE: &str = "kube-system";

/// Whether packets to a port of the other side pass the policies of one: those
/// for egress of the client, or for ingress of the server.
///
/// # Source
/// kubernetes.io/docs "Network Policies": rules add up; a port is the one of the
/// Pod, and a name is one of its containers'; policies aren't about Pods with
/// hostNetwork.
pub(super) fn passage(
    bundle: &Bundle,
    direction: Direction,
    own: &Workload,
    other: Side<'_>,
    (number, protocol): (i64, &str),
) -> Passage {
    if own.template.host_network {
        return Passage::Open(Vec::new());
    }
    let namespace = &own.meta.object_ref.namespace;
    let policies = bundle.inventory().network_policies_in(namespace).found().unwrap_or_default();
    let server = match direction {
        Direction::Egress => other,
        Direction::Ingress => Side::Pods(own),
    };
    let (mut isolating, mut best) = (Vec::new(), Match::No);
    let mut letting = Vec::new();
    for policy in policies {
        let Some(rules) = direction.rules(policy) else { continue };
        if !selects(bundle, namespace, &policy.pod_selector, own) {
            continue;
        }
        let name = policy.meta.object_ref.name.clone();
        let matched = rules.iter().map(|rule| {
            let port = ports_match(&rule.ports, server, number, protocol);
            if port { peers_match(bundle, namespace, &rule.peers, other) } else { Match::No }
        });
        let matched = matched.max().unwrap_or(Match::No);
        if matched == Match::Yes {
            letting.push(name.clone());
        }
        best = best.max(matched);
        isolating.push(name);
    }
    match best {
        _ if isolating.is_empty() => Passage::Open(Vec::new()),
        Match::Yes => Passage::Open(letting),
        Match::Unknown => Passage::Unknown(format!(
            "whether `{}` lets it through depends on addresses or labels that these manifests \
             don't tell",
            isolating.join("`, `")
        )),
        Match::No => Passage::Blocked { by: isolating, direction },
    }
}

/// Whether one of these policies has a port of the Service where that of its Pods
/// belongs.
pub(super) fn names_service_port(
    bundle: &Bundle,
    direction: Direction,
    (namespace, by): (&str, &[String]),
    service: &Service,
    number: i64,
) -> bool {
    let policies = bundle.inventory().network_policies_in(namespace).found().unwrap_or_default();
    let mut ports = policies
        .into_iter()
        .filter(|policy| by.contains(&policy.meta.object_ref.name))
        .flat_map(|policy| direction.rules(policy).unwrap_or_default())
        .flat_map(|rule| &rule.ports);
    ports.any(|port| match &port.port {
        Some(IntOrString::Int(written)) => {
            *written != number && service.ports.iter().any(|it| it.port == Some(*written))
        }
        _ => false,
    })
}

fn selects(
    bundle: &Bundle,
    namespace: &str,
    selector: &LabelSelector,
    workload: &Workload,
) -> bool {
    let selected = bundle.inventory().workloads_selected(namespace, selector).found();
    let own = &workload.meta.object_ref;
    selected.unwrap_or_default().iter().any(|one| one.meta.object_ref == *own)
}

fn ports_match(ports: &[NetworkPolicyPort], server: Side<'_>, number: i64, protocol: &str) -> bool {
    ports.is_empty()
        || ports.iter().filter(|port| port.protocol == protocol).any(|port| match &port.port {
            None => true,
            Some(IntOrString::Int(from)) => {
                (*from..=port.end_port.unwrap_or(*from)).contains(&number)
            }
            Some(IntOrString::Text(name)) => match server {
                Side::Pods(workload) => {
                    let mut ports = workload.template.containers.iter().flat_map(|it| &it.ports);
                    ports.any(|it| {
                        it.name == *name
                            && it.protocol == protocol
                            && it.container_port == Some(number)
                    })
                }
                Side::Dns => name == "dns" || name == "dns-tcp",
                Side::Address => false,
            },
        })
}

fn peers_match(
    bundle: &Bundle,
    own_namespace: &str,
    peers: &[NetworkPolicyPeer],
    other: Side<'_>,
) -> Match {
    if peers.is_empty() {
        return Match::Yes;
    }
    let matches = peers.iter().map(|peer| peer_matches(bundle, own_namespace, peer, other));
    matches.max().unwrap_or(Match::No)
}

fn peer_matches(
    bundle: &Bundle,
    own_namespace: &str,
    peer: &NetworkPolicyPeer,
    other: Side<'_>,
) -> Match {
    if let Some(block) = &peer.ip_block {
        let everything = block.cidr.ends_with("/0") && block.excluded.is_empty();
        return if everything { Match::Yes } else { Match::Unknown };
    }
    let namespace = match other {
        Side::Pods(workload) => workload.meta.object_ref.namespace.as_str(),
        Side::Dns => DNS_NAMESPACE,
        Side::Address => return Match::No,
    };
    let in_namespace = match &peer.namespace_selector {
        None if peer.pod_selector.is_none() => Match::No,
        None if namespace == own_namespace => Match::Yes,
        None => Match::No,
        Some(selector) => namespace_matches(bundle, namespace, selector),
    };
    let is_pod = match (&peer.pod_selector, other) {
        (None, _) => true,
        (Some(selector), Side::Pods(workload)) => selects(bundle, namespace, selector, workload),
        (Some(selector), _) => {
            let label = Label { key: "k8s-app".to_owned(), value: "kube-dns".to_owned() };
            selector.matches(&[label])
        }
    };
    if is_pod { in_namespace } else { Match::No }
}

/// A Namespace that isn't in the input has labels that nobody knows.
fn namespace_matches(bundle: &Bundle, namespace: &str, selector: &LabelSelector) -> Match {
    let named = Label { key: NAMESPACE_NAME.to_owned(), value: namespace.to_owned() };
    let known = bundle.inventory().objects_of("Namespace", "").found().unwrap_or_default();
    let known = known.into_iter().map(Object::meta).find(|meta| meta.object_ref.name == namespace);
    let mut labels: Vec<_> = known.map(|meta| meta.labels.to_vec()).unwrap_or_default();
    labels.push(named);
    labels.sort();
    if selector.matches(&labels) {
        return Match::Yes;
    }
    let mut keys = selector
        .match_labels
        .iter()
        .map(|label| &label.key)
        .chain(selector.match_expressions.iter().map(|one| &one.key));
    if known.is_none() && keys.any(|key| key != NAMESPACE_NAME) {
        Match::Unknown
    } else {
        Match::No
    }
}
