//! Rule `port-list-invalid`.

use headlint_policy_sdk::service::{PortFault, dns_label, headless, placeholder, port_faults};
use headlint_policy_sdk::types::{IntOrString, Service, ServicePort, TypeError};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::places::{port_path, written};

/// `spec.ports` breaks a rule of the API server.
pub const RULE: Rule = Rule {
    id: "port-list-invalid",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "the API server refuses the list of ports of a Service",
    documentation: include_str!("port-list-invalid.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    for error in &service.type_errors {
        if error.path.starts_with("$.spec.ports") && !placeholder(&error.value) {
            findings.add(wrong_type(service, error));
        }
    }
    for (index, fault) in port_faults(service) {
        if let Some(finding) = explain(service, index, fault, context) {
            findings.add(finding);
        }
    }
}

fn wrong_type(service: &Service, error: &TypeError) -> Finding {
    let field = error.path.rsplit('.').next().unwrap_or(&error.path);
    let article = if error.expected.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    let finding = Finding::new(&RULE, error.path.clone())
        .what(format!(
            "`{field}` of Service `{}` is {}, but has to be {article} {}",
            service.meta.ref_.name, error.value, error.expected
        ))
        .why("the API server can't decode the Service and refuses it")
        .help(format!("write {article} {}", error.expected));
    let quoted = serde_json::from_str::<String>(&error.value).ok();
    let number = quoted.and_then(|text| text.parse::<i64>().ok());
    match number.filter(|n| error.expected == "integer" && (1..=65535).contains(n)) {
        Some(number) => finding.help(format!("write {number} without quotes")).set(
            error.path.clone(),
            number.into(),
            Safety::Proposed,
        ),
        None => finding,
    }
}

fn explain(
    service: &Service,
    index: usize,
    fault: PortFault,
    context: &Context,
) -> Option<Finding> {
    let port = &service.ports[index];
    let svc = &service.meta.ref_.name;
    let path = port_path(index, fault.field());
    let finding = Finding::new(&RULE, &*path);
    let refused = |reason: &str| format!("the API server refuses the Service: \"{reason}\"");
    let number = || port.port.map_or_else(|| format!("number {index}"), |n| n.to_string());
    Some(match fault {
        PortFault::NameMissing => {
            let finding = finding
                .what(format!(
                    "port {} of Service `{svc}` has no name, and it is not the only port",
                    number()
                ))
                .why(refused(&format!("spec.ports[{index}].name: Required value")))
                .help("give each port a name");
            match suggested(service, port) {
                Some(name) if written(context, &path) => {
                    finding.set(path, name.into(), Safety::Proposed)
                }
                Some(name) => finding.add(path, name.into(), Safety::Proposed),
                None => finding,
            }
        }
        PortFault::NameInvalid => {
            let name = &port.name;
            let finding = finding
                .what(format!("`{name}` of Service `{svc}` can't be the name of a port"))
                .why(refused("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"))
                .help("use at most 63 lower case letters, digits and `-`, with no `-` at either end");
            let plain = name.to_ascii_lowercase().replace(['_', '.', ' '], "-");
            if dns_label(&plain) && free(service, &plain) {
                finding.set(path, plain.into(), Safety::Proposed)
            } else {
                finding
            }
        }
        PortFault::NameDuplicate { first } => {
            let name = &port.name;
            let finding = finding
                .what(format!("two ports of Service `{svc}` are named `{name}`"))
                .why(refused(&format!("spec.ports[{index}].name: Duplicate value: \"{name}\"")))
                .help("give each port a name of its own")
                .related(
                    &service.meta.ref_,
                    port_path(first, "name"),
                    format!("already named `{name}`"),
                );
            let other = format!("{name}-{}", port.protocol.to_ascii_lowercase());
            if service.ports[first].protocol != port.protocol
                && dns_label(&other)
                && free(service, &other)
            {
                finding.set(path, other.into(), Safety::Proposed)
            } else {
                finding
            }
        }
        PortFault::NumberInvalid => match port.port {
            Some(number) => finding
                .what(format!("port {number} of Service `{svc}` doesn't exist"))
                .why(refused("must be between 1 and 65535, inclusive"))
                .help("use a number from 1 to 65535"),
            None => finding
                .what(format!("entry {index} of the ports of Service `{svc}` has no `port`"))
                .why(refused("must be between 1 and 65535, inclusive"))
                .help("set `port` to the number that clients dial"),
        },
        PortFault::NumberDuplicate { first } => finding
            .what(format!(
                "Service `{svc}` has {}/{} twice; different target ports don't make it two ports",
                number(),
                port.protocol
            ))
            .why(refused(&format!("spec.ports[{index}]: Duplicate value")))
            .help("remove one of the entries, or give it another number or protocol")
            .related(
                &service.meta.ref_,
                port_path(first, "port"),
                format!("the first {}/{}", number(), port.protocol),
            ),
        PortFault::ProtocolUnsupported => finding
            .what(format!("`{}` of Service `{svc}` is no protocol of a port", port.protocol))
            .why(refused("supported values: \"SCTP\", \"TCP\", \"UDP\""))
            .help("use TCP, UDP or SCTP, in capitals"),
        PortFault::TargetInvalid => {
            let target = match &port.target_port {
                Some(IntOrString::Int(number)) => number.to_string(),
                Some(IntOrString::Text(name)) => format!("\"{name}\""),
                None => return None,
            };
            finding
                .what(format!(
                    "targetPort {target} of Service `{svc}` is neither the number nor the name \
                     of a port"
                ))
                .why("the API server refuses the Service")
                .help(
                    "use a number from 1 to 65535, or a name of at most 15 lower case letters, \
                     digits and `-` with at least one letter",
                )
        }
        PortFault::NodePortForbidden => finding
            .what(format!("Service `{svc}` of type ClusterIP sets `nodePort`"))
            .why(refused("may not be used when `type` is 'ClusterIP'"))
            .help(if headless(service) {
                "remove `nodePort`, or change the type to NodePort without `clusterIP: None`"
            } else {
                "remove `nodePort`, or set `type: NodePort`"
            })
            .remove(path, Safety::Proposed),
        // Rule `quoted-numeric-target-port` speaks of it.
        PortFault::TargetQuoted => return None,
    })
}

/// A name for a port that has none, after what it leads to.
fn suggested(service: &Service, port: &ServicePort) -> Option<String> {
    let by_target = match &port.target_port {
        Some(IntOrString::Text(name)) => Some(name.clone()),
        _ => None,
    };
    let by_number = port.port.map(|n| format!("{}-{n}", port.protocol.to_ascii_lowercase()));
    [by_target, by_number].into_iter().flatten().find(|name| dns_label(name) && free(service, name))
}

fn free(service: &Service, name: &str) -> bool {
    service.ports.iter().all(|port| port.name != name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{World, named, number, published, review, service};
    use headlint_policy_sdk::types::Object;

    fn paths(service: Service) -> Vec<String> {
        let mut findings = Findings::default();
        check(&review(Object::Service(service)), &World::default().snapshot, &mut findings);
        findings.brief().into_iter().map(|(_, _, path)| path.to_owned()).collect()
    }

    #[test]
    fn the_limits_are_those_of_the_api_server() {
        for number in [1, 65535] {
            assert!(paths(service("db", vec![published("", number, None)])).is_empty());
        }
        for number in [-1, 0, 65536] {
            assert_eq!(
                paths(service("db", vec![published("", number, None)])),
                ["$.spec.ports[0].port"]
            );
        }
        assert!(paths(service("db", vec![published(&"a".repeat(63), 80, None)])).is_empty());
        for name in ["a".repeat(64), "-a".to_owned(), "a-".to_owned(), "a.b".to_owned()] {
            assert_eq!(
                paths(service("db", vec![published(&name, 80, None)])),
                ["$.spec.ports[0].name"]
            );
        }
        for target in [named("80a"), named("fifteen-letters"), number(65535)] {
            assert!(paths(service("db", vec![published("", 80, target)])).is_empty());
        }
        for target in [named("a--b"), named("sixteen-letters-"), named("A"), number(-1)] {
            assert_eq!(
                paths(service("db", vec![published("", 80, target)])),
                ["$.spec.ports[0].targetPort"]
            );
        }
    }

    #[test]
    fn a_wrong_type_is_one_finding_and_a_placeholder_none() {
        let mut db = service("db", vec![published("pg", 80, None)]);
        db.ports[0].port = None;
        db.type_errors = vec![TypeError {
            path: "$.spec.ports[0].port".to_owned(),
            value: "\"80\"".to_owned(),
            expected: "integer".to_owned(),
        }];
        assert_eq!(paths(db.clone()), ["$.spec.ports[0].port"]);
        db.type_errors[0].value = "\"${PORT}\"".to_owned();
        assert!(paths(db).is_empty());
    }
}
