//! The names that Pods get: whether DNS has them, whether those that are
//! dialled are among them, and whether they are short enough for what carries
//! them.

pub mod deployment_pod_dns_name;
mod dialled;
pub mod hostname_override_hides_fqdn;
pub mod pod_dns_name_invalid;
pub mod pod_fqdn_too_long;
pub mod shared_hostname;
pub mod statefulset_name_too_long;
pub mod subdomain_service_missing;
pub mod subdomain_without_hostname;

headlint_policy_sdk::policy! {
    name: "pod-names",
    rules: [
        statefulset_name_too_long::RULE,
        pod_fqdn_too_long::RULE,
        pod_dns_name_invalid::RULE,
        deployment_pod_dns_name::RULE,
        subdomain_without_hostname::RULE,
        subdomain_service_missing::RULE,
        shared_hostname::RULE,
        hostname_override_hides_fqdn::RULE,
    ],
}

/// What makes Pods whose names are the template's business: a StatefulSet gives
/// its own.
const TEMPLATES: &[&str] =
    &["CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController"];

/// A number of letters, in words.
fn letters(count: usize) -> String {
    if count == 1 { "1 letter".to_owned() } else { format!("{count} letters") }
}
