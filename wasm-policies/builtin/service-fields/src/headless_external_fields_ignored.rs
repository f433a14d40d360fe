//! Access from outside that a headless Service doesn't give.

use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::{accepted, annotations, value};

/// The rule.
pub const RULE: Rule = Rule {
    id: "headless-external-fields-ignored",
    severity: Severity::Warning,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Has(&[
        "externalIPs",
        "loadBalancerIP",
        "externalName",
        "-load-balancer-",
        "-loadbalancer-",
    ])],
    summary: "a headless Service asks for access from outside, which nothing gives",
    documentation: include_str!("headless-external-fields-ignored.md"),
    check,
};

/// Fields of `spec`.
const FIELDS: [&str; 3] = ["externalIPs", "loadBalancerIP", "externalName"];

/// Beginnings of the keys of annotations that only controllers of load
/// balancers read, and only of a Service of type LoadBalancer. Those of network
/// endpoint groups and of external DNS count for headless Services too.
///
/// # Source
/// kubernetes.io/docs "Well-Known Labels, Annotations and Taints";
/// cloud-provider-azure `docs/content/en/topics/loadbalancer.md`; metallb
/// `website/content/usage`.
const LOAD_BALANCERS: [&str; 5] = [
    "service.beta.kubernetes.io/aws-load-balancer-",
    "service.beta.kubernetes.io/azure-load-balancer-",
    "service.beta.kubernetes.io/do-loadbalancer-",
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
];

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = accepted(review) else { return };
    let name = &service.meta.ref_.name;
    for field in FIELDS {
        let path = format!("$.spec.{field}");
        if value(context, &path).is_some() {
            findings.add(finding(name, &format!("`{field}`"), path));
        }
    }
    let asks = |key: &str| LOAD_BALANCERS.iter().any(|prefix| key.starts_with(prefix));
    if let Some((key, _)) = annotations(context).into_iter().find(|(key, _)| asks(key)) {
        let path = format!("$.metadata.annotations['{key}']");
        findings.add(finding(name, &format!("the annotation `{key}`"), path));
    }
}

fn finding(name: &str, what: &str, path: String) -> Finding {
    Finding::new(&RULE, path.as_str())
        .what(format!("headless Service `{name}` has {what}"))
        .why(
            "nothing listens outside of the cluster for a headless Service: a client there gets \
            no answer",
        )
        .help("remove it, and add a second Service of type LoadBalancer for access from outside")
        .remove(path, Safety::Proposed)
}
