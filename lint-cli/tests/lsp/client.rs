//! An editor, as the server sees one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long an answer may take before a test gives up: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Client {
    server: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    next: i64,
    /// What is shown, by URI.
    pub shown: BTreeMap<String, Vec<Value>>,
    /// URIs that something was published for, since they were last looked at.
    pub published: Vec<String>,
    /// Other messages of the server's, in order.
    pub others: Vec<Value>,
}

pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

impl Client {
    /// A server that was asked nothing yet.
    pub fn start(arguments: &[&str]) -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_headlint"))
            .arg("lsp")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = server.stdin.take();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self {
            server,
            input,
            output: receiver,
            next: 0,
            shown: BTreeMap::new(),
            published: Vec::new(),
            others: Vec::new(),
        }
    }

    /// One with these folders open.
    pub fn open_folders(folders: &[&Path], capabilities: Value) -> Self {
        Self::with_arguments(&[], folders, capabilities)
    }

    pub fn with_arguments(arguments: &[&str], folders: &[&Path], capabilities: Value) -> Self {
        let mut client = Self::start(arguments);
        let folders: Vec<_> =
            folders.iter().map(|path| json!({"uri": uri(path), "name": "folder"})).collect();
        client.request(
            "initialize",
            json!({
                "processId": null, "rootUri": null, "capabilities": capabilities,
                "workspaceFolders": folders,
            }),
        );
        client.notify("initialized", json!({}));
        client.settle();
        client
    }

    pub fn send(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    fn send_json(&mut self, message: &Value) {
        let text = message.to_string();
        self.send(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send_json(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The whole answer to a request.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send_json(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.take();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.note(message);
        }
    }

    /// The result of a request.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The next message.
    pub fn take(&mut self) -> Value {
        self.output.recv_timeout(PATIENCE).expect("the server answers")
    }

    fn note(&mut self, message: Value) {
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            let uri = params["uri"].as_str().unwrap().to_owned();
            self.published.push(uri.clone());
            let diagnostics = params["diagnostics"].as_array().unwrap().clone();
            if diagnostics.is_empty() {
                self.shown.remove(&uri);
            } else {
                self.shown.insert(uri, diagnostics);
            }
        } else {
            self.others.push(message);
        }
    }

    /// Waits until all that was sent has been taken and judged.
    pub fn settle(&mut self) {
        self.request("textDocument/hover", at("file:///nowhere.yaml", 0, 0));
    }

    pub fn open(&mut self, path: &Path, text: &str) {
        let document = json!({"uri": uri(path), "languageId": "yaml", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
        self.settle();
    }

    /// Takes the whole text in place of the old one.
    pub fn rewrite(&mut self, path: &Path, text: &str) {
        self.edit(path, json!([{"text": text}]));
    }

    pub fn edit(&mut self, path: &Path, changes: Value) {
        let document = json!({"uri": uri(path), "version": 2});
        let params = json!({"textDocument": document, "contentChanges": changes});
        self.notify("textDocument/didChange", params);
        self.settle();
    }

    pub fn close(&mut self, path: &Path) {
        let document = json!({"uri": uri(path)});
        self.notify("textDocument/didClose", json!({"textDocument": document}));
        self.settle();
    }

    pub fn changed_on_disk(&mut self, path: &Path, kind: u8) {
        let changes = json!([{"uri": uri(path), "type": kind}]);
        self.notify("workspace/didChangeWatchedFiles", json!({"changes": changes}));
        self.settle();
    }

    pub fn diagnostics(&self, path: &Path) -> &[Value] {
        self.shown.get(&uri(path)).map_or(&[], Vec::as_slice)
    }

    /// The rules that are shown of a file, with their lines.
    pub fn rules(&self, path: &Path) -> Vec<(String, u64)> {
        let told = self.diagnostics(path).iter().map(|it| {
            let rule = it["code"].as_str().unwrap_or_default().to_owned();
            (rule, it["range"]["start"]["line"].as_u64().unwrap())
        });
        told.collect()
    }

    pub fn actions(&mut self, path: &Path, range: &Value) -> Vec<Value> {
        let params = json!({
            "textDocument": {"uri": uri(path)}, "range": range, "context": {"diagnostics": []},
        });
        let actions = self.request("textDocument/codeAction", params);
        actions.as_array().cloned().unwrap_or_default()
    }

    /// Says that it is over, and how the server ended.
    pub fn shut_down(mut self) -> ExitStatus {
        assert_eq!(self.request("shutdown", Value::Null), Value::Null);
        self.notify("exit", Value::Null);
        self.ended()
    }

    /// Leaves without a word, and how the server ended.
    pub fn leave(mut self) -> ExitStatus {
        self.input = None;
        self.ended()
    }

    pub fn ended(mut self) -> ExitStatus {
        self.server.wait().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub fn at(uri: &str, line: u64, character: u64) -> Value {
    json!({
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
    })
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        output.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            header => {
                let (name, value) = header.split_once(": ")?;
                if name == "Content-Length" {
                    length = value.parse().ok();
                }
            }
        }
    }
    let mut bytes = vec![0; length?];
    output.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    for (name, text) in files {
        let file = path.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    (folder, path)
}
