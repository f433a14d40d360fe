//! A Service that is to become headless, or to be so no more.

use headlint_policy_sdk::service::{has, headless, refused};
use headlint_policy_sdk::types::{Service, Traits};
use headlint_policy_sdk::{Action, Context, Finding, Findings, Operations, Review, Rule, Severity};

/// The rule.
pub const RULE: Rule = Rule {
    id: "cluster-ip-immutable",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: Operations::UPDATE,
    only_if: &[],
    summary: "a change makes a Service headless, or takes that from it, and is refused",
    documentation: include_str!("cluster-ip-immutable.md"),
    check,
};

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let (Some(service), Some(old)) = (review.service(), review.old_service()) else { return };
    let external = |service: &Service| service.service_type == "ExternalName";
    if external(service)
        || external(old)
        || refused(service)
        || refused(old)
        || has(&service.meta, Traits::DELETING)
        || headless(service) == headless(old)
    {
        return;
    }
    // One that is left out is kept as it was.
    let Some(wanted) = service.cluster_ip.as_deref().filter(|ip| !ip.is_empty()) else { return };
    let name = &service.meta.ref_.name;
    let was = if headless(old) { "is headless" } else { "has a cluster IP" };
    findings.add(
        Finding::new(&RULE, "$.spec.clusterIP")
            .what(format!("Service `{name}` {was}, and the change writes `clusterIP: {wanted}`"))
            .why("the API server refuses the change: \"may not change once set\"")
            .help(format!(
                "delete Service `{name}` and create it anew, or give the new one another name and \
                move the clients"
            )),
    );
}
