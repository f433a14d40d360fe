//! What the editor shows.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{
    Diagnostic, Location, MessageType, PublishDiagnosticsParams, ShowMessageParams, Uri,
};
use headlint_policies::finding::Finding;
use headlint_policies::manifest::Source;
use lsp_server::Notification;
use serde::Serialize;

use super::super::connection::send;
use super::super::scope::Told;
use super::super::text::Lines;
use super::super::told;
use super::Server;
use crate::error::Error;

impl Server<'_> {
    /// Judges what has changed, and shows what is new.
    pub(super) fn judge(&mut self) -> Result<(), Error> {
        for at in 0..self.scopes.len() {
            let Some(told) = self.scopes[at].judge() else { continue };
            self.show(at, told)?;
        }
        Ok(())
    }

    fn show(&mut self, at: usize, told: Told) -> Result<(), Error> {
        let scope = &self.scopes[at];
        let Told { mut findings, faults, sources, moved } = told;
        let root = scope.path().to_owned();
        let problem = scope.problem().map(|(path, _)| path);
        // A configuration above the folder is nobody's file.
        let outside = findings.keys().chain(problem).filter(|path| self.owner(path).is_none());
        let outside: BTreeSet<_> = outside.cloned().collect();
        let is_own = |path: &Path| match self.owner(path) {
            Some(owner) => owner.path() == root,
            None => outside.contains(path) || scope.outside.contains(path),
        };
        findings.retain(|path, _| is_own(path));
        let shown_only = self.shown.keys().filter(|path| !self.findings.contains_key(*path));
        let differs = |path: &&PathBuf| self.findings.get(*path) != findings.get(*path);
        let all = self.findings.keys().chain(findings.keys());
        let mut touched: BTreeSet<_> = all.filter(differs).chain(shown_only).cloned().collect();
        touched.extend(scope.errors().map(|(path, _)| path).chain(problem).cloned());
        touched.extend(moved.iter().cloned());
        touched.retain(|path| is_own(path));

        let by_name: HashMap<&str, &Arc<Source>> =
            sources.iter().map(|source| (source.name.as_str(), source)).collect();
        let mut news = Vec::new();
        for path in touched {
            let found = findings.get(&path).map_or(&[][..], Vec::as_slice);
            let shown = self.diagnostics(at, &path, found, &by_name);
            // An editor moves what it shows while somebody types.
            let is_typed = moved.contains(&path) && !shown.is_empty();
            if is_typed || self.shown.get(&path).map_or(&[][..], Vec::as_slice) != shown {
                news.push((path, shown));
            }
        }
        let gone: Vec<_> = self.findings.keys().filter(|path| is_own(path)).cloned().collect();
        self.findings.retain(|path, _| !gone.contains(path));
        self.findings.extend(findings);
        self.scopes[at].outside = outside;
        for (path, diagnostics) in news {
            self.publish(&path, diagnostics)?;
        }
        if self.faults.get(&root).map_or(&[][..], Vec::as_slice) != faults {
            for fault in &faults {
                let text = format!("the policy {} failed: {}", fault.policy, fault.reason);
                self.show_message(MessageType::Error, text)?;
            }
            self.faults.insert(root, faults);
        }
        Ok(())
    }

    /// What is to be shown of a file.
    fn diagnostics(
        &self,
        at: usize,
        path: &Path,
        findings: &[Finding],
        sources: &HashMap<&str, &Arc<Source>>,
    ) -> Vec<Diagnostic> {
        let scope = &self.scopes[at];
        let name = path.display().to_string();
        let named =
            sources.iter().find(|(name, _)| std::path::absolute(name).is_ok_and(|it| it == path));
        let text = scope.text(path).or_else(|| sources.get(name.as_str()).copied());
        let text = text.or_else(|| named.map(|(_, source)| *source));
        let text = text.map_or("", |source| source.text.as_str());
        let lines = Lines::of(text, self.client.encoding);
        let place = |path: &Path, bytes: &Range<usize>| {
            let lines = Lines::of(&scope.text(path)?.text, self.client.encoding);
            Some(Location { uri: self.uri(path), range: lines.range(bytes) })
        };
        let place = self.client.shows_related.then_some(&place as &_);
        let errors =
            scope.errors().filter(|(file, _)| *file == path).flat_map(|(_, errors)| errors);
        let problem = scope.problem().filter(|(file, _)| file == path);
        let problem = problem.map(|(file, problem)| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            told::problem(problem, &text, &Lines::of(&text, self.client.encoding))
        });
        let errors = errors.map(|error| told::unreadable(error, text, &lines));
        let found = findings.iter().map(|finding| told::diagnostic(finding, &lines, place));
        errors.chain(problem).chain(found).collect()
    }

    /// Takes back what is shown of files that nobody judges any more.
    pub(super) fn withdraw(&mut self) -> Result<(), Error> {
        let is_outside = |path: &PathBuf| self.scopes.iter().any(|it| it.outside.contains(path));
        let is_gone = |path: &&PathBuf| self.owner(path).is_none() && !is_outside(path);
        let gone: Vec<_> = self.shown.keys().filter(is_gone).cloned().collect();
        for path in gone {
            self.findings.remove(&path);
            self.publish(&path, Vec::new())?;
        }
        Ok(())
    }

    fn publish(&mut self, path: &Path, diagnostics: Vec<Diagnostic>) -> Result<(), Error> {
        let uri = self.uri(path);
        let version = self.buffers.get(path).map(|buffer| buffer.version);
        let params = PublishDiagnosticsParams { uri, version, diagnostics: diagnostics.clone() };
        if diagnostics.is_empty() {
            self.shown.remove(path);
        } else {
            self.shown.insert(path.to_owned(), diagnostics);
        }
        self.notify("textDocument/publishDiagnostics", params)
    }

    /// A file as the editor names it.
    pub(super) fn uri(&self, path: &Path) -> Uri {
        self.buffers.get(path).map_or_else(|| told::uri(path), |buffer| buffer.uri.clone())
    }

    pub(super) fn show_message(&mut self, kind: MessageType, message: String) -> Result<(), Error> {
        self.notify("window/showMessage", ShowMessageParams { kind, message })
    }

    fn notify(&mut self, method: &str, params: impl Serialize) -> Result<(), Error> {
        send(self.output, Notification::new(method.to_owned(), params))
    }
}
