//! A `clusterIP` that was to be `None`.

use headlint_policy_sdk::service::misspelled_none;
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "cluster-ip-none-misspelled",
    severity: Severity::Error,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "`clusterIP` is `none`, `NONE` or a boolean instead of `None`",
    documentation: include_str!("cluster-ip-none-misspelled.md"),
    check,
};

const PATH: &str = "$.spec.clusterIP";

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    let name = &service.meta.ref_.name;
    let wrong = service.type_errors.iter().find(|error| error.path == PATH);
    let (finding, none_meant) = if let Some(wrong) = wrong {
        let none_meant = wrong.value == "false";
        let what = if none_meant {
            format!(
                "clusterIP of Service `{name}` is the boolean `false`: YAML reads `no`, \
                `off` and `false` so"
            )
        } else {
            format!("clusterIP of Service `{name}` is `{}`, not a string", wrong.value)
        };
        let finding = Finding::new(&RULE, PATH)
            .what(what)
            .why("the API server can't decode it: the field takes a string");
        (finding, none_meant)
    } else if let Some(ip) = service.cluster_ip.as_deref().filter(|ip| misspelled_none(ip)) {
        let finding = Finding::new(&RULE, PATH)
            .what(format!("clusterIP of Service `{name}` is `{ip}`, which isn't `None`"))
            .why(format!(
                "the API server takes `{ip}` for an IP address and refuses it: \"must be \
                a valid IP address\""
            ));
        (finding, true)
    } else {
        return;
    };
    findings.add(match (none_meant, service.service_type.as_str()) {
        (true, "ClusterIP") => finding
            .help("write `clusterIP: None`, with a capital N and the rest in lower case")
            .set(PATH, "None".into(), Safety::Safe),
        (true, kind) => finding.help(format!(
            "remove `clusterIP` to keep type {kind}, or write `clusterIP: None` and remove `type`"
        )),
        (false, _) => finding.help(
            "write `clusterIP: None` for a headless Service, or remove `clusterIP` \
            to get an address",
        ),
    });
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::TypeError;

    use super::*;
    use crate::tests::{brief, review, service};

    #[test]
    fn a_boolean_or_another_case_is_a_misspelling() {
        let mut no = service();
        no.type_errors.push(TypeError {
            path: PATH.to_owned(),
            value: "false".to_owned(),
            expected: "string".to_owned(),
        });
        assert_eq!(
            brief(&RULE, &review(no), &Snapshot::default()),
            [(Severity::Error, PATH.into())]
        );
        for spelling in ["none", "NONE", "nOne", " None"] {
            let mut service = service();
            service.cluster_ip = Some(spelling.to_owned());
            let found = brief(&RULE, &review(service), &Snapshot::default());
            assert_eq!(found, [(Severity::Error, PATH.into())], "{spelling}");
        }
    }

    #[test]
    fn what_the_api_server_accepts_is_no_misspelling() {
        for accepted in [None, Some(""), Some("None"), Some("10.96.0.10"), Some("fd00::10")] {
            let mut service = service();
            service.cluster_ip = accepted.map(str::to_owned);
            assert_eq!(brief(&RULE, &review(service), &Snapshot::default()), [], "{accepted:?}");
        }
    }
}
