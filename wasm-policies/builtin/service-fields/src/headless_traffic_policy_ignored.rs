//! Preferences for near Pods that nothing heeds.

use headlint_policy_sdk::ports::injected;
use headlint_policy_sdk::service::workloads;
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::{accepted, annotations, value};

/// The rule.
pub const RULE: Rule = Rule {
    id: "headless-traffic-policy-ignored",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[Condition::Has(&["Local", "trafficDistribution", TOPOLOGY[0], TOPOLOGY[1]])],
    summary: "a headless Service prefers near Pods, which only kube-proxy does",
    documentation: include_str!("headless-traffic-policy-ignored.md"),
    check,
};

/// The annotation, and what it was called before.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/core/v1/annotation_key_constants.go`
/// `AnnotationTopologyMode`, `DeprecatedAnnotationTopologyAwareHints`.
const TOPOLOGY: [&str; 2] =
    ["service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"];

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = accepted(review) else { return };
    let mut found = Vec::new();
    if service.internal_traffic_policy.as_deref() == Some("Local") {
        found.push((
            "`internalTrafficPolicy: Local`".to_owned(),
            "$.spec.internalTrafficPolicy".to_owned(),
        ));
    }
    let path = "$.spec.trafficDistribution";
    if let Some(json) = value(context, path) {
        let text = json.trim_matches('"');
        found.push((format!("`trafficDistribution: {text}`"), path.to_owned()));
    }
    for (key, setting) in annotations(context) {
        if TOPOLOGY.contains(&key.as_str()) && !setting.eq_ignore_ascii_case("disabled") {
            let path = format!("$.metadata.annotations['{key}']");
            found.push((format!("the annotation `{key}: {setting}`"), path));
        }
    }
    if found.is_empty() {
        return;
    }
    // A mesh may read the hints in the endpoints.
    let meshed = workloads(service, context).is_some_and(|found| found.iter().any(injected));
    let name = &service.meta.ref_.name;
    for (what, path) in found {
        findings.add(
            Finding::new(&RULE, path.as_str())
                .severity(if meshed { Severity::Info } else { Severity::Warning })
                .what(format!("headless Service `{name}` has {what}"))
                .why(
                    "kube-proxy leaves headless Services alone, and DNS answers with all Pods: \
                    clients go on crossing nodes and zones",
                )
                .help("remove it; for near Pods, add a Service with a cluster IP")
                .remove(path, Safety::Safe),
        );
    }
}
