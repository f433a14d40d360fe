//! Messages that are out of turn, or are none.

use serde_json::{Value, json};

use crate::client::{Client, folder, uri};

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const NOT_INITIALIZED: i64 = -32002;

#[test]
fn what_is_wrong_gets_an_error_and_the_next_request_its_answer() {
    let mut client = Client::start(&[]);
    let code = |answer: &Value| answer["error"]["code"].as_i64();
    let hover =
        json!({"textDocument": {"uri": "file:///a.yaml"}, "position": {"line": 0, "character": 0}});
    assert_eq!(code(&client.ask("textDocument/hover", hover.clone())), Some(NOT_INITIALIZED));
    assert_eq!(code(&client.ask("initialize", json!({"capabilities": 3}))), Some(INVALID_PARAMS));
    client.request("initialize", json!({"capabilities": {}}));
    assert_eq!(code(&client.ask("initialize", json!({"capabilities": {}}))), Some(INVALID_REQUEST));
    assert_eq!(code(&client.ask("textDocument/rename", json!({}))), Some(METHOD_NOT_FOUND));
    assert_eq!(code(&client.ask("textDocument/hover", json!({"a": 1}))), Some(INVALID_PARAMS));
    for (body, framed) in [
        ("{\"jsonrpc\":", true),
        ("[]", true),
        ("{\"jsonrpc\":\"2.0\"}", true),
        ("Content-Length 3\r\n", false),
    ] {
        let header = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        client.send(if framed { &header } else { body }.as_bytes());
        let answer = client.take();
        assert_eq!((code(&answer), &answer["id"]), (Some(PARSE_ERROR), &Value::Null), "{body}");
    }
    client.notify("textDocument/didChange", json!({"textDocument": 3}));
    client.notify("$/unheardOf", json!({}));
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": "untitled:a"}}));
    assert_eq!(client.request("textDocument/hover", hover.clone()), Value::Null);
    assert_eq!(client.others.len(), 1, "{:?}", client.others);
    assert_eq!(client.others[0]["method"], "window/showMessage");
    client.request("shutdown", Value::Null);
    assert_eq!(code(&client.ask("textDocument/hover", hover)), Some(INVALID_REQUEST));
    client.notify("exit", Value::Null);
    assert!(client.ended().success());
}

#[test]
fn it_ends_as_it_was_left() {
    let start = || {
        let mut client = Client::start(&[]);
        client.request("initialize", json!({"capabilities": {}}));
        client
    };
    assert_eq!(start().shut_down().code(), Some(0));
    assert_eq!(start().leave().code(), Some(1));
    let mut client = start();
    client.notify("exit", Value::Null);
    assert_eq!(client.ended().code(), Some(1));
    let mut client = start();
    client.request("shutdown", Value::Null);
    assert_eq!(client.leave().code(), Some(0));
    assert_eq!(Client::start(&[]).leave().code(), Some(1));
}

#[test]
fn a_wrong_argument_is_told_before_anything_is_asked() {
    assert_eq!(Client::start(&["--skip", "no-such-rule"]).ended().code(), Some(2));
}

#[test]
fn edits_out_of_all_bounds_are_taken_as_the_protocol_says() {
    let (_folder, path) = folder(&[("a.yaml", "a: b\n")]);
    let file = path.join("a.yaml");
    let mut client = Client::open_folders(&[&path], json!({}));
    client.open(&file, "kind: [\n");
    assert_eq!(client.diagnostics(&file).len(), 1);
    let range = |start: (u64, u64), end: (u64, u64)| {
        json!({
            "start": {"line": start.0, "character": start.1},
            "end": {"line": end.0, "character": end.1},
        })
    };
    client.edit(&file, json!([{"range": range((0, 99), (0, 99)), "text": "]"}]));
    assert_eq!(client.diagnostics(&file).len(), 0);
    client.edit(&file, json!([{"range": range((7, 0), (99, 99)), "text": "b: [\n"}]));
    assert_eq!(client.rules(&file), [(String::new(), 2)]);
    client.edit(&file, json!([{"range": range((1, 4), (0, 0)), "text": ""}]));
    client.edit(&file, json!([{"text": ""}]));
    assert!(!client.shown.contains_key(&uri(&file)));
}
