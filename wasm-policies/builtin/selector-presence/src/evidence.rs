//! What other objects tell about a Service.

use headlint_policy_sdk::service::{has, refused, selectorless};
use headlint_policy_sdk::types::{ObjectRef, Service, Traits, Workload};
use headlint_policy_sdk::{Answer, Context, Severity, UnknownReason};

/// How bad it is that a Service without a selector has no endpoints, and what
/// may still speak for it. None where it has some, where somebody else sees to
/// them, and where the Service is refused anyway.
pub(crate) fn without_endpoints(
    service: &Service,
    context: &Context,
) -> Option<(Severity, Option<&'static str>)> {
    let settled = Traits::OPERATOR_MANAGED | Traits::ENDPOINTS_MANAGED_ELSEWHERE | Traits::DELETING;
    if !selectorless(service) || refused(service) || has(&service.meta, settled) {
        return None;
    }
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    match context.endpoints_of(namespace, name) {
        Answer::Found(_) | Answer::Unknown(UnknownReason::Unwatched) => return None,
        Answer::Absent | Answer::Unknown(UnknownReason::Elsewhere) => {}
        Answer::Unknown(UnknownReason::Produced) => {
            return Some((
                Severity::Info,
                Some("unless a controller in this namespace writes them"),
            ));
        }
        Answer::Unknown(UnknownReason::Unreadable) => {
            return Some((Severity::Info, Some("unless they are in what could not be read")));
        }
    }
    // A Service that leader election keeps for its Endpoints has no ports, and nobody dials it.
    let placeholder = service.ports.is_empty()
        && !matches!(context.references_to(namespace, name), Answer::Found(_))
        && sets_naming(service, context).is_empty();
    Some(if placeholder {
        (
            Severity::Info,
            Some("unless it only holds the place of Endpoints that a leader election writes"),
        )
    } else {
        (Severity::Warning, None)
    })
}

/// The StatefulSets that take the names of their Pods from a Service.
pub(crate) fn sets_naming(service: &Service, context: &Context) -> Vec<Workload> {
    let meta = &service.meta.ref_;
    let mut naming = context.workloads_naming(&meta.namespace, &meta.name).seen();
    naming.retain(|workload| workload.stateful_set.is_some());
    naming
}
