//! A Service without a selector, and the endpoints that somebody wrote for it.

use headlint_policy_sdk::Finding;
use headlint_policy_sdk::service::{has, placeholder, refused, selectorless};
use headlint_policy_sdk::types::{EndpointPort, Endpoints, Metadata, Service, Traits};

/// How many places a finding shows.
const SHOWN: usize = 4;

/// Whether the endpoints of a Service are written by hand.
pub(crate) fn by_hand(service: &Service) -> bool {
    selectorless(service)
        && service.service_type != "ExternalName"
        && !settled(&service.meta)
        && !refused(service)
}

/// Whether endpoints are somebody else's: an operator's, a mesh's, or on their
/// way out.
pub(crate) fn settled(meta: &Metadata) -> bool {
    let settled = Traits::OPERATOR_MANAGED | Traits::ENDPOINTS_MANAGED_ELSEWHERE | Traits::DELETING;
    has(meta, settled)
}

pub(crate) fn is_slice(object: &Endpoints) -> bool {
    object.meta.ref_.kind == "EndpointSlice"
}

/// A port of hand-written endpoints.
#[derive(Clone, Copy)]
pub(crate) struct Given<'e> {
    pub(crate) object: &'e Endpoints,
    pub(crate) subset: usize,
    pub(crate) index: usize,
    pub(crate) port: &'e EndpointPort,
}

impl Given<'_> {
    /// JSONPath of a key of the port.
    pub(crate) fn path(&self, field: &str) -> String {
        format!("{}[{}].{field}", ports_path(self.object, self.subset), self.index)
    }
}

/// JSONPath of the ports of a subset.
pub(crate) fn ports_path(object: &Endpoints, subset: usize) -> String {
    match object.meta.ref_.kind.as_str() {
        "EndpointSlice" => "$.ports".to_owned(),
        _ => format!("$.subsets[{subset}].ports"),
    }
}

/// The objects that clients get addresses from. None where one of them isn't
/// a person's work, or its ports can't be known: a missing list in a slice may
/// mean every port.
pub(crate) fn effective(objects: &[Endpoints]) -> Option<Vec<&Endpoints>> {
    let managed = Traits::OPERATOR_MANAGED | Traits::ENDPOINTS_MANAGED_ELSEWHERE;
    let mut effective = Vec::with_capacity(objects.len());
    for object in objects {
        let unseen = object.skip_mirror || object.address_type.as_deref() == Some("FQDN");
        if unseen || has(&object.meta, Traits::DELETING) {
            continue;
        }
        let unknown = occupied(object).any(|(_, ports)| {
            ports.is_empty()
                || ports.iter().any(|port| {
                    port.port.is_none() || placeholder(&port.name) || placeholder(&port.protocol)
                })
        });
        if has(&object.meta, managed) || unknown {
            return None;
        }
        effective.push(object);
    }
    Some(effective)
}

/// The subsets that have addresses, each with its index.
pub(crate) fn occupied(object: &Endpoints) -> impl Iterator<Item = (usize, &[EndpointPort])> {
    object
        .subsets
        .iter()
        .enumerate()
        .filter(|(_, subset)| subset.ready > 0 || subset.not_ready > 0)
        .map(|(index, subset)| (index, subset.ports.as_slice()))
}

/// The ports of an object, in order.
pub(crate) fn given(object: &Endpoints) -> impl Iterator<Item = Given<'_>> {
    occupied(object).flat_map(move |(subset, ports)| {
        ports.iter().enumerate().map(move |(index, port)| Given { object, subset, index, port })
    })
}

/// The numbers of some ports, ascending, each once.
pub(crate) fn numbers(ports: &[Given<'_>]) -> Vec<i64> {
    let mut numbers: Vec<_> = ports.iter().filter_map(|given| given.port.port).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// `8000`, or `8000 and 9000`.
pub(crate) fn list(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    match numbers.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The finding with ports as related places.
pub(crate) fn with_given(mut finding: Finding, ports: &[Given<'_>]) -> Finding {
    for given in ports.iter().take(SHOWN) {
        let number = given.port.port.unwrap_or_default();
        finding = finding.related(
            &given.object.meta.ref_,
            given.path("port"),
            match given.port.name.as_str() {
                "" => format!("the endpoints give port {number}"),
                name => format!("the endpoints give port {number} as `{name}`"),
            },
        );
    }
    finding
}

#[cfg(test)]
pub(crate) mod tests {
    use headlint_policy_sdk::fake::{self, Snapshot};
    use headlint_policy_sdk::types::{EndpointSubset, IntOrString, Object, ObjectRef, ServicePort};
    use headlint_policy_sdk::{Findings, Operation, Origin, Review, Rule, Severity};

    use super::*;

    fn meta(api_version: &str, kind: &str) -> Metadata {
        Metadata {
            ref_: ObjectRef {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: "shop".to_owned(),
                name: "db".to_owned(),
            },
            labels: Vec::new(),
            traits: Traits::empty(),
        }
    }

    /// Headless, without a selector; each port by name, number and target.
    pub(crate) fn service(ports: &[(&str, i64, Option<i64>)]) -> Service {
        Service {
            cluster_ip: Some("None".to_owned()),
            ports: ports
                .iter()
                .map(|&(name, port, target)| ServicePort {
                    name: name.to_owned(),
                    protocol: "TCP".to_owned(),
                    port: Some(port),
                    target_port: target.map(IntOrString::Int),
                    node_port: None,
                })
                .collect(),
            ..fake::service(meta("v1", "Service"))
        }
    }

    /// Subsets with one address each.
    pub(crate) fn endpoints(subsets: &[&[(&str, i64)]]) -> Endpoints {
        let subset = |ports: &&[(&str, i64)]| EndpointSubset {
            ports: ports
                .iter()
                .map(|&(name, port)| EndpointPort {
                    name: name.to_owned(),
                    protocol: "TCP".to_owned(),
                    port: Some(port),
                })
                .collect(),
            ready: 1,
            not_ready: 0,
        };
        Endpoints {
            meta: meta("v1", "Endpoints"),
            service: "db".to_owned(),
            address_type: None,
            subsets: subsets.iter().map(subset).collect(),
            skip_mirror: false,
        }
    }

    /// What one rule finds where these two are all there is.
    pub(crate) fn found(
        rule: &Rule,
        object: Object,
        service: &Service,
        endpoints: &Endpoints,
    ) -> Vec<(Severity, String)> {
        let review = Review {
            settings: "{}".to_owned(),
            object,
            old: None,
            operation: Operation::Create,
            origin: Origin::Lint,
        };
        let objects = vec![Object::Service(service.clone()), Object::Endpoints(endpoints.clone())];
        let world = Snapshot { objects, ..Snapshot::default() };
        let mut findings = Findings::default();
        (rule.check)(&review, &world, &mut findings);
        let brief = findings.brief();
        brief.into_iter().map(|(_, severity, path)| (severity, path.to_owned())).collect()
    }
}
