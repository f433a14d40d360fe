//! Rule `named-target-port-protocol`.

use headlint_policy_sdk::ports::{Targets, container_port_path, targets};
use headlint_policy_sdk::service::{headless, workloads};
use headlint_policy_sdk::types::IntOrString;
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::places::{accepted, declared, port_path, written};

/// The name in `targetPort` exists behind the Service, but only with another
/// protocol.
pub const RULE: Rule = Rule {
    id: "named-target-port-protocol",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a Service's named targetPort exists only with another protocol",
    documentation: include_str!("named-target-port-protocol.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = accepted(review) else { return };
    if !service.ports.iter().any(|port| matches!(port.target_port, Some(IntOrString::Text(_)))) {
        return;
    }
    let Some(behind) = workloads(service, context) else { return };
    for (index, port) in service.ports.iter().enumerate() {
        let Some(IntOrString::Text(name)) = &port.target_port else { continue };
        let Some(Targets::Named(found)) = targets(port, &behind) else { continue };
        if found.iter().any(|(_, number)| number.is_some()) {
            continue;
        }
        let others: Vec<_> = found
            .iter()
            .flat_map(|(workload, _)| declared(workload).map(move |place| (*workload, place)))
            .filter(|(_, (_, _, other))| other.name == *name)
            .collect();
        let Some((_, (_, _, first))) = others.first() else { continue };
        let svc = &service.meta.ref_.name;
        let (wanted, actual) = (&port.protocol, &first.protocol);
        let mut finding = Finding::new(&RULE, port_path(index, "protocol"))
            .what(format!(
                "targetPort `{name}` of Service `{svc}` is looked up as {wanted}, but the \
                 containers have `{name}` with {actual} only"
            ))
            .why(if headless(service) {
                format!(
                    "the port is in no EndpointSlice: `{svc}` resolves, but its SRV record is \
                     NXDOMAIN and nothing serves it over {wanted}"
                )
            } else {
                "the Service has no endpoints for this port: clients time out or are refused"
                    .to_owned()
            })
            .help(format!("set `protocol: {actual}`, or name a {wanted} port of the containers"));
        for (workload, (container, place, other)) in others.iter().take(4) {
            finding = finding.related(
                &workload.meta.ref_,
                container_port_path(workload, container, *place),
                format!("container `{}` has `{name}` with {}", container.name, other.protocol),
            );
        }
        let unique = others.iter().all(|(_, (_, _, other))| other.protocol == *actual);
        let taken =
            service.ports.iter().any(|other| other.port == port.port && other.protocol == *actual);
        if unique && !taken {
            let path = port_path(index, "protocol");
            let value = actual.clone().into();
            finding = if written(context, &path) {
                finding.set(path, value, Safety::Proposed)
            } else {
                finding.add(path, value, Safety::Proposed)
            };
        }
        findings.add(finding);
    }
}
