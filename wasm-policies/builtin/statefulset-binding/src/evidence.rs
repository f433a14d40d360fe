//! What speaks for a Service being really missing, and not merely elsewhere.

use headlint_policy_sdk::labels::{display, ordinal};
use headlint_policy_sdk::service::{has, headless};
use headlint_policy_sdk::types::{ContainerRole, Reference, Service, Traits, Workload};
use headlint_policy_sdk::{Context, Finding, Severity};

/// What the rest of the input has to do with a StatefulSet and the Service
/// that it names.
pub(crate) struct Evidence {
    /// Places that name a Pod of this set behind the Service.
    pub(crate) pods: Vec<Reference>,
    /// Places that name the Service.
    pub(crate) others: Vec<Reference>,
    /// Headless Services over the same Pods, under other names.
    pub(crate) misnamed: Vec<Service>,
}

pub(crate) fn gather(set: &Workload, service: &str, context: &Context) -> Evidence {
    let meta = &set.meta.ref_;
    let (pods, others) = context
        .references_to(&meta.namespace, service)
        .seen()
        .into_iter()
        .partition(|reference| names_pod(reference, &meta.name));
    Evidence { pods, others, misnamed: headless_over(set, context) }
}

/// The headless Services that select the Pods of a set.
pub(crate) fn headless_over(set: &Workload, context: &Context) -> Vec<Service> {
    let mut services =
        context.services_selecting(&set.meta.ref_.namespace, &set.template.labels).seen();
    services.retain(|service| headless(service) && !service.meta.ref_.name.is_empty());
    services
}

/// Whether the label before the Service's name is `<set>-<ordinal>`.
pub(crate) fn names_pod(reference: &Reference, set: &str) -> bool {
    let pod = reference.pod.as_deref().unwrap_or_default();
    !set.is_empty()
        && pod
            .strip_prefix(set)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|rest| ordinal(rest).is_some())
}

/// Whether anything but a test on demand is among them: what only such a test
/// dials is one step weaker.
pub(crate) fn earnest(references: &[Reference]) -> bool {
    references.iter().any(|reference| !has(&reference.holder, Traits::TEST_HOOK))
}

/// Shows where names are used, the first few of them.
pub(crate) fn shown<'r>(
    finding: Finding,
    references: impl IntoIterator<Item = &'r Reference>,
) -> Finding {
    finding.related_uses(references.into_iter().take(5))
}

impl Evidence {
    /// In an open bundle.
    pub(crate) fn severity(&self) -> Severity {
        if earnest(&self.pods) {
            Severity::Error
        } else if !self.pods.is_empty() || earnest(&self.others) || !self.misnamed.is_empty() {
            Severity::Warning
        } else {
            Severity::Info
        }
    }

    /// All places that use a name behind the Service.
    pub(crate) fn uses(&self) -> impl Iterator<Item = &Reference> {
        self.pods.iter().chain(&self.others)
    }
}

/// The Service that is missing, in words.
pub(crate) fn recipe(set: &Workload, service: &str) -> String {
    let selector = set.selector.as_ref().map_or(&[][..], |selector| &selector.match_labels);
    let selector = if selector.is_empty() { &set.template.labels } else { selector };
    let ports: Vec<_> = set
        .template
        .containers
        .iter()
        .filter(|container| container.role != ContainerRole::Init)
        .flat_map(|container| &container.ports)
        .filter(|port| !port.name.is_empty())
        .filter_map(|port| Some(format!("{} {}", port.name, port.container_port?)))
        .collect();
    let ports = match ports.as_slice() {
        [] => String::new(),
        ports => format!(" and ports {}", ports.join(", ")),
    };
    format!(
        "add a Service `{service}` to namespace `{}` with `clusterIP: None`, \
        selector `{}`{ports}; applied later it heals this without a restart",
        set.meta.ref_.namespace,
        display(selector),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use headlint_policy_sdk::types::{Reference, ReferenceVia};

    use crate::governing::tests::set;

    /// The set dials something behind the Service `db`.
    pub(crate) fn reference(pod: Option<&str>) -> Reference {
        Reference {
            holder: set().meta,
            via: ReferenceVia::Dial,
            path: "$.spec.template.spec.containers[0].env[0].value".to_owned(),
            range: None,
            host: "db-0.db".to_owned(),
            pod: pod.map(str::to_owned),
            service: "db".to_owned(),
            namespace: "shop".to_owned(),
            port: None,
            scheme: String::new(),
        }
    }
}
