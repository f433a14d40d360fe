//! Names of Pods that an object uses.

use headlint_policy_sdk::service::{has, placeholder, selectorless};
use headlint_policy_sdk::types::{Object, Reference, ReferenceVia, Service, Traits, Workload};
use headlint_policy_sdk::{Context, Review, Severity};

/// The kinds of objects that may use one.
pub(crate) const HOLDERS: &[&str] = &[
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Ingress",
    "Job",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// The name of a Pod behind a Service with a selector, as it is used somewhere.
pub(crate) struct Dialled {
    pub(crate) reference: Reference,
    /// The label in front of the Service's name.
    pub(crate) pod: String,
    pub(crate) service: Service,
}

/// All of them in the object under review, the first of each place.
pub(crate) fn dialled(review: &Review, context: &dyn Context) -> Vec<Dialled> {
    let holder = match &review.object {
        Object::Workload(workload) => &workload.meta,
        Object::Other(meta) => meta,
        _ => return Vec::new(),
    };
    if has(holder, Traits::DELETING) {
        return Vec::new();
    }
    let settled = Traits::OPERATOR_MANAGED | Traits::ENDPOINTS_MANAGED_ELSEWHERE | Traits::DELETING;
    let mut found = Vec::new();
    for reference in context.references() {
        let Some(pod) = reference.pod.clone() else { continue };
        // The address of a Pod, with dashes, is a name as well.
        let address = pod.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
            && pod.bytes().filter(|byte| *byte == b'-').count() >= 2;
        if reference.via != ReferenceVia::Dial || address || placeholder(&pod) {
            continue;
        }
        let service = context.service(&reference.namespace, &reference.service).found();
        let Some(service) = service else { continue };
        if selectorless(&service)
            || service.service_type == "ExternalName"
            || has(&service.meta, settled)
        {
            continue;
        }
        found.push(Dialled { reference, pod, service });
    }
    found
}

impl Dialled {
    /// Whether something gives a Pod this very name: by a host name in its
    /// template, or by the index of a Job.
    pub(crate) fn is_given(&self, context: &dyn Context) -> bool {
        let meta = &self.service.meta.ref_;
        let named = context.workloads_naming(&meta.namespace, &meta.name).seen();
        named.iter().filter(|workload| workload.stateful_set.is_none()).any(|workload| {
            let template = &workload.template;
            let index = self.pod.strip_prefix(workload.meta.ref_.name.as_str());
            template.hostname.as_ref().is_some_and(|name| *name == self.pod || placeholder(name))
                || (workload.indexed && index.is_some_and(|rest| rest.starts_with('-')))
        })
    }

    /// One step less where only a test on demand uses it.
    pub(crate) fn severity(&self, severity: Severity) -> Severity {
        match severity {
            _ if !has(&self.reference.holder, Traits::TEST_HOOK) => severity,
            Severity::Error => Severity::Warning,
            Severity::Warning | Severity::Info => Severity::Info,
        }
    }
}

/// The workloads of a kind in a namespace that stay as they are.
pub(crate) fn workloads(kind: &str, namespace: &str, context: &dyn Context) -> Vec<Workload> {
    let objects = context.objects(kind, namespace).seen();
    objects
        .into_iter()
        .filter_map(|object| match object {
            Object::Workload(workload)
                if !has(&workload.meta, Traits::OPERATOR_MANAGED | Traits::DELETING) =>
            {
                Some(workload)
            }
            _ => None,
        })
        .collect()
}
