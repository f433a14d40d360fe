//! Edits, and what becomes of the text.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::finding::{Edit, EditOp, Safety};
use crate::manifest::{Source, load};

const HEAD: &str = "apiVersion: v1\nkind: A\n";

fn edit(op: EditOp, path: &str, value: Json) -> Edit {
    let value = (op != EditOp::Remove).then_some(value);
    Edit { op, path: path.to_owned(), value, safety: Safety::Safe }
}

/// The text of the last object with the edit made; none where it can't be.
fn edited(text: &str, op: EditOp, path: &str, value: Json) -> Option<String> {
    let source = Arc::new(Source::new("a.yaml", text.into()).unwrap());
    let loaded = load(source);
    let document = &loaded.manifests.last().unwrap().document;
    let splice = document.edited(&[edit(op, path, value)])?;
    Some([&text[..splice.range.start], &splice.text, &text[splice.range.end..]].concat())
}

fn check(op: EditOp, path: &str, value: &Json, cases: &[(&str, &str)]) {
    for (before, after) in cases {
        let text = edited(&format!("{HEAD}{before}"), op, path, value.clone());
        let expected = Some(format!("{HEAD}{after}")).filter(|_| !after.is_empty());
        assert_eq!(text, expected, "{before}");
    }
}

#[test]
fn a_scalar_takes_the_place_of_another_as_it_is_written() {
    check(
        EditOp::Set,
        "$.a.b",
        &json!("None"),
        &[
            ("a:\n  b: none # why\n  c: d\n", "a:\n  b: None # why\n  c: d\n"),
            ("a: {c: d, b: 'none'}\n", "a: {c: d, b: 'None'}\n"),
            ("a: {\"b\":\"none\"}\n", "a: {\"b\":\"None\"}\n"),
            ("a:\n  b:   ~\n", "a:\n  b:   None\n"),
            ("a:\n  b: # nothing\n  c: d\n", "a:\n  b: None # nothing\n  c: d\n"),
            ("a:\n  b: |\n    none\n  c: d\n", "a:\n  b: None\n  c: d\n"),
            ("a:\n  b: [none]\n", "a:\n  b: None\n"),
            // What others share isn't changed for one of them.
            ("x: &x none\na:\n  b: *x\n", ""),
            ("x: &x {b: none}\na:\n  <<: *x\n  c: d\n", ""),
        ],
    );
    check(EditOp::Set, "$.a", &json!(80), &[("a: '80'\n", "a: 80\n"), ("a: \"80\"", "a: 80")]);
    check(EditOp::Set, "$.a", &json!("80"), &[("a: 80\n", "a: \"80\"\n")]);
    check(EditOp::Set, "$.a", &json!("on"), &[("a: b\n", "a: \"on\"\n")]);
    check(EditOp::Set, "$.a", &json!("it's"), &[("a: 'b'\n", "a: 'it''s'\n")]);
    check(EditOp::Set, "$.a", &json!("a: b"), &[("a: b\n", "a: \"a: b\"\n")]);
    check(EditOp::Set, "$.missing", &json!(1), &[("a: b\n", "")]);
}

#[test]
fn of_a_mapping_only_what_differs_is_written_anew() {
    check(
        EditOp::Set,
        "$.s",
        &json!({"app": "web", "on": "y"}),
        &[
            ("s:\n  app: web # this\n  tier: x\n", "s:\n  app: web # this\n  \"on\": \"y\"\n"),
            ("s:\n  app: db # this\n", "s:\n  app: web # this\n  \"on\": \"y\"\n"),
            ("s: {tier: x}\n", "s: {app: web, \"on\": \"y\"}\n"),
            ("s: {}\n", "s: {app: web, \"on\": \"y\"}\n"),
            ("s:\nt: u\n", "s:\n  app: web\n  \"on\": \"y\"\nt: u\n"),
            ("s: null # none\n", "s:\n  app: web\n  \"on\": \"y\" # none\n"),
        ],
    );
}

#[test]
fn a_key_is_added_where_its_siblings_are() {
    check(
        EditOp::Add,
        "$.a.name",
        &json!("x"),
        &[
            ("a:\n    b: c # d\n# e\nf: g\n", "a:\n    b: c # d\n    name: x\n# e\nf: g\n"),
            ("a:\n  b: c", "a:\n  b: c\n  name: x"),
            ("a:\r\n  b: c\r\n", "a:\r\n  b: c\r\n  name: x\r\n"),
            ("a:\n  b:\n  - c\n  - d: e\nf: g\n", "a:\n  b:\n  - c\n  - d: e\n  name: x\nf: g\n"),
            ("a:\n  b: |\n    c\nf: g\n", "a:\n  b: |\n    c\n  name: x\nf: g\n"),
            ("a:\n  b: |+\n    c\n\nf: g\n", "a:\n  name: x\n  b: |+\n    c\n\nf: g\n"),
            ("a: {b: c}\n", "a: {b: c, name: x}\n"),
            ("a: {}\n", "a: {name: x}\n"),
            ("a: {\n  b: c\n}\n", "a: {\n  b: c,\n  name: x\n}\n"),
            ("a:\nf: g\n", "a:\n  name: x\nf: g\n"),
            ("a: {name: y}\n", ""),
            ("a: [b]\n", ""),
            ("f: g\n", ""),
        ],
    );
    check(
        EditOp::Add,
        "$.l[0].name",
        &json!({"m": {"o": 1}}),
        &[("l:\n- a: b\n- c\n", "l:\n- a: b\n  name:\n    m:\n      o: 1\n- c\n")],
    );
    check(
        EditOp::Add,
        "$.l[1]",
        &json!("x"),
        &[("l: [a]\n", "l: [a, x]\n"), ("l:\n  - a # b\n", "l:\n  - a # b\n  - x\n")],
    );
}

#[test]
fn a_key_goes_with_its_lines_and_comments_above_it_stay() {
    check(
        EditOp::Remove,
        "$.a.b",
        &Json::Null,
        &[
            ("a:\n  # one\n  b: c # two\n  d: e\n", "a:\n  # one\n  d: e\n"),
            ("a:\n  d: e\n  b:\n    - x\n    - y\nf: g\n", "a:\n  d: e\nf: g\n"),
            ("a:\n  b: |\n    x\n  d: e\n", "a:\n  d: e\n"),
            ("a:\n  b: c\nf: g\n", "a: {}\nf: g\n"),
            ("a:\n  b: c", "a: {}"),
            ("a: {b: c, d: e}\n", "a: {d: e}\n"),
            ("a: {d: e, b: c}\n", "a: {d: e}\n"),
            ("a: {b: c}\n", "a: {}\n"),
            ("a: {d: e}\n", ""),
        ],
    );
    check(
        EditOp::Remove,
        "$.l[0].b",
        &Json::Null,
        &[
            ("l:\n  - b: c\n    d: e\n", "l:\n  - d: e\n"),
            ("l:\n  - b: c # x\n    # y\n    d: e\n", "l:\n  - # y\n    d: e\n"),
            ("l:\n  - d: e\n    b: c\n  - f\n", "l:\n  - d: e\n  - f\n"),
            ("l:\n  - b: c\n", "l:\n  - {}\n"),
        ],
    );
    check(
        EditOp::Remove,
        "$.l[0]",
        &Json::Null,
        &[
            ("l:\n  - a: b\n    c: d\n  - e\n", "l:\n  - e\n"),
            ("l: [a, b]\n", "l: [b]\n"),
            ("l:\n- a\n", "l: []\n"),
        ],
    );
}

#[test]
fn json_stays_json() {
    let compact = r#"{"apiVersion":"v1","kind":"A","a":{"b":"none"}}"#;
    let set = edited(compact, EditOp::Set, "$.a.b", json!("None"));
    assert_eq!(set.unwrap(), compact.replace("none", "None"));
    let added = edited(compact, EditOp::Add, "$.a.c", json!({"d": 1}));
    assert_eq!(added.unwrap(), compact.replace("\"none\"", "\"none\",\"c\":{\"d\":1}"));
    let pretty =
        "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"A\",\n  \"a\": {\n    \"b\": 1\n  }\n}\n";
    let added = edited(pretty, EditOp::Add, "$.a.c", json!("x")).unwrap();
    assert_eq!(added, pretty.replace("1\n", "1,\n    \"c\": \"x\"\n"));
    let removed = edited(&added, EditOp::Remove, "$.a.c", Json::Null).unwrap();
    assert_eq!(removed, pretty);
}

#[test]
fn an_item_of_a_list_and_a_later_document_are_edited_where_they_stand() {
    let list = "apiVersion: v1\nkind: AList\nitems:\n- metadata: {name: x}\n  a: b\n";
    let text = format!("{HEAD}a: b\n--- # two\n{list}");
    let expected = format!("{HEAD}a: b\n--- # two\n{}", list.replace("a: b", "a: c"));
    assert_eq!(edited(&text, EditOp::Set, "$.a", json!("c")), Some(expected));
}

#[test]
fn several_edits_are_one_change() {
    let text = format!("{HEAD}a: b\nc: d # e\nf: g\n");
    let source = Arc::new(Source::new("a.yaml", text.clone().into_bytes()).unwrap());
    let document = &load(source).manifests[0].document;
    let edits = [edit(EditOp::Set, "$.a", json!("x")), edit(EditOp::Remove, "$.f", Json::Null)];
    let splice = document.edited(&edits).unwrap();
    assert_eq!(splice.range, HEAD.len() + 3..text.len() - 1);
    assert_eq!(splice.text, "x\nc: d # e");
    assert_eq!(document.edited(&[edit(EditOp::Set, "$.a", json!("b"))]), None);
}
