//! An EndpointSlice that belongs to no Service.

use headlint_policy_sdk::service::{has, placeholder};
use headlint_policy_sdk::types::{Object, Traits};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, Version, WRITTEN,
    display_name,
};
use serde_json::json;

use crate::pair::{by_hand, is_slice, settled};

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpointslice-service-label-missing",
    severity: Severity::Error,
    action: Action::Enforce,
    default_on: true,
    heals_later: false,
    kinds: &["EndpointSlice"],
    operations: WRITTEN,
    only_if: &[],
    summary: "an EndpointSlice has no label that says which Service it belongs to",
    documentation: include_str!("endpointslice-service-label-missing.md"),
    check,
};

const LABEL: &str = "kubernetes.io/service-name";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(slice) = review.endpoints().filter(|object| is_slice(object)) else { return };
    let meta = &slice.meta;
    let unclear = meta.labels.iter().any(|label| placeholder(&label.key));
    if !slice.service.is_empty()
        || unclear
        || settled(meta)
        || has(meta, Traits::HOOK | Traits::TEST_HOOK)
    {
        return;
    }
    let mut finding = Finding::new(&RULE, "$.metadata.labels")
        .what(format!(
            "{} has no label `{LABEL}`, and so belongs to no Service",
            display_name(&meta.ref_)
        ))
        .why(
            "neither DNS nor kube-proxy ever looks at it: the Service that it is meant for is \
            NXDOMAIN, or refuses connections",
        )
        .help(format!("add the label `{LABEL}` with the name of the Service"));
    let services = context.objects("Service", &meta.ref_.namespace).seen();
    let meant = services.iter().find_map(|object| match object {
        Object::Service(service) if by_hand(service) => {
            let name = service.meta.ref_.name.as_str();
            let rest = meta.ref_.name.strip_prefix(name)?;
            (!name.is_empty() && (rest.is_empty() || rest.starts_with('-'))).then_some(service)
        }
        _ => None,
    });
    if let Some(service) = meant {
        let name = service.meta.ref_.name.as_str();
        let there = |path| context.query(Version::New, path).is_ok_and(|found| !found.is_empty());
        finding = finding.help(format!("add the label `{LABEL}: {name}`")).related(
            &service.meta.ref_,
            "$.metadata.name",
            "this Service has no selector, and may be the one that is meant",
        );
        finding = if there("$.metadata.labels['kubernetes.io/service-name']") {
            finding.set(format!("$.metadata.labels['{LABEL}']"), name.into(), Safety::Proposed)
        } else if there("$.metadata.labels") {
            finding.add(format!("$.metadata.labels['{LABEL}']"), name.into(), Safety::Proposed)
        } else {
            finding.add("$.metadata.labels", json!({LABEL: name}), Safety::Proposed)
        };
    }
    findings.add(finding);
}
