//! The names that the Pods of a workload ask DNS for.

use headlint_policy_sdk::service::{has, placeholder};
use headlint_policy_sdk::types::{Reference, ReferenceVia, Traits, Workload};
use headlint_policy_sdk::{Context, Severity};

/// The names of Services of the cluster that the containers of a workload dial,
/// in order of place.
pub(crate) fn by_containers(workload: &Workload, context: &Context) -> Vec<Reference> {
    if has(&workload.meta, Traits::DELETING) {
        return Vec::new();
    }
    // What a probe or a hook asks for over the network, the kubelet resolves.
    let by_kubelet = |path: &str| path.ends_with(".host") || path.contains(".httpGet.");
    let mut references = context.references();
    references.retain(|reference| {
        matches!(reference.via, ReferenceVia::Dial | ReferenceVia::Srv)
            && !placeholder(&reference.host)
            && !by_kubelet(&reference.path)
    });
    references
}

/// How bad it is that these names aren't found: a hint where it isn't sure that
/// any of them is dialled, for a name alone may stand in a certificate; one step
/// less for a workload that is run on demand.
pub(crate) fn severity(workload: &Workload, names: &[Reference], usual: Severity) -> Severity {
    let is_dialled = |name: &Reference| name.port.is_some() || name.via == ReferenceVia::Srv;
    if !names.iter().any(is_dialled) {
        Severity::Info
    } else if has(&workload.meta, Traits::TEST_HOOK) {
        usual.weaker()
    } else {
        usual
    }
}
