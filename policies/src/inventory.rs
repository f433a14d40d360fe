//! What else exists, and whether that is known completely.

mod entry;
mod few;
mod live;
mod lookup;
mod matching;
mod related;
mod shelf;
mod snapshot;
mod world;

pub use self::live::Live;
pub(crate) use self::lookup::{Lookup, Noting};
pub use self::snapshot::{Knowledge, Snapshot};
use std::sync::Arc;

use crate::model::{
    ClusterProfile, Endpoints, Label, LabelSelector, NetworkPolicy, Object, ObjectRef, Projected,
    Reference, Service, Workload,
};

/// What happens to a world.
#[derive(Clone, Debug)]
pub enum Change {
    /// An object is there from now on, in place of the one with its identity.
    Put(Arc<Projected>),
    /// An object is gone.
    Remove(ObjectRef),
}

/// The answer to a look-up. Not finding a thing is no proof that it doesn't
/// exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It is there. A list has at least one entry, but need not be complete.
    Found(T),
    /// It is certain that there is none.
    Absent,
    /// None was seen, which proves nothing.
    Unknown(UnknownReason),
}

impl<T> Answer<T> {
    /// What was found, if anything.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

/// Why an answer isn't certain. Where several hold, the first of this list is
/// given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnknownReason {
    /// Objects of that kind aren't read at all.
    Unwatched,
    /// The namespace holds an object of a kind that could produce it.
    Produced,
    /// Part of the input could not be read.
    Unreadable,
    /// It may live outside of this input.
    Elsewhere,
}

impl Change {
    /// The object that it happens to.
    #[must_use]
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Put(projected) => &projected.meta().object_ref,
            Self::Remove(object) => object,
        }
    }
}

/// One unchanging view of a world: the same question has the same answer, and
/// no answer depends on the order in which objects were given. No look-up costs
/// more than what it finds.
///
/// Lists are ordered by kind, namespace and name; references by holder, then by
/// path.
pub trait Inventory {
    /// The Service of that name.
    fn service(&self, namespace: &str, name: &str) -> Answer<&Service>;

    /// The Services of that name in any namespace.
    fn services_named(&self, name: &str) -> Answer<Vec<&Service>>;

    /// The Services with a selector that these labels of a Pod satisfy. The
    /// labels are sorted by key. Labels that a controller adds satisfy nothing
    /// here, since their values are unknown.
    fn services_selecting(&self, namespace: &str, labels: &[Label]) -> Answer<Vec<&Service>>;

    /// The workloads whose Pods a Service with this selector selects: none for
    /// an empty one. A key that the workload's controller adds is taken to
    /// match, except for the name of a StatefulSet's Pod, which has to be in
    /// the range of its ordinals.
    fn workloads_matching(&self, namespace: &str, selector: &[Label]) -> Answer<Vec<&Workload>>;

    /// The workloads whose Pods take their names from a Service, which need not
    /// exist: StatefulSets by `serviceName`, others by `subdomain`.
    fn workloads_naming(&self, namespace: &str, service: &str) -> Answer<Vec<&Workload>>;

    /// The workloads whose Pods this selector of a NetworkPolicy selects: all
    /// for an empty one. Keys that a controller adds are taken to exist, with
    /// whatever value is asked for.
    fn workloads_selected(
        &self,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Answer<Vec<&Workload>>;

    /// The Endpoints and EndpointSlices of a Service.
    fn endpoints_of(&self, namespace: &str, service: &str) -> Answer<Vec<&Endpoints>>;

    /// The NetworkPolicies of a namespace.
    fn network_policies_in(&self, namespace: &str) -> Answer<Vec<&NetworkPolicy>>;

    /// Who refers to the Service of that name, which need not exist.
    fn references_to(&self, namespace: &str, service: &str) -> Answer<Vec<Reference>>;

    /// The references in one object, in order of place. It need not be part of
    /// the inventory.
    fn references_in(&self, holder: &Projected) -> Vec<Reference>;

    /// The object with what only others tell: whether something scales it, and
    /// whether its namespace has containers injected. None where that is nothing
    /// new. What look-ups find has it already; an object under review needs it.
    fn situated(&self, object: &Object) -> Option<Object>;

    /// The objects of a kind, such as `StatefulSet`, in a namespace; an empty
    /// namespace means the cluster-scoped ones.
    fn objects_of(&self, kind: &str, namespace: &str) -> Answer<Vec<&Object>>;

    /// How many objects a look-up by labels in a namespace may have to look at.
    fn population(&self, namespace: &str) -> usize;

    /// Facts of the cluster.
    fn cluster(&self) -> &ClusterProfile;
}
