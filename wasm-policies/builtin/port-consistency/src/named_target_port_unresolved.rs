//! Rule `named-target-port-unresolved`.

use headlint_policy_sdk::ports::{Targets, container_port_path, injected, serving, targets};
use headlint_policy_sdk::service::{headless, workloads};
use headlint_policy_sdk::types::{ContainerRole, IntOrString, ServicePort, Workload};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::places::{accepted, declared, port_path, with_declarations};

/// No container behind a Service has a port of the name in `targetPort`.
pub const RULE: Rule = Rule {
    id: "named-target-port-unresolved",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a Service's targetPort names a port that no container behind it has",
    documentation: include_str!("named-target-port-unresolved.md"),
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
        let missing: Vec<&Workload> = found.iter().map(|(workload, _)| *workload).collect();
        let anywhere = missing
            .iter()
            .any(|workload| declared(workload).any(|(_, _, other)| other.name == *name));
        if anywhere || found.iter().any(|(_, number)| number.is_some()) {
            continue;
        }
        let headless = headless(service);
        let svc = &service.meta.ref_.name;
        let first = &missing[0].meta.ref_;
        let of = match missing.len() {
            1 => format!("{} `{}`", first.kind, first.name),
            n => format!("the {n} workloads behind it"),
        };
        let why = if headless {
            format!(
                "the name `{svc}` still resolves, but SRV answers NXDOMAIN and Endpoints stay empty"
            )
        } else {
            "the Service has no endpoints for this port: `connection refused`".to_owned()
        };
        let injected = missing.iter().any(|workload| injected(workload));
        let finding = Finding::new(&RULE, port_path(index, "targetPort"))
            .severity(if injected {
                Severity::Info
            } else if headless {
                Severity::Warning
            } else {
                Severity::Error
            })
            .what(format!("targetPort `{name}` of Service `{svc}` is no port of {of}"))
            .why(match injected {
                true => format!("unless an injected container has it, {why}"),
                false => why,
            })
            .help(format!(
                "name a container port `{name}`, or set `targetPort` to a port that the \
                 containers have"
            ));
        findings.add(with_rename(
            with_init(with_declarations(finding, &missing), &missing, name),
            &missing,
            port,
            index,
        ));
    }
}

/// Points at an ordinary init container with the name: it ends before the Pod
/// serves.
fn with_init(mut finding: Finding, missing: &[&Workload], name: &str) -> Finding {
    for workload in missing {
        let init = |role| role == ContainerRole::Init;
        for container in workload.template.containers.iter().filter(|c| init(c.role)) {
            if let Some(port) = container.ports.iter().position(|port| port.name == name) {
                finding = finding.related(
                    &workload.meta.ref_,
                    format!("{}.name", container_port_path(workload, container, port)),
                    format!("init container `{}` is gone when the Pod serves", container.name),
                );
            }
        }
    }
    finding
}

/// Proposes the only port that it can be.
fn with_rename(
    finding: Finding,
    missing: &[&Workload],
    port: &ServicePort,
    index: usize,
) -> Finding {
    let only = |workload: &&Workload| {
        let mut ports = serving(workload)
            .flat_map(|container| &container.ports)
            .filter(|other| other.protocol == port.protocol);
        match (ports.next(), ports.next()) {
            (Some(one), None) if !one.name.is_empty() => Some(one.name.clone()),
            _ => None,
        }
    };
    let mut names = missing.iter().map(only);
    let Some(Some(name)) = names.next() else { return finding };
    if names.all(|other| other.as_ref() == Some(&name)) {
        finding.set(port_path(index, "targetPort"), name.into(), Safety::Proposed)
    } else {
        finding
    }
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::types::{Object, Traits};

    use super::*;
    use crate::world::{World, container, named, published, review, service, workload};

    fn judged(cluster_ip: Option<&str>, workloads: Vec<Workload>) -> Vec<Severity> {
        let mut api = service("api", vec![published("http", 8080, named("http"))]);
        api.cluster_ip = cluster_ip.map(str::to_owned);
        let world = workloads.into_iter().map(Object::Workload).fold(World::default(), World::with);
        let mut findings = Findings::default();
        check(&review(Object::Service(api)), &world.snapshot, &mut findings);
        findings.brief().into_iter().map(|(_, severity, _)| severity).collect()
    }

    fn pods(ports: &[(&str, &str, i64)]) -> Workload {
        workload("api", &[("app", "api")], vec![container("api", ports)])
    }

    #[test]
    fn severity_follows_the_cluster_ip_and_injection() {
        let other = pods(&[("web", "TCP", 8080)]);
        assert_eq!(judged(Some("None"), vec![other.clone()]), [Severity::Warning]);
        assert_eq!(judged(None, vec![other.clone()]), [Severity::Error]);
        let mut injected = other;
        injected.template.injected = true;
        assert_eq!(judged(None, vec![injected]), [Severity::Info]);
    }

    #[test]
    fn sidecars_have_ports_and_init_containers_do_not() {
        let mut pods = pods(&[("http", "TCP", 8080)]);
        pods.template.containers[0].role = ContainerRole::Sidecar;
        assert!(judged(None, vec![pods.clone()]).is_empty());
        pods.template.containers[0].role = ContainerRole::Init;
        assert_eq!(judged(None, vec![pods]), [Severity::Error]);
    }

    #[test]
    fn another_protocol_some_pods_a_hook_and_nobody_are_not_its_matter() {
        assert!(judged(None, vec![pods(&[("http", "UDP", 8080)])]).is_empty());
        let other = pods(&[("web", "TCP", 8080)]);
        assert!(judged(None, vec![pods(&[("http", "TCP", 1)]), other.clone()]).is_empty());
        let mut hook = other;
        hook.meta.traits = Traits::HOOK;
        assert!(judged(None, vec![hook]).is_empty());
        assert!(judged(None, Vec::new()).is_empty());
    }

    #[test]
    fn a_label_that_only_the_controller_knows_selects_nothing_for_certain() {
        let mut pods = pods(&[("web", "TCP", 8080)]);
        pods.template.labels.clear();
        pods.template.added_labels = vec!["app".to_owned()];
        assert!(judged(None, vec![pods]).is_empty());
    }
}
