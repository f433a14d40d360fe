//! The adapter for version 1 of the contract: the imports that a policy gets,
//! and nothing else.

mod answer;
mod convert;
mod meter;

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Result, Store};

pub(crate) use self::convert::{edits, place, severity};
use self::meter::Meter;
use super::bindings::context::{self, Version};
use super::bindings::{Policy, types};
use super::limits::MemoryMeter;
use super::{Limits, Patience, Situation, Subject, query};
use crate::inventory::Inventory;
use crate::model::{IntOrString, Label, LabelRequirement, LabelSelector};

/// The package, as error texts name it.
pub(crate) const CONTRACT: &str = "headlint:policy@1.0.0";
/// What a policy exports.
pub(crate) const RULES: &str = "headlint:policy/rules@1.0.0";
/// What a policy may import.
pub(crate) const GRANTED: [&str; 2] =
    ["headlint:policy/types@1.0.0", "headlint:policy/context@1.0.0"];

/// What the host knows during one evaluation.
pub(crate) struct State {
    situation: Option<Arc<Situation>>,
    meter: Meter,
    pub(crate) memory: MemoryMeter,
}

/// A policy looked something up while it described itself.
#[derive(Debug, thiserror::Error)]
#[error("looks things up outside of an evaluation")]
struct OutsideEvaluation;

impl State {
    fn situation(&self) -> Result<Arc<Situation>> {
        self.situation.clone().ok_or_else(|| OutsideEvaluation.into())
    }

    fn inventory(&self) -> Result<Arc<dyn Inventory + Send + Sync>> {
        Ok(Arc::clone(&self.situation()?.inventory))
    }

    fn subject(&self) -> Result<Arc<Subject>> {
        Ok(Arc::clone(&self.situation()?.subject))
    }
}

/// A store for one evaluation, or none to only describe.
pub(crate) fn store(
    engine: &wasmtime::Engine,
    limits: &Limits,
    patience: Patience,
    situation: Option<Arc<Situation>>,
) -> Store<State> {
    let state = State { situation, meter: Meter::new(limits.work), memory: MemoryMeter::default() };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_epoch_deadline(limits.ticks(patience));
    store.set_hostcall_fuel(limits.message_bytes);
    store
}

/// Grants the imports of the contract.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    Policy::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

fn labels(wire: Vec<types::Label>) -> Vec<Label> {
    let mut labels: Vec<_> =
        wire.into_iter().map(|label| Label { key: label.key, value: label.value }).collect();
    labels.sort();
    labels.dedup();
    labels
}

fn selector(wire: types::LabelSelector) -> LabelSelector {
    LabelSelector {
        match_labels: labels(wire.match_labels),
        match_expressions: wire
            .match_expressions
            .into_iter()
            .map(|one| LabelRequirement {
                key: one.key,
                operator: one.operator,
                values: one.values,
            })
            .collect(),
    }
}

impl types::Host for State {}

impl context::Host for State {
    fn service_by_name(
        &mut self,
        namespace: String,
        name: String,
    ) -> Result<context::ServiceAnswer> {
        let inventory = self.inventory()?;
        answer::service(&mut self.meter, inventory.service(&namespace, &name))
    }

    fn services_named(&mut self, name: String) -> Result<context::ServicesAnswer> {
        let inventory = self.inventory()?;
        answer::services(&mut self.meter, inventory.services_named(&name))
    }

    fn services_selecting(
        &mut self,
        namespace: String,
        of: Vec<types::Label>,
    ) -> Result<context::ServicesAnswer> {
        let inventory = self.inventory()?;
        let of = labels(of);
        self.meter.matching(of.len(), inventory.population(&namespace))?;
        answer::services(&mut self.meter, inventory.services_selecting(&namespace, &of))
    }

    fn workloads_matching(
        &mut self,
        namespace: String,
        wanted: Vec<types::Label>,
    ) -> Result<context::WorkloadsAnswer> {
        let inventory = self.inventory()?;
        let wanted = labels(wanted);
        self.meter.matching(wanted.len(), inventory.population(&namespace))?;
        answer::workloads(&mut self.meter, inventory.workloads_matching(&namespace, &wanted))
    }

    fn workloads_naming(
        &mut self,
        namespace: String,
        service: String,
    ) -> Result<context::WorkloadsAnswer> {
        let inventory = self.inventory()?;
        answer::workloads(&mut self.meter, inventory.workloads_naming(&namespace, &service))
    }

    fn workloads_selected(
        &mut self,
        namespace: String,
        wanted: types::LabelSelector,
    ) -> Result<context::WorkloadsAnswer> {
        let inventory = self.inventory()?;
        let wanted = selector(wanted);
        let values: usize = wanted.match_expressions.iter().map(|one| 1 + one.values.len()).sum();
        let conditions = wanted.match_labels.len() + values;
        self.meter.matching(conditions, inventory.population(&namespace))?;
        answer::workloads(&mut self.meter, inventory.workloads_selected(&namespace, &wanted))
    }

    fn endpoints_of(
        &mut self,
        namespace: String,
        service: String,
    ) -> Result<context::EndpointsAnswer> {
        let inventory = self.inventory()?;
        answer::endpoints(&mut self.meter, inventory.endpoints_of(&namespace, &service))
    }

    fn network_policies_in(&mut self, namespace: String) -> Result<context::NetworkPoliciesAnswer> {
        let inventory = self.inventory()?;
        answer::network_policies(&mut self.meter, inventory.network_policies_in(&namespace))
    }

    fn references_to(
        &mut self,
        namespace: String,
        service: String,
    ) -> Result<context::ReferencesAnswer> {
        let inventory = self.inventory()?;
        answer::references(&mut self.meter, inventory.references_to(&namespace, &service))
    }

    fn own_references(&mut self) -> Result<Vec<types::Reference>> {
        let situation = self.situation()?;
        self.meter.resolving(situation.subject.projected().mentions.len())?;
        self.meter.list(situation.references(), convert::reference)
    }

    fn objects_of(&mut self, kind: String, namespace: String) -> Result<context::ObjectsAnswer> {
        let inventory = self.inventory()?;
        answer::objects(&mut self.meter, inventory.objects_of(&kind, &namespace))
    }

    fn cluster(&mut self) -> Result<types::ClusterProfile> {
        let inventory = self.inventory()?;
        let profile = inventory.cluster();
        Ok(types::ClusterProfile {
            zone: self.meter.text(&profile.zone)?,
            minor: profile.minor,
            dual_stack: profile.dual_stack,
            aggregator_routing: profile.aggregator_routing,
        })
    }

    fn reviewed(&mut self, version: Version) -> Result<Option<types::Object>> {
        let subject = self.subject()?;
        self.meter.call()?;
        let version = subject.version(version == Version::Old);
        version.map(|one| convert::object(&mut self.meter, &one.object)).transpose()
    }

    fn raw(&mut self, version: Version) -> Result<Option<String>> {
        let subject = self.subject()?;
        match subject.json(version == Version::Old) {
            Some((value, _)) => {
                let text = value.to_string();
                self.meter.take(text.len() as u64)?;
                Ok(Some(text))
            }
            None => Ok(None),
        }
    }

    fn query(
        &mut self,
        version: Version,
        path: String,
    ) -> Result<std::result::Result<Vec<context::QueryMatch>, context::QueryError>> {
        let subject = self.subject()?;
        // A query that is refused costs something as well.
        self.meter.take(path.len() as u64 * 16)?;
        let Some((value, extent)) = subject.json(version == Version::Old) else {
            return Ok(Err(context::QueryError::NoObject));
        };
        Ok(match query::run(&path, value, *extent, self.meter.left()) {
            Ok(found) => Ok(found
                .into_iter()
                .map(|found| context::QueryMatch { path: found.path, value: found.value })
                .collect()),
            Err(query::Refusal::Invalid(reason)) => Err(context::QueryError::Invalid(reason)),
            Err(query::Refusal::TooCostly) => Err(context::QueryError::TooCostly),
        })
    }
}

/// A port on its way to a guest.
fn port(meter: &mut Meter, port: &IntOrString) -> Result<types::IntOrString> {
    Ok(match port {
        IntOrString::Int(number) => types::IntOrString::Int(*number),
        IntOrString::Text(name) => types::IntOrString::Text(meter.text(name)?),
    })
}
