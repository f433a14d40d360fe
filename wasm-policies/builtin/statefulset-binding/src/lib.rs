//! Whether a StatefulSet and the Service that it names fit together.

mod evidence;
mod governing;
pub mod statefulset_selector_missing;
pub mod statefulset_service_cross_namespace;
pub mod statefulset_service_missing;
pub mod statefulset_service_name_empty;
pub mod statefulset_service_not_headless;
pub mod statefulset_service_selector_mismatch;
pub mod statefulset_template_hostname_ignored;
pub mod workload_selector_template_mismatch;

headlint_policy_sdk::policy! {
    name: "statefulset-binding",
    rules: [
        statefulset_service_missing::RULE,
        statefulset_service_cross_namespace::RULE,
        statefulset_service_name_empty::RULE,
        statefulset_service_not_headless::RULE,
        statefulset_service_selector_mismatch::RULE,
        statefulset_selector_missing::RULE,
        workload_selector_template_mismatch::RULE,
        statefulset_template_hostname_ignored::RULE,
    ],
}
