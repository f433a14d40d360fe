//! The tie between a StatefulSet and the Service that it names.

use headlint_policy_sdk::labels::selector_refused;
use headlint_policy_sdk::service::{dns_label, has};
use headlint_policy_sdk::types::{ContainerRole, ObjectRef, Service, Traits, Workload};
use headlint_policy_sdk::{Context, Version};

/// The Service that a StatefulSet takes the names of its Pods from; none
/// where the API server refuses the set, or where it is on its way out.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/apps/validation/validation.go`
/// `ValidateStatefulSet`: it is a DNS-1123 label.
pub(crate) fn service_name(workload: &Workload) -> Option<&str> {
    let name = workload.stateful_set.as_ref()?.service_name.as_deref()?;
    (dns_label(name) && stays(workload)).then_some(name)
}

/// Whether the API server takes a StatefulSet for its name and selector, and
/// nobody has begun to delete it.
///
/// # Source
/// kubernetes v1.36 `pkg/apis/apps/validation/validation.go`
/// `ValidateStatefulSet`: its name is a DNS-1123 label.
pub(crate) fn stays(workload: &Workload) -> bool {
    let meta = &workload.meta;
    meta.ref_.api_version == "apps/v1"
        // Without a name there is a generateName.
        && (meta.ref_.name.is_empty() || dns_label(&meta.ref_.name))
        && !selector_refused(workload)
        && !has(meta, Traits::DELETING)
}

/// Whether this is no whole manifest, but the patch of one, as Kustomize
/// overlays hold it: it has no containers, or one without an image, or it says
/// nothing of the labels of its Pods.
pub(crate) fn is_patch(workload: &Workload, context: &Context) -> bool {
    let containers =
        workload.template.containers.iter().filter(|c| c.role == ContainerRole::App).count();
    let images = context.query(Version::New, "$.spec.template.spec.containers[*].image");
    containers == 0
        || images.is_ok_and(|images| images.len() < containers)
        || (workload.template.labels.is_empty() && workload.selector.is_none())
}

/// Whether a field of the object under review is there, with any value.
pub(crate) fn is_present(path: &str, context: &Context) -> bool {
    context.query(Version::New, path).is_ok_and(|matches| !matches.is_empty())
}

/// The StatefulSets that take the names of their Pods from a Service.
pub(crate) fn sets_naming(service: &Service, context: &Context) -> Vec<Workload> {
    let meta = &service.meta.ref_;
    let mut naming = context.workloads_naming(&meta.namespace, &meta.name).seen();
    naming.retain(|set| service_name(set) == Some(&meta.name));
    naming
}

/// What to call an object whose name may still have to be generated.
pub(crate) fn display_name(object: &ObjectRef) -> &str {
    if object.name.is_empty() { "<generated>" } else { &object.name }
}

/// The DNS name of the first Pod of a set.
pub(crate) fn first_pod(set: &Workload, service: &str) -> String {
    let first = set.stateful_set.as_ref().map_or(0, |set| set.first_ordinal);
    let name = display_name(&set.meta.ref_);
    format!("{name}-{first}.{service}.{}.svc", set.meta.ref_.namespace)
}

#[cfg(test)]
pub(crate) mod tests {
    use headlint_policy_sdk::fake::{self, Snapshot};
    use headlint_policy_sdk::types::{
        Container, Label, LabelSelector, Metadata, Object, ObjectRef, PodTemplate, Service,
        StatefulSet, Traits, Workload,
    };
    use headlint_policy_sdk::{Findings, Operation, Origin, Review, Rule, Severity};

    pub(crate) fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
        pairs
            .iter()
            .map(|&(key, value)| Label { key: key.to_owned(), value: value.to_owned() })
            .collect()
    }

    fn metadata(api_version: &str, kind: &str) -> Metadata {
        Metadata {
            ref_: ObjectRef {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: "shop".to_owned(),
                name: "db".to_owned(),
            },
            labels: Vec::new(),
            traits: Traits::empty(),
        }
    }

    /// Three Pods with `app=db`, named by the Service `db`.
    pub(crate) fn set() -> Workload {
        Workload {
            meta: metadata("apps/v1", "StatefulSet"),
            template: PodTemplate {
                path: "$.spec.template".to_owned(),
                labels: labels(&[("app", "db")]),
                added_labels: vec![
                    "statefulset.kubernetes.io/pod-name".to_owned(),
                    "apps.kubernetes.io/pod-index".to_owned(),
                    "controller-revision-hash".to_owned(),
                ],
                hostname: None,
                subdomain: None,
                host_network: false,
                dns_policy: None,
                set_hostname_as_fqdn: false,
                containers: vec![Container {
                    role: super::ContainerRole::App,
                    index: 0,
                    name: "db".to_owned(),
                    ports: Vec::new(),
                    readiness_probe: false,
                }],
                injected: false,
            },
            selector: Some(LabelSelector {
                match_labels: labels(&[("app", "db")]),
                match_expressions: Vec::new(),
            }),
            replicas: Some(3),
            autoscaled: false,
            indexed: false,
            stateful_set: Some(StatefulSet {
                service_name: Some("db".to_owned()),
                first_ordinal: 0,
                pod_management_policy: "OrderedReady".to_owned(),
            }),
        }
    }

    /// Headless, over `app=db`.
    pub(crate) fn service() -> Service {
        Service {
            cluster_ip: Some("None".to_owned()),
            selector: labels(&[("app", "db")]),
            ..fake::service(metadata("v1", "Service"))
        }
    }

    pub(crate) fn review(object: Object) -> Review {
        Review {
            settings: "{}".to_owned(),
            object,
            old: None,
            operation: Operation::Create,
            origin: Origin::Lint,
        }
    }

    /// Severity and path of what one rule finds.
    pub(crate) fn brief(rule: &Rule, review: &Review, world: &Snapshot) -> Vec<(Severity, String)> {
        let mut findings = Findings::default();
        (rule.check)(review, world, &mut findings);
        findings
            .brief()
            .into_iter()
            .map(|(_, severity, path)| (severity, path.to_owned()))
            .collect()
    }
}
