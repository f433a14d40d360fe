//! A StatefulSet whose name leaves no room for the hash of its revision.

use headlint_policy_sdk::labels::selector_refused;
use headlint_policy_sdk::service::has;
use headlint_policy_sdk::types::Traits;
use headlint_policy_sdk::{Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN};

use crate::letters;

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-name-too-long",
    severity: Severity::Error,
    action: Action::EnforceOnCreate,
    default_on: true,
    heals_later: false,
    kinds: &["StatefulSet"],
    operations: WRITTEN,
    only_if: &[],
    summary: "the name of a StatefulSet is too long for its Pods to be made",
    documentation: include_str!("statefulset-name-too-long.md"),
    check,
};

/// The longest value of a label, and the longest name of a StatefulSet.
///
/// # Source
/// apimachinery v0.36 `pkg/util/validation/validation.go`
/// `LabelValueMaxLength`, `DNS1123LabelMaxLength`.
const LABEL: usize = 63;

/// A dash, and a hash of 32 bits in decimal: 10 digits, of which 77 in 100
/// hashes have all. So no ordinal can make the name of a Pod too long before
/// the hash does.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/history/controller_history.go`
/// `HashControllerRevision`, `ControllerRevisionName`;
/// `pkg/controller/statefulset/stateful_set_utils.go` `setPodRevision`.
const LONGEST_HASH: usize = 11;

/// A dash and 7 digits: shorter hashes are rarer than one in four hundred.
const SHORTEST_HASH: usize = 8;

fn check(review: &Review, _context: &Context, findings: &mut Findings) {
    let Some(set) = review.workload() else { return };
    let name = &set.meta.ref_.name;
    let length = name.len();
    if set.meta.ref_.api_version != "apps/v1"
        || length + LONGEST_HASH <= LABEL
        // Refused for another reason than its length, or not filled in yet.
        || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        || selector_refused(set)
        || has(&set.meta, Traits::DELETING)
    {
        return;
    }
    let why = if length > LABEL {
        format!("the API server refuses it: at most {LABEL} letters make a name")
    } else if length + SHORTEST_HASH > LABEL {
        "the API server accepts it, but every Pod fails (FailedCreate): its label \
        `controller-revision-hash: <name>-<hash>` would have more than 63 letters"
            .to_owned()
    } else {
        "its Pods carry the label `controller-revision-hash: <name>-<hash>` of at most 63 \
        letters, and most hashes have 10: no Pod is made (FailedCreate), or none after the next \
        change of the template"
            .to_owned()
    };
    findings.add(
        Finding::new(&RULE, "$.metadata.name")
            .what(format!(
                "StatefulSet `{name}` has a name of {length} letters; more than {} leave no \
                room for the hash of its revision",
                LABEL - LONGEST_HASH
            ))
            .why(why)
            .help(format!(
                "shorten the name by {}; a live StatefulSet can't be renamed, and another \
                name means new Pods and new volumes",
                letters(length + LONGEST_HASH - LABEL)
            )),
    );
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::pod_fqdn_too_long::tests::{review, set};

    fn fires(name: &str) -> bool {
        let mut set = set();
        set.meta.ref_.name = name.to_owned();
        let mut findings = Findings::default();
        check(&review(Object::Workload(set)), &Snapshot::default(), &mut findings);
        !findings.brief().is_empty()
    }

    #[test]
    fn more_than_52_letters_are_too_many() {
        assert!(!fires(&"a".repeat(52)));
        for length in [53, 56, 63, 64] {
            assert!(fires(&"a".repeat(length)), "{length}");
        }
        assert!(!fires(&format!("${{RELEASE}}{}", "a".repeat(52))));
        assert!(!fires(&format!("{}.a", "a".repeat(60))));
        assert!(!fires(&"A".repeat(60)));
    }
}
