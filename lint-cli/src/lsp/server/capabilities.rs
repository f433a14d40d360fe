//! What editor and server tell each other at the beginning.

use gen_lsp_types::{
    ChangeNotifications, CodeActionKind, CodeActionOptions, InitializeParams, Save,
    ServerCapabilities, TextDocumentSyncKind, TextDocumentSyncOptions, WorkspaceFolders,
    WorkspaceFoldersServerCapabilities, WorkspaceOptions,
};

use super::super::text::Encoding;
use super::super::told;
use std::path::PathBuf;

/// What the editor can do.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) encoding: Encoding,
    /// It watches files where it is asked to.
    pub(super) watches_files: bool,
    /// It shows places that have to do with a finding.
    pub(super) shows_related: bool,
    /// It takes edits of a version of a text.
    pub(super) edits_versions: bool,
}

impl Client {
    pub(super) fn of(params: &InitializeParams) -> Self {
        let all = &params.capabilities;
        let encodings = all.general.as_ref().and_then(|it| it.position_encodings.as_ref());
        let workspace = all.workspace.as_ref();
        let watching = workspace.and_then(|it| it.did_change_watched_files.as_ref());
        let edits = workspace.and_then(|it| it.workspace_edit.as_ref());
        let texts = all.text_document.as_ref();
        let diagnostics = texts.and_then(|it| it.publish_diagnostics.as_ref());
        let related = |it: &gen_lsp_types::PublishDiagnosticsClientCapabilities| {
            it.diagnostics_capabilities.related_information
        };
        Self {
            encoding: encodings.map(|it| Encoding::choose(it)).unwrap_or_default(),
            watches_files: watching.and_then(|it| it.dynamic_registration).unwrap_or_default(),
            shows_related: diagnostics.and_then(related).unwrap_or_default(),
            edits_versions: edits.and_then(|it| it.document_changes).unwrap_or_default(),
        }
    }
}

/// What the server can do.
pub(super) fn capabilities(encoding: Encoding) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(
            TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::Incremental),
                save: Some(Save::Bool(true)),
                ..TextDocumentSyncOptions::default()
            }
            .into(),
        ),
        hover_provider: Some(true.into()),
        definition_provider: Some(true.into()),
        code_action_provider: Some(
            CodeActionOptions {
                code_action_kinds: Some(vec![CodeActionKind::QuickFix]),
                ..CodeActionOptions::default()
            }
            .into(),
        ),
        workspace: Some(WorkspaceOptions {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(ChangeNotifications::Bool(true)),
            }),
            ..WorkspaceOptions::default()
        }),
        ..ServerCapabilities::default()
    }
}

/// The editor's folders.
pub(super) fn folders(params: InitializeParams) -> Vec<PathBuf> {
    let folders = params.workspace_folders_initialize_params.workspace_folders;
    match folders {
        Some(WorkspaceFolders::WorkspaceFolderList(folders)) => {
            folders.iter().filter_map(|folder| told::path(&folder.uri)).collect()
        }
        Some(WorkspaceFolders::Null) => Vec::new(),
        None => {
            #[expect(deprecated, reason = "all that editors had before there were several folders")]
            let root = params.root_uri;
            root.iter().filter_map(told::path).collect()
        }
    }
}
