//! How a port of a Service finds a port of a Pod.

use crate::service::{has, placeholder, port_name};
use crate::types::{
    Container, ContainerPort, ContainerRole, IntOrString, ServicePort, Traits, Workload,
};

/// The container port of that name and protocol: in the containers first,
/// then in the sidecars, in order. Ordinary init containers don't count.
///
/// # Source
/// kubernetes v1.36 `pkg/api/v1/pod/util.go` `FindPort`.
#[must_use]
pub fn named<'w>(
    workload: &'w Workload,
    name: &str,
    protocol: &str,
) -> Option<(&'w Container, usize, &'w ContainerPort)> {
    [ContainerRole::App, ContainerRole::Sidecar].into_iter().find_map(|role| {
        workload.template.containers.iter().filter(|container| container.role == role).find_map(
            |container| {
                container
                    .ports
                    .iter()
                    .enumerate()
                    .find(|(_, port)| port.name == name && port.protocol == protocol)
                    .map(|(index, port)| (container, index, port))
            },
        )
    })
}

/// The number that a port of a Service leads to in a Pod; none for a name
/// that the Pod doesn't have.
#[must_use]
pub fn find_port(workload: &Workload, port: &ServicePort) -> Option<i64> {
    match &port.target_port {
        None => port.port,
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::Text(name)) => {
            named(workload, name, &port.protocol).and_then(|(_, _, port)| port.container_port)
        }
    }
}

/// JSONPath of a container in its workload.
#[must_use]
pub fn container_path(workload: &Workload, container: &Container) -> String {
    let list = match container.role {
        ContainerRole::App => "containers",
        ContainerRole::Sidecar | ContainerRole::Init => "initContainers",
    };
    format!("{}.spec.{list}[{}]", workload.template.path, container.index)
}

/// JSONPath of a port of a container in its workload.
#[must_use]
pub fn container_port_path(workload: &Workload, container: &Container, index: usize) -> String {
    format!("{}.ports[{index}]", container_path(workload, container))
}

/// The containers that run while a Pod serves: those in `containers`, then
/// the sidecars.
pub fn serving(workload: &Workload) -> impl Iterator<Item = &Container> {
    [ContainerRole::App, ContainerRole::Sidecar].into_iter().flat_map(|role| {
        workload.template.containers.iter().filter(move |container| container.role == role)
    })
}

/// Whether containers may be injected into its Pods that no manifest shows.
#[must_use]
pub fn injected(workload: &Workload) -> bool {
    workload.template.injected || has(&workload.meta, Traits::INJECTED)
}

/// Where a port of a Service leads in the Pods behind it.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets<'w> {
    /// To this number in every Pod, declared or not.
    Number(i64),
    /// By name: for each workload the number that its Pods have under that
    /// name, none where they don't have it. Never empty.
    Named(Vec<(&'w Workload, Option<i64>)>),
}

impl Targets<'_> {
    /// The numbers, ascending, each once.
    #[must_use]
    pub fn numbers(&self) -> Vec<i64> {
        let mut numbers = match self {
            Self::Number(number) => vec![*number],
            Self::Named(found) => found.iter().filter_map(|(_, number)| *number).collect(),
        };
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Whether every Pod has the port.
    #[must_use]
    pub fn everywhere(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Named(found) => found.iter().all(|(_, number)| number.is_some()),
        }
    }
}

/// The targets of a port in these workloads, which are all that are known
/// behind the Service. None where they can't be known: a name without a
/// workload, a placeholder, a value that the API server refuses.
///
/// A hook provides a port, but isn't missed where it has none.
#[must_use]
pub fn targets<'w>(port: &ServicePort, workloads: &'w [Workload]) -> Option<Targets<'w>> {
    let name = match &port.target_port {
        None => return port.port.map(Targets::Number),
        Some(IntOrString::Int(number)) => return Some(Targets::Number(*number)),
        Some(IntOrString::Text(name)) if port_name(name) => name,
        Some(IntOrString::Text(_)) => return None,
    };
    if placeholder(&port.protocol) {
        return None;
    }
    let mut found = Vec::with_capacity(workloads.len());
    for workload in workloads {
        match named(workload, name, &port.protocol) {
            Some((_, _, port)) => found.push((workload, Some(port.container_port?))),
            None if unsettled(workload) => return None,
            None if has(&workload.meta, Traits::HOOK | Traits::TEST_HOOK) => {}
            None => found.push((workload, None)),
        }
    }
    (!found.is_empty()).then_some(Targets::Named(found))
}

/// Whether a container port has a name or protocol that is filled in later.
fn unsettled(workload: &Workload) -> bool {
    serving(workload)
        .flat_map(|container| &container.ports)
        .any(|port| placeholder(&port.name) || placeholder(&port.protocol))
}
