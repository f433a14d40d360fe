//! Names that look as if they should exist, and don't.

use std::collections::BTreeMap;

use super::answer::{Answer, RecordType};
use super::pods::crew;
use super::refusal;
use super::zone::Zone;
use crate::finding::ObjectRef;
use crate::inventory::Inventory;
use crate::model::{Service, Workload};

/// A name without records that somebody may expect.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Whole, without the dot at its end.
    pub name: String,
    /// Why there is none; a sentence.
    pub why: String,
    /// The object to change, or because of which one would expect the name.
    pub object: ObjectRef,
    /// JSONPath in it of the field to change; empty where nothing is wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The rule that explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// Why it isn't certain; sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// More names of one workload are all alike.
const MOST_ALIKE: usize = 3;

impl<'b> Zone<'b> {
    /// Names that look as if they should exist, by name.
    pub(super) fn missing(&self) -> Vec<Missing> {
        let mut missing = BTreeMap::new();
        for service in self.bundle().services() {
            self.add_service(service, &mut missing);
        }
        for workload in self.bundle().workloads() {
            self.add_pods(workload, &mut missing);
        }
        for endpoints in self.bundle().endpoints() {
            let object = &endpoints.meta.object_ref;
            let service = match (&endpoints.address_type, endpoints.service.as_str()) {
                // A slice without the label is of no Service.
                (Some(_), "") => object.name.as_str(),
                (_, service) => service,
            };
            self.add(&format!("{service}.{}", object.namespace), object, &mut missing);
        }
        missing.into_values().collect()
    }

    fn add_service(&self, service: &'b Service, missing: &mut BTreeMap<String, Missing>) {
        let object = &service.meta.object_ref;
        if refusal::service(service, self.bundle().cluster()).is_some() {
            return self.add(&format!("{}.{}", object.name, object.namespace), object, missing);
        }
        for name in self.names_of(service) {
            if let Some(name) = name.strip_suffix(&format!(".svc.{}", self.bundle().cluster().zone))
            {
                self.add(name, object, missing);
            }
        }
    }

    /// The names that Pods would have below the Services that select them, and
    /// below the one that they name.
    fn add_pods(&self, workload: &Workload, missing: &mut BTreeMap<String, Missing>) {
        let object = &workload.meta.object_ref;
        let named = match &workload.stateful_set {
            Some(set) => set.service_name.as_deref(),
            None => workload.template.subdomain.as_deref(),
        };
        let selecting = self
            .bundle()
            .inventory()
            .services_selecting(&object.namespace, &workload.template.labels);
        let selecting = selecting.found().unwrap_or_default();
        let headless = selecting.iter().filter(|service| service.is_headless());
        let mut services: Vec<_> =
            headless.map(|service| service.meta.object_ref.name.as_str()).collect();
        services.extend(named);
        services.sort_unstable();
        services.dedup();
        let hosts = crew(workload).pods.into_iter().filter_map(|pod| pod.hostname.or(pod.name));
        let mut hosts: Vec<_> = hosts.take(MOST_ALIKE).collect();
        hosts.dedup();
        for service in services {
            for host in &hosts {
                self.add(&format!("{host}.{service}.{}", object.namespace), object, missing);
            }
        }
    }

    /// Adds a name, given without `.svc` and the zone, if it has no record.
    fn add(&self, name: &str, object: &ObjectRef, missing: &mut BTreeMap<String, Missing>) {
        let name = format!("{name}.svc.{}", self.bundle().cluster().zone);
        if name.starts_with(super::UNKNOWN_ADDRESS) || missing.contains_key(&name) {
            return;
        }
        let answers: Vec<_> =
            RecordType::asked_of(&name).iter().map(|it| self.ask(&name, *it)).collect();
        if answers.iter().any(|answer| !answer.records.is_empty()) {
            return;
        }
        let Some(answer) = answers.into_iter().next() else { return };
        let Answer { why, field, object: changed, rule, doubts, .. } = answer;
        let changed = changed.or_else(|| {
            let service = self.bundle().service_of(&name).filter(|_| !field.is_empty())?;
            Some(service.meta.object_ref.clone())
        });
        let object = changed.unwrap_or_else(|| object.clone());
        missing.insert(name.clone(), Missing { name, why, object, path: field, rule, doubts });
    }
}
