//! Messages from standard input, and to standard output.

use std::io;
use std::sync::mpsc::{Receiver, channel};

use lsp_server::{ErrorCode, Message, Response};
use serde_json::{Value, json};

use crate::Output;
use crate::error::Error;

/// What has come.
pub(super) enum Incoming {
    Message(Message),
    /// Something that is no message, and why.
    Malformed(String),
}

/// Reads until standard input ends.
pub(super) fn listen() -> Receiver<Incoming> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let incoming = match Message::read(&mut input) {
                Ok(Some(message)) => Incoming::Message(message),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    Incoming::Malformed(error.to_string())
                }
                Ok(None) | Err(_) => return,
            };
            if sender.send(incoming).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Sends one message.
///
/// # Errors
/// Whatever the stream says: nobody listens any more.
pub(super) fn send(output: &mut Output, message: impl Into<Message>) -> Result<(), Error> {
    let mut bytes = Vec::new();
    message.into().write(&mut bytes).map_err(Error::Write)?;
    output.write_str(&String::from_utf8_lossy(&bytes)).map_err(Error::Write)
}

/// Answers what is no message: nobody knows which request it was.
pub(super) fn refuse(output: &mut Output, why: &str) -> Result<(), Error> {
    let error = json!({"code": ErrorCode::ParseError as i32, "message": why});
    let text = json!({"jsonrpc": "2.0", "id": Value::Null, "error": error}).to_string();
    let framed = format!("Content-Length: {}\r\n\r\n{text}", text.len());
    output.write_str(&framed).map_err(Error::Write)
}

/// The answer to a request that went wrong.
pub(super) fn failed(
    id: lsp_server::RequestId,
    code: ErrorCode,
    why: impl Into<String>,
) -> Message {
    Response::new_err(id, code as i32, why.into()).into()
}
