//! Ports of Services, of the Pods behind them and of those that dial them:
//! without a cluster IP nobody turns the one into the other.

pub mod client_dials_headless_service_port;
pub mod client_dials_unknown_headless_port;
pub mod headless_port_target_mismatch;
pub mod headless_without_ports;
pub mod ingress_to_headless;
pub mod named_target_port_diverges;
pub mod named_target_port_protocol;
pub mod named_target_port_unresolved;
mod places;
pub mod port_list_invalid;
pub mod quoted_numeric_target_port;
pub mod target_port_undeclared;
pub mod unnamed_port_no_srv;
#[cfg(test)]
mod world;

headlint_policy_sdk::policy! {
    name: "port-consistency",
    rules: [
        headless_port_target_mismatch::RULE,
        client_dials_headless_service_port::RULE,
        client_dials_unknown_headless_port::RULE,
        named_target_port_unresolved::RULE,
        named_target_port_diverges::RULE,
        named_target_port_protocol::RULE,
        target_port_undeclared::RULE,
        quoted_numeric_target_port::RULE,
        port_list_invalid::RULE,
        unnamed_port_no_srv::RULE,
        headless_without_ports::RULE,
        ingress_to_headless::RULE,
    ],
}
