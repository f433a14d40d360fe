//! Fields of a headless Service that nothing reads.

pub mod headless_external_fields_ignored;
pub mod headless_session_affinity_ignored;
pub mod headless_traffic_policy_ignored;
pub mod ip_family_mismatch;

use headlint_policy_sdk::service::{has, headless, refused};
use headlint_policy_sdk::types::{Service, Traits};
use headlint_policy_sdk::{Context, Review, Version};

headlint_policy_sdk::policy! {
    name: "service-fields",
    rules: [
        headless_session_affinity_ignored::RULE,
        headless_external_fields_ignored::RULE,
        headless_traffic_policy_ignored::RULE,
        ip_family_mismatch::RULE,
    ],
}

/// The Service under review, if it is headless and the API server takes it.
fn accepted(review: &Review) -> Option<&Service> {
    review.service().filter(|service| {
        headless(service) && !refused(service) && !has(&service.meta, Traits::DELETING)
    })
}

/// What stands at a path of the object under review, if it isn't empty.
fn value(context: &Context, path: &str) -> Option<String> {
    let found = context.query(Version::New, path).ok()?.into_iter().next()?.value;
    let empty = ["null", "\"\"", "[]", "{}"].contains(&found.as_str());
    (!empty).then_some(found)
}

/// The keys and values of the annotations of the object under review.
fn annotations(context: &Context) -> Vec<(String, String)> {
    let Some(json) = value(context, "$.metadata.annotations") else { return Vec::new() };
    let map: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&json).unwrap_or_default();
    map.into_iter()
        .map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned()))
        .collect()
}
