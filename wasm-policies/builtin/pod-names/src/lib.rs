//! Whether the names that Pods get are short enough for what carries them.

pub mod pod_fqdn_too_long;
pub mod statefulset_name_too_long;

headlint_policy_sdk::policy! {
    name: "pod-names",
    rules: [statefulset_name_too_long::RULE, pod_fqdn_too_long::RULE],
}

/// A number of letters, in words.
fn letters(count: usize) -> String {
    if count == 1 { "1 letter".to_owned() } else { format!("{count} letters") }
}
