//! A NetworkPolicy that lets in the port of a Service, where the Pods have
//! another.

use headlint_policy_sdk::labels::{Reach, reach};
use headlint_policy_sdk::ports::{container_port_path, injected, serving, targets};
use headlint_policy_sdk::service::{headless, refused, selectorless};
use headlint_policy_sdk::types::{
    IntOrString, NetworkPolicy, NetworkPolicyRule, Service, Workload,
};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, UnknownReason, WRITTEN,
    display_name,
};

use crate::isolation::{cover, is_empty, may_select, policies, subjects, unseen, within};

/// The rule.
pub const RULE: Rule = Rule {
    id: "netpol-uses-service-port",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["NetworkPolicy"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a NetworkPolicy lets in a Service's port, which its Pods don't serve",
    documentation: include_str!("netpol-uses-service-port.md"),
    check,
};

/// Where a port of a Service leads in Pods that the policy isolates.
struct Meant {
    service: Service,
    index: usize,
    workload: Workload,
    numbers: Vec<i64>,
}

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(policy) = review.network_policy() else { return };
    let Some(rules) = &policy.ingress else { return };
    let numbers = || {
        rules.iter().enumerate().flat_map(|(at, rule)| {
            rule.ports.iter().enumerate().filter_map(move |(index, port)| {
                match (&port.port, port.end_port) {
                    (Some(IntOrString::Int(number)), None) => {
                        Some((at, rule, index, port.protocol.as_str(), *number))
                    }
                    _ => None,
                }
            })
        })
    };
    if numbers().next().is_none() {
        return;
    }
    let workloads = subjects(policy, context);
    let services = services(&workloads, context);
    let all = policies(policy, context);
    for (at, rule, index, protocol, number) in numbers() {
        let Some(meant) = meant(&workloads, &services, protocol, number) else { continue };
        let shut: Vec<_> = meant
            .into_iter()
            .filter(|one| {
                one.numbers.iter().any(|target| !admits(&all, rule, one, protocol, *target))
            })
            .collect();
        let Some(first) = shut.first() else { continue };
        let path = format!("$.spec.ingress[{at}].ports[{index}].port");
        findings.add(report(policy, path, number, protocol, first, &shut, context));
    }
}

/// For each workload the Services over its Pods.
fn services(workloads: &[Workload], context: &Context) -> Vec<Vec<Service>> {
    let over = |workload: &Workload| {
        let namespace = &workload.meta.ref_.namespace;
        let mut found = context.services_selecting(namespace, &workload.template.labels).seen();
        found.retain(|service| {
            !selectorless(service)
                && !refused(service)
                && service.service_type != "ExternalName"
                && matches!(reach(&service.selector, workload), Reach::All | Reach::Some)
        });
        found
    };
    workloads.iter().map(over).collect()
}

/// What the number of a Service stands for in these Pods. None where some of
/// them have that number themselves, or may have it.
fn meant(
    workloads: &[Workload],
    services: &[Vec<Service>],
    protocol: &str,
    number: i64,
) -> Option<Vec<Meant>> {
    let mut meant = Vec::new();
    for (workload, over) in workloads.iter().zip(services) {
        let mut ports = serving(workload).flat_map(|container| &container.ports).peekable();
        let silent = ports.peek().is_none() && over.is_empty();
        if silent
            || ports.any(|port| port.container_port == Some(number) && port.protocol == protocol)
        {
            return None;
        }
        for service in over {
            for (index, port) in service.ports.iter().enumerate() {
                if port.protocol != protocol {
                    continue;
                }
                let Some(targets) = targets(port, std::slice::from_ref(workload)) else {
                    continue;
                };
                let numbers = targets.numbers();
                if numbers.contains(&number) {
                    return None;
                }
                if port.port == Some(number) && !numbers.is_empty() {
                    let (service, workload) = (service.clone(), workload.clone());
                    meant.push(Meant { service, index, workload, numbers });
                }
            }
        }
    }
    Some(meant)
}

/// Whether some policy lets in all that the rule is for, on the port that the
/// Pods have.
fn admits(
    policies: &[NetworkPolicy],
    rule: &NetworkPolicyRule,
    meant: &Meant,
    protocol: &str,
    target: i64,
) -> bool {
    policies
        .iter()
        .filter(|policy| may_select(policy, &meant.workload))
        .flat_map(|policy| policy.ingress.iter().flatten())
        .any(|other| {
            within(&rule.peers, &other.peers)
                && cover(&other.ports, protocol, target, &meant.workload)
        })
}

fn report(
    policy: &NetworkPolicy,
    path: String,
    number: i64,
    protocol: &str,
    first: &Meant,
    shut: &[Meant],
    context: &Context,
) -> Finding {
    let Meant { service, index, workload, numbers } = first;
    let name = &service.meta.ref_.name;
    let shown: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    let shown = shown.join(" or ");
    // Elsewhere there may be Pods that serve the number.
    let open =
        is_empty(&policy.pod_selector) && unseen(&policy.meta.ref_.namespace, context).is_some();
    let produced = matches!(
        unseen(&policy.meta.ref_.namespace, context),
        Some(UnknownReason::Produced | UnknownReason::Unreadable)
    );
    let listener = serving(workload).find_map(|container| {
        let at = container.ports.iter().position(|port| {
            port.protocol == protocol && port.container_port.is_some_and(|n| numbers.contains(&n))
        });
        at.map(|at| container_port_path(workload, container, at))
    });
    let severity = if injected(workload) {
        Severity::Info
    } else if open || produced || listener.is_none() {
        Severity::Warning
    } else {
        Severity::Error
    };
    let dialled = if headless(service) { numbers[0] } else { number };
    let mut finding = Finding::new(&RULE, path.as_str())
        .severity(severity)
        .what(format!(
            "NetworkPolicy `{}` lets in port {number}, which Service `{name}` publishes, but the \
            Pods of {} serve it on {shown}",
            policy.meta.ref_.name,
            display_name(&workload.meta.ref_)
        ))
        .why(format!(
            "policies are applied at the Pod, where the Service's port is gone: a client of \
            `{name}:{dialled}` gets no answer, and times out"
        ))
        .help(format!("write `port: {shown}`, the port of the Pod"))
        .related(
            &service.meta.ref_,
            format!("$.spec.ports[{index}]"),
            format!("{number} leads to {shown} here"),
        );
    if let Some(listener) = listener {
        finding = finding.related(&workload.meta.ref_, listener, "the Pods serve this port");
    }
    match shut.iter().all(|other| other.numbers == *numbers) {
        true if numbers.len() == 1 => finding.set(path, numbers[0].into(), Safety::Proposed),
        _ => finding,
    }
}
