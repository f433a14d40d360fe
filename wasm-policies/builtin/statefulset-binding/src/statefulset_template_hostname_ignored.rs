//! A host name in the template of a StatefulSet, which has its own for each Pod.

use headlint_policy_sdk::service::placeholder;
use headlint_policy_sdk::types::Workload;
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::governing::{display_name, stays};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-template-hostname-ignored",
    severity: Severity::Info,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["StatefulSet"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a StatefulSet replaces the host name or subdomain of its template",
    documentation: include_str!("statefulset-template-hostname-ignored.md"),
    check,
};

const HELP: &str = "remove it; as every change of the template this restarts the Pods once";

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let Some(set) = review.workload() else { return };
    let Some(own) = &set.stateful_set else { return };
    if !stays(set) {
        return;
    }
    let name = display_name(&set.meta.ref_);
    let pod = format!("{name}-{}", own.first_ordinal);
    let only = set.replicas.unwrap_or(1) == 1 && !set.autoscaled;
    if let Some(hostname) = &set.template.hostname
        && !(only && *hostname == pod)
    {
        findings.add(finding(
            "hostname",
            format!(
                "StatefulSet `{name}` gives its Pods their own host names, such as `{pod}`, and \
                drops `hostname: {hostname}`"
            ),
            if *hostname == pod {
                format!("only the first Pod is called `{hostname}`")
            } else {
                format!("nothing is called `{hostname}`, neither inside a Pod nor in DNS")
            },
        ));
    }
    // Without a Service's name this is statefulset-service-name-empty.
    let Some(service) = &own.service_name else { return };
    if let Some(subdomain) = &set.template.subdomain
        && subdomain != service
        && !placeholder(subdomain)
        && !placeholder(service)
    {
        findings.add(finding(
            "subdomain",
            format!(
                "StatefulSet `{name}` takes the subdomain of its Pods from `serviceName: \
                {service}`, and drops `subdomain: {subdomain}`"
            ),
            format!("{} is NXDOMAIN", under(set, &pod, subdomain)),
        ));
    }
}

fn under(set: &Workload, pod: &str, subdomain: &str) -> String {
    format!("`{pod}.{subdomain}.{}.svc`", set.meta.ref_.namespace)
}

fn finding(field: &str, what: String, why: String) -> Finding {
    let path = format!("$.spec.template.spec.{field}");
    Finding::new(&RULE, path.as_str()).what(what).why(why).help(HELP).remove(path, Safety::Safe)
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::governing::tests::{brief, review, set};

    fn paths(hostname: Option<&str>, subdomain: Option<&str>, replicas: i64) -> Vec<String> {
        let mut set = set();
        set.replicas = Some(replicas);
        set.template.hostname = hostname.map(str::to_owned);
        set.template.subdomain = subdomain.map(str::to_owned);
        let review = review(Object::Workload(set));
        let found = brief(&RULE, &review, &Snapshot::default());
        found.into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn each_field_that_is_replaced_is_told() {
        let (hostname, subdomain) =
            ("$.spec.template.spec.hostname", "$.spec.template.spec.subdomain");
        assert_eq!(paths(Some("sql"), Some("sql"), 3), [hostname, subdomain]);
        assert_eq!(paths(Some("db-0"), None, 3), [hostname]);
        assert_eq!(paths(Some("db-0"), Some("db"), 1), [] as [&str; 0]);
        assert_eq!(paths(None, Some("${NAME}"), 1), [] as [&str; 0]);
        assert_eq!(paths(None, None, 3), [] as [&str; 0]);
    }
}
