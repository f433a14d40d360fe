//! What a keystroke costs the server of an editor.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use headlint_tests::cases::documents;
use headlint_tests::estate;
use serde_json::{Value, json};

use crate::runs::headlint;

/// Files of a workspace.
const FILES: usize = 1000;

/// Keystrokes that are measured.
const EDITS: u32 = 100;

pub(crate) fn print() {
    println!("\nan edit in a workspace of {FILES} files, to its diagnostics (aim: 50 ms of CPU)");
    let releases = (0..).flat_map(|number| documents(&estate::release(number)));
    print_one("one object in a file", &releases.take(FILES).collect::<Vec<_>>());
    let releases: Vec<_> = (0..FILES).map(estate::release).collect();
    print_one("20 objects in a file", &releases);
}

fn print_one(name: &str, texts: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    for (number, text) in texts.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:04}.yaml")), text).unwrap();
    }
    let mut editor = Editor::start(folder.path());
    let opened = editor.cpu();
    let (at, text) =
        texts.iter().enumerate().find(|(_, it)| it.contains("clusterIP: None")).unwrap();
    let uri = format!("file://{}", folder.path().join(format!("{at:04}.yaml")).display());
    let document = json!({"uri": uri, "languageId": "yaml", "version": 0, "text": text});
    editor.notify("textDocument/didOpen", json!({"textDocument": document}));
    editor.settle();
    let before = editor.cpu();
    for edit in 1..=EDITS {
        // Now it is headless, and now it isn't.
        let typed = if edit % 2 == 1 { text.replace("None", "Nobody") } else { text.clone() };
        let params = json!({
            "textDocument": {"uri": uri, "version": edit}, "contentChanges": [{"text": typed}],
        });
        editor.notify("textDocument/didChange", params);
        editor.settle();
    }
    let each = (editor.cpu() - before) / f64::from(EDITS);
    println!("{name:30} {:7.1} ms of CPU, the mean of {EDITS}; {opened:.2} s to open", each * 1e3);
}

/// An editor with a server.
struct Editor {
    server: Child,
    output: BufReader<ChildStdout>,
    next: u32,
}

impl Editor {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(headlint());
        command.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let output = BufReader::new(server.stdout.take().unwrap());
        let mut editor = Self { server, output, next: 0 };
        let folders = json!([{"uri": format!("file://{}", folder.display()), "name": "folder"}]);
        editor.ask("initialize", json!({"capabilities": {}, "workspaceFolders": folders}));
        editor.settle();
        editor
    }

    /// What the server has spent so far, in seconds.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.server.id())).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
        // The kernel tells it in hundredths.
        f64::from(ticks) / 100.0
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.server.stdin.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        input.flush().unwrap();
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Waits for the answer, and drops what comes before it.
    fn ask(&mut self, method: &str, params: Value) {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        while self.read()["id"] != id {}
    }

    /// Waits until all that was sent has been judged.
    fn settle(&mut self) {
        let position = json!({"line": 0, "character": 0});
        let params = json!({"textDocument": {"uri": "file:///none"}, "position": position});
        self.ask("textDocument/hover", params);
    }

    fn read(&mut self) -> Value {
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            if let Some(told) = line.strip_prefix("Content-Length: ") {
                length = told.trim_end().parse().unwrap();
            }
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the server has ended");
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
