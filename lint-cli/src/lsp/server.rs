//! What an editor asks, and what it is told.

mod answers;
mod capabilities;
mod files;
mod publish;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use gen_lsp_types::{self as lsp, Diagnostic, InitializeParams, Uri};
use headlint_policies::finding::{Fault, Finding};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::capabilities::{Client, capabilities};
use super::connection::{failed, refuse, send};
use super::scope::Scope;
use crate::args::LspArgs;
use crate::error::Error;
use crate::{Exit, Output};

/// One editor's session.
pub(super) struct Server<'s> {
    args: &'s LspArgs,
    output: &'s mut Output,
    phase: Phase,
    client: Client,
    /// What the editor has open, by path.
    buffers: BTreeMap<PathBuf, Buffer>,
    scopes: Vec<Scope>,
    /// What was found, by file.
    findings: BTreeMap<PathBuf, Vec<Finding>>,
    /// What the editor shows, by file; never empty.
    shown: BTreeMap<PathBuf, Vec<Diagnostic>>,
    /// Of the last judgement of each folder.
    faults: BTreeMap<PathBuf, Vec<Fault>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fresh,
    Serving,
    /// The editor has said that it is over.
    Down,
}

/// A text that the editor has open.
struct Buffer {
    uri: Uri,
    version: i32,
    text: String,
}

/// Why a request got no result.
struct Refused(ErrorCode, String);

type Answered<T> = Result<T, Refused>;

impl<'s> Server<'s> {
    pub(super) fn new(args: &'s LspArgs, output: &'s mut Output) -> Self {
        Self {
            args,
            output,
            phase: Phase::Fresh,
            client: Client::default(),
            buffers: BTreeMap::new(),
            scopes: Vec::new(),
            findings: BTreeMap::new(),
            shown: BTreeMap::new(),
            faults: BTreeMap::new(),
        }
    }

    /// How it ends when nothing comes any more.
    pub(super) fn end(&self) -> Exit {
        if self.phase == Phase::Down { Exit::Clean } else { Exit::Abandoned }
    }

    /// Takes one message; tells how it ends if it was the last one.
    ///
    /// # Errors
    /// Nobody listens any more.
    pub(super) fn take(&mut self, message: Message) -> Result<Option<Exit>, Error> {
        match message {
            Message::Request(request) => self.request(request)?,
            Message::Notification(Notification { method, .. }) if method == "exit" => {
                return Ok(Some(self.end()));
            }
            Message::Notification(notification) if self.phase == Phase::Serving => {
                let method = notification.method.clone();
                match guarded(|| self.notification(notification)) {
                    Ok(done) => done?,
                    Err(why) => self.recover(&format!("{method}: {why}"))?,
                }
            }
            // An answer to a registration: without it, files are looked at when
            // they are saved.
            Message::Notification(_) | Message::Response(_) => {}
        }
        Ok(None)
    }

    /// Answers what is no message.
    ///
    /// # Errors
    /// Nobody listens any more.
    pub(super) fn malformed(&mut self, why: &str) -> Result<(), Error> {
        refuse(self.output, why)
    }

    /// Judges what has changed, and tells what is new.
    ///
    /// # Errors
    /// Nobody listens any more.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        match guarded(|| self.judge()) {
            Ok(done) => done,
            Err(why) => self.recover(&why),
        }
    }

    /// After a defect of our own: what was half done is done anew.
    fn recover(&mut self, why: &str) -> Result<(), Error> {
        self.scopes.iter_mut().for_each(Scope::forget);
        self.show_message(lsp::MessageType::Error, format!("headlint has a defect: {why}"))
    }

    fn request(&mut self, request: Request) -> Result<(), Error> {
        let Request { id, method, params } = request;
        let answer = match (self.phase, method.as_str()) {
            (Phase::Fresh, "initialize") => return self.initialize(id, params),
            (Phase::Fresh, _) => Err(Refused(
                ErrorCode::ServerNotInitialized,
                "the first request has to be `initialize`".to_owned(),
            )),
            (Phase::Down, _) => {
                Err(Refused(ErrorCode::InvalidRequest, "only `exit` follows `shutdown`".to_owned()))
            }
            (Phase::Serving, "initialize") => {
                Err(Refused(ErrorCode::InvalidRequest, "`initialize` comes once".to_owned()))
            }
            (Phase::Serving, "shutdown") => {
                self.phase = Phase::Down;
                Ok(Value::Null)
            }
            (Phase::Serving, _) => {
                // What is asked about is what the editor has now.
                self.settle()?;
                match guarded(|| self.answer(&method, params)) {
                    Ok(answer) => answer,
                    Err(why) => {
                        self.recover(&format!("{method}: {why}"))?;
                        Err(Refused(ErrorCode::InternalError, why))
                    }
                }
            }
        };
        match answer {
            Ok(result) => send(self.output, Response::new_ok(id, result)),
            Err(Refused(code, why)) => send(self.output, failed(id, code, why)),
        }
    }

    fn initialize(&mut self, id: RequestId, params: Value) -> Result<(), Error> {
        let params: InitializeParams = match read(params) {
            Ok(params) => params,
            Err(Refused(code, why)) => return send(self.output, failed(id, code, why)),
        };
        self.client = Client::of(&params);
        self.phase = Phase::Serving;
        let result = lsp::InitializeResult {
            capabilities: capabilities(self.client.encoding),
            server_info: Some(lsp::ServerInfo {
                name: "headlint".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        };
        send(self.output, Response::new_ok(id, result))?;
        for folder in capabilities::folders(params) {
            self.add(&folder)?;
        }
        Ok(())
    }

    fn answer(&mut self, method: &str, params: Value) -> Answered<Value> {
        match method {
            "textDocument/hover" => written(self.hover(&read(params)?)),
            "textDocument/definition" => written(self.definition(&read(params)?)),
            "textDocument/codeAction" => written(self.actions(&read(params)?)),
            _ => Err(Refused(ErrorCode::MethodNotFound, format!("there is no `{method}` here"))),
        }
    }

    fn notification(&mut self, notification: Notification) -> Result<(), Error> {
        let Notification { method, params } = notification;
        let taken = match method.as_str() {
            "initialized" => Ok(self.watch()),
            "textDocument/didOpen" => read(params).map(|params| self.open(params)),
            "textDocument/didChange" => read(params).map(|params| {
                self.edit(params);
                Ok(())
            }),
            "textDocument/didSave" => read(params).map(|params: lsp::DidSaveTextDocumentParams| {
                self.look(&[params.text_document.uri])
            }),
            "textDocument/didClose" => read(params).map(|params| self.close(&params)),
            "workspace/didChangeWatchedFiles" => {
                read(params).map(|params: lsp::DidChangeWatchedFilesParams| {
                    let uris: Vec<_> = params.changes.into_iter().map(|event| event.uri).collect();
                    self.look(&uris)
                })
            }
            "workspace/didChangeWorkspaceFolders" => read(params).map(|params| self.refold(params)),
            _ => return Ok(()),
        };
        match taken {
            Ok(done) => done,
            Err(Refused(_, why)) => {
                self.show_message(lsp::MessageType::Warning, format!("{method}: {why}"))
            }
        }
    }
}

/// Runs it; what a panic says if there is one.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "it gives no reason".to_owned())
    })
}

fn read<P: DeserializeOwned>(params: Value) -> Answered<P> {
    let wrong = |error: serde_json::Error| Refused(ErrorCode::InvalidParams, error.to_string());
    serde_json::from_value(params).map_err(wrong)
}

fn written(result: Option<impl Serialize>) -> Answered<Value> {
    let wrong = |error: serde_json::Error| Refused(ErrorCode::InternalError, error.to_string());
    serde_json::to_value(result).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(guarded(|| 3), Ok(3));
        assert_eq!(guarded(|| -> u8 { panic!("no {}", "way") }), Err("no way".to_owned()));
    }
}
