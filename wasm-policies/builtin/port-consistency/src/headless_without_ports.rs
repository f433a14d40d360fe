//! A headless Service without ports, of which somebody wants one.

use headlint_policy_sdk::service::settled_headless;
use headlint_policy_sdk::types::{IntOrString, Reference, ReferenceVia};
use headlint_policy_sdk::{Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN};

/// The rule.
pub const RULE: Rule = Rule {
    id: "headless-without-ports",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a headless Service has no ports, and something asks for one of them",
    documentation: include_str!("headless-without-ports.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    // Without a selector, its endpoints have ports of their own.
    let Some(service) = settled_headless(review) else { return };
    if !service.ports.is_empty() {
        return;
    }
    let meta = &service.meta.ref_;
    let mut wanting = context.references_to(&meta.namespace, &meta.name).seen();
    wanting.retain(wants_port);
    let Some(first) = wanting.first() else { return };
    let why = match first.via {
        ReferenceVia::Srv => format!("`{}` is NXDOMAIN", first.host),
        _ => format!(
            "the controller of {} `{}` finds no endpoint with that port: its clients get 502 or 503",
            first.holder.ref_.kind, first.holder.ref_.name
        ),
    };
    findings.add(
        Finding::new(&RULE, "$.spec.ports")
            .what(format!(
                "headless Service `{}` has no ports, but {} `{}` wants {}",
                meta.name,
                first.holder.ref_.kind,
                first.holder.ref_.name,
                wanted(first)
            ))
            .why(why)
            .help("write the ports that the Pods listen on, each with a name")
            .related_uses(wanting.iter().take(4)),
    );
}

/// Whether it can't do without a port of the Service. Prometheus also scrapes
/// ports that only the containers have.
fn wants_port(reference: &Reference) -> bool {
    match reference.via {
        ReferenceVia::Route => reference.port.is_some(),
        ReferenceVia::Srv => reference.host.starts_with('_'),
        ReferenceVia::Dial | ReferenceVia::Monitor | ReferenceVia::ControlPlane => false,
    }
}

fn wanted(reference: &Reference) -> String {
    match (&reference.via, &reference.port) {
        (ReferenceVia::Srv, _) | (_, None) => format!("the SRV record of `{}`", reference.host),
        (_, Some(IntOrString::Int(port))) => format!("port {port}"),
        (_, Some(IntOrString::Text(port))) => format!("port `{port}`"),
    }
}
