//! From paths in objects to places in files.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::compare::steady;
use crate::engine::Verdict;
use crate::finding::{Finding, Fingerprint, Location, ObjectRef, Related};
use crate::manifest::{self, Document, Node, Source, Span};
use crate::model::Projected;
use crate::path::Path;

/// Where the objects of a run are.
pub(super) struct Places<'d> {
    documents: HashMap<&'d ObjectRef, &'d Document>,
    /// Where the others are.
    below: Option<Arc<Self>>,
}

impl<'d> Places<'d> {
    /// Of objects that share a name, the last one counts, as it does when they
    /// are applied.
    pub(super) fn new(
        objects: impl Iterator<Item = (&'d Document, &'d Projected)>,
        below: Option<Arc<Self>>,
    ) -> Self {
        let documents = objects
            .map(|(document, projected)| (&projected.object.meta().object_ref, document))
            .collect();
        Self { documents, below }
    }

    fn document(&self, object: &ObjectRef) -> Option<&'d Document> {
        let below = || self.below.as_ref()?.document(object);
        self.documents.get(object).copied().or_else(below)
    }

    /// The text that an object stands in, and where.
    pub(super) fn stand(&self, object: &ObjectRef) -> Option<(&Arc<Source>, Span)> {
        self.document(object).map(|document| (document.source(), document.span()))
    }

    /// The verdicts on one object, as findings. Files are read again only for
    /// objects that have any.
    pub(super) fn findings(
        &self,
        document: &Document,
        projected: &Projected,
        verdicts: &[(String, Verdict)],
    ) -> Vec<Finding> {
        if verdicts.is_empty() {
            return Vec::new();
        }
        let tree = document.tree();
        let object = &projected.object.meta().object_ref;
        verdicts
            .iter()
            .map(|(policy, verdict)| Finding {
                fingerprint: fingerprint(verdict, object, &tree),
                policy: policy.clone(),
                severity: verdict.severity,
                location: Some(location(document, &tree, &verdict.path, &verdict.range)),
                path: verdict.path.to_string(),
                object: object.clone(),
                related: verdict
                    .places
                    .iter()
                    .map(|place| Related {
                        location: if place.object == *object {
                            Some(location(document, &tree, &place.path, &place.range))
                        } else {
                            self.document(&place.object).map(|document| {
                                location(document, &document.tree(), &place.path, &place.range)
                            })
                        },
                        path: place.path.to_string(),
                        object: place.object.clone(),
                        label: place.label.clone(),
                    })
                    .collect(),
                rule: verdict.rule.clone(),
                message: verdict.what.clone(),
                why: verdict.why.clone(),
                help: verdict.help.clone(),
                edits: verdict.edits.clone(),
            })
            .collect()
    }
}

/// Where the rule points at a part of a string, that part counts too.
fn fingerprint(verdict: &Verdict, object: &ObjectRef, tree: &Node) -> Fingerprint {
    let text = verdict.path.resolve(tree).node.as_str();
    let part = verdict.range.clone().and_then(|range| text?.get(range));
    let path = steady(&verdict.path, tree);
    Fingerprint::new(&verdict.rule, object, &path, part.unwrap_or_default())
}

/// Where a path, or a part of the string there, is.
pub(super) fn location(
    document: &Document,
    tree: &Node,
    path: &Path,
    range: &Option<Range<usize>>,
) -> Location {
    let resolved = path.resolve(tree);
    let source = document.source();
    let span = match range {
        Some(range) if resolved.exact => manifest::locate(source, resolved.node, range.clone()),
        _ => resolved.highlight(),
    };
    source.location(span)
}
