//! `clusterIP: None` left out of a headless Service, which stays headless.

use headlint_policy_sdk::service::{has, headless};
use headlint_policy_sdk::types::{ObjectRef, Traits};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Operations, Review, Rule, Severity, Version,
};
use serde_json::{Map, Value};

/// The rule.
pub const RULE: Rule = Rule {
    id: "cluster-ip-none-dropped-no-op",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: Operations::UPDATE,
    only_if: &[],
    summary: "a change leaves out `clusterIP: None`, and the Service stays headless",
    documentation: include_str!("cluster-ip-none-dropped-no-op.md"),
    check,
};

/// What `kubectl apply` sent last, as a string of JSON.
///
/// # Source
/// k8s.io/api v0.36 `core/v1/annotation_key_constants.go`
/// `LastAppliedConfigAnnotation`.
const LAST_APPLIED: &str =
    "$.metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']";

/// The fields of `spec` that somebody has set and nobody has taken back, one
/// entry for each manager.
///
/// # Source
/// structured-merge-diff v6 `merge/update.go` `Update`: a field that a request
/// leaves out is taken from every manager.
const OWNED: &str = "$.metadata.managedFields[*].fieldsV1['f:spec']";

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let (Some(service), Some(old)) = (review.service(), review.old_service()) else { return };
    if !headless(service) || !headless(old) || has(&service.meta, Traits::DELETING) {
        return;
    }
    // Somebody else still asks for it.
    if owners(Version::New, "f:clusterIP", context) > 0
        || owners(Version::New, "f:clusterIPs", context) > 0
    {
        return;
    }
    if !left_out_of_manifest(context) && !disowned(context) {
        return;
    }
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    findings.add(
        Finding::new(&RULE, "$.spec.clusterIP")
            .what(format!(
                "Service `{name}` is still headless: the change leaves out `clusterIP: None`, and \
                the API server puts it back"
            ))
            .why(format!(
                "the change is reported as done, but `{name}.{namespace}.svc` goes on resolving to \
                the addresses of Pods, and there is no virtual IP"
            ))
            .help(
                "write `clusterIP: None` again; or, for a virtual IP, delete the Service and \
                create it anew",
            ),
    );
}

/// Whether the manifest before asked for `None`, and the one that was applied
/// now asks for nothing.
fn left_out_of_manifest(context: &Context) -> bool {
    let (Some(old), Some(new)) =
        (last_applied(Version::Old, context), last_applied(Version::New, context))
    else {
        return false;
    };
    let is_empty = |field| match new.get(field) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    };
    old.get("clusterIP").and_then(Value::as_str) == Some("None")
        && is_empty("clusterIP")
        && is_empty("clusterIPs")
}

/// The `spec` that `kubectl apply` sent last; none where it never did.
fn last_applied(version: Version, context: &Context) -> Option<Map<String, Value>> {
    let matches = context.query(version, LAST_APPLIED).ok()?;
    let text: String = serde_json::from_str(&matches.first()?.value).ok()?;
    let mut manifest: Map<String, Value> = serde_json::from_str(&text).ok()?;
    match manifest.remove("spec")? {
        Value::Object(spec) => Some(spec),
        _ => None,
    }
}

/// Whether somebody had set `clusterIP` before, and the change took it back
/// while the rest of `spec` still has owners: then the request came without it.
fn disowned(context: &Context) -> bool {
    let others = context.query(Version::New, OWNED).is_ok_and(|owned| !owned.is_empty());
    others && owners(Version::Old, "f:clusterIP", context) > 0
}

/// How many managers own a field of `spec`.
fn owners(version: Version, field: &str, context: &Context) -> usize {
    context.query(version, &format!("{OWNED}['{field}']")).map_or(0, |owners| owners.len())
}
