//! A port without a name, for which somebody asks by name.

use headlint_policy_sdk::service::{dns_label, settled_headless};
use headlint_policy_sdk::types::ReferenceVia;
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "unnamed-port-no-srv",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a client asks for a port of a headless Service by name, and the port has none",
    documentation: include_str!("unnamed-port-no-srv.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = settled_headless(review) else { return };
    let [port] = service.ports.as_slice() else { return };
    if !port.name.is_empty() {
        return;
    }
    let meta = &service.meta.ref_;
    let mut asking = context.references_to(&meta.namespace, &meta.name).seen();
    asking
        .retain(|reference| reference.via == ReferenceVia::Srv && asked(&reference.host).is_some());
    let Some(first) = asking.first() else { return };
    let wanted = asked(&first.host).unwrap_or_default();
    let finding = Finding::new(&RULE, "$.spec.ports[0]")
        .what(format!(
            "the only port of headless Service `{}` has no name, but `{}` is asked for",
            meta.name, first.host
        ))
        .why(format!(
            "`{}` is NXDOMAIN: a port without a name has no SRV record of its own",
            first.host
        ))
        .help(format!("write `name: {wanted}`"))
        .related_uses(asking.iter().take(4));
    findings.add(match dns_label(wanted) {
        true => finding.add("$.spec.ports[0].name", wanted.into(), Safety::Proposed),
        false => finding,
    });
}

/// The port in `_port._protocol.service`.
fn asked(host: &str) -> Option<&str> {
    host.split('.').next()?.strip_prefix('_')
}
