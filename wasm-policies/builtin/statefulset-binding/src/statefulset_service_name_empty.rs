//! A StatefulSet that names no Service, although its Pods are to have names.

use headlint_policy_sdk::service::{has, placeholder};
use headlint_policy_sdk::types::{Reference, Service, Traits, Workload};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Operations, Review, Rule, Safety, Severity,
};

use crate::evidence::{earnest, headless_over, names_pod, shown};
use crate::governing::{display_name, first_pod, is_patch, is_present, stays};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statefulset-service-name-empty",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: &["StatefulSet"],
    operations: Operations::CREATE,
    only_if: &[],
    summary: "a StatefulSet names no Service, although its Pods are to have names",
    documentation: include_str!("statefulset-service-name-empty.md"),
    check,
};

const PATH: &str = "$.spec.serviceName";

/// What speaks for names being wanted.
struct Wish<'s> {
    /// Places that name a Pod of this set behind some Service.
    pods: Vec<Reference>,
    /// The subdomain that the template asks for.
    subdomain: Option<&'s str>,
    /// Headless Services over these Pods.
    services: Vec<Service>,
}

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(set) = review.workload() else { return };
    let Some(own) = &set.stateful_set else { return };
    // Later the field is immutable: nobody can act upon it any more.
    if own.service_name.is_some()
        || !stays(set)
        || has(&set.meta, Traits::HOOK | Traits::OPERATOR_MANAGED)
        || is_patch(set, context)
    {
        return;
    }
    let wish = gather(set, context);
    let severity = if earnest(&wish.pods) || wish.subdomain.is_some() || !wish.services.is_empty() {
        Severity::Warning
    } else {
        Severity::Info
    };
    findings.add(report(set, severity, &wish, context));
}

fn gather<'s>(set: &'s Workload, context: &Context) -> Wish<'s> {
    let meta = &set.meta.ref_;
    let services = headless_over(set, context);
    let subdomain = set.template.subdomain.as_deref();
    // References are found by Service: these are the names to expect.
    let mut names = vec![meta.name.as_str()];
    names.extend(subdomain);
    names.extend(services.iter().map(|service| service.meta.ref_.name.as_str()));
    names.sort_unstable();
    names.dedup();
    let elsewhere =
        names.iter().flat_map(|name| context.references_to(&meta.namespace, name).seen());
    let mut pods: Vec<Reference> = Vec::new();
    for reference in context.references().into_iter().chain(elsewhere) {
        if reference.namespace == meta.namespace
            && names_pod(&reference, &meta.name)
            && !pods.contains(&reference)
        {
            pods.push(reference);
        }
    }
    Wish { pods, subdomain, services }
}

impl Wish<'_> {
    /// The one Service that is meant, by what is dialled, then by the
    /// subdomain, then by what is there.
    fn service(&self) -> Option<&str> {
        let dialled = self.pods.iter().map(|reference| reference.service.as_str());
        let there = self.services.iter().map(|service| service.meta.ref_.name.as_str());
        only(dialled).or(self.subdomain.filter(|name| !placeholder(name))).or_else(|| only(there))
    }
}

fn only<'s>(mut names: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

fn report(set: &Workload, severity: Severity, wish: &Wish<'_>, context: &Context) -> Finding {
    let name = display_name(&set.meta.ref_);
    let reason = match (wish.pods.as_slice(), wish.subdomain, wish.services.as_slice()) {
        ([pod, ..], _, _) => format!(", although `{}` is meant to be one of its Pods", pod.host),
        ([], Some(subdomain), _) => {
            format!(", although its template asks for the subdomain `{subdomain}`")
        }
        ([], None, [only]) => {
            format!(", although the headless Service `{}` selects its Pods", only.meta.ref_.name)
        }
        ([], None, [_, ..]) => {
            format!(", although {} headless Services select its Pods", wish.services.len())
        }
        ([], None, []) => String::new(),
    };
    let mut finding = Finding::new(&RULE, PATH)
        .severity(severity)
        .what(format!("StatefulSet `{name}` names no Service{reason}"));
    finding = if let Some(service) = wish.service() {
        let finding = finding
            .why(format!(
                "its Pods get no names of their own in DNS: `{}` is NXDOMAIN",
                first_pod(set, service)
            ))
            .help(format!(
                "write `serviceName: {service}`; the field is immutable, so a live StatefulSet \
                has to be deleted and made again"
            ));
        if is_present(PATH, context) {
            finding.set(PATH, service.into(), Safety::Proposed)
        } else {
            finding.add(PATH, service.into(), Safety::Proposed)
        }
    } else {
        finding.why("its Pods get no names of their own in DNS").help(
            "write the name of a headless Service over these Pods into `serviceName` before \
            the first apply, if they are ever to be dialled one by one: the field is immutable",
        )
    };
    finding = shown(finding, &wish.pods);
    for service in wish.services.iter().take(3) {
        finding = finding.related(
            &service.meta.ref_,
            "$.metadata.name",
            "this headless Service selects the Pods",
        );
    }
    finding
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::Object;

    use super::*;
    use crate::evidence::tests::reference;
    use crate::governing::tests::{brief, review, service, set};

    fn nameless() -> Workload {
        let mut set = set();
        if let Some(own) = &mut set.stateful_set {
            own.service_name = None;
        }
        set
    }

    fn severities(set: Workload, world: &Snapshot) -> Vec<Severity> {
        let review = review(Object::Workload(set));
        brief(&RULE, &review, world).into_iter().map(|(severity, _)| severity).collect()
    }

    #[test]
    fn the_severity_follows_the_wish_for_names() {
        let mut world = Snapshot::default();
        assert_eq!(severities(nameless(), &world), [Severity::Info]);
        world.references = vec![reference(Some("db-0"))];
        assert_eq!(severities(nameless(), &world), [Severity::Warning]);
        world.references = vec![reference(Some("db-primary"))];
        assert_eq!(severities(nameless(), &world), [Severity::Info]);
        world.references = vec![reference(Some("db-0"))];
        world.references[0].holder.traits = Traits::HOOK | Traits::TEST_HOOK;
        assert_eq!(severities(nameless(), &world), [Severity::Info]);
        let mut subdomain = nameless();
        subdomain.template.subdomain = Some("db".to_owned());
        assert_eq!(severities(subdomain, &Snapshot::default()), [Severity::Warning]);
    }

    #[test]
    fn a_headless_service_over_the_pods_is_a_wish_and_one_with_an_address_is_none() {
        let mut other = service();
        let world = |other: &Service| Snapshot {
            objects: vec![Object::Service(other.clone())],
            ..Snapshot::default()
        };
        assert_eq!(severities(nameless(), &world(&other)), [Severity::Warning]);
        other.cluster_ip = None;
        assert_eq!(severities(nameless(), &world(&other)), [Severity::Info]);
    }

    #[test]
    fn a_name_and_what_is_refused_stay_quiet() {
        let world = Snapshot::default();
        assert_eq!(severities(set(), &world), []);
        let mut refused = nameless();
        refused.selector = None;
        assert_eq!(severities(refused, &world), []);
    }
}
