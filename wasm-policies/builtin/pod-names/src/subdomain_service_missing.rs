//! A subdomain that no Service stands for.

use headlint_policy_sdk::labels::{Reach, display, reach};
use headlint_policy_sdk::service::{has, headless, placeholder, refused, selectorless};
use headlint_policy_sdk::types::{Service, Traits, Workload};
use headlint_policy_sdk::{
    Action, Answer, Condition, Context, Finding, Findings, Review, Rule, Severity, Timing,
    UnknownReason, WRITTEN, display_name,
};

use crate::TEMPLATES;

/// The rule.
pub const RULE: Rule = Rule {
    id: "subdomain-service-missing",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: TEMPLATES,
    operations: WRITTEN,
    only_if: &[Condition::Has(&["subdomain"])],
    summary: "Pods have a host name and a subdomain, and no Service publishes the name",
    documentation: include_str!("subdomain-service-missing.md"),
    check,
};

/// How many letters a name may differ in from the one that is meant.
const NEAR: usize = 2;

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    let template = &workload.template;
    let Some(subdomain) = template.subdomain.as_deref().filter(|name| !placeholder(name)) else {
        return;
    };
    let settled = Traits::OPERATOR_MANAGED | Traits::DELETING | Traits::HOOK | Traits::TEST_HOOK;
    // Without a host name this is subdomain-without-hostname.
    if (template.hostname.is_none() && !workload.indexed) || has(&workload.meta, settled) {
        return;
    }
    let namespace = &workload.meta.ref_.namespace;
    match context.service(namespace, subdomain) {
        Answer::Found(service) => {
            if let Some(finding) = wrong(workload, subdomain, &service) {
                findings.add(finding);
            }
        }
        Answer::Absent => findings.add(missing(workload, subdomain, "doesn't exist in")),
        Answer::Unknown(UnknownReason::Unwatched) => {}
        Answer::Unknown(_) => {
            let finding = missing(workload, subdomain, "isn't in the input for");
            findings.add(match misspelled(workload, subdomain, context) {
                Some(meant) => {
                    let name = &meant.meta.ref_.name;
                    finding
                        .help(format!("write `subdomain: {name}`, if Service `{name}` is meant"))
                        .related(&meant.meta.ref_, "$.metadata.name", "this selects the Pods")
                }
                None => finding.severity(Severity::Info),
            });
        }
    }
}

/// The headless Service over these Pods whose name differs in a letter or two.
fn misspelled(workload: &Workload, subdomain: &str, context: &Context) -> Option<Service> {
    let namespace = &workload.meta.ref_.namespace;
    let services = context.services_selecting(namespace, &workload.template.labels).seen();
    services.into_iter().find(|service| {
        headless(service) && strsim::osa_distance(&service.meta.ref_.name, subdomain) <= NEAR
    })
}

fn finding(workload: &Workload, subdomain: &str) -> Finding {
    let host = match &workload.template.hostname {
        Some(host) => host.clone(),
        None => format!("{}-0", workload.meta.ref_.name),
    };
    let namespace = &workload.meta.ref_.namespace;
    Finding::new(&RULE, format!("{}.spec.subdomain", workload.template.path)).why(format!(
        "`{host}.{subdomain}.{namespace}.svc` is NXDOMAIN for everyone but the Pod itself, where \
        `hostname -f` still prints it"
    ))
}

fn missing(workload: &Workload, subdomain: &str, state: &str) -> Finding {
    let (name, namespace) = (display_name(&workload.meta.ref_), &workload.meta.ref_.namespace);
    finding(workload, subdomain)
        .timing(Timing::Later)
        .what(format!(
            "the Pods of {name} have `subdomain: {subdomain}`, but a Service of that name {state} \
            namespace `{namespace}`"
        ))
        .help(format!(
            "add a headless Service `{subdomain}` with the selector `{}`",
            display(&workload.template.labels)
        ))
}

/// The Service is there, but has no names for these Pods.
fn wrong(workload: &Workload, subdomain: &str, service: &Service) -> Option<Finding> {
    let settled = Traits::OPERATOR_MANAGED | Traits::ENDPOINTS_MANAGED_ELSEWHERE | Traits::DELETING;
    if refused(service) || has(&service.meta, settled) || selectorless(service) {
        return None;
    }
    let name = display_name(&workload.meta.ref_);
    let related = |finding: Finding, path, label| finding.related(&service.meta.ref_, path, label);
    if reach(&service.selector, workload) == Reach::None {
        let what = format!(
            "the Pods of {name} have `subdomain: {subdomain}`, but Service `{subdomain}` doesn't \
            select them"
        );
        let finding = finding(workload, subdomain).what(what).help(format!(
            "give the Service a selector that these labels satisfy: `{}`",
            display(&workload.template.labels)
        ));
        return Some(related(finding, "$.spec.selector", "this doesn't select the Pods"));
    }
    if headless(service) || service.service_type == "ExternalName" {
        return None;
    }
    let what = format!(
        "the Pods of {name} have `subdomain: {subdomain}`, but Service `{subdomain}` isn't headless"
    );
    let finding = finding(workload, subdomain)
        .what(what)
        .why(
            "names of Pods behind a virtual IP are in no specification: CoreDNS answers them, \
            other DNS servers say NXDOMAIN",
        )
        .help("make the Service headless, which means to delete it and create it anew");
    Some(related(finding, "$.spec", "this Service has a cluster IP"))
}
