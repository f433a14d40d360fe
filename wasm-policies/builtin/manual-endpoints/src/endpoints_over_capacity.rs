//! More addresses than one object can hand on.

use std::collections::BTreeMap;

use headlint_policy_sdk::service::has;
use headlint_policy_sdk::types::{Endpoints, Traits};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Severity, Version, WRITTEN, display_name,
};
use serde_json::Value;

use crate::pair::{by_hand, is_slice, settled};

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpoints-over-capacity",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Endpoints", "EndpointSlice"],
    operations: WRITTEN,
    only_if: &[],
    summary: "hand-written endpoints have more addresses than clients ever get",
    documentation: include_str!("endpoints-over-capacity.md"),
    check,
};

/// The most addresses with the same ports that are mirrored, and the most endpoints
/// of a slice.
///
/// # Source
/// kubernetes v1.36 `cmd/kube-controller-manager/app/options/endpointslicemirroringcontroller.go`
/// `mirroringMaxMaxEndpointsPerSubset`; `pkg/apis/discovery/validation/validation.go`
/// `maxEndpoints`.
const MOST: u32 = 1000;

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(object) = review.endpoints() else { return };
    let all: u32 = object.subsets.iter().map(|subset| subset.ready + subset.not_ready).sum();
    if all <= MOST || has(&object.meta, Traits::DELETING) {
        return;
    }
    if is_slice(object) {
        slice(object, context, findings);
        return;
    }
    let (namespace, name) = (&object.meta.ref_.namespace, &object.service);
    if settled(&object.meta) || object.skip_mirror {
        return;
    }
    let Some(service) = context.service(namespace, name).found().filter(by_hand) else { return };
    for (at, ready) in crowded(object) {
        findings.add(
            Finding::new(&RULE, format!("$.subsets[{at}].addresses"))
                .what(format!(
                    "{} has {ready} addresses with the same ports, of which {MOST} become \
                     EndpointSlices",
                    display_name(&object.meta.ref_)
                ))
                .why(format!(
                    "DNS and kube-proxy read EndpointSlices only: clients of `{name}` never get \
                     {} of them",
                    ready - MOST
                ))
                .help(format!(
                    "write EndpointSlices of at most {MOST} endpoints each, with the label \
                     `kubernetes.io/service-name: {name}`"
                ))
                .related(&service.meta.ref_, "$.metadata.name", "this Service loses them"),
        );
    }
}

/// For each list of ports that has too many ready addresses: the subset with which
/// they become too many, and how many there are. Those that aren't ready come after
/// them, and get no clients anyway.
///
/// # Source
/// kubernetes v1.36 `pkg/api/v1/endpoints/util.go` `RepackSubsets`: subsets with the
/// same ports are one.
fn crowded(object: &Endpoints) -> Vec<(usize, u32)> {
    let mut counts: BTreeMap<Vec<_>, (u32, Option<usize>)> = BTreeMap::new();
    for (at, subset) in object.subsets.iter().enumerate() {
        let ports = subset.ports.iter();
        let mut ports: Vec<_> = ports.map(|it| (&it.name, &it.protocol, it.port)).collect();
        ports.sort_unstable();
        let (ready, crowded) = counts.entry(ports).or_default();
        *ready += subset.ready;
        if *ready > MOST {
            crowded.get_or_insert(at);
        }
    }
    counts.into_values().filter_map(|(ready, crowded)| Some((crowded?, ready))).collect()
}

/// A slice of which the API server refuses the list. An endpoint may have several
/// addresses.
fn slice(object: &Endpoints, context: &Context, findings: &mut Findings) {
    let Some(raw) = context.raw(Version::New) else { return };
    let Ok(root) = serde_json::from_str::<Value>(&raw) else { return };
    let count = root["endpoints"].as_array().map_or(0, Vec::len);
    if count <= MOST as usize {
        return;
    }
    findings.add(
        Finding::new(&RULE, "$.endpoints")
            .severity(Severity::Error)
            .what(format!("{} has {count} endpoints", display_name(&object.meta.ref_)))
            .why(format!("the API server refuses it: \"must have at most {MOST} items\""))
            .help("write several EndpointSlices with the same label"),
    );
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::pair::tests::{endpoints, found, service};

    #[test]
    fn subsets_with_the_same_ports_share_a_limit() {
        let service = service(&[("http", 8080, None)]);
        let fires = |counts: &[(i64, u32, u32)]| {
            let ports: Vec<_> = counts.iter().map(|it| [("http", it.0)]).collect();
            let ports: Vec<_> = ports.iter().map(<[_; 1]>::as_slice).collect();
            let mut object = endpoints(&ports);
            for (subset, &(_, ready, not_ready)) in object.subsets.iter_mut().zip(counts) {
                (subset.ready, subset.not_ready) = (ready, not_ready);
            }
            let found = found(&RULE, Object::Endpoints(object.clone()), &service, &object);
            found.into_iter().map(|(_, path)| path).collect::<Vec<_>>()
        };
        assert_eq!(fires(&[(80, 1000, 0)]), [""; 0]);
        assert_eq!(fires(&[(80, 1001, 0)]), ["$.subsets[0].addresses"]);
        assert_eq!(fires(&[(80, 600, 0), (81, 600, 0)]), [""; 0]);
        assert_eq!(fires(&[(80, 600, 0), (80, 600, 0)]), ["$.subsets[1].addresses"]);
        assert_eq!(fires(&[(80, 1000, 1)]), [""; 0], "what isn't ready comes last");
    }
}
