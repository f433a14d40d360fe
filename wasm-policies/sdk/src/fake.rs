//! A context for native unit tests.

use crate::context::{Answer, QueryError, QueryMatch, UnknownReason, Version};
use crate::labels;
use crate::types::{
    ClusterProfile, Endpoints, Label, LabelSelector, Metadata, NetworkPolicy, Object, Reference,
    Service, Workload,
};

/// A Service with nothing but metadata.
#[must_use]
pub fn service(meta: Metadata) -> Service {
    Service {
        meta,
        service_type: "ClusterIP".to_owned(),
        cluster_ip: None,
        cluster_ips: Vec::new(),
        selector: Vec::new(),
        ports: Vec::new(),
        publish_not_ready_addresses: false,
        external_name: None,
        session_affinity: None,
        internal_traffic_policy: None,
        ip_families: Vec::new(),
        ip_family_policy: None,
        type_errors: Vec::new(),
    }
}

/// A small world, searched from end to end. What isn't in it is unknown,
/// unless it is complete.
///
/// Approximations: selectors of NetworkPolicies are matched by their
/// `matchLabels` alone, and there is no raw JSON.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Whether nothing exists beyond it.
    pub complete: bool,
    /// Services, workloads, endpoints and NetworkPolicies.
    pub objects: Vec<Object>,
    /// References of all objects.
    pub references: Vec<Reference>,
    /// References of the object under review.
    pub own_references: Vec<Reference>,
    /// As in the cluster's profile.
    pub aggregator_routing: bool,
}

impl Snapshot {
    fn answer<T>(&self, found: Vec<T>) -> Answer<Vec<T>> {
        match (found.is_empty(), self.complete) {
            (false, _) => Answer::Found(found),
            (true, true) => Answer::Absent,
            (true, false) => Answer::Unknown(UnknownReason::Elsewhere),
        }
    }

    fn services(&self) -> impl Iterator<Item = &Service> {
        self.objects.iter().filter_map(|object| match object {
            Object::Service(service) => Some(service),
            _ => None,
        })
    }

    fn workloads(&self, namespace: &str) -> impl Iterator<Item = &Workload> {
        self.objects.iter().filter_map(move |object| match object {
            Object::Workload(workload) if workload.meta.ref_.namespace == namespace => {
                Some(workload)
            }
            _ => None,
        })
    }
}

/// The look-ups of a rule.
impl Snapshot {
    /// The Service of that name.
    #[must_use]
    pub fn service(&self, namespace: &str, name: &str) -> Answer<Service> {
        let found = self
            .services()
            .find(|s| s.meta.ref_.namespace == namespace && s.meta.ref_.name == name)
            .cloned();
        match (found, self.complete) {
            (Some(service), _) => Answer::Found(service),
            (None, true) => Answer::Absent,
            (None, false) => Answer::Unknown(UnknownReason::Elsewhere),
        }
    }

    /// The Services of that name in any namespace, in order of namespace.
    #[must_use]
    pub fn services_named(&self, name: &str) -> Answer<Vec<Service>> {
        self.answer(self.services().filter(|s| s.meta.ref_.name == name).cloned().collect())
    }

    /// The Services with a selector that these labels of a Pod satisfy.
    #[must_use]
    pub fn services_selecting(&self, namespace: &str, of: &[Label]) -> Answer<Vec<Service>> {
        self.answer(
            self.services()
                .filter(|s| s.meta.ref_.namespace == namespace)
                .filter(|s| !s.selector.is_empty() && labels::satisfy(of, &s.selector))
                .cloned()
                .collect(),
        )
    }

    /// The workloads whose Pods a Service with this selector selects.
    #[must_use]
    pub fn workloads_matching(&self, namespace: &str, selector: &[Label]) -> Answer<Vec<Workload>> {
        let matches = |w: &&Workload| {
            selector.iter().all(|wanted| {
                w.template.labels.contains(wanted) || w.template.added_labels.contains(&wanted.key)
            })
        };
        self.answer(match selector {
            [] => Vec::new(),
            _ => self.workloads(namespace).filter(matches).cloned().collect(),
        })
    }

    /// The workloads whose Pods take their names from a Service: StatefulSets
    /// by `serviceName`, others by `subdomain`.
    #[must_use]
    pub fn workloads_naming(&self, namespace: &str, service: &str) -> Answer<Vec<Workload>> {
        let naming = |w: &&Workload| match &w.stateful_set {
            Some(set) => set.service_name.as_deref() == Some(service),
            None => w.template.subdomain.as_deref() == Some(service),
        };
        self.answer(self.workloads(namespace).filter(naming).cloned().collect())
    }

    /// The workloads whose Pods this selector of a NetworkPolicy selects.
    #[must_use]
    pub fn workloads_selected(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Answer<Vec<Workload>> {
        self.answer(
            self.workloads(namespace)
                .filter(|w| labels::satisfy(&w.template.labels, &selector.match_labels))
                .cloned()
                .collect(),
        )
    }

    /// The Endpoints and EndpointSlices of a Service.
    #[must_use]
    pub fn endpoints_of(&self, namespace: &str, service: &str) -> Answer<Vec<Endpoints>> {
        let found = self.objects.iter().filter_map(|object| match object {
            Object::Endpoints(endpoints)
                if endpoints.meta.ref_.namespace == namespace && endpoints.service == service =>
            {
                Some(endpoints.clone())
            }
            _ => None,
        });
        self.answer(found.collect())
    }

    /// The NetworkPolicies of a namespace.
    #[must_use]
    pub fn network_policies(&self, namespace: &str) -> Answer<Vec<NetworkPolicy>> {
        let found = self.objects.iter().filter_map(|object| match object {
            Object::NetworkPolicy(policy) if policy.meta.ref_.namespace == namespace => {
                Some(policy.clone())
            }
            _ => None,
        });
        self.answer(found.collect())
    }

    /// Who refers to the Service of that name, which need not exist.
    #[must_use]
    pub fn references_to(&self, namespace: &str, service: &str) -> Answer<Vec<Reference>> {
        let found = self
            .references
            .iter()
            .filter(|r| r.namespace == namespace && r.service == service)
            .cloned();
        self.answer(found.collect())
    }

    /// The references in the object under review, in order of place.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        self.own_references.clone()
    }

    /// The objects of a kind in a namespace; empty for cluster-scoped ones.
    #[must_use]
    pub fn objects(&self, kind: &str, namespace: &str) -> Answer<Vec<Object>> {
        let found = self.objects.iter().filter(|object| {
            let meta = match object {
                Object::Service(service) => &service.meta,
                Object::Workload(workload) => &workload.meta,
                Object::Endpoints(endpoints) => &endpoints.meta,
                Object::NetworkPolicy(policy) => &policy.meta,
                Object::Other(meta) => meta,
            };
            meta.ref_.kind == kind && meta.ref_.namespace == namespace
        });
        self.answer(found.cloned().collect())
    }

    /// Facts of the cluster that manifests can't tell.
    #[must_use]
    pub fn cluster(&self) -> ClusterProfile {
        ClusterProfile {
            zone: "cluster.local".to_owned(),
            minor: 36,
            dual_stack: None,
            aggregator_routing: self.aggregator_routing,
        }
    }

    /// The object under review as JSON.
    #[must_use]
    pub fn raw(&self, _version: Version) -> Option<String> {
        None
    }

    /// A JSONPath query over the object under review.
    ///
    /// # Errors
    /// When the query is no JSONPath, could cost too much, or there is no
    /// object of that version.
    pub fn query(&self, _version: Version, _path: &str) -> Result<Vec<QueryMatch>, QueryError> {
        Err(QueryError::NoObject)
    }
}
