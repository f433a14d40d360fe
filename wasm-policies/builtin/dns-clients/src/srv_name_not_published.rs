//! A client that asks for a port which no endpoint has by that name.

use std::collections::BTreeSet;

use headlint_policy_sdk::service::{has, headless, placeholder, refused, selectorless};
use headlint_policy_sdk::types::{Reference, ReferenceVia, Service, Traits};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, NAME_SERVICES, Review, Rule, Severity, WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "srv-name-not-published",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: NAME_SERVICES,
    operations: WRITTEN,
    only_if: &[Condition::Refers, Condition::Has(&["._", "_tcp", "_udp", "_sctp"])],
    summary: "a client asks for the SRV record of a port that a headless Service doesn't publish",
    documentation: include_str!("srv-name-not-published.md"),
    check,
};

/// A port as DNS knows it: name and protocol.
type Published = (String, String);

fn check(_: &Review, context: &Context, findings: &mut Findings) {
    let mut places = BTreeSet::new();
    for reference in context.references() {
        if reference.via != ReferenceVia::Srv
            || has(&reference.holder, Traits::DELETING)
            || placeholder(&reference.host)
        {
            continue;
        }
        let Some((port, protocol)) = asked(&reference.host) else { continue };
        let Some(service) = context.service(&reference.namespace, &reference.service).found()
        else {
            continue;
        };
        let settled =
            Traits::OPERATOR_MANAGED | Traits::ENDPOINTS_MANAGED_ELSEWHERE | Traits::DELETING;
        if !headless(&service) || refused(&service) || has(&service.meta, settled) {
            continue;
        }
        let Some(published) = published(&service, context) else { continue };
        let is_asked = |(name, by): &Published| {
            name.eq_ignore_ascii_case(port) && by.eq_ignore_ascii_case(protocol)
        };
        if !published.iter().any(is_asked) && places.insert(reference.path.clone()) {
            findings.add(report(&reference, &service, &published, port));
        }
    }
}

/// The port and the protocol of `_port._protocol.service`.
fn asked(host: &str) -> Option<(&str, &str)> {
    let mut labels = host.split('.');
    let (port, protocol) = (labels.next()?, labels.next()?);
    Some((port.strip_prefix('_')?, protocol.strip_prefix('_')?))
}

/// The ports that endpoints of a Service have by name; none where that isn't
/// known, or where none has a name, which other rules speak about.
fn published(service: &Service, context: &Context) -> Option<Vec<Published>> {
    let ports: Vec<Published> = if selectorless(service) {
        let meta = &service.meta.ref_;
        let endpoints = context.endpoints_of(&meta.namespace, &meta.name).found()?;
        let subsets = endpoints.iter().flat_map(|one| &one.subsets);
        let ports = subsets.flat_map(|subset| &subset.ports);
        ports.map(|port| (port.name.clone(), port.protocol.clone())).collect()
    } else {
        let ports = service.ports.iter();
        ports.map(|port| (port.name.clone(), port.protocol.clone())).collect()
    };
    let known = ports.iter().all(|(name, protocol)| !placeholder(name) && !placeholder(protocol));
    let mut named: Vec<_> = ports.into_iter().filter(|(name, _)| !name.is_empty()).collect();
    named.sort();
    named.dedup();
    (known && !named.is_empty()).then_some(named)
}

fn report(
    reference: &Reference,
    service: &Service,
    published: &[Published],
    port: &str,
) -> Finding {
    let name = &service.meta.ref_.name;
    let names: Vec<_> = published
        .iter()
        .map(|(port, protocol)| format!("`_{port}._{}`", protocol.to_ascii_lowercase()))
        .collect();
    let names = names.join(", ");
    let same = published.iter().find(|(name, _)| name.eq_ignore_ascii_case(port));
    let what = match same {
        Some((_, protocol)) => {
            format!(
                "`{}` is asked for, but port `{port}` of Service `{name}` is {protocol}",
                reference.host
            )
        }
        None => format!(
            "`{}` is asked for, but headless Service `{name}` publishes {names}",
            reference.host
        ),
    };
    Finding::new(&RULE, reference.path.as_str())
        .range(reference.range)
        .what(what)
        .why(format!("`{}` is NXDOMAIN: the client finds nobody", reference.host))
        .help(match selectorless(service) {
            true => format!("ask for {names}, or give the port that name in the endpoints"),
            false => format!("ask for {names}, or name the port of the Service `{port}`"),
        })
        .related(&service.meta.ref_, "$.spec.ports", "these ports have names")
}
