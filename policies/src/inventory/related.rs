//! What has to do with an object, so that a change of it may bring a finding
//! there.

use super::{Inventory, Snapshot};
use crate::model::{Label, Object, ObjectRef, Projected};

impl Snapshot {
    /// The objects beside this one that a rule may judge otherwise because of
    /// it: sets and the Service that they name, Services and the workloads that
    /// they select, endpoints and their Service, what dials and what is dialled,
    /// NetworkPolicies and the workloads that they select. In order of kind,
    /// namespace and name, each once.
    #[must_use]
    pub fn related(&self, projected: &Projected) -> Vec<ObjectRef> {
        let object = &projected.object;
        let name = &object.meta().object_ref;
        let mut found = Vec::new();
        match object {
            Object::Service(service) => {
                self.workloads(&name.namespace, &service.selector, &mut found);
                self.naming(name, &mut found);
                let endpoints = self.endpoints_of(&name.namespace, &name.name).found();
                found.extend(endpoints.iter().flatten().map(|one| one.meta.object_ref.clone()));
                let references = self.references_to(&name.namespace, &name.name).found();
                let holders = references.iter().flatten();
                found.extend(holders.map(|one| one.holder.object_ref.clone()));
            }
            Object::Workload(workload) => {
                let labels = &workload.template.labels;
                let services = self.services_selecting(&name.namespace, labels).found();
                found.extend(services.iter().flatten().map(|one| one.meta.object_ref.clone()));
                let named = match &workload.stateful_set {
                    Some(set) => set.service_name.as_ref(),
                    None => workload.template.subdomain.as_ref(),
                };
                if let Some(service) = named {
                    self.service_called(&name.namespace, service, &mut found);
                }
                let policies = self.network_policies_in(&name.namespace).found();
                let selecting = policies.iter().flatten().filter(|one| {
                    let selected = self.workloads_selected(&name.namespace, &one.pod_selector);
                    let selected = selected.found().unwrap_or_default();
                    selected.iter().any(|one| one.meta.object_ref == *name)
                });
                found.extend(selecting.map(|one| one.meta.object_ref.clone()));
            }
            Object::Endpoints(endpoints) => {
                self.service_called(&name.namespace, &endpoints.service, &mut found);
            }
            Object::NetworkPolicy(policy) => {
                let selected = self.workloads_selected(&name.namespace, &policy.pod_selector);
                let selected = selected.found().unwrap_or_default();
                found.extend(selected.iter().map(|one| one.meta.object_ref.clone()));
            }
            Object::Other(_) => {}
        }
        for reference in self.references_in(projected) {
            self.service_called(&reference.namespace, &reference.service, &mut found);
        }
        found.sort_by(|a, b| {
            (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name))
        });
        found.dedup();
        found.retain(|one| one != name);
        found
    }

    fn workloads(&self, namespace: &str, selector: &[Label], found: &mut Vec<ObjectRef>) {
        let selected = self.workloads_matching(namespace, selector).found().unwrap_or_default();
        found.extend(selected.iter().map(|one| one.meta.object_ref.clone()));
    }

    fn naming(&self, service: &ObjectRef, found: &mut Vec<ObjectRef>) {
        let naming = self.workloads_naming(&service.namespace, &service.name).found();
        found.extend(naming.iter().flatten().map(|one| one.meta.object_ref.clone()));
    }

    fn service_called(&self, namespace: &str, name: &str, found: &mut Vec<ObjectRef>) {
        let service = self.service(namespace, name).found();
        found.extend(service.map(|one| one.meta.object_ref.clone()));
    }
}
