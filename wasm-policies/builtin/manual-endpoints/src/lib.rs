//! Whether a Service without a selector and its hand-written endpoints fit
//! together.

pub mod endpoints_port_name_mismatch;
pub mod endpoints_port_number_mismatch;
mod pair;
pub mod selectorless_target_port_ignored;

headlint_policy_sdk::policy! {
    name: "manual-endpoints",
    rules: [
        endpoints_port_name_mismatch::RULE,
        selectorless_target_port_ignored::RULE,
        endpoints_port_number_mismatch::RULE,
    ],
}
