//! What is answered.

use super::endpoints::Readiness;
use super::pods::Pod;
use super::wire::Size;
use crate::finding::ObjectRef;
use crate::model::{Endpoints, Service};

/// What stands in names for the dashed IP of a Pod, which nobody knows yet.
pub const UNKNOWN_ADDRESS: &str = "<ip>";

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Names with ports.
    Srv,
}

impl RecordType {
    /// What clients ask of a name: one that starts with `_` is of a port.
    pub(super) fn asked_of(name: &str) -> &'static [Self] {
        if name.starts_with('_') { &[Self::Srv] } else { &[Self::A, Self::Aaaa] }
    }
}

/// The code of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The name exists, but it may have no record of the type.
    NoError,
    /// There is no such name.
    NxDomain,
    /// The name isn't in the cluster's zone, or no manifest decides about it.
    Elsewhere,
}

/// An answer, as it will be once all Pods are Ready.
#[derive(Clone, Debug)]
pub struct Answer<'b> {
    /// The code.
    pub code: Code,
    /// The answer section, in no order: servers shuffle it.
    pub records: Vec<Record<'b>>,
    /// Bytes of the whole answer; zero where there is no record.
    pub size: Size,
    pub(super) additional: Vec<Additional>,
    /// Why it may be another one; sentences. Empty: it is certain.
    pub doubts: Vec<String>,
    /// Why there is no record; a sentence. Empty where there is one.
    pub why: String,
    /// JSONPath of the field to change; empty where nothing is wrong.
    pub field: String,
    /// What has the field, if it isn't the Service.
    pub object: Option<ObjectRef>,
    /// The rule that explains it.
    pub rule: Option<&'static str>,
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record<'b> {
    /// What the name stands for.
    pub data: Data,
    /// Who has the address.
    pub who: Who<'b>,
    /// When it is there.
    pub readiness: Readiness,
    /// Tells targets apart that have [`UNKNOWN_ADDRESS`] in them: the number of the
    /// endpoint, and whether it is the IPv6 address.
    pub(super) key: Option<(usize, bool)>,
}

impl Record<'_> {
    /// Whether [`UNKNOWN_ADDRESS`] in its target stands for an IPv6 address.
    pub fn is_v6_target(&self) -> bool {
        self.key.is_some_and(|(_, is_v6)| is_v6)
    }
}

/// An address that comes with an SRV record, for its target.
#[derive(Clone, Debug)]
pub(super) struct Additional {
    pub(super) target: String,
    /// As in [`Record`].
    pub(super) key: Option<(usize, bool)>,
    pub(super) is_v6: bool,
}

/// What a record says. Names are without the dot at their end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// A port of a host.
    Srv {
        /// 100 divided by the number of records, 1 at least.
        weight: u16,
        /// What to dial.
        port: u16,
        /// A name of this zone; [`UNKNOWN_ADDRESS`] stands for the dashed IP of a
        /// Pod.
        target: String,
    },
    /// Another name.
    Cname(String),
}

/// Who has an address.
#[derive(Clone, Debug)]
pub enum Who<'b> {
    /// A Pod.
    Pod(Pod<'b>),
    /// Somebody wrote it down.
    Written {
        /// The Endpoints object or EndpointSlice.
        by: &'b Endpoints,
        /// The IP, as DNS shows it.
        address: String,
    },
    /// The Service itself: a cluster IP, or an alias.
    Service(&'b Service),
}

impl<'b> Answer<'b> {
    /// With these records.
    pub(super) fn found(records: Vec<Record<'b>>) -> Self {
        Self { records, ..Self::empty(Code::NoError, "", "") }
    }

    /// Without any, and why.
    pub(super) fn empty(code: Code, why: &str, field: &str) -> Self {
        Self {
            code,
            records: Vec::new(),
            size: Size::default(),
            additional: Vec::new(),
            doubts: Vec::new(),
            why: why.to_owned(),
            field: field.to_owned(),
            object: None,
            rule: None,
        }
    }
}
