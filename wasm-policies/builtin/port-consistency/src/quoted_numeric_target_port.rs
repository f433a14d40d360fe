//! Rule `quoted-numeric-target-port`.

use headlint_policy_sdk::service::{PortFault, port_faults};
use headlint_policy_sdk::types::IntOrString;
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::places::port_path;

/// A `targetPort` is a string of digits.
pub const RULE: Rule = Rule {
    id: "quoted-numeric-target-port",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a targetPort is a number in quotes, which the API server takes for a name",
    documentation: include_str!("quoted-numeric-target-port.md"),
    check,
};

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    for (index, fault) in port_faults(service) {
        let (PortFault::TargetQuoted, Some(IntOrString::Text(text))) =
            (fault, &service.ports[index].target_port)
        else {
            continue;
        };
        let path = port_path(index, "targetPort");
        let finding = Finding::new(&RULE, &*path)
            .what(format!(
                "targetPort \"{text}\" of Service `{}` is a string, so it is taken for the name \
                 of a port",
                service.meta.ref_.name
            ))
            .why("the API server refuses the Service: \"must contain at least one letter\"");
        let number = text.parse::<i64>().ok();
        findings.add(match number.filter(|n| (1..=65535).contains(n) && n.to_string() == *text) {
            Some(number) => finding
                .help(format!("write `targetPort: {number}`, without quotes"))
                .set(path, number.into(), Safety::Safe),
            None => finding.help("write a number from 1 to 65535 without quotes, or a port's name"),
        });
    }
}
