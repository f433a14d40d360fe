//! A subdomain under which no Pod has a name.

use headlint_policy_sdk::service::{has, headless, placeholder};
use headlint_policy_sdk::types::Traits;
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Severity, WRITTEN, display_name,
};

use crate::TEMPLATES;

/// The rule.
pub const RULE: Rule = Rule {
    id: "subdomain-without-hostname",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: TEMPLATES,
    operations: WRITTEN,
    only_if: &[Condition::Has(&["subdomain"])],
    summary: "Pods have a subdomain but no host name, and so no name in DNS",
    documentation: include_str!("subdomain-without-hostname.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    let template = &workload.template;
    let Some(subdomain) = template.subdomain.as_deref().filter(|name| !placeholder(name)) else {
        return;
    };
    // The index of a Job is the host name of its Pod.
    if template.hostname.is_some()
        || workload.indexed
        || has(&workload.meta, Traits::OPERATOR_MANAGED | Traits::DELETING)
    {
        return;
    }
    let namespace = &workload.meta.ref_.namespace;
    let service = context.service(namespace, subdomain).found().filter(headless);
    let meant = service.is_some() && !template.set_hostname_as_fqdn;
    let mut finding = Finding::new(&RULE, format!("{}.spec.subdomain", template.path))
        .severity(if meant { Severity::Warning } else { Severity::Info })
        .what(format!(
            "the Pods of {} have `subdomain: {subdomain}`, but no `hostname`",
            display_name(&workload.meta.ref_)
        ))
        .why(format!(
            "`hostname -f` prints a full name inside of the Pod, but for everyone else \
            `<pod>.{subdomain}.{namespace}.svc` is NXDOMAIN"
        ))
        .help("add `hostname`; for several Pods with names write a StatefulSet or an Indexed Job");
    if let Some(service) = service {
        let label = "this Service has their addresses, and none of their names";
        finding = finding.related(&service.meta.ref_, "$.metadata.name", label);
    }
    findings.add(finding);
}
