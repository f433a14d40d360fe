//! Names of Services in the strings of manifests, and in fields made for them.
//!
//! ```text
//! object ─fields,typed─▶ strings ─expand─▶ $(VAR) replaced ─prose─▶ comments blanked
//!                                                                      │ scan
//!          Reference ◀─resolve── beside all other objects ◀── Mention ◀┘
//! ```
//!
//! A text is scanned without knowing which Services exist; what it found is a
//! [`Mention`]. Only beside the other objects it shows whether `a.b:80` is
//! Service `a` in namespace `b`, Pod `a` of Service `b`, or a host of the
//! internet. A wrong guess is worse than silence: what remains ambiguous is no
//! reference.

mod expand;
mod fields;
mod prose;
mod resolve;
mod scan;
mod typed;

use std::collections::HashMap;

pub(crate) use self::resolve::{Known, candidates, monitored, resolve};
pub(crate) use self::scan::Form;
use self::scan::scan;
use crate::k8s::Kind;
use crate::manifest::Node;
use crate::model::decode::{path, walk};
use crate::model::{ByteRange, Decoded, IntOrString, LabelSelector, ObjectRef, Via};

/// A place in an object that may name a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// JSONPath of the string or of the typed field.
    pub path: String,
    /// Where in that string; none for a typed field.
    pub range: Option<ByteRange>,
    /// What stands there.
    pub target: Target,
}

/// What a [`Mention`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A host name: it may mean anything.
    Host {
        /// As written.
        host: String,
        /// Explicit, or the default of the scheme.
        port: Option<IntOrString>,
        /// In lower case; empty without one.
        scheme: String,
        /// Whether the client asks for SRV records.
        srv: bool,
        /// How sure it is that this is a host name at all.
        form: Form,
    },
    /// A field that can't be anything but a Service.
    Service {
        /// Never [`Via::Dial`] or [`Via::Srv`].
        via: Via,
        /// The Service's namespace.
        namespace: String,
        /// The Service's name.
        name: String,
        /// A number or a name of a port of the Service.
        port: Option<IntOrString>,
    },
    /// The Services that a ServiceMonitor selects by their own labels.
    Selected {
        /// None: all.
        namespaces: Option<Vec<String>>,
        /// Over labels of Services.
        selector: LabelSelector,
        /// A name of a port of the Service, or a number or name of a target port.
        port: Option<IntOrString>,
    },
}

/// Collects what is found in an object, node by node.
#[derive(Debug, Default)]
struct Sites<'n>(Vec<(&'n Node, Option<ByteRange>, Target)>);

impl<'n> Sites<'n> {
    fn add(&mut self, node: &'n Node, target: Target) {
        self.0.push((node, None, target));
    }

    /// In the order of the manifest.
    fn into_mentions(self, root: &'n Node) -> Vec<Mention> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut by_node: HashMap<*const Node, Vec<_>> = HashMap::new();
        for (node, range, target) in self.0 {
            by_node.entry(std::ptr::from_ref(node)).or_default().push((range, target));
        }
        let mut mentions = Vec::new();
        walk(root, &mut |node, steps| {
            for (range, target) in by_node.remove(&std::ptr::from_ref(node)).unwrap_or_default() {
                mentions.push(Mention { path: path(steps).to_string(), range, target });
            }
        });
        // They are kept for as long as the object is.
        mentions.shrink_to_fit();
        mentions
    }
}

/// Places in an object that may name Services, in the order of the manifest.
pub(crate) fn mentions<'n>(
    root: &'n Node,
    object: &ObjectRef,
    kind: Option<Kind>,
) -> Decoded<'n, Vec<Mention>> {
    let mut sites = Sites::default();
    fields::collect(root, object, kind, &mut sites)?;
    typed::collect(root, object, kind, &mut sites)?;
    Ok(sites.into_mentions(root))
}
