//! Whether a Service is headless at all, and who provides its endpoints.

pub mod cluster_ip_none_misspelled;
pub mod cluster_ips_none_without_cluster_ip;
pub mod empty_selector_is_selectorless;
mod evidence;
pub mod headless_type_conflict;
pub mod headless_used_as_load_balancer;
pub mod intended_headless_has_vip;
pub mod large_headless_response;
pub mod selector_matches_nothing;
pub mod selector_wider_than_governed;
pub mod selectorless_without_endpoints;
pub mod service_name_portability;

use headlint_policy_sdk::{Context, Version};

headlint_policy_sdk::policy! {
    name: "selector-presence",
    rules: [
        cluster_ip_none_misspelled::RULE,
        cluster_ips_none_without_cluster_ip::RULE,
        headless_type_conflict::RULE,
        intended_headless_has_vip::RULE,
        empty_selector_is_selectorless::RULE,
        selector_matches_nothing::RULE,
        selector_wider_than_governed::RULE,
        selectorless_without_endpoints::RULE,
        headless_used_as_load_balancer::RULE,
        large_headless_response::RULE,
        service_name_portability::RULE,
    ],
}

/// Whether the object under review has this key, whatever its value: an edit
/// adds a missing key, and sets one that is null or empty.
fn has_key(context: &Context, path: &str) -> bool {
    context.query(Version::New, path).is_ok_and(|matches| !matches.is_empty())
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::{self, Snapshot};
    use headlint_policy_sdk::types::{
        Label, Metadata, Object, ObjectRef, PodTemplate, Service, Traits, Workload,
    };
    use headlint_policy_sdk::{Findings, Operation, Origin, Review, Rule, Severity};

    /// A Service with nothing but a name.
    pub(crate) fn service() -> Service {
        fake::service(Metadata {
            ref_: ObjectRef {
                api_version: "v1".to_owned(),
                kind: "Service".to_owned(),
                namespace: "shop".to_owned(),
                name: "db".to_owned(),
            },
            labels: Vec::new(),
            traits: Traits::empty(),
        })
    }

    pub(crate) fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
        let label = |&(key, value): &(&str, &str)| Label { key: key.into(), value: value.into() };
        pairs.iter().map(label).collect()
    }

    /// One that makes Pods with these labels.
    pub(crate) fn workload(kind: &str, name: &str, of: &[(&str, &str)]) -> Workload {
        Workload {
            meta: Metadata {
                ref_: ObjectRef {
                    api_version: "apps/v1".to_owned(),
                    kind: kind.to_owned(),
                    namespace: "shop".to_owned(),
                    name: name.to_owned(),
                },
                labels: Vec::new(),
                traits: Traits::empty(),
            },
            template: PodTemplate {
                path: "$.spec.template".to_owned(),
                labels: labels(of),
                added_labels: Vec::new(),
                hostname: None,
                subdomain: None,
                host_network: false,
                dns_policy: None,
                set_hostname_as_fqdn: false,
                containers: Vec::new(),
                injected: false,
            },
            selector: None,
            replicas: None,
            autoscaled: false,
            indexed: false,
            stateful_set: None,
        }
    }

    pub(crate) fn review(service: Service) -> Review {
        Review {
            settings: "{}".to_owned(),
            object: Object::Service(service),
            old: None,
            operation: Operation::Create,
            origin: Origin::Lint,
        }
    }

    /// Severity and path of what one rule finds.
    pub(crate) fn brief(rule: &Rule, review: &Review, world: &Snapshot) -> Vec<(Severity, String)> {
        let mut findings = Findings::default();
        (rule.check)(review, world, &mut findings);
        findings
            .brief()
            .into_iter()
            .map(|(_, severity, path)| (severity, path.to_owned()))
            .collect()
    }
}
