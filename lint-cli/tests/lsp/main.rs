//! `headlint lsp`, driven over its standard streams as an editor does.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

mod client;
mod edits;
mod protocol;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use self::client::{Client, at, folder, uri};

pub const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: db
spec:
  clusterIP: None
  selector: {app: db}
  ports:
  - name: sql
    port: 80
    targetPort: 5432
";

pub const SET: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: db, ports: [{containerPort: 5432}]}]}
";

const MISMATCH: &str = "headless-port-target-mismatch";
const MISSING: &str = "statefulset-service-missing";

fn shows(rule: &str, line: u64) -> Vec<(String, u64)> {
    vec![(rule.to_owned(), line)]
}

fn with_related() -> Value {
    json!({"textDocument": {"publishDiagnostics": {"relatedInformation": true}}})
}

#[test]
fn findings_of_a_folder_are_there_before_any_file_is_open() {
    let (_folder, path) = folder(&[
        ("service.yaml", SERVICE),
        ("set.yaml", SET),
        ("values.yaml", "replicas: 3\n"),
        ("notes.md", "---\n"),
        (".gitignore", "generated/\n"),
        ("generated/other.yaml", &SERVICE.replace("name: db", "name: other")),
    ]);
    let client = Client::open_folders(&[&path], json!({}));
    assert_eq!(client.rules(&path.join("service.yaml")), shows(MISMATCH, 10));
    assert_eq!(client.shown.len(), 1);
    let shown = &client.diagnostics(&path.join("service.yaml"))[0];
    assert_eq!(
        shown,
        &json!({
            "range": {
                "start": {"line": 10, "character": 16}, "end": {"line": 10, "character": 20},
            },
            "severity": 2,
            "code": MISMATCH,
            "source": "headlint",
            "message": "headless Service `db` publishes port 80, but its target port is 5432\n\
                container `db` listens on 5432: StatefulSet default/db, \
                $.spec.template.spec.containers[0].ports[0].containerPort\n\
                DNS answers with Pod addresses and nothing turns 80 into 5432: a client of \
                `db:80` gets `connection refused`\n\
                help: set `port: 5432`, or make clients dial 5432",
        })
    );
    assert!(client.shut_down().success());
}

#[test]
fn typing_in_one_file_mends_another() {
    let (_folder, path) = folder(&[
        ("service.yaml", &SERVICE.replace("port: 80", "port: 5432")),
        ("set.yaml", SET),
        ("other.yaml", &SERVICE.replace("db", "other")),
    ]);
    let (service, set) = (path.join("service.yaml"), path.join("set.yaml"));
    let mut client = Client::open_folders(&[&path], json!({}));
    assert_eq!(client.rules(&set), []);
    client.open(&service, &fs::read_to_string(&service).unwrap());
    client.published.clear();
    let name = |start: u64, end: u64, text: &str| {
        json!([{
            "range": {
                "start": {"line": 3, "character": start}, "end": {"line": 3, "character": end},
            },
            "text": text,
        }])
    };
    client.edit(&service, name(8, 10, "database"));
    assert_eq!(client.rules(&set), shows(MISSING, 4));
    client.edit(&service, name(10, 16, ""));
    client.edit(&service, name(9, 10, "b"));
    assert_eq!(client.rules(&set), []);
    // Only the file that it is about was told of, and the one that is typed in
    // has nothing to show.
    assert!(client.published.iter().all(|published| *published == uri(&set)));
    assert_eq!(client.published.len(), 3);
}

#[test]
fn what_is_typed_counts_until_it_is_closed() {
    let (_folder, path) = folder(&[("service.yaml", SERVICE), ("set.yaml", SET)]);
    let service = path.join("service.yaml");
    let mut client = Client::open_folders(&[&path], json!({}));
    client.open(&service, &SERVICE.replace("port: 80", "port: 5432"));
    assert_eq!(client.rules(&service), []);
    // What is saved meanwhile doesn't count yet.
    fs::write(&service, SERVICE.replace("  ports", "\n  ports")).unwrap();
    client.changed_on_disk(&service, 2);
    assert_eq!(client.rules(&service), []);
    client.close(&service);
    assert_eq!(client.rules(&service), shows(MISMATCH, 11));
}

#[test]
fn positions_count_what_was_agreed_upon() {
    for (offered, agreed, start) in [
        (json!({}), "utf-16", 28),
        (json!({"general": {"positionEncodings": ["utf-8", "utf-16"]}}), "utf-8", 31),
        (json!({"general": {"positionEncodings": ["utf-32", "utf-16"]}}), "utf-16", 28),
    ] {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: db}\n\
            spec: {\"ä😀\": 1, clusterIP: none, selector: {app: db}, ports: [{port: 80}]}\n";
        let (_folder, path) = folder(&[("a.yaml", text)]);
        let mut client = Client::start(&[]);
        let folders = json!([{"uri": uri(&path), "name": "folder"}]);
        let params = json!({"capabilities": offered, "workspaceFolders": folders});
        let result = client.request("initialize", params);
        assert_eq!(result["capabilities"]["positionEncoding"], agreed);
        client.settle();
        let file = path.join("a.yaml");
        let shown = client.diagnostics(&file);
        let found = shown.iter().find(|it| it["code"] == "cluster-ip-none-misspelled").unwrap();
        assert_eq!(found["range"]["start"], json!({"line": 3, "character": start}), "{agreed}");
        // The other way round: the word is replaced, and nothing else.
        let range = found["range"].clone();
        client.open(&file, text);
        client.edit(&file, json!([{"range": range, "text": "None"}]));
        assert!(client.rules(&file).iter().all(|(rule, _)| rule != "cluster-ip-none-misspelled"));
    }
}

#[test]
fn fixes_are_offered_and_only_safe_ones_preferred() {
    let misspelled = SERVICE.replace("None", "none # sic").replace("port: 80", "port: 5432");
    let set = SET.replace("serviceName: db", "serviceName: dbx");
    let (_folder, path) = folder(&[("service.yaml", &misspelled), ("set.yaml", &set)]);
    let (service, set_file) = (path.join("service.yaml"), path.join("set.yaml"));
    let mut client = Client::open_folders(&[&path], json!({}));
    client.open(&service, &misspelled);
    client.open(&set_file, &set);

    let range = client.diagnostics(&service)[0]["range"].clone();
    let actions = client.actions(&service, &range);
    let [action] = &actions[..] else { panic!("one action: {actions:?}") };
    assert_eq!(action["title"], "Set spec.clusterIP to \"None\"");
    assert_eq!((&action["kind"], &action["isPreferred"]), (&json!("quickfix"), &json!(true)));
    assert_eq!(action["diagnostics"][0]["code"], "cluster-ip-none-misspelled");
    let edits = action["edit"]["changes"][uri(&service)].clone();
    let change = json!([{"range": edits[0]["range"], "text": edits[0]["newText"]}]);
    client.edit(&service, change);
    assert_eq!(client.rules(&service), []);

    let range = client.diagnostics(&set_file)[0]["range"].clone();
    let actions = client.actions(&set_file, &range);
    let [action] = &actions[..] else { panic!("one action: {actions:?}") };
    assert_eq!(action["title"], "Set spec.serviceName to \"db\" (a guess)");
    assert_eq!(action["isPreferred"], false);

    let elsewhere =
        json!({"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}});
    assert!(client.actions(&set_file, &elsewhere).is_empty());
    let refactoring = json!({
        "textDocument": {"uri": uri(&set_file)}, "range": range,
        "context": {"diagnostics": [], "only": ["refactor"]},
    });
    assert_eq!(client.request("textDocument/codeAction", refactoring), Value::Null);
}

#[test]
fn an_edit_is_of_the_version_that_it_was_made_for() {
    let misspelled = SERVICE.replace("None", "none");
    let (_folder, path) = folder(&[("service.yaml", &misspelled)]);
    let service = path.join("service.yaml");
    let capabilities = json!({"workspace": {"workspaceEdit": {"documentChanges": true}}});
    let mut client = Client::open_folders(&[&path], capabilities);
    client.open(&service, &misspelled);
    client.rewrite(&service, &format!("# moved\n{misspelled}"));
    let range = client.diagnostics(&service)[0]["range"].clone();
    let actions = client.actions(&service, &range);
    let edit = &actions[0]["edit"]["documentChanges"][0];
    assert_eq!(edit["textDocument"], json!({"uri": uri(&service), "version": 2}));
    let edit = &edit["edits"][0];
    assert_eq!(edit["range"]["start"]["line"], 6);
    client.edit(&service, json!([{"range": edit["range"], "text": edit["newText"]}]));
    assert_eq!(client.rules(&service), shows(MISMATCH, 11));
}

#[test]
fn templates_of_a_chart_are_never_edited() {
    let misspelled = SERVICE.replace("None", "none");
    let (_folder, path) = folder(&[
        ("Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"),
        ("templates/service.yaml", &misspelled),
    ]);
    let service = path.join("templates/service.yaml");
    let mut client = Client::open_folders(&[&path], json!({}));
    client.open(&service, &misspelled);
    let range = client.diagnostics(&service)[0]["range"].clone();
    assert!(client.actions(&service, &range).is_empty());
}

#[test]
fn hovering_explains_the_rule_as_explain_does() {
    let (_folder, path) = folder(&[("service.yaml", SERVICE), ("set.yaml", SET)]);
    let service = path.join("service.yaml");
    let mut client = Client::open_folders(&[&path], json!({}));
    let hover = client.request("textDocument/hover", at(&uri(&service), 10, 18));
    let explained = std::process::Command::new(env!("CARGO_BIN_EXE_headlint"))
        .args(["explain", MISMATCH])
        .output()
        .unwrap();
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert_eq!(hover["contents"]["kind"], "markdown");
    assert_eq!(hover["contents"]["value"].as_str().unwrap().trim(), explained.trim());
    assert_eq!(hover["range"], client.diagnostics(&service)[0]["range"]);
    assert_eq!(client.request("textDocument/hover", at(&uri(&service), 0, 0)), Value::Null);
}

#[test]
fn the_other_object_is_shown_and_can_be_gone_to() {
    let (_folder, path) = folder(&[("service.yaml", SERVICE), ("set.yaml", SET)]);
    let (service, set) = (path.join("service.yaml"), path.join("set.yaml"));
    let mut client = Client::open_folders(&[&path], with_related());
    let port = |line: u64| {
        json!({
            "uri": uri(&set),
            "range": {
                "start": {"line": line, "character": 70}, "end": {"line": line, "character": 74},
            },
        })
    };
    let related = &client.diagnostics(&service)[0]["relatedInformation"];
    let label = "container `db` listens on 5432";
    assert_eq!(related, &json!([{"location": port(8), "message": label}]));
    let found = client.request("textDocument/definition", at(&uri(&service), 10, 17));
    assert_eq!(found, json!([port(8)]));
    let nothing = client.request("textDocument/definition", at(&uri(&service), 1, 1));
    assert_eq!(nothing, Value::Null);
    // It moves along with the other file.
    client.open(&set, &format!("# moved\n\n{SET}"));
    let related = &client.diagnostics(&service)[0]["relatedInformation"];
    assert_eq!(related[0]["location"], port(10));
    assert_eq!(
        client.request("textDocument/definition", at(&uri(&service), 10, 17)),
        json!([port(10)])
    );
}

#[test]
fn half_a_line_shows_its_problem_and_says_nothing_about_other_files() {
    let service = SERVICE.replace("port: 80", "port: 5432").replace("None", "none");
    let (_folder, path) = folder(&[("service.yaml", &service), ("set.yaml", SET)]);
    let (service_file, set) = (path.join("service.yaml"), path.join("set.yaml"));
    let mut client = Client::open_folders(&[&path], json!({}));
    client.open(&service_file, &service);
    let before = client.shown.clone();
    let rules = client.rules(&service_file);
    assert!(!rules.is_empty());
    client.published.clear();

    let broken = service.replace("  selector: {app: db}", "  selector: {app: db\n");
    client.rewrite(&service_file, &broken);
    let [problem, found] = client.diagnostics(&service_file) else {
        panic!("{:?}", client.diagnostics(&service_file))
    };
    assert_eq!((&problem["severity"], problem.get("code")), (&json!(1), None));
    assert_eq!(problem["range"]["start"]["line"], 8);
    assert!(problem["message"].as_str().unwrap().starts_with("this mapping in `{ }` goes wrong"));
    // What stood before the broken line is where it was.
    assert_eq!(found["code"], rules[0].0);
    assert_eq!(client.published, [uri(&service_file)]);
    assert_eq!(client.shown.get(&uri(&set)), before.get(&uri(&set)));
    assert!(client.actions(&service_file, &found["range"].clone()).is_empty());

    client.rewrite(&service_file, &service);
    assert_eq!(client.shown, before);
}

#[test]
fn a_file_that_was_never_readable_makes_nothing_absent() {
    let (_folder, path) = folder(&[("service.yaml", "kind: [\n"), ("set.yaml", SET)]);
    let (service, set) = (path.join("service.yaml"), path.join("set.yaml"));
    let mut client = Client::with_arguments(&["--complete"], &[&path], json!({}));
    assert_eq!(client.diagnostics(&service).len(), 1);
    // A hint, since the Service may be there.
    assert_eq!(client.rules(&set), shows(MISSING, 4));
    assert_eq!(client.diagnostics(&set)[0]["severity"], 4);
    client.open(&service, "");
    assert_eq!(client.diagnostics(&service), [] as [Value; 0]);
    assert_eq!(client.rules(&set), shows(MISSING, 4));
    assert_eq!(client.diagnostics(&set)[0]["severity"], 1);
}

#[test]
fn files_that_change_on_disk_are_looked_at() {
    let (_folder, path) = folder(&[("set.yaml", SET), ("service.yaml", SERVICE)]);
    let (service, set) = (path.join("service.yaml"), path.join("set.yaml"));
    let watching = json!({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": true}}});
    let mut client = Client::with_arguments(&["--complete"], &[&path], watching);
    let registered = &client.others[0];
    assert_eq!(registered["method"], "client/registerCapability");
    let registration = &registered["params"]["registrations"][0];
    assert_eq!(registration["method"], "workspace/didChangeWatchedFiles");
    let watchers = &registration["registerOptions"]["watchers"];
    assert_eq!(watchers[0]["globPattern"], "**/*.{yaml,yml,json}");

    assert_eq!(client.rules(&service), shows(MISMATCH, 10));
    fs::write(&service, format!("\n{SERVICE}")).unwrap();
    client.changed_on_disk(&service, 2);
    assert_eq!(client.rules(&service), shows(MISMATCH, 11));
    fs::remove_file(&service).unwrap();
    client.changed_on_disk(&service, 3);
    assert_eq!(client.rules(&service), []);
    assert_eq!(client.rules(&set), shows(MISSING, 4));
    let other = path.join("deep/other.yml");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, SERVICE).unwrap();
    client.changed_on_disk(&other, 1);
    assert_eq!(client.rules(&other), shows(MISMATCH, 10));
    assert_eq!(client.rules(&set), []);
    let ignored = path.join(".gitignore");
    fs::write(&ignored, "deep/\n").unwrap();
    client.changed_on_disk(&ignored, 1);
    assert_eq!(client.rules(&other), []);
    assert_eq!(client.rules(&set), shows(MISSING, 4));
}

#[test]
fn several_folders_are_apart_and_come_and_go() {
    let (_one, one) = folder(&[("service.yaml", SERVICE)]);
    let (_two, two) = folder(&[("set.yaml", SET)]);
    let (_file, alone) = folder(&[("alone.yaml", &SERVICE.replace("None", "none"))]);
    let mut client = Client::with_arguments(&["--complete"], &[&one, &two], json!({}));
    let set = two.join("set.yaml");
    assert_eq!(client.rules(&set), shows(MISSING, 4));
    let change = |added: &[&Path], removed: &[&Path]| {
        let folders = |paths: &[&Path]| -> Vec<_> {
            paths.iter().map(|path| json!({"uri": uri(path), "name": "folder"})).collect()
        };
        json!({"event": {"added": folders(added), "removed": folders(removed)}})
    };
    client.notify("workspace/didChangeWorkspaceFolders", change(&[], &[&two]));
    client.settle();
    assert_eq!(client.rules(&set), []);
    client.notify("workspace/didChangeWorkspaceFolders", change(&[&two], &[]));
    client.settle();
    assert_eq!(client.rules(&set), shows(MISSING, 4));
    // A file outside of all folders stands for itself.
    let file = alone.join("alone.yaml");
    client.open(&file, &fs::read_to_string(&file).unwrap());
    assert!(client.rules(&file).contains(&("cluster-ip-none-misspelled".to_owned(), 5)));
    client.close(&file);
    assert_eq!(client.rules(&file), []);
}

#[test]
fn the_configuration_counts_and_is_followed() {
    let set = SET.replace("serviceName: db", "serviceName: dbx");
    let written = "severities: {headless-port-target-mismatch: error}\nexclude: [vendor/]\n\
        exemptions:\n- {reason: moved soon, rules: [statefulset-service-missing]}\n";
    let (_folder, path) = folder(&[
        ("headlint.yaml", written),
        ("k8s/service.yaml", SERVICE),
        ("k8s/set.yaml", &set),
        ("k8s/vendor/service.yaml", &SERVICE.replace("db", "other")),
    ]);
    let config = path.join("headlint.yaml");
    let service = path.join("k8s/service.yaml");
    let mut client = Client::open_folders(&[&path], json!({}));
    assert_eq!(client.diagnostics(&service)[0]["severity"], 1);
    assert_eq!(client.shown.len(), 1, "{:?}", client.shown);
    let save = |client: &mut Client, text: &str| {
        fs::write(&config, text).unwrap();
        let params = json!({"textDocument": {"uri": uri(&config)}});
        client.notify("textDocument/didSave", params);
        client.settle();
    };
    // A mistake is shown, and what counted before still does.
    save(&mut client, "failOn: warning\nseverites: {}\n");
    let [problem] = client.diagnostics(&config) else { panic!("{:?}", client.shown) };
    assert_eq!(problem["range"]["start"], json!({"line": 1, "character": 0}));
    assert!(problem["message"].as_str().unwrap().contains("severities"), "{problem}");
    assert_eq!(client.diagnostics(&service)[0]["severity"], 1);
    save(&mut client, "exclude: [vendor/]\n");
    assert_eq!(client.diagnostics(&config), [] as [Value; 0]);
    assert_eq!(client.diagnostics(&service)[0]["severity"], 2);
    assert_eq!(client.rules(&path.join("k8s/set.yaml")), shows(MISSING, 4));
    // One that covers nothing is a finding in the configuration itself.
    save(
        &mut client,
        "exclude: [vendor/]\nexemptions: [{reason: x, rules: [statefulset-service-missing], namespaces: [nowhere]}]\n",
    );
    assert_eq!(client.rules(&config), shows("exemption-covers-nothing", 1));
}

#[test]
fn comments_exempt_while_they_are_typed() {
    let (_folder, path) = folder(&[("service.yaml", SERVICE), ("set.yaml", SET)]);
    let service = path.join("service.yaml");
    let mut client = Client::open_folders(&[&path], json!({}));
    client.open(&service, SERVICE);
    let comment = format!("targetPort: 5432 # headlint: ignore[{MISMATCH}]");
    let ignored = SERVICE.replace("targetPort: 5432", &comment);
    client.rewrite(&service, &ignored);
    assert_eq!(client.rules(&service), []);
    client.rewrite(&service, &ignored.replace("port: 80", "port: 5432"));
    assert_eq!(client.rules(&service), shows("exemption-covers-nothing", 10));
}
