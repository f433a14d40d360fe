//! Which Pods a NetworkPolicy is about, and what all policies together let
//! through to and from them.

use headlint_policy_sdk::labels::selected;
use headlint_policy_sdk::ports::{injected, serving};
use headlint_policy_sdk::service::{has, placeholder};
use headlint_policy_sdk::types::{
    IntOrString, LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Reference,
    Traits, Workload,
};
use headlint_policy_sdk::{Answer, Context, UnknownReason};

/// The label that every namespace has, with its own name.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/core/v1/types.go` `LabelMetadataName`.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Whether a selector selects the Pods of a workload; none where a value that
/// only a controller or a template tool knows decides.
pub(crate) fn selects(selector: &LabelSelector, workload: &Workload) -> Option<bool> {
    let added = |key: &String| workload.template.added_labels.contains(key);
    let mut known = selector.clone();
    known.match_labels.retain(|label| !added(&label.key));
    known.match_expressions.retain(|requirement| !added(&requirement.key));
    match selected(&workload.template.labels, &known) {
        Some(true) if known != *selector => None,
        answer => answer,
    }
}

/// The workloads whose Pods a policy is about beyond doubt. No policy reaches
/// Pods in the network of their node.
pub(crate) fn subjects(policy: &NetworkPolicy, context: &Context) -> Vec<Workload> {
    let passing = Traits::HOOK | Traits::TEST_HOOK | Traits::DELETING;
    let namespace = &policy.meta.ref_.namespace;
    let mut found = context.workloads_selected(namespace, &policy.pod_selector).seen();
    found.retain(|workload| {
        !workload.template.host_network
            && !has(&workload.meta, passing)
            && selects(&policy.pod_selector, workload) == Some(true)
    });
    found
}

/// All policies of the namespace, the one under review included, by name.
pub(crate) fn policies(own: &NetworkPolicy, context: &Context) -> Vec<NetworkPolicy> {
    let mut policies = context.network_policies(&own.meta.ref_.namespace).seen();
    policies
        .retain(|other| other.meta.ref_ != own.meta.ref_ && !has(&other.meta, Traits::DELETING));
    policies.push(own.clone());
    policies.sort_by(|a, b| a.meta.ref_.name.cmp(&b.meta.ref_.name));
    policies
}

/// Whether a policy may be about the Pods of a workload.
pub(crate) fn may_select(policy: &NetworkPolicy, workload: &Workload) -> bool {
    selects(&policy.pod_selector, workload) != Some(false)
}

/// Whether the policy under review is the first, by name, of those that
/// isolate a workload in one direction: it speaks for all of them.
pub(crate) fn leads(
    own: &NetworkPolicy,
    policies: &[NetworkPolicy],
    workload: &Workload,
    isolates: fn(&NetworkPolicy) -> bool,
) -> bool {
    let first = policies
        .iter()
        .find(|policy| isolates(policy) && selects(&policy.pod_selector, workload) == Some(true));
    first.is_some_and(|first| first.meta.ref_ == own.meta.ref_)
}

/// What is known of the Pods of a namespace beyond those that were seen; none
/// if there can't be more.
pub(crate) fn unseen(namespace: &str, context: &Context) -> Option<UnknownReason> {
    match context.workloads_matching(namespace, &[]) {
        Answer::Unknown(reason) => Some(reason),
        Answer::Found(_) | Answer::Absent => None,
    }
}

/// Whether a selector selects every Pod.
pub(crate) fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.is_empty() && selector.match_expressions.is_empty()
}

/// Whether the ports of a rule cover a port of these Pods. What isn't known
/// yet may cover it.
pub(crate) fn cover(
    ports: &[NetworkPolicyPort],
    protocol: &str,
    number: i64,
    workload: &Workload,
) -> bool {
    let covers = |port: &NetworkPolicyPort| match &port.port {
        _ if placeholder(&port.protocol) => true,
        _ if port.protocol != protocol => false,
        None => true,
        Some(IntOrString::Int(first)) => {
            (*first..=port.end_port.unwrap_or(*first)).contains(&number)
        }
        Some(IntOrString::Text(name)) => {
            placeholder(name)
                || injected(workload)
                || numbers_named(workload, name, protocol).contains(&Some(number))
        }
    };
    ports.is_empty() || ports.iter().any(covers)
}

/// The numbers of the container ports with a name and protocol, while the Pod
/// serves.
pub(crate) fn numbers_named(workload: &Workload, name: &str, protocol: &str) -> Vec<Option<i64>> {
    serving(workload)
        .flat_map(|container| &container.ports)
        .filter(|port| port.name == name && port.protocol == protocol)
        .map(|port| port.container_port)
        .collect()
}

/// Whether everyone who is meant by these peers is meant by those too, as far
/// as their texts tell. No peers are everyone.
pub(crate) fn within(these: &[NetworkPolicyPeer], those: &[NetworkPolicyPeer]) -> bool {
    those.is_empty()
        || (!these.is_empty()
            && these.iter().all(|this| those.iter().any(|that| is_within(this, that))))
}

fn is_within(this: &NetworkPolicyPeer, that: &NetworkPolicyPeer) -> bool {
    if this.ip_block.is_some() || that.ip_block.is_some() {
        return this == that;
    }
    let namespaces = match (&this.namespace_selector, &that.namespace_selector) {
        (None, None) => true,
        (Some(_), None) => false,
        (None, Some(that)) => is_empty(that),
        (Some(this), Some(that)) => narrows(this, that),
    };
    let pods = match (&this.pod_selector, &that.pod_selector) {
        (_, None) => true,
        (None, Some(that)) => is_empty(that),
        (Some(this), Some(that)) => narrows(this, that),
    };
    namespaces && pods
}

/// Whether a selector asks for all that another one asks for.
fn narrows(this: &LabelSelector, that: &LabelSelector) -> bool {
    that.match_labels.iter().all(|label| this.match_labels.contains(label))
        && that.match_expressions.iter().all(|one| this.match_expressions.contains(one))
}

/// Whether a selector of namespaces leaves one out for sure: it asks for
/// another name.
pub(crate) fn excludes(selector: &LabelSelector, namespace: &str) -> bool {
    let named = |value: &String| value == namespace || placeholder(value);
    selector.match_labels.iter().any(|label| label.key == NAMESPACE_NAME && !named(&label.value))
        || selector.match_expressions.iter().any(|requirement| {
            requirement.key == NAMESPACE_NAME
                && requirement.operator == "In"
                && !requirement.values.iter().any(named)
        })
}

/// The one namespace that a selector of namespaces asks for by its name.
pub(crate) fn only_namespace(selector: &LabelSelector) -> Option<&str> {
    match (selector.match_labels.as_slice(), selector.match_expressions.as_slice()) {
        ([label], []) if label.key == NAMESPACE_NAME && !placeholder(&label.value) => {
            Some(&label.value)
        }
        _ => None,
    }
}

/// The places in workloads of a namespace that name a Service of it.
pub(crate) fn names_used(namespace: &str, context: &Context) -> Vec<Reference> {
    let services = context.objects("Service", namespace).seen();
    let mut used = Vec::new();
    for service in services {
        if let headlint_policy_sdk::types::Object::Service(service) = service {
            used.extend(context.references_to(namespace, &service.meta.ref_.name).seen());
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::types::{IpBlock, Label, LabelRequirement};

    use super::*;

    fn selector(pairs: &[(&str, &str)]) -> LabelSelector {
        let label = |&(key, value): &(&str, &str)| Label { key: key.into(), value: value.into() };
        LabelSelector {
            match_labels: pairs.iter().map(label).collect(),
            match_expressions: Vec::new(),
        }
    }

    fn peer(pods: Option<LabelSelector>, namespaces: Option<LabelSelector>) -> NetworkPolicyPeer {
        NetworkPolicyPeer { pod_selector: pods, namespace_selector: namespaces, ip_block: None }
    }

    #[test]
    fn who_is_within_is_told_by_the_texts() {
        let shop = || peer(Some(selector(&[("app", "shop")])), None);
        let clients = || peer(Some(selector(&[("app", "shop"), ("role", "client")])), None);
        let here = || peer(Some(selector(&[])), None);
        let everywhere = || peer(None, Some(selector(&[])));
        let team = || peer(None, Some(selector(&[("team", "a")])));
        for (these, those, expected) in [
            (vec![], vec![], true),
            (vec![shop()], vec![], true),
            (vec![], vec![everywhere()], false),
            (vec![clients()], vec![shop()], true),
            (vec![shop()], vec![clients()], false),
            (vec![shop()], vec![here()], true),
            (vec![shop(), clients()], vec![team(), shop()], true),
            (vec![shop()], vec![everywhere()], true),
            (vec![team()], vec![everywhere()], true),
            (vec![everywhere()], vec![here()], false),
            (vec![shop()], vec![team()], false),
        ] {
            assert_eq!(within(&these, &those), expected, "{these:?} {those:?}");
        }
        let block = NetworkPolicyPeer {
            ip_block: Some(IpBlock { cidr: "10.0.0.0/8".to_owned(), excluded: Vec::new() }),
            ..peer(None, None)
        };
        assert!(within(std::slice::from_ref(&block), std::slice::from_ref(&block)));
        assert!(!within(&[block], &[everywhere()]));
    }

    #[test]
    fn a_namespace_is_left_out_by_its_name_alone() {
        let named = |name| selector(&[(NAMESPACE_NAME, name)]);
        assert!(excludes(&named("monitoring"), "shop"));
        assert!(!excludes(&named("shop"), "shop"));
        assert!(!excludes(&named("${NAMESPACE}"), "shop"));
        assert!(!excludes(&selector(&[("team", "a")]), "shop"));
        let mut listed = selector(&[]);
        listed.match_expressions.push(LabelRequirement {
            key: NAMESPACE_NAME.to_owned(),
            operator: "In".to_owned(),
            values: vec!["a".to_owned(), "b".to_owned()],
        });
        assert!(excludes(&listed, "shop"));
        assert!(!excludes(&listed, "a"));
        assert_eq!(only_namespace(&named("shop")), Some("shop"));
        assert_eq!(only_namespace(&listed), None);
    }
}
