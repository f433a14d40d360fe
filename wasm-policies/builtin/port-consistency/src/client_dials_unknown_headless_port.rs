//! Rule `client-dials-unknown-headless-port`.

use std::collections::BTreeSet;

use headlint_policy_sdk::service::has;
use headlint_policy_sdk::types::Traits;
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, NAME_SERVICES, Review, Rule, Severity, WRITTEN,
};

use crate::client_dials_headless_service_port::{MOST, Published, dials, published, service_of};
use crate::places::{list, with_declarations};
use crate::target_port_undeclared::outspoken;

/// Something dials a port of a headless Service that neither the Service nor a
/// container behind it names.
pub const RULE: Rule = Rule {
    id: "client-dials-unknown-headless-port",
    severity: Severity::Info,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: NAME_SERVICES,
    operations: WRITTEN,
    only_if: &[Condition::Refers],
    summary: "a client dials a port that neither a headless Service nor its Pods name",
    documentation: include_str!("client-dials-unknown-headless-port.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    if has(review.meta(), Traits::DELETING) {
        return;
    }
    let references = context.references();
    let published = published(&references, context);
    let mut seen = BTreeSet::new();
    for (reference, dialled) in dials(&references) {
        let Some(published) = published.get(&service_of(reference)) else { continue };
        let place = (&reference.path, &reference.host, dialled);
        if !unknown(published, dialled) || seen.len() == MOST || !seen.insert(place) {
            continue;
        }
        let (name, host) = (&reference.service, &reference.host);
        let served: Vec<_> = published.served.iter().copied().collect();
        let all: Vec<_> = published.behind.iter().collect();
        findings.add(with_declarations(
            Finding::new(&RULE, reference.path.as_str())
                .range(reference.range)
                .what(format!(
                    "`{host}` is dialled on port {dialled}, which neither headless Service \
                     `{name}` nor a container behind it names"
                ))
                .why("if nothing listens there after all, the client gets `connection refused`")
                .help(format!(
                    "dial {}, or declare `containerPort: {dialled}` where it is served",
                    list(&served)
                ))
                .related(&published.service.meta.ref_, "$.spec.ports", "these are its ports"),
            &all,
        ));
    }
}

/// Whether all that listens behind a Service is told, and nothing has this
/// number, whatever the protocol: nobody knows which one the client speaks.
fn unknown(published: &Published, dialled: i64) -> bool {
    let Published { service, behind, served, .. } = published;
    let is_declared = || {
        let containers = behind.iter().flat_map(|workload| &workload.template.containers);
        containers.flat_map(|it| &it.ports).any(|port| port.container_port == Some(dialled))
    };
    !service.ports.is_empty()
        && !behind.is_empty()
        && !served.contains(&dialled)
        && !service.ports.iter().any(|port| port.port == Some(dialled))
        && behind.iter().all(outspoken)
        && !is_declared()
}
