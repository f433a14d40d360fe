//! How clients come to the addresses behind a Service: which DNS they ask, for
//! which name, what it is told to answer, and how long they believe it.

pub mod control_plane_targets_headless;
pub mod coredns_config_headless;
mod corefile;
pub mod dns_name_missing_namespace;
pub mod dns_policy_default;
pub mod headless_service_env_vars;
pub mod host_network_dns_policy;
pub mod jvm_dns_ttl_ineffective;
mod resolved;
pub mod srv_name_not_published;
mod texts;

headlint_policy_sdk::policy! {
    name: "dns-clients",
    rules: [
        host_network_dns_policy::RULE,
        dns_policy_default::RULE,
        dns_name_missing_namespace::RULE,
        srv_name_not_published::RULE,
        headless_service_env_vars::RULE,
        jvm_dns_ttl_ineffective::RULE,
        control_plane_targets_headless::RULE,
        coredns_config_headless::RULE,
    ],
}
