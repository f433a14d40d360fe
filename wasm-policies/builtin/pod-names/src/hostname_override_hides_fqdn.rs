//! A host name that takes the full name away.

use headlint_policy_sdk::service::has;
use headlint_policy_sdk::types::Traits;
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, MAKES_PODS, Review, Rule, Severity, Version,
    WRITTEN, display_name,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "hostname-override-hides-fqdn",
    severity: Severity::Info,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: MAKES_PODS,
    operations: WRITTEN,
    only_if: &[Condition::Has(&["hostnameOverride"])],
    summary: "`hostnameOverride` takes the full name away that `subdomain` gives",
    documentation: include_str!("hostname-override-hides-fqdn.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    let template = &workload.template;
    let subdomain = match &workload.stateful_set {
        Some(set) => set.service_name.as_ref(),
        None => template.subdomain.as_ref(),
    };
    let Some(subdomain) = subdomain else { return };
    let path = format!("{}.spec.hostnameOverride", template.path);
    let Ok(written) = context.query(Version::New, &path) else { return };
    let is_set = written.first().is_some_and(|it| it.value != "null" && it.value != "\"\"");
    // It excludes these two, and the API server says so.
    let refused = template.set_hostname_as_fqdn || template.host_network;
    if !is_set || refused || has(&workload.meta, Traits::DELETING) {
        return;
    }
    let namespace = &workload.meta.ref_.namespace;
    findings.add(
        Finding::new(&RULE, path)
            .what(format!(
                "the Pods of {} have `hostnameOverride`, and belong to `{subdomain}`",
                display_name(&workload.meta.ref_)
            ))
            .why(format!(
                "inside of a Pod `hostname -f` and /etc/hosts lack `{subdomain}.{namespace}.svc`: \
                a program that announces its own full name announces a short one"
            ))
            .help("remove `hostnameOverride`, or have the program announce its name in DNS"),
    );
}
