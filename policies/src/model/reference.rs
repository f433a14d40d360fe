//! References to Services.

use std::sync::Arc;

use super::{IntOrString, Metadata};

/// Bytes inside a string value, after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    /// Included.
    pub start: u32,
    /// Not included.
    pub end: u32,
}

/// How an object refers to a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// Something dials the name: it resolves A or AAAA, then connects.
    Dial,
    /// A client that asks for SRV records, and takes the port from them.
    Srv,
    /// A backend of an Ingress, HTTPRoute or the like, which follows
    /// endpoints to the target port.
    Route,
    /// A ServiceMonitor that selects the Service by its labels.
    Monitor,
    /// The API server calls it: a webhook, APIService or conversion.
    ControlPlane,
}

/// A place in an object that names a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The object that refers.
    pub holder: Arc<Metadata>,
    /// JSONPath in the holder of the string that has the name in it; for a
    /// ServiceMonitor, which has no such string, of the entry of `endpoints`.
    pub path: String,
    /// Where in that string `host` or `host:port` stands; none for a typed
    /// field. Where the name comes from a `$(VAR)`, that is covered as a whole.
    pub range: Option<ByteRange>,
    /// How.
    pub via: Via,
    /// The name as written, such as `db-0.db.prod.svc`.
    pub host: String,
    /// The label before the Service's name, if any: `db-0`.
    pub pod: Option<String>,
    /// The Service, which need not exist.
    pub service: String,
    /// The Service's namespace.
    pub namespace: String,
    /// Explicit, or the default of the URL's scheme.
    pub port: Option<IntOrString>,
    /// In lower case; empty without one.
    pub scheme: String,
}
