//! Whether NetworkPolicies let through what the Services and StatefulSets
//! behind them need.

mod isolation;
pub mod netpol_blocks_peers;
pub mod netpol_egress_blocks_dns;
pub mod netpol_named_port_unresolved;
pub mod netpol_uses_service_port;

headlint_policy_sdk::policy! {
    name: "network-policies",
    rules: [
        netpol_uses_service_port::RULE,
        netpol_named_port_unresolved::RULE,
        netpol_egress_blocks_dns::RULE,
        netpol_blocks_peers::RULE,
    ],
}
