//! A name that older clusters refuse.

use headlint_policy_sdk::service::has;
use headlint_policy_sdk::types::Traits;
use headlint_policy_sdk::{Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN};

/// The rule.
pub const RULE: Rule = Rule {
    id: "service-name-portability",
    severity: Severity::Info,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a Service's name begins with a digit, which older clusters refuse",
    documentation: include_str!("service-name-portability.md"),
    check,
};

/// The minor version of Kubernetes that takes such names by default.
///
/// # Source
/// kubernetes v1.36 `pkg/features/kube_features.go` `RelaxedServiceNameValidation`.
const SINCE: u32 = 36;

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    let name = &service.meta.ref_.name;
    if !name.starts_with(|it: char| it.is_ascii_digit())
        || has(&service.meta, Traits::DELETING)
        || context.cluster().minor >= SINCE
    {
        return;
    }
    findings.add(
        Finding::new(&RULE, "$.metadata.name")
            .what(format!("the name of Service `{name}` begins with a digit"))
            .why(format!(
                "an API server before Kubernetes 1.{SINCE} refuses it: \"a DNS-1035 label must … \
                 start with an alphabetic character\""
            ))
            .help("begin the name with a letter"),
    );
}
