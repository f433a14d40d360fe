//! What would mend findings, as changes of the texts that they are about.

use std::sync::Arc;

use crate::finding::{Finding, Safety};
use crate::manifest::{Document, Source, Splice, load};

/// The objects of a text, to be edited.
#[derive(Debug)]
pub struct Editable {
    documents: Vec<Document>,
}

impl Editable {
    /// Nothing can be edited in a text that is a template in any part.
    #[must_use]
    pub fn of(source: &Arc<Source>) -> Self {
        let loaded = load(Arc::clone(source));
        if loaded.skipped.iter().any(|skipped| skipped.is_unrendered()) {
            return Self { documents: Vec::new() };
        }
        Self { documents: loaded.manifests.into_iter().map(|it| it.document).collect() }
    }

    /// The change that makes all edits of a finding; none where it has no edit,
    /// one that isn't as safe as is asked for, or one that would change
    /// something else.
    #[must_use]
    pub fn change(&self, finding: &Finding, safety: Safety) -> Option<Splice> {
        let allowed = |edit: Safety| edit == Safety::Safe || safety == Safety::Proposed;
        if finding.edits.is_empty() || !finding.edits.iter().all(|edit| allowed(edit.safety)) {
            return None;
        }
        let at = u32::try_from(finding.location.as_ref()?.bytes.start).ok()?;
        let is_in = |document: &&Document| {
            let span = document.span();
            (span.start..=span.end).contains(&at)
        };
        self.documents.iter().find(is_in)?.edited(&finding.edits)
    }
}
