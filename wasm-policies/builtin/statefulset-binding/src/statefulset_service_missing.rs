//! A StatefulSet whose Service isn't there.

use headlint_policy_sdk::service::has;
use headlint_policy_sdk::types::{Traits, Workload};
use headlint_policy_sdk::{
    Action, Answer, Context, Finding, Findings, Review, Rule, Safety, Severity, Timing,
    UnknownReason, WRITTEN,
};

use crate::evidence::{Evidence, gather, recipe, shown};
use crate::governing::{display_name, first_pod, service_name};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-service-missing",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["StatefulSet"],
    operations: WRITTEN,
    only_if: &[],
    summary: "the Service that a StatefulSet names doesn't exist",
    documentation: include_str!("statefulset-service-missing.md"),
    check,
};

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(set) = review.workload() else { return };
    if has(&set.meta, Traits::HOOK | Traits::OPERATOR_MANAGED) {
        return;
    }
    let Some(service) = service_name(set) else { return };
    let namespace = &set.meta.ref_.namespace;
    let unknown = match context.service(namespace, service) {
        Answer::Found(_) | Answer::Unknown(UnknownReason::Unwatched) => return,
        Answer::Absent => None,
        Answer::Unknown(reason) => Some(reason),
    };
    // The ground of statefulset-service-cross-namespace.
    let namesakes = context.services_named(service).seen();
    if namesakes.iter().any(|other| other.meta.ref_.namespace != *namespace) {
        return;
    }
    let evidence = gather(set, service, context);
    let severity = match unknown {
        None => Severity::Error,
        Some(UnknownReason::Elsewhere) => evidence.severity(),
        Some(_) => Severity::Info,
    };
    findings.add(report(set, service, severity, unknown, &evidence));
}

fn report(
    set: &Workload,
    service: &str,
    severity: Severity,
    unknown: Option<UnknownReason>,
    evidence: &Evidence,
) -> Finding {
    let meta = &set.meta.ref_;
    let (name, namespace) = (display_name(meta), &meta.namespace);
    let state = match unknown {
        None => format!("which doesn't exist in namespace `{namespace}`"),
        Some(UnknownReason::Elsewhere) => {
            format!("which isn't in the input for namespace `{namespace}`")
        }
        Some(UnknownReason::Unreadable) => {
            "which isn't in the part of the input that could be read".to_owned()
        }
        Some(_) => format!(
            "which isn't in the input for namespace `{namespace}`; a controller there may make it"
        ),
    };
    let mut finding = Finding::new(&RULE, "$.spec.serviceName")
        .severity(severity)
        .timing(Timing::NowAndLater)
        .what(format!("StatefulSet `{name}` names the Service `{service}`, {state}"))
        .why(format!(
            "`{}` is NXDOMAIN for everyone but the Pod itself, where `hostname -f` still prints it",
            first_pod(set, service)
        ));
    finding = match evidence.misnamed.as_slice() {
        [only] => {
            let other = &only.meta.ref_.name;
            let finding = finding.help(format!(
                "rename the Service `{other}` to `{service}`, or write `serviceName: \
                {other}`, which means to recreate the StatefulSet: the field is immutable"
            ));
            // Somebody who dials the missing name isn't helped by another name.
            if evidence.pods.is_empty() && evidence.others.is_empty() {
                finding.set("$.spec.serviceName", other.as_str().into(), Safety::Proposed)
            } else {
                finding
            }
        }
        _ => finding.help(recipe(set, service)),
    };
    finding = shown(finding, evidence.uses());
    for other in evidence.misnamed.iter().take(3) {
        finding = finding.related(
            &other.meta.ref_,
            "$.metadata.name",
            "this headless Service selects the same Pods",
        );
    }
    finding
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::{Object, Service};

    use super::*;
    use crate::evidence::tests::reference;
    use crate::governing::tests::{brief, review, service, set};

    fn severities(set: Workload, world: &Snapshot) -> Vec<Severity> {
        let review = review(Object::Workload(set));
        brief(&RULE, &review, world).into_iter().map(|(severity, _)| severity).collect()
    }

    #[test]
    fn the_severity_follows_the_evidence() {
        let mut world = Snapshot::default();
        assert_eq!(severities(set(), &world), [Severity::Info]);
        world.references = vec![reference(None)];
        assert_eq!(severities(set(), &world), [Severity::Warning]);
        world.references = vec![reference(Some("db-primary"))];
        assert_eq!(severities(set(), &world), [Severity::Warning]);
        world.references = vec![reference(Some("db-12"))];
        assert_eq!(severities(set(), &world), [Severity::Error]);
        world.references[0].holder.traits = Traits::HOOK | Traits::TEST_HOOK;
        assert_eq!(severities(set(), &world), [Severity::Warning]);
        let closed = Snapshot { complete: true, ..Snapshot::default() };
        assert_eq!(severities(set(), &closed), [Severity::Error]);
    }

    #[test]
    fn a_headless_service_under_another_name_is_evidence_and_one_with_an_address_is_none() {
        let mut other = service();
        other.meta.ref_.name = "db-headless".to_owned();
        let world = |other: &Service| Snapshot {
            objects: vec![Object::Service(other.clone())],
            ..Snapshot::default()
        };
        assert_eq!(severities(set(), &world(&other)), [Severity::Warning]);
        other.cluster_ip = None;
        assert_eq!(severities(set(), &world(&other)), [Severity::Info]);
    }

    #[test]
    fn a_namesake_in_another_namespace_is_another_rules_business() {
        let mut other = service();
        other.meta.ref_.namespace = "web".to_owned();
        let world = Snapshot {
            complete: true,
            objects: vec![Object::Service(other)],
            ..Snapshot::default()
        };
        assert_eq!(severities(set(), &world), []);
    }

    #[test]
    fn hooks_operators_and_what_is_refused_stay_quiet() {
        let closed = Snapshot { complete: true, ..Snapshot::default() };
        for traits in [Traits::HOOK, Traits::OPERATOR_MANAGED, Traits::DELETING] {
            let mut set = set();
            set.meta.traits = traits;
            assert_eq!(severities(set, &closed), []);
        }
        let mut without_selector = set();
        without_selector.selector = None;
        assert_eq!(severities(without_selector, &closed), []);
        let mut dotted = set();
        if let Some(set) = &mut dotted.stateful_set {
            set.service_name = Some("db.shop".to_owned());
        }
        assert_eq!(severities(dotted, &closed), []);
    }
}
