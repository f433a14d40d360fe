//! `clusterIPs` that doesn't agree with `clusterIP`.

use headlint_policy_sdk::service::{ClusterIpsConflict, cluster_ips_conflict, misspelled_none};
use headlint_policy_sdk::types::Service;
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "cluster-ips-none-without-cluster-ip",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "`clusterIPs` says None, or something else than `clusterIP`",
    documentation: include_str!("cluster-ips-none-without-cluster-ip.md"),
    check,
};

const PATH: &str = "$.spec.clusterIPs";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    // What is wrong with `clusterIP` itself comes first: cluster-ip-none-misspelled.
    if !service.type_errors.is_empty() || service.cluster_ip.as_deref().is_some_and(misspelled_none)
    {
        return;
    }
    let Some(conflict) = cluster_ips_conflict(service) else { return };
    match conflict {
        ClusterIpsConflict::WithoutClusterIp => without_cluster_ip(service, context, findings),
        // With both fields set, headless-type-conflict says what such a Service lacks.
        _ if service.service_type == "ExternalName" => {}
        ClusterIpsConflict::NoneAmongOthers => findings.add(
            Finding::new(&RULE, PATH)
                .what(format!(
                    "Service `{}` lists `None` among other cluster IPs: {}",
                    service.meta.ref_.name,
                    service.cluster_ips.join(", ")
                ))
                .why("the API server refuses it: \"'None' must be the first and only value\"")
                .help("write `clusterIP: None` and leave `clusterIPs` out"),
        ),
        ClusterIpsConflict::FirstDiffers => {
            let ip = service.cluster_ip.as_deref().unwrap_or_default();
            let first = service.cluster_ips.first().map_or("", String::as_str);
            findings.add(
                Finding::new(&RULE, PATH)
                    .what(format!(
                        "Service `{}` has clusterIP `{ip}`, but its clusterIPs start with \
                        `{first}`",
                        service.meta.ref_.name
                    ))
                    .why("the API server refuses it: \"first value must match `clusterIP`\"")
                    .help(format!(
                        "leave `clusterIPs` out, it is copied from `clusterIP: {ip}`; or make \
                        both say the same"
                    )),
            );
        }
    }
}

fn without_cluster_ip(service: &Service, context: &Context, findings: &mut Findings) {
    // Other addresses without `clusterIP` are refused as well, but say nothing of headless.
    if !service.cluster_ips.iter().any(|ip| ip.eq_ignore_ascii_case("none")) {
        return;
    }
    let name = &service.meta.ref_.name;
    let finding = Finding::new(&RULE, PATH).what(format!(
        "Service `{name}` has clusterIPs `[{}]` but no clusterIP",
        service.cluster_ips.join(", ")
    ));
    if service.service_type == "ExternalName" {
        findings.add(
            finding
                .why(
                    "the API server refuses it: clusterIPs \"may not be set for ExternalName \
                    services\"",
                )
                .help("remove `clusterIPs`: an ExternalName Service has no cluster IP anyway"),
        );
        return;
    }
    let mut finding = finding
        .why("the API server refuses it: \"must be empty when `clusterIP` is not specified\"")
        .help("write `clusterIP: None`, and leave `clusterIPs` out or `[None]`");
    if service.service_type == "ClusterIP" && service.cluster_ips == ["None"] {
        finding = if crate::has_key(context, "$.spec.clusterIP") {
            finding.set("$.spec.clusterIP", "None".into(), Safety::Safe)
        } else {
            finding.add("$.spec.clusterIP", "None".into(), Safety::Safe)
        };
    }
    findings.add(finding);
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;

    use super::*;
    use crate::tests::{brief, review, service};

    #[test]
    fn both_fields_have_to_say_the_same() {
        for (ip, ips, fires) in [
            (None, &["None"][..], true),
            (Some(""), &["None"], true),
            (None, &["none"], true),
            (Some("None"), &["None", "10.96.0.10"], true),
            (Some("None"), &["10.96.0.10"], true),
            (Some("10.96.0.10"), &["None"], true),
            (Some("10.96.0.10"), &["10.96.0.11"], true),
            (Some("None"), &["None"], false),
            (Some("None"), &[], false),
            (None, &[], false),
            (Some("10.96.0.10"), &["10.96.0.10", "fd00::10"], false),
            (Some("none"), &["None"], false),
            (None, &["10.96.0.10"], false),
        ] {
            let mut service = service();
            service.cluster_ip = ip.map(str::to_owned);
            service.cluster_ips = ips.iter().map(|&ip| ip.to_owned()).collect();
            let found = brief(&RULE, &review(service), &Snapshot::default());
            assert_eq!(!found.is_empty(), fires, "{ip:?} {ips:?}");
        }
    }
}
