//! An object under review beside all others: what a policy can ask about.

use std::sync::{Arc, OnceLock};

use super::{Condition, Subject};
use crate::inventory::{Answer, Inventory};
use crate::model::{Object, Reference, Service};

/// A subject, and the inventory that it stands in.
pub(crate) struct Situation {
    pub(crate) subject: Arc<Subject>,
    pub(crate) inventory: Arc<dyn Inventory + Send + Sync>,
    references: OnceLock<Vec<Reference>>,
    governs: OnceLock<bool>,
}

impl Situation {
    /// Of these two.
    pub(crate) fn new(subject: Arc<Subject>, inventory: Arc<dyn Inventory + Send + Sync>) -> Self {
        Self { subject, inventory, references: OnceLock::new(), governs: OnceLock::new() }
    }

    /// The references in the subject, in order of place: several policies ask.
    pub(crate) fn references(&self) -> &[Reference] {
        self.references.get_or_init(|| {
            let projected = self.subject.projected();
            match projected.mentions.as_slice() {
                [] => Vec::new(),
                _ => self.inventory.references_in(projected),
            }
        })
    }

    /// Whether a rule with this condition may find something.
    pub(crate) fn meets(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Headless => self.service().is_some_and(Service::is_headless),
            Condition::Selectorless => self.service().is_some_and(|it| it.selector.is_empty()),
            Condition::Governing => *self.governs.get_or_init(|| self.governs()),
            Condition::Refers => !self.references().is_empty(),
            Condition::Has(texts) => self.subject.may_have(texts),
        }
    }

    /// Several rules need it, and each look-up gathers the workloads.
    fn governs(&self) -> bool {
        self.service().is_some_and(|service| {
            let name = &service.meta.object_ref;
            let naming = self.inventory.workloads_naming(&name.namespace, &name.name);
            matches!(naming, Answer::Found(_))
        })
    }

    fn service(&self) -> Option<&Service> {
        match &self.subject.projected().object {
            Object::Service(service) => Some(service),
            _ => None,
        }
    }
}
