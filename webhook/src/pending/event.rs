//! The Event about one finding.

use headlint_policies::engine::Verdict;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use sha2::{Digest, Sha256};

use crate::context::Reviewable;

/// # Source
/// kubernetes v1.36 `pkg/apis/core/validation/events.go` (`NoteLengthLimit`), in
/// bytes.
const LONGEST_NOTE: usize = 1024;

/// Of the object's name, in that of the Event: with a dot and the digest it is
/// short enough for a DNS subdomain (253).
const LONGEST_NAME: usize = 200;

/// Its name follows from the object, the rule and the path: whoever finds the
/// same again makes the same Event.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/core/validation/events.go`: an Event is in the
/// namespace of its object, in `default` for a cluster-scoped one; action,
/// reason, instance and time are required.
pub(super) fn event(one: &Reviewable, verdict: &Verdict) -> Event {
    let object = &one.object;
    let namespace = match object.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    };
    Event {
        metadata: ObjectMeta {
            name: Some(name(one, &verdict.rule, &verdict.path.to_string())),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        action: Some("Review".to_owned()),
        event_time: Some(MicroTime(k8s_openapi::jiff::Timestamp::now())),
        note: Some(note(verdict)),
        reason: Some(reason(&verdict.rule)),
        regarding: Some(ObjectReference {
            api_version: Some(object.api_version.clone()),
            kind: Some(object.kind.clone()),
            name: Some(object.name.clone()),
            namespace: Some(object.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(one.uid.clone()),
            ..ObjectReference::default()
        }),
        reporting_controller: Some("headlint".to_owned()),
        reporting_instance: Some("headlint-webhook".to_owned()),
        type_: Some("Warning".to_owned()),
        ..Event::default()
    }
}

fn name(one: &Reviewable, rule: &str, path: &str) -> String {
    let mut digest = Sha256::new();
    for part in [one.uid.as_str(), rule, path] {
        digest.update(part);
        digest.update([0]);
    }
    let digest = digest.finalize();
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // Names of objects are ASCII; each part between dots ends in a letter or digit.
    let name: String = one.object.name.chars().take(LONGEST_NAME).collect();
    format!("{}.{digest}", name.trim_end_matches(|end: char| !end.is_ascii_alphanumeric()))
}

/// `StatefulsetServiceMissing` for `statefulset-service-missing`.
fn reason(rule: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    rule.split('-').map(word).collect()
}

fn note(verdict: &Verdict) -> String {
    let Verdict { rule, path, what, why, help, .. } = verdict;
    let mut note = format!("{rule}: {what} ({path}); {why}; {help}");
    if note.len() > LONGEST_NOTE {
        note.truncate(note.floor_char_boundary(LONGEST_NOTE - "…".len()));
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use headlint_policies::engine::Timing;
    use headlint_policies::finding::Severity;
    use headlint_policies::model::ObjectRef;

    use super::*;

    fn one(name: &str, uid: &str) -> Reviewable {
        let object = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "StatefulSet".to_owned(),
            namespace: "prod".to_owned(),
            name: name.to_owned(),
        };
        Reviewable { object, uid: uid.to_owned(), since: jiff::Timestamp::UNIX_EPOCH }
    }

    fn verdict(path: &str, what: &str) -> Verdict {
        Verdict {
            rule: "statefulset-service-missing".to_owned(),
            severity: Severity::Warning,
            timing: Timing::NowAndLater,
            path: path.parse().unwrap(),
            range: None,
            what: what.to_owned(),
            why: "Why.".to_owned(),
            help: "Help.".to_owned(),
            places: Vec::new(),
            edits: Vec::new(),
        }
    }

    #[test]
    fn the_name_follows_from_object_rule_and_path() {
        let name = |one: &Reviewable, path| event(one, &verdict(path, "w")).metadata.name.unwrap();
        let first = name(&one("db", "u"), "$.spec.serviceName");
        assert_eq!(first, name(&one("db", "u"), "$.spec.serviceName"));
        assert_ne!(first, name(&one("db", "v"), "$.spec.serviceName"));
        assert_ne!(first, name(&one("db", "u"), "$.spec.selector"));
        let (object, digest) = first.split_once('.').unwrap();
        assert_eq!((object, digest.len()), ("db", 16));
        let long = name(&one(&format!("{}-{}", "a".repeat(199), "b".repeat(53)), "u"), "$");
        assert_eq!(long.split_once('.').unwrap().0, "a".repeat(199));
    }

    #[test]
    fn an_event_says_what_the_api_server_asks_for() {
        let event = event(&one("db", "u"), &verdict("$.spec.serviceName", "It isn't there"));
        assert_eq!(event.reason.as_deref(), Some("StatefulsetServiceMissing"));
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.metadata.namespace.as_deref(), Some("prod"));
        assert_eq!(
            event.note.as_deref(),
            Some("statefulset-service-missing: It isn't there ($.spec.serviceName); Why.; Help.")
        );
        assert_eq!(event.regarding.unwrap().uid.as_deref(), Some("u"));
        let cluster_scoped = Reviewable {
            object: ObjectRef { namespace: String::new(), ..one("n", "u").object },
            ..one("n", "u")
        };
        let event = super::event(&cluster_scoped, &verdict("$", "w"));
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(event.regarding.unwrap().namespace, None);
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        let note = note(&verdict("$", &"ü".repeat(1024)));
        assert!(note.len() <= LONGEST_NOTE && note.len() > LONGEST_NOTE - 4, "{}", note.len());
        assert!(note.ends_with("ü…"));
    }
}
