//! Endpoints that serve another port than their Service publishes.

use headlint_policy_sdk::service::headless;
use headlint_policy_sdk::types::{ReferenceVia, Service, ServicePort};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::pair::{Given, by_hand, effective, given, list, numbers, with_given};

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpoints-port-number-mismatch",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Selectorless],
    summary: "a headless Service publishes another port than its hand-written endpoints serve",
    documentation: include_str!("endpoints-port-number-mismatch.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if !headless(service) || !by_hand(service) {
        return;
    }
    let meta = &service.meta.ref_;
    let objects = context.endpoints_of(&meta.namespace, &meta.name).seen();
    let Some(effective) = effective(&objects) else { return };
    let all: Vec<_> = effective.into_iter().flat_map(given).collect();
    let wrong: Vec<_> = service
        .ports
        .iter()
        .enumerate()
        .filter_map(|(index, port)| {
            let given = same_port(port, &all);
            let differs = numbers(&given).iter().any(|number| Some(*number) != port.port);
            differs.then_some((index, port, given))
        })
        .collect();
    if wrong.is_empty() {
        return;
    }
    let clients = Clients::of(service, context);
    if clients == Clients::Srv {
        return;
    }
    for (index, port, given) in wrong {
        findings.add(report(service, index, port, &given, clients));
    }
}

/// The ports of the endpoints with the name and protocol of this one.
fn same_port<'e>(port: &ServicePort, all: &[Given<'e>]) -> Vec<Given<'e>> {
    all.iter()
        .filter(|given| given.port.name == port.name && given.port.protocol == port.protocol)
        .copied()
        .collect()
}

/// Who uses the Service, as far as is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    /// Nobody was seen, or somebody dials it.
    Dial,
    /// They take the port from the endpoints.
    Srv,
    /// So do these, but they know it by the number of the Service's port.
    Follow,
}

impl Clients {
    fn of(service: &Service, context: &Context) -> Self {
        let meta = &service.meta.ref_;
        let references = context.references_to(&meta.namespace, &meta.name).seen();
        let all = |of: fn(ReferenceVia) -> bool| {
            !references.is_empty() && references.iter().all(|reference| of(reference.via))
        };
        if all(|via| via == ReferenceVia::Srv) {
            Self::Srv
        } else if all(|via| {
            matches!(via, ReferenceVia::Srv | ReferenceVia::Route | ReferenceVia::Monitor)
        }) {
            Self::Follow
        } else {
            Self::Dial
        }
    }
}

fn report(
    service: &Service,
    index: usize,
    port: &ServicePort,
    given: &[Given],
    clients: Clients,
) -> Finding {
    let name = &service.meta.ref_.name;
    let published = port.port.unwrap_or_default();
    let real = numbers(given);
    let others: Vec<_> = real.iter().copied().filter(|number| *number != published).collect();
    let other = list(&others);
    let path = format!("$.spec.ports[{index}].port");
    // The pattern 80 to 8000 and 8000: what is dialled may be the other one.
    let sibling = service.ports.iter().enumerate().any(|(at, sibling)| {
        at != index
            && sibling.protocol == port.protocol
            && sibling.port.is_some_and(|number| others.contains(&number))
    });
    let refusal = match port.protocol.as_str() {
        "TCP" => "`connection refused`",
        _ => "no answer",
    };
    let finding = Finding::new(&RULE, path.as_str());
    let finding = if clients == Clients::Follow {
        finding.severity(Severity::Info).why(format!(
            "what refers to it follows the endpoints; but a client that dials `{name}:{published}` \
            gets {refusal}"
        ))
    } else {
        let finding = if sibling { finding.severity(Severity::Info) } else { finding };
        let scope = if others == real { "" } else { " on some of the addresses" };
        finding.why(format!(
            "DNS answers with addresses only, and nothing turns {published} into {other}: a client \
            of `{name}:{published}` gets {refusal}{scope}"
        ))
    };
    let finding = finding.what(format!(
        "headless Service `{name}` publishes port {published}, but its endpoints {} on {other}",
        if others == real { "are reached" } else { "are in part reached" }
    ));
    let finding = match others.as_slice() {
        [one] if others == real && !sibling => {
            let finding = finding.help(format!("set `port: {one}`, or make clients dial {one}"));
            if clients == Clients::Dial {
                finding.set(path, (*one).into(), Safety::Proposed)
            } else {
                finding
            }
        }
        _ => finding.help(format!(
            "let all endpoints serve the port that the Service publishes, or make clients dial \
            {other}"
        )),
    };
    let differing: Vec<_> =
        given.iter().filter(|given| given.port.port != port.port).copied().collect();
    with_given(finding, &differing)
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::types::{Endpoints, Label, Object};

    use super::*;
    use crate::pair::tests::{endpoints, found, service};

    fn severities(service: &Service, endpoints: &Endpoints) -> Vec<Severity> {
        let found = found(&RULE, Object::Service(service.clone()), service, endpoints);
        found.into_iter().map(|(severity, _)| severity).collect()
    }

    #[test]
    fn the_same_name_has_the_same_number() {
        let http = service(&[("http", 80, None)]);
        let of = |subsets: &[&[(&str, i64)]]| severities(&http, &endpoints(subsets));
        assert_eq!(of(&[&[("http", 80)]]), []);
        assert_eq!(of(&[&[("http", 8080)]]), [Severity::Warning]);
        assert_eq!(of(&[&[("http", 80)], &[("http", 8080)]]), [Severity::Warning]);
        assert_eq!(of(&[&[("web", 8080)]]), []);
        assert_eq!(of(&[&[]]), []);
    }

    #[test]
    fn a_cluster_ip_translates() {
        let mut vip = service(&[("http", 80, None)]);
        vip.cluster_ip = None;
        assert_eq!(severities(&vip, &endpoints(&[&[("http", 8080)]])), []);
    }

    #[test]
    fn with_a_selector_or_names_for_addresses_nobody_knows() {
        let http = service(&[("http", 80, None)]);
        let other = endpoints(&[&[("http", 8080)]]);
        let mut selecting = http.clone();
        selecting.selector.push(Label { key: "app".to_owned(), value: "db".to_owned() });
        assert_eq!(severities(&selecting, &other), []);
        let mut named = other;
        named.address_type = Some("FQDN".to_owned());
        assert_eq!(severities(&http, &named), []);
    }

    #[test]
    fn a_second_entry_with_the_real_number_is_a_hint() {
        let two = service(&[("http", 80, None), ("real", 8080, None)]);
        let both = endpoints(&[&[("http", 8080), ("real", 8080)]]);
        assert_eq!(severities(&two, &both), [Severity::Info]);
    }
}
