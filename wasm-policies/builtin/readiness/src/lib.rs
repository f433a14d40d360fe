//! Whether the addresses of Pods are published when those who dial them need
//! it.

pub mod peer_discovery_hidden_by_readiness;
pub mod publish_not_ready_on_client_service;

headlint_policy_sdk::policy! {
    name: "readiness",
    rules: [
        peer_discovery_hidden_by_readiness::RULE,
        publish_not_ready_on_client_service::RULE,
    ],
}
