//! Places and words that several rules use.

use headlint_policy_sdk::service::{has, refused};
use headlint_policy_sdk::types::{Container, ContainerPort, Service, Traits, Workload};
use headlint_policy_sdk::{Context, Finding, Review, Version, ports};

/// How many places of a kind a finding shows.
const SHOWN: usize = 4;

/// The Service under review, if it exists after the operation: not refused by
/// the API server and not on its way out.
pub(crate) fn accepted(review: &Review) -> Option<&Service> {
    let service = review.service()?;
    let stays = !has(&service.meta, Traits::DELETING);
    (stays && !refused(service)).then_some(service)
}

/// JSONPath of a key of an entry of `spec.ports`.
pub(crate) fn port_path(index: usize, field: &str) -> String {
    format!("$.spec.ports[{index}].{field}")
}

/// `8000`, or `8000 or 9000`.
pub(crate) fn list(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    match numbers.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// What a client meets that dials a port where nothing listens.
pub(crate) fn closed(protocol: &str) -> &'static str {
    match protocol {
        "TCP" => "`connection refused`",
        _ => "no answer",
    }
}

/// Whether a key is written at the path; false where nobody can tell.
pub(crate) fn written(context: &Context, path: &str) -> bool {
    context.query(Version::New, path).is_ok_and(|matches| !matches.is_empty())
}

/// The ports that serve in a workload, each with its container and index.
pub(crate) fn declared(
    workload: &Workload,
) -> impl Iterator<Item = (&Container, usize, &ContainerPort)> {
    ports::serving(workload).flat_map(|container| {
        container.ports.iter().enumerate().map(move |(index, port)| (container, index, port))
    })
}

/// The finding with the container ports of these numbers as related places.
pub(crate) fn with_listeners(
    mut finding: Finding,
    workloads: &[Workload],
    protocol: &str,
    numbers: &[i64],
) -> Finding {
    let listeners = workloads.iter().flat_map(|workload| {
        declared(workload).map(move |(container, index, port)| (workload, container, index, port))
    });
    let wanted = |port: &ContainerPort| {
        port.protocol == protocol && port.container_port.is_some_and(|n| numbers.contains(&n))
    };
    for (workload, container, index, port) in
        listeners.filter(|(_, _, _, port)| wanted(port)).take(SHOWN)
    {
        finding = finding.related(
            &workload.meta.ref_,
            format!("{}.containerPort", ports::container_port_path(workload, container, index)),
            format!(
                "container `{}` listens on {}",
                container.name,
                port.container_port.unwrap_or_default()
            ),
        );
    }
    finding
}

/// The finding with what each workload declares as related places.
pub(crate) fn with_declarations(mut finding: Finding, workloads: &[&Workload]) -> Finding {
    let containers = workloads
        .iter()
        .flat_map(|workload| ports::serving(workload).map(move |container| (*workload, container)));
    for (workload, container) in containers.take(SHOWN) {
        let path = ports::container_path(workload, container);
        finding = match container.ports.as_slice() {
            [] => finding.related(
                &workload.meta.ref_,
                path,
                format!("container `{}` declares no ports", container.name),
            ),
            ports => finding.related(
                &workload.meta.ref_,
                format!("{path}.ports"),
                format!("container `{}` declares {}", container.name, summary(ports)),
            ),
        };
    }
    finding
}

/// ``` `http` (8080/TCP), 9090/TCP ```
fn summary(ports: &[ContainerPort]) -> String {
    let each: Vec<_> = ports
        .iter()
        .map(|port| {
            let number = port.container_port.map_or_else(|| "?".to_owned(), |n| n.to_string());
            match port.name.as_str() {
                "" => format!("{number}/{}", port.protocol),
                name => format!("`{name}` ({number}/{})", port.protocol),
            }
        })
        .collect();
    each.join(", ")
}
