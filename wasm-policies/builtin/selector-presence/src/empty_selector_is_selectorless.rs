//! An empty selector, which selects nothing.

use headlint_policy_sdk::service::headless;
use headlint_policy_sdk::types::ObjectRef;
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Origin, Review, Rule, Severity, Version, WRITTEN,
};

use crate::evidence::without_endpoints;

/// The rule.
pub const RULE: Rule = Rule {
    id: "empty-selector-is-selectorless",
    severity: Severity::Warning,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Selectorless],
    summary: "an empty selector selects no Pods, and nobody writes endpoints",
    documentation: include_str!("empty-selector-is-selectorless.md"),
    check,
};

const PATH: &str = "$.spec.selector";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    // An empty map doesn't survive storage, and never gets to admission.
    if review.origin != Origin::Lint || service.service_type == "ExternalName" {
        return;
    }
    let Some((severity, doubt)) = without_endpoints(service, context) else { return };
    let Some(written) = written(context) else { return };
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    let why = if headless(service) {
        format!(
            "it selects nothing rather than everything: `{name}.{namespace}.svc` is NXDOMAIN \
            for every client"
        )
    } else {
        "it selects nothing rather than everything: there is no endpoint, and every client gets \
        `connection refused`"
            .to_owned()
    };
    findings.add(
        Finding::new(&RULE, PATH)
            .severity(severity)
            .what(format!(
                "the selector of Service `{name}` is {written}, and namespace `{namespace}` has \
                no Endpoints or EndpointSlice for it"
            ))
            .why(match doubt {
                Some(doubt) => format!("{why}, {doubt}"),
                None => why,
            })
            .help(format!(
                "write the labels of the Pods that it is for; or remove `selector`, and add an \
                EndpointSlice with the label `kubernetes.io/service-name: {name}`"
            )),
    );
}

/// How the empty selector is written; none where there is no such key.
fn written(context: &Context) -> Option<&'static str> {
    let matches = context.query(Version::New, PATH).ok()?;
    let value = &matches.first()?.value;
    Some(if value == "null" { "null" } else { "empty (`{}`)" })
}
