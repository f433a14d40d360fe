//! Whether a Service without a selector and its hand-written endpoints fit
//! together.

pub mod endpoints_address_invalid;
pub mod endpoints_api_deprecated;
pub mod endpoints_not_ready_only;
pub mod endpoints_orphan;
pub mod endpoints_over_capacity;
pub mod endpoints_port_name_mismatch;
pub mod endpoints_port_number_mismatch;
pub mod endpoints_skip_mirror;
pub mod endpointslice_fqdn_address;
pub mod endpointslice_service_label_missing;
pub mod headless_reserved_label;
mod pair;
pub mod publish_not_ready_without_selector;
pub mod selectorless_target_port_ignored;

headlint_policy_sdk::policy! {
    name: "manual-endpoints",
    rules: [
        endpoints_port_name_mismatch::RULE,
        selectorless_target_port_ignored::RULE,
        endpoints_port_number_mismatch::RULE,
        endpoints_orphan::RULE,
        endpointslice_service_label_missing::RULE,
        endpoints_skip_mirror::RULE,
        endpoints_address_invalid::RULE,
        endpoints_not_ready_only::RULE,
        publish_not_ready_without_selector::RULE,
        endpoints_api_deprecated::RULE,
        endpointslice_fqdn_address::RULE,
        headless_reserved_label::RULE,
        endpoints_over_capacity::RULE,
    ],
}
