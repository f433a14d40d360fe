//! A selector that is taken away, and endpoints that nobody updates any more.

use headlint_policy_sdk::labels::display;
use headlint_policy_sdk::service::{has, headless, refused, selectorless};
use headlint_policy_sdk::types::{ObjectRef, Traits};
use headlint_policy_sdk::{Action, Context, Finding, Findings, Operations, Review, Rule, Severity};

/// The rule.
pub const RULE: Rule = Rule {
    id: "selector-removed-freezes-endpoints",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: Operations::UPDATE,
    only_if: &[],
    summary: "a Service loses its selector, and keeps the addresses that it has",
    documentation: include_str!("selector-removed-freezes-endpoints.md"),
    check,
};

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let (Some(service), Some(old)) = (review.service(), review.old_service()) else { return };
    let external = [service, old].iter().any(|one| one.service_type == "ExternalName");
    if external
        || selectorless(old)
        || !selectorless(service)
        || refused(service)
        || has(&service.meta, Traits::DELETING)
    {
        return;
    }
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    let why = if headless(service) {
        format!("`{name}.{namespace}.svc` goes on resolving to Pods that may be long gone")
    } else {
        "connections go on to the addresses of Pods that may be long gone".to_owned()
    };
    findings.add(
        Finding::new(&RULE, "$.spec.selector")
            .what(format!(
                "Service `{name}` loses its selector `{}`, and its endpoints stay as they are: no \
                controller updates or removes them",
                display(&old.selector)
            ))
            .why(why)
            .help(format!(
                "delete the Endpoints `{name}` and the EndpointSlices with the label \
                `kubernetes.io/service-name: {name}` once the selector is gone, then write \
                your own; or keep the selector"
            )),
    );
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::Service;

    use super::*;
    use crate::tests::{fires, service};

    fn change(edit_old: fn(&mut Service), edit_new: fn(&mut Service)) -> bool {
        let (mut old, mut new) = (service(), service());
        edit_old(&mut old);
        edit_new(&mut new);
        fires(&RULE, old, Some(new), &Snapshot::default())
    }

    #[test]
    fn only_a_selector_that_goes_away_counts() {
        let without: fn(&mut Service) = |service| service.selector.clear();
        assert!(change(|_| {}, without));
        assert!(!change(without, without));
        assert!(!change(without, |_| {}));
        assert!(!change(|_| {}, |service| service.selector[0].value = "pg".to_owned()));
    }

    #[test]
    fn an_alias_has_no_endpoints() {
        let alias: fn(&mut Service) = |service| {
            service.service_type = "ExternalName".to_owned();
            service.cluster_ip = None;
        };
        assert!(!change(alias, |service| service.selector.clear()));
        assert!(!change(
            |_| {},
            |service| {
                service.service_type = "ExternalName".to_owned();
                service.cluster_ip = None;
                service.selector.clear();
            }
        ));
    }

    #[test]
    fn what_is_on_its_way_out_or_refused_is_left_alone() {
        assert!(!change(
            |_| {},
            |service| {
                service.selector.clear();
                service.meta.traits = Traits::DELETING;
            }
        ));
        assert!(!change(
            |_| {},
            |service| {
                service.selector.clear();
                service.service_type = "NodePort".to_owned();
            }
        ));
    }
}
