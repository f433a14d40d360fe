//! Rule `named-target-port-diverges`.

use headlint_policy_sdk::ports::{Targets, injected, targets};
use headlint_policy_sdk::service::{headless, workloads};
use headlint_policy_sdk::types::{IntOrString, Workload};
use headlint_policy_sdk::{Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN};

use crate::places::{accepted, declared, list, port_path, with_declarations};

/// The name in `targetPort` of a headless Service means different numbers in
/// the Pods behind it, or nothing in some.
pub const RULE: Rule = Rule {
    id: "named-target-port-diverges",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a headless Service's named targetPort isn't the same number in all its Pods",
    documentation: include_str!("named-target-port-diverges.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = accepted(review) else { return };
    let named = |target: &Option<IntOrString>| matches!(target, Some(IntOrString::Text(_)));
    if !headless(service) || !service.ports.iter().any(|port| named(&port.target_port)) {
        return;
    }
    let Some(behind) = workloads(service, context) else { return };
    for (index, port) in service.ports.iter().enumerate() {
        let Some(IntOrString::Text(name)) = &port.target_port else { continue };
        let Some(targets) = targets(port, &behind) else { continue };
        let numbers = targets.numbers();
        let Targets::Named(found) = targets else { continue };
        if numbers.is_empty() {
            continue;
        }
        let lacking: Vec<&Workload> = found
            .iter()
            .filter(|(workload, number)| number.is_none() && !injected(workload))
            .map(|(workload, _)| *workload)
            .collect();
        let twice = found
            .iter()
            .find_map(|(workload, first)| second(workload, name, &port.protocol, *first));
        let svc = &service.meta.ref_.name;
        let title = |workload: &Workload| {
            format!("{} `{}`", workload.meta.ref_.kind, workload.meta.ref_.name)
        };
        let (what, why) = if numbers.len() > 1 {
            (
                format!(
                    "targetPort `{name}` of headless Service `{svc}` is {}, depending on the Pod",
                    list(&numbers)
                ),
                format!(
                    "whichever number a client of `{svc}` dials, some addresses answer \
                     `connection refused`; SRV answers with mixed ports"
                ),
            )
        } else if let [first, rest @ ..] = lacking.as_slice() {
            let more = match rest.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            (
                format!(
                    "targetPort `{name}` of headless Service `{svc}` is {} in some Pods, but no \
                     port of {}{more}",
                    list(&numbers),
                    title(first)
                ),
                format!(
                    "`{svc}` resolves to those Pods too, where the port is missing: some \
                     connections fail, and SRV leaves them out"
                ),
            )
        } else if let Some((workload, first, other)) = twice {
            (
                format!(
                    "targetPort `{name}` of headless Service `{svc}` stands for {first} and \
                     {other} in {}",
                    title(workload)
                ),
                format!("the first one wins: nothing leads a client of `{svc}` to {other}"),
            )
        } else {
            continue;
        };
        let all: Vec<_> = found.iter().map(|(workload, _)| *workload).collect();
        findings.add(with_declarations(
            Finding::new(&RULE, port_path(index, "targetPort")).what(what).why(why).help(format!(
                "give `{name}` one number in all Pods that `{svc}` selects, or narrow its selector"
            )),
            &all,
        ));
    }
}

/// Another number that a template has under the name that already means
/// `first`.
fn second<'w>(
    workload: &'w Workload,
    name: &str,
    protocol: &str,
    first: Option<i64>,
) -> Option<(&'w Workload, i64, i64)> {
    let first = first?;
    declared(workload)
        .filter(|(_, _, port)| port.name == name && port.protocol == protocol)
        .filter_map(|(_, _, port)| port.container_port)
        .find(|number| *number != first)
        .map(|other| (workload, first, other))
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::world::{World, container, named, published, review, service, workload};

    fn fires(workloads: &[&[(&str, i64)]]) -> bool {
        let mut world = World::default();
        for (index, ports) in workloads.iter().enumerate() {
            // One container for each port: a name is unique within one.
            let containers = ports.iter().map(|(name, n)| container(name, &[(name, "TCP", *n)]));
            let pods = workload(&format!("web-{index}"), &[("app", "web")], containers.collect());
            world = world.with(Object::Workload(pods));
        }
        let web = service("web", vec![published("http", 80, named("http"))]);
        let mut findings = Findings::default();
        check(&review(Object::Service(web)), &world.snapshot, &mut findings);
        !findings.brief().is_empty()
    }

    #[test]
    fn one_number_everywhere_is_fine() {
        assert!(!fires(&[&[("http", 80)], &[("http", 80), ("metrics", 9090)]]));
        assert!(!fires(&[&[("http", 80), ("http", 80)]]));
        assert!(!fires(&[&[("web", 80)], &[("web", 81)]]));
    }

    #[test]
    fn two_numbers_a_gap_and_a_double_are_not() {
        assert!(fires(&[&[("http", 80)], &[("http", 81)]]));
        assert!(fires(&[&[("http", 80)], &[("metrics", 9090)]]));
        assert!(fires(&[&[("http", 80), ("http", 81)]]));
    }
}
