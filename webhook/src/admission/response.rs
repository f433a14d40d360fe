//! What an API server is told.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde::Serialize;

use super::request::API_VERSION;

/// The longest warning, in characters: what an API server leaves of each when
/// all of them together are too long.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/apiserver/pkg/endpoints/filters/warning.go`
/// (`truncateAtItemLength`, `truncateAtTotalRunes`): nothing is cut until the
/// warnings of all webhooks have more than 4096 characters, then all are cut.
const WARNING_LENGTH: usize = 256;

/// All warnings, in characters: half of what there is, for other webhooks speak
/// too.
const WARNINGS_LENGTH: usize = 2048;

/// A denial isn't cut by the API server, but is read on a terminal.
const DENIAL_LENGTH: usize = 2048;

/// What is said of one request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Why it is denied, the most severe first; empty if it isn't.
    pub(crate) denials: Vec<String>,
    /// What is warned of, the most severe first.
    pub(crate) warnings: Vec<String>,
    /// For the audit log. Keys get the name of the webhook in front.
    pub(crate) audit: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: &'a BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Status {
    code: u16,
    reason: &'static str,
    message: String,
}

impl Answer {
    /// The body of the answer to the request with this uid.
    pub(crate) fn body(&self, uid: &str) -> Bytes {
        let denied = !self.denials.is_empty();
        let status = denied.then(|| Status {
            code: 403,
            reason: "Forbidden",
            message: within(&self.denials, usize::MAX, DENIAL_LENGTH).join("; "),
        });
        let response = Response {
            uid,
            allowed: !denied,
            status,
            warnings: within(&self.warnings, WARNING_LENGTH, WARNINGS_LENGTH),
            audit_annotations: &self.audit,
        };
        let review = Review { api_version: API_VERSION, kind: "AdmissionReview", response };
        let body = serde_json::to_vec(&review).expect("texts can be written as JSON");
        Bytes::from(body)
    }
}

/// As many texts as fit, each cut to `each` characters, and how many more there
/// are.
fn within(texts: &[String], each: usize, all: usize) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut length = 0;
    for (at, text) in texts.iter().enumerate() {
        let text = cut(&plain(text), each.min(all));
        length += text.chars().count();
        if length > all && at > 0 {
            kept.push(format!("headlint: {} more, which `headlint lint` shows", texts.len() - at));
            break;
        }
        kept.push(text);
    }
    kept
}

/// Without control characters: an API server loses a warning that has one.
fn plain(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        None => text.to_owned(),
        Some(_) => text.chars().take(length - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(answer: &Answer) -> serde_json::Value {
        serde_json::from_slice(&answer.body("7")).unwrap()
    }

    #[test]
    fn nothing_to_say_is_a_plain_yes() {
        assert_eq!(
            json(&Answer::default()),
            serde_json::json!({
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": "7", "allowed": true},
            })
        );
    }

    #[test]
    fn a_denial_has_all_reasons_and_the_warnings_too() {
        let answer = Answer {
            denials: vec!["a: x".to_owned(), "b:\ny".to_owned()],
            warnings: vec!["c: z\u{7}".to_owned()],
            audit: BTreeMap::from([("rules", "a,b,c".to_owned())]),
        };
        assert_eq!(
            json(&answer)["response"],
            serde_json::json!({
                "uid": "7",
                "allowed": false,
                "status": {"code": 403, "reason": "Forbidden", "message": "a: x; b: y"},
                "warnings": ["c: z "],
                "auditAnnotations": {"rules": "a,b,c"},
            })
        );
    }

    #[test]
    fn the_most_severe_come_first_and_the_rest_is_counted() {
        let warnings: Vec<_> = (0..40).map(|at| format!("{at}: {}", "ü".repeat(300))).collect();
        let answer = Answer { warnings, ..Answer::default() };
        let told = json(&answer);
        let told: Vec<_> = told["response"]["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w.as_str().unwrap())
            .collect();
        assert_eq!(told.len(), 9);
        assert!(told[..8].iter().all(|text| text.chars().count() == 256 && text.ends_with('…')));
        assert_eq!(told[8], "headlint: 32 more, which `headlint lint` shows");
    }

    #[test]
    fn one_endless_reason_is_cut() {
        let answer = Answer { denials: vec!["x".repeat(9000)], ..Answer::default() };
        let told = json(&answer);
        let message = told["response"]["status"]["message"].as_str().unwrap();
        assert_eq!(message.chars().count(), 2048);
    }
}
