//! What the editor asks about a place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gen_lsp_types::{
    CodeActionKind, CodeActionParams, CodeActionResponse, Definition, DefinitionParams, Edit,
    Hover, HoverParams, Location, OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit,
    TextDocumentIdentifier, TextDocumentPositionParams, TextEdit, WorkspaceEdit,
};
use headlint_policies::finding::Finding;
use headlint_policies::fix::Editable;

use super::super::scope::Scope;
use super::super::text::Lines;
use super::super::told;
use super::Server;
use crate::fix;

/// What a place in a text is about.
struct Place<'s> {
    path: PathBuf,
    scope: &'s Scope,
    lines: Lines<'s>,
    findings: Vec<&'s Finding>,
}

impl Server<'_> {
    /// The findings that touch a range.
    fn place(&self, document: &TextDocumentIdentifier, range: Range) -> Option<Place<'_>> {
        let path = told::path(&document.uri)?;
        let scope = self.owner(&path)?;
        let lines = Lines::of(&scope.text(&path)?.text, self.client.encoding);
        let (start, end) = (lines.offset(range.start), lines.offset(range.end));
        let touches = |finding: &&Finding| {
            let bytes = finding.location.as_ref().map(|location| &location.bytes);
            bytes.is_some_and(|bytes| bytes.start <= end && start <= bytes.end)
        };
        let findings = self.findings.get(&path)?.iter().filter(touches).collect();
        Some(Place { path, scope, lines, findings })
    }

    fn point(&self, at: &TextDocumentPositionParams) -> Option<Place<'_>> {
        self.place(&at.text_document, Range { start: at.position, end: at.position })
    }

    /// What the rules of the findings at a place say.
    pub(super) fn hover(&self, params: &HoverParams) -> Option<Hover> {
        let place = self.point(&params.text_document_position_params)?;
        let range = place.findings.first()?.location.as_ref()?;
        let rules = place.scope.engine().rules();
        let mut ids: Vec<_> = place.findings.iter().map(|finding| &finding.rule).collect();
        ids.dedup();
        let rules = ids.into_iter().filter_map(|id| rules.iter().find(|(_, rule)| rule.id == *id));
        let contents = told::explanation(rules.map(|(_, rule)| rule.documentation.as_str()));
        Some(Hover { contents, range: Some(place.lines.range(&range.bytes)) })
    }

    /// The other places of the findings at a place.
    pub(super) fn definition(&self, params: &DefinitionParams) -> Option<Definition> {
        let place = self.point(&params.text_document_position_params)?;
        let related = place.findings.iter().flat_map(|finding| &finding.related);
        let mut locations = Vec::new();
        for other in related.filter_map(|related| related.location.as_ref()) {
            let path = Path::new(&other.file);
            let Some(source) = place.scope.text(path) else { continue };
            let range = Lines::of(&source.text, self.client.encoding).range(&other.bytes);
            let location = Location { uri: self.uri(path), range };
            if !locations.contains(&location) {
                locations.push(location);
            }
        }
        (!locations.is_empty()).then(|| locations.into())
    }

    /// What would mend the findings that touch a range. A template is never
    /// edited, and nothing while a part of the text can't be read.
    pub(super) fn actions(&self, params: &CodeActionParams) -> Option<Vec<CodeActionResponse>> {
        let is_wanted = |kind: &CodeActionKind| {
            matches!(kind, CodeActionKind::QuickFix | CodeActionKind::Empty)
        };
        if params.context.only.as_ref().is_some_and(|only| !only.iter().any(is_wanted)) {
            return None;
        }
        let place = self.place(&params.text_document, params.range)?;
        if !place.scope.is_readable(&place.path) || fix::is_template(&place.path.to_string_lossy())
        {
            return None;
        }
        let editable = Editable::of(place.scope.text(&place.path)?);
        let found = place.findings.iter().filter_map(|finding| {
            let (mut action, edit) = told::action(finding, &editable, &place.lines)?;
            action.edit = Some(self.workspace_edit(&params.text_document, &place.path, edit));
            Some(action.into())
        });
        Some(found.collect())
    }

    fn workspace_edit(
        &self,
        document: &TextDocumentIdentifier,
        path: &Path,
        edit: TextEdit,
    ) -> WorkspaceEdit {
        if !self.client.edits_versions {
            let changes = HashMap::from([(document.uri.clone(), vec![edit])]);
            return WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() };
        }
        let text_document = OptionalVersionedTextDocumentIdentifier {
            version: self.buffers.get(path).map(|buffer| buffer.version),
            text_document_identifier: document.clone(),
        };
        let edit = TextDocumentEdit { text_document, edits: vec![Edit::TextEdit(edit)] };
        let changes = vec![edit.into()];
        WorkspaceEdit { document_changes: Some(changes), ..WorkspaceEdit::default() }
    }
}
