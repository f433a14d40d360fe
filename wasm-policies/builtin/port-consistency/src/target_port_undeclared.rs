//! Rule `target-port-undeclared`.

use headlint_policy_sdk::ports::{Targets, injected, serving, targets};
use headlint_policy_sdk::service::{placeholder, workloads};
use headlint_policy_sdk::types::Workload;
use headlint_policy_sdk::{Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN};

use crate::places::{accepted, declared, port_path, with_declarations};

/// The Pods behind a Service declare ports, and the one that it leads to
/// isn't among them.
pub const RULE: Rule = Rule {
    id: "target-port-undeclared",
    severity: Severity::Info,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a Service leads to a port that none of its containers declares",
    documentation: include_str!("target-port-undeclared.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = accepted(review) else { return };
    if service.ports.is_empty() {
        return;
    }
    let Some(behind) = workloads(service, context) else { return };
    if !behind.iter().all(outspoken) {
        return;
    }
    for (index, port) in service.ports.iter().enumerate() {
        let Some(Targets::Number(target)) = targets(port, &behind) else { continue };
        let listens = |workload: &Workload| {
            declared(workload).any(|(_, _, other)| {
                other.protocol == port.protocol && other.container_port == Some(target)
            })
        };
        if behind.iter().any(listens) {
            continue;
        }
        let svc = &service.meta.ref_.name;
        let all: Vec<_> = behind.iter().collect();
        findings.add(with_declarations(
            Finding::new(&RULE, port_path(index, "targetPort"))
                .what(format!(
                    "Service `{svc}` leads to {target}/{}, which none of its containers declares",
                    port.protocol
                ))
                .why("if nothing listens there after all, clients get `connection refused`")
                .help(format!(
                    "set `targetPort` to a port that the containers listen on, or declare \
                     `containerPort: {target}`"
                )),
            &all,
        ));
    }
}

/// Whether what a workload declares is all that it can be taken to serve:
/// each of its containers declares something, nothing is injected, and the
/// Pods have a network of their own.
pub(crate) fn outspoken(workload: &Workload) -> bool {
    let mut containers = serving(workload).peekable();
    containers.peek().is_some()
        && containers.all(|container| !container.ports.is_empty())
        && !injected(workload)
        && !workload.template.host_network
        && declared(workload)
            .all(|(_, _, port)| port.container_port.is_some() && !placeholder(&port.protocol))
}
