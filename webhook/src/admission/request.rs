//! What an API server asks.

use headlint_policies::manifest::Node;
use serde::Deserialize;

/// The only version of an AdmissionReview that is spoken here.
pub(super) const API_VERSION: &str = "admission.k8s.io/v1";

/// Why a body can't be judged. The answer isn't 200 then, so that the API
/// server's failurePolicy decides.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Malformed {
    /// No JSON, or not of the right shape.
    #[error("the body is no AdmissionReview: {0}")]
    Shape(#[from] serde_json::Error),
    /// Something else than an AdmissionReview.
    #[error("the body is `{kind}` of `{api_version}`, not `AdmissionReview` of `{API_VERSION}`")]
    Kind { api_version: String, kind: String },
    /// An AdmissionReview without its half.
    #[error("the AdmissionReview has no `request`")]
    NoRequest,
    /// Without it, no answer can be matched.
    #[error("`request.uid` is empty")]
    NoUid,
    /// A version of the object is missing.
    #[error("`request.{field}` is missing, which {operation} needs")]
    NoObject { field: &'static str, operation: &'static str },
    /// A field of the object that no API server would let through.
    #[error("`request.{field}`: {problem}")]
    Object { field: &'static str, problem: String },
}

/// What happens to the object.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It is new.
    Create { object: Node },
    /// It has an old version.
    Update { object: Node, old: Node },
    /// Its last version goes away.
    Delete { old: Node },
    /// A subresource, or an operation such as CONNECT: not what headlint judges.
    Other,
}

/// One request, as far as it is read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) uid: String,
    /// Such as `Service`.
    pub(crate) kind: String,
    /// Such as `CREATE`.
    pub(crate) operation: String,
    /// Such as `status`; empty without one.
    pub(crate) sub_resource: String,
    /// Of the object; empty for a cluster-scoped one.
    pub(crate) namespace: String,
    /// Empty where the API server is going to generate it.
    pub(crate) name: String,
    /// Whether nothing is going to be stored.
    pub(crate) dry_run: bool,
    pub(crate) asked: Asked,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<Wire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    sub_resource: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    dry_run: bool,
    object: Option<Node>,
    old_object: Option<Node>,
}

#[derive(Default, Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

/// Reads the body of a request.
///
/// # Errors
/// It is nothing that can be answered.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/admission/v1/types.go`: there is no
/// `object` for a DELETE, and an `oldObject` only for UPDATE and DELETE.
pub(crate) fn parse(body: &[u8]) -> Result<Request, Malformed> {
    let review: Review = serde_json::from_slice(body)?;
    if review.kind != "AdmissionReview" || review.api_version != API_VERSION {
        return Err(Malformed::Kind { api_version: review.api_version, kind: review.kind });
    }
    let wire = review.request.ok_or(Malformed::NoRequest)?;
    if wire.uid.is_empty() {
        return Err(Malformed::NoUid);
    }
    let object = |operation| wire.object.ok_or(Malformed::NoObject { field: "object", operation });
    let old =
        |operation| wire.old_object.ok_or(Malformed::NoObject { field: "oldObject", operation });
    let asked = match (wire.operation.as_str(), wire.sub_resource.is_empty()) {
        ("CREATE", true) => Asked::Create { object: object("CREATE")? },
        ("UPDATE", true) => Asked::Update { object: object("UPDATE")?, old: old("UPDATE")? },
        ("DELETE", true) => Asked::Delete { old: old("DELETE")? },
        _ => Asked::Other,
    };
    Ok(Request {
        uid: wire.uid,
        kind: wire.kind.kind,
        operation: wire.operation,
        sub_resource: wire.sub_resource,
        namespace: wire.namespace,
        name: wire.name,
        dry_run: wire.dry_run,
        asked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        parse(body.as_bytes()).unwrap_err().to_string()
    }

    fn review(request: &str) -> String {
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{request}}}"#
        )
    }

    #[test]
    fn what_cannot_be_answered_says_what_is_wrong() {
        insta::assert_snapshot!([
            error(""),
            error("[]"),
            error("\u{0}"),
            error(r#"{"apiVersion":"v1","kind":"Pod"}"#),
            error(r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#),
            error(r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#),
            error(&review("{}")),
            error(&review(r#"{"uid":"1","operation":"CREATE"}"#)),
            error(&review(r#"{"uid":"1","operation":"CREATE","object":null}"#)),
            error(&review(r#"{"uid":"1","operation":"UPDATE","object":{}}"#)),
            error(&review(r#"{"uid":"1","operation":"DELETE"}"#)),
            error(&review(r#"{"uid":1}"#)),
        ]
        .join("\n"), @r"
        the body is no AdmissionReview: EOF while parsing a value at line 1 column 0
        the body is no AdmissionReview: invalid length 2, expected struct Review with 3 elements at line 1 column 2
        the body is no AdmissionReview: expected value at line 1 column 1
        the body is `Pod` of `v1`, not `AdmissionReview` of `admission.k8s.io/v1`
        the body is `AdmissionReview` of `admission.k8s.io/v1beta1`, not `AdmissionReview` of `admission.k8s.io/v1`
        the AdmissionReview has no `request`
        `request.uid` is empty
        `request.object` is missing, which CREATE needs
        `request.object` is missing, which CREATE needs
        `request.oldObject` is missing, which UPDATE needs
        `request.oldObject` is missing, which DELETE needs
        the body is no AdmissionReview: invalid type: integer `1`, expected a string at line 1 column 79
        ");
    }

    #[test]
    fn what_is_not_judged_needs_no_object() {
        for request in [
            r#"{"uid":"1","operation":"CONNECT","subResource":"exec"}"#,
            r#"{"uid":"1","operation":"UPDATE","subResource":"status"}"#,
            r#"{"uid":"1","operation":"PATCH"}"#,
        ] {
            let request = parse(review(request).as_bytes()).unwrap();
            assert!(matches!(request.asked, Asked::Other));
        }
    }
}
