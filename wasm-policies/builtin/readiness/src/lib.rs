//! Whether the addresses of Pods are published when those who dial them need
//! it.

pub mod peer_discovery_hidden_by_readiness;
pub mod publish_not_ready_on_client_service;

use headlint_policy_sdk::Finding;
use headlint_policy_sdk::types::Reference;

headlint_policy_sdk::policy! {
    name: "readiness",
    rules: [
        peer_discovery_hidden_by_readiness::RULE,
        publish_not_ready_on_client_service::RULE,
    ],
}

/// Shows where names are used, the first few of them.
fn shown(finding: Finding, references: &[Reference]) -> Finding {
    references.iter().take(4).fold(finding, |finding, reference| {
        finding.related_range(
            &reference.holder.ref_,
            reference.path.as_str(),
            reference.range,
            format!("`{}` is used here", reference.host),
        )
    })
}
