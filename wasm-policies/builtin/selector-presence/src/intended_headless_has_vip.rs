//! A Service that calls itself headless, and has an address.

use headlint_policy_sdk::ports::targets;
use headlint_policy_sdk::service::{has, headless, placeholder, refused, selectorless, workloads};
use headlint_policy_sdk::types::{ObjectRef, Service, Traits};
use headlint_policy_sdk::{
    Action, Answer, Context, Finding, Findings, Review, Rule, Safety, Severity, WRITTEN,
};

use crate::evidence::sets_naming;

/// The rule.
pub const RULE: Rule = Rule {
    id: "intended-headless-has-vip",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a Service is called headless, but has a cluster IP",
    documentation: include_str!("intended-headless-has-vip.md"),
    check,
};

const PATH: &str = "$.spec.clusterIP";

/// What else is called headless: then the word is about the software.
const SOFTWARE: &[&str] = &[
    "browser",
    "chrome",
    "chromium",
    "cms",
    "commerce",
    "firefox",
    "gecko",
    "playwright",
    "puppeteer",
    "selenium",
    "shell",
    "ui",
    "webkit",
];

/// Keys of labels that name the software, not the Service.
const NAMES: &[&str] =
    &["app", "app.kubernetes.io/instance", "app.kubernetes.io/name", "k8s-app", "name"];

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if service.service_type != "ClusterIP"
        || headless(service)
        || refused(service)
        || has(&service.meta, Traits::OPERATOR_MANAGED | Traits::DELETING)
        || service.cluster_ip.as_deref().is_some_and(placeholder)
    {
        return;
    }
    // A patch of an overlay leaves out what the base says.
    if service.ports.is_empty() || (selectorless(service) && !has_endpoints(service, context)) {
        return;
    }
    let Some((place, says)) = sign(service) else { return };
    // The ground of statefulset-service-not-headless.
    if !sets_naming(service, context).is_empty() {
        return;
    }
    let name = &service.meta.ref_.name;
    let ip = match service.cluster_ip.as_deref() {
        None | Some("") => "no `clusterIP: None`".to_owned(),
        Some(ip) => format!("the cluster IP {ip}"),
    };
    let mut finding = Finding::new(&RULE, PATH)
        .what(format!("{says} of Service `{name}` says headless, but it has {ip}"))
        .why(format!(
            "`{name}.{}.svc` resolves to one virtual IP instead of the addresses of the Pods",
            service.meta.ref_.namespace
        ))
        .related(&service.meta.ref_, place, "headless by name");
    if untranslated(service, context) {
        finding = finding.help(
            "write `clusterIP: None`; it is immutable, so delete a live Service before you \
            apply it; or take the word out of the name, if the virtual IP is wanted",
        );
        finding = if crate::has_key(context, PATH) {
            finding.set(PATH, "None".into(), Safety::Proposed)
        } else {
            finding.add(PATH, "None".into(), Safety::Proposed)
        };
    } else {
        finding = finding.help(
            "write `clusterIP: None` and publish the ports of the Pods, which nothing \
            translates then; it is immutable, so delete a live Service before you apply it; or \
            take the word out of the name, if the virtual IP is wanted",
        );
    }
    findings.add(finding);
}

fn has_endpoints(service: &Service, context: &Context) -> bool {
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    matches!(context.endpoints_of(namespace, name), Answer::Found(_))
}

/// Where the Service calls itself headless: the path, and what is there.
fn sign(service: &Service) -> Option<(String, String)> {
    if named_headless(&service.meta.ref_.name) {
        return Some(("$.metadata.name".to_owned(), "the name".to_owned()));
    }
    let label = service.meta.labels.iter().find(|label| {
        label.value.eq_ignore_ascii_case("headless") && !NAMES.contains(&label.key.as_str())
    })?;
    let path = format!("$.metadata.labels['{}']", label.key);
    Some((path, format!("the label `{}`", label.key)))
}

/// Whether the last word of a name is `headless` or `hl`, not counting
/// `service` and the like.
fn named_headless(name: &str) -> bool {
    let words: Vec<_> = name.split('-').collect();
    if words.iter().any(|word| SOFTWARE.contains(word)) {
        return false;
    }
    let last = words.iter().rposition(|word| !["service", "svc"].contains(word));
    match last.map(|at| (at, words[at])) {
        Some((_, "headless")) => true,
        Some((at, "hl")) => at > 0,
        _ => false,
    }
}

/// Whether every port leads to the same number in the Pods, so that clients
/// dial the same after the Service has become headless.
fn untranslated(service: &Service, context: &Context) -> bool {
    let behind = workloads(service, context).unwrap_or_default();
    service.ports.iter().all(|port| {
        let numbers = targets(port, &behind).map(|targets| targets.numbers());
        numbers.is_some_and(|numbers| port.port.is_some_and(|port| numbers == [port]))
    })
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::{Label, ServicePort};

    use super::*;
    use crate::tests::{brief, labels, review};

    fn service() -> Service {
        let port = ServicePort {
            name: "pg".to_owned(),
            protocol: "TCP".to_owned(),
            port: Some(5432),
            target_port: None,
            node_port: None,
        };
        let selector = labels(&[("app", "db")]);
        Service { ports: vec![port], selector, ..crate::tests::service() }
    }

    #[test]
    fn the_last_word_of_the_name_counts() {
        for name in ["db-headless", "headless", "db-hl", "db-headless-svc", "headless-service"] {
            assert!(named_headless(name), "{name}");
        }
        for name in ["db", "hl", "headless-db", "headlessdb", "chrome-headless", "cms-headless-svc"]
        {
            assert!(!named_headless(name), "{name}");
        }
    }

    #[test]
    fn a_label_counts_unless_it_names_the_software() {
        for (key, fires) in [("app.kubernetes.io/component", true), ("app", false)] {
            let mut service = service();
            service.meta.labels = vec![Label { key: key.to_owned(), value: "headless".to_owned() }];
            let found = brief(&RULE, &review(service), &Snapshot::default());
            assert_eq!(!found.is_empty(), fires, "{key}");
        }
    }

    #[test]
    fn only_an_accepted_service_with_an_address_of_its_own_is_judged() {
        for (ip, kind, fires) in [
            (None, "ClusterIP", true),
            (Some(""), "ClusterIP", true),
            (Some("10.96.0.10"), "ClusterIP", true),
            (Some("None"), "ClusterIP", false),
            (Some("none"), "ClusterIP", false),
            (Some("${CLUSTER_IP}"), "ClusterIP", false),
            (None, "NodePort", false),
            (None, "ExternalName", false),
        ] {
            let mut service = service();
            service.meta.ref_.name = "db-headless".to_owned();
            service.cluster_ip = ip.map(str::to_owned);
            service.service_type = kind.to_owned();
            let found = brief(&RULE, &review(service), &Snapshot::default());
            assert_eq!(!found.is_empty(), fires, "{ip:?} {kind}");
        }
    }

    #[test]
    fn what_a_patch_leaves_out_is_no_sign() {
        let mut patch = service();
        patch.meta.ref_.name = "db-headless".to_owned();
        patch.selector.clear();
        assert_eq!(brief(&RULE, &review(patch.clone()), &Snapshot::default()), []);
        patch.selector = labels(&[("app", "db")]);
        patch.ports.clear();
        assert_eq!(brief(&RULE, &review(patch), &Snapshot::default()), []);
    }
}
