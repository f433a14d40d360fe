//! A `targetPort` that nothing reads.

use headlint_policy_sdk::service::{headless, placeholder};
use headlint_policy_sdk::types::{IntOrString, ServicePort};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::pair::{Given, by_hand, effective, given, list, numbers, with_given};

/// The rule.
pub const RULE: Rule = Rule {
    id: "selectorless-target-port-ignored",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Selectorless],
    summary: "a Service without a selector has a `targetPort`, which nothing reads",
    documentation: include_str!("selectorless-target-port-ignored.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if !by_hand(service) {
        return;
    }
    let meta = &service.meta.ref_;
    let objects = context.endpoints_of(&meta.namespace, &meta.name).seen();
    let Some(effective) = effective(&objects) else { return };
    let all: Vec<_> = effective.into_iter().flat_map(given).collect();
    for (index, port) in service.ports.iter().enumerate() {
        let written = match &port.target_port {
            // A webhook sees `port` there as well, where nothing was written.
            None => continue,
            Some(IntOrString::Int(number)) if Some(*number) == port.port => continue,
            Some(IntOrString::Int(number)) => number.to_string(),
            Some(IntOrString::Text(name)) if placeholder(name) => continue,
            Some(IntOrString::Text(name)) => format!("`{name}`"),
        };
        let given = meant(port, &all);
        let real = numbers(&given);
        if real.is_empty() {
            continue;
        }
        let shown = list(&real);
        let redundant = matches!(port.target_port, Some(IntOrString::Int(n)) if real == [n]);
        let headless = headless(service);
        let path = format!("$.spec.ports[{index}].targetPort");
        let mut finding = Finding::new(&RULE, path.as_str())
            .severity(if redundant || !headless { Severity::Info } else { Severity::Warning })
            .what(format!(
                "Service `{}` has no selector, so that nothing reads targetPort {written}; its \
                endpoints give port {shown}",
                meta.name
            ))
            .why(match (redundant, headless) {
                (true, _) => {
                    "it happens to agree with the endpoints, but a change of it changes nothing"
                        .to_owned()
                }
                (false, true) => format!(
                    "no client ever gets to {written} by it: DNS hands out addresses, and SRV the \
                    port of the endpoints"
                ),
                (false, false) => format!(
                    "kube-proxy takes the port from the endpoints: clients reach {shown}, never \
                    {written}"
                ),
            })
            .help(match redundant {
                true => "remove `targetPort`".to_owned(),
                false => format!(
                    "remove `targetPort`; if {written} is right, give the endpoints that port"
                ),
            });
        if headless {
            finding = finding.remove(path, Safety::Safe);
        }
        findings.add(with_given(finding, &given));
    }
}

/// The ports of the endpoints that this one is meant to be: those of its name,
/// or all of its protocol.
fn meant<'e>(port: &ServicePort, all: &[Given<'e>]) -> Vec<Given<'e>> {
    let same = |given: &&Given| given.port.protocol == port.protocol;
    let named: Vec<_> =
        all.iter().filter(same).filter(|given| given.port.name == port.name).copied().collect();
    if named.is_empty() { all.iter().filter(same).copied().collect() } else { named }
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::types::{Object, Service};

    use super::*;
    use crate::pair::tests::{endpoints, found, service};

    fn severities(service: &Service, port: i64) -> Vec<Severity> {
        let endpoints = endpoints(&[&[("http", port)]]);
        let found = found(&RULE, Object::Service(service.clone()), service, &endpoints);
        found.into_iter().map(|(severity, _)| severity).collect()
    }

    #[test]
    fn only_a_target_port_that_misleads_is_a_warning() {
        let of = |target| service(&[("http", 8080, target)]);
        assert_eq!(severities(&of(Some(80)), 8080), [Severity::Warning]);
        assert_eq!(severities(&of(Some(80)), 80), [Severity::Info]);
        assert_eq!(severities(&of(Some(8080)), 80), []);
        assert_eq!(severities(&of(None), 80), []);
        let mut vip = of(Some(80));
        vip.cluster_ip = None;
        assert_eq!(severities(&vip, 8080), [Severity::Info]);
    }
}
