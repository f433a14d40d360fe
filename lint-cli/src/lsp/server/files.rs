//! Folders and texts come, change and go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{
    self as lsp, DidChangeTextDocumentParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, Uri,
};
use headlint_policies::finding::InputError;
use headlint_policies::manifest::Source;
use lsp_server::Request;

use super::super::connection::send;
use super::super::scope::Scope;
use super::super::text::change;
use super::super::told;
use super::{Buffer, Server};
use crate::config;
use crate::error::Error;
use crate::input;

/// What decides which files are read.
const LISTS: [&str; 2] = [".gitignore", ".ignore"];

impl Buffer {
    fn source(&self, path: &Path) -> Result<Arc<Source>, InputError> {
        Source::new(path.display().to_string(), self.text.clone().into_bytes()).map(Arc::new)
    }
}

impl Server<'_> {
    /// Judges a folder from now on, or a file by itself.
    pub(super) fn add(&mut self, path: &Path) -> Result<(), Error> {
        if !self.scopes.iter().any(|scope| scope.path() == path) {
            let buffers = &self.buffers;
            let typed = |path: &Path| buffers.get(path).map(|buffer| buffer.source(path));
            let scope = Scope::new(path, self.args, &typed)?;
            self.scopes.push(scope);
        }
        Ok(())
    }

    /// The innermost folder that has a file.
    pub(super) fn owner(&self, path: &Path) -> Option<&Scope> {
        let holding = self.scopes.iter().filter(|scope| scope.holds(path));
        holding.max_by_key(|scope| scope.path().components().count())
    }

    /// Asks the editor to tell of files that change.
    pub(super) fn watch(&mut self) -> Result<(), Error> {
        if !self.client.watches_files {
            return Ok(());
        }
        let globs = ["**/*.{yaml,yml,json}"].into_iter().map(str::to_owned);
        let globs = globs.chain(LISTS.iter().map(|name| format!("**/{name}")));
        let watchers: Vec<_> = globs.map(|glob| serde_json::json!({"globPattern": glob})).collect();
        let registration = lsp::Registration {
            id: "files".to_owned(),
            method: "workspace/didChangeWatchedFiles".to_owned(),
            register_options: Some(serde_json::json!({"watchers": watchers})),
        };
        let params = lsp::RegistrationParams { registrations: vec![registration] };
        let id = "register-files".to_owned().into();
        send(self.output, Request::new(id, "client/registerCapability".to_owned(), params))
    }

    pub(super) fn refold(&mut self, params: DidChangeWorkspaceFoldersParams) -> Result<(), Error> {
        let paths = |folders: &[lsp::WorkspaceFolder]| -> Vec<PathBuf> {
            folders.iter().filter_map(|folder| told::path(&folder.uri)).collect()
        };
        let removed = paths(&params.event.removed);
        self.scopes.retain(|scope| !removed.iter().any(|path| path == scope.path()));
        self.faults.retain(|path, _| !removed.contains(path));
        for folder in paths(&params.event.added) {
            self.add(&folder)?;
        }
        // What was inside of a folder that is gone stands for itself, and what
        // stood for itself may be in a folder now.
        let open: Vec<_> = self.buffers.keys().cloned().collect();
        self.scopes.retain(|scope| scope.path().is_dir() || !open.contains(&scope.path().into()));
        for path in open {
            self.find(&path)?;
        }
        self.scopes.iter_mut().for_each(Scope::forget);
        self.withdraw()
    }

    pub(super) fn open(&mut self, params: DidOpenTextDocumentParams) -> Result<(), Error> {
        let document = params.text_document;
        let Some(path) = told::path(&document.uri) else { return Ok(()) };
        let (uri, version, text) = (document.uri, document.version, document.text);
        self.buffers.insert(path.clone(), Buffer { uri, version, text });
        self.find(&path)?;
        self.put(&path);
        Ok(())
    }

    /// Makes sure that a file which is open is known, if it is to be judged.
    fn find(&mut self, path: &Path) -> Result<(), Error> {
        if self.owner(path).is_none() {
            return if input::is_manifest(path) { self.add(path) } else { Ok(()) };
        }
        let buffers = &self.buffers;
        let typed = |path: &Path| buffers.get(path).map(|buffer| buffer.source(path));
        for scope in self.scopes.iter_mut().filter(|scope| scope.holds(path)) {
            if input::is_manifest(path) && !scope.knows(path) && path.exists() {
                scope.list(&typed);
            }
        }
        Ok(())
    }

    /// Takes over what a file has now.
    fn put(&mut self, path: &Path) {
        let typed = self.buffers.get(path).map(|buffer| buffer.source(path));
        for scope in self.scopes.iter_mut().filter(|scope| scope.holds(path)) {
            scope.change(path, typed.clone());
        }
    }

    pub(super) fn edit(&mut self, params: DidChangeTextDocumentParams) {
        let document = params.text_document;
        let Some(path) = told::path(&document.text_document_identifier.uri) else { return };
        let Some(buffer) = self.buffers.get_mut(&path) else { return };
        for one in params.content_changes {
            change(&mut buffer.text, one, self.client.encoding);
        }
        buffer.version = document.version;
        self.put(&path);
    }

    pub(super) fn close(&mut self, params: &DidCloseTextDocumentParams) -> Result<(), Error> {
        let Some(path) = told::path(&params.text_document.uri) else { return Ok(()) };
        self.buffers.remove(&path);
        let scopes = self.scopes.len();
        self.scopes.retain(|scope| scope.path() != path);
        if self.scopes.len() < scopes {
            self.faults.remove(&path);
            return self.withdraw();
        }
        self.look(std::slice::from_ref(&params.text_document.uri))
    }

    /// Looks at files that may have changed.
    pub(super) fn look(&mut self, uris: &[Uri]) -> Result<(), Error> {
        let buffers = &self.buffers;
        let typed = |path: &Path| buffers.get(path).map(|buffer| buffer.source(path));
        let paths: Vec<_> = uris.iter().filter_map(told::path).collect();
        for scope in &mut self.scopes {
            let named = |path: &Path, name: &str| path.file_name().is_some_and(|it| it == name);
            let configures = |path: &PathBuf| {
                let is_above = path.parent().is_some_and(|folder| scope.path().starts_with(folder));
                named(path, config::NAME) && is_above || self.args.config.as_ref() == Some(path)
            };
            if paths.iter().any(configures) {
                scope.configure(self.args, &typed)?;
            }
            let lists = |path: &PathBuf| {
                scope.holds(path)
                    && (LISTS.iter().any(|name| named(path, name))
                        || input::is_manifest(path) && scope.knows(path) != path.exists())
            };
            if paths.iter().any(lists) {
                scope.list(&typed);
            }
            for path in paths.iter().filter(|path| typed(path).is_none()) {
                scope.change(path, None);
            }
        }
        Ok(())
    }
}
