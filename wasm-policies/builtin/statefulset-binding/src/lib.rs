//! Whether a StatefulSet and the Service that it names fit together.

mod governing;
pub mod statefulset_selector_missing;
pub mod statefulset_service_missing;
pub mod statefulset_service_not_headless;
pub mod statefulset_service_selector_mismatch;

headlint_policy_sdk::policy! {
    name: "statefulset-binding",
    rules: [
        statefulset_service_missing::RULE,
        statefulset_service_not_headless::RULE,
        statefulset_service_selector_mismatch::RULE,
        statefulset_selector_missing::RULE,
    ],
}
