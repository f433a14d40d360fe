//! A headless Service where a virtual IP would do better.

use headlint_policy_sdk::ports::injected;
use headlint_policy_sdk::service::{has, headless, refused, workloads};
use headlint_policy_sdk::types::{Reference, ReferenceVia, Traits};
use headlint_policy_sdk::{Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN};

/// The rule.
pub const RULE: Rule = Rule {
    id: "headless-used-as-load-balancer",
    severity: Severity::Info,
    action: Action::None,
    default_on: false,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "HTTP clients dial a headless Service over a Deployment, and balance nothing",
    documentation: include_str!("headless-used-as-load-balancer.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    let settled = Traits::OPERATOR_MANAGED | Traits::DELETING;
    let name = service.meta.ref_.name.as_str();
    // Somebody knows that it is headless.
    let on_purpose = name.contains("headless") || name.ends_with("-hl");
    if !headless(service) || on_purpose || refused(service) || has(&service.meta, settled) {
        return;
    }
    let Some(behind) = workloads(service, context) else { return };
    let mut pods = behind.iter();
    if !pods.all(|workload| workload.meta.ref_.kind == "Deployment" && !injected(workload)) {
        return;
    }
    let references = context.references_to(&service.meta.ref_.namespace, name).seen();
    let own = |one: &Reference| behind.iter().any(|it| it.meta.ref_ == one.holder.ref_);
    let is_http = |one: &&Reference| {
        one.via == ReferenceVia::Dial && matches!(one.scheme.as_str(), "http" | "https")
    };
    // Who asks for all addresses, or is a peer, wants them.
    let balances = |one: &Reference| match one.via {
        ReferenceVia::Srv => true,
        _ => own(one) || !matches!(one.scheme.as_str(), "" | "http" | "https"),
    };
    if references.iter().any(balances) {
        return;
    }
    let Some(first) = references.iter().find(is_http) else { return };
    findings.add(
        Finding::new(&RULE, "$.spec.clusterIP")
            .what(format!(
                "Service `{name}` is headless, and HTTP clients such as {} `{}` dial it",
                first.holder.ref_.kind, first.holder.ref_.name
            ))
            .why(
                "most HTTP clients look the name up once and keep the connection: they stay with \
                one Pod, and with its old address for a while after a roll-out",
            )
            .help("remove `clusterIP: None`, which means to delete the Service and create it anew")
            .related_range(
                &first.holder.ref_,
                first.path.as_str(),
                first.range,
                format!("`{}` is dialled here", first.host),
            ),
    );
}
