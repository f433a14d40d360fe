//! `headlint dns`.

use std::fs;

use headlint::report::dns::Document;
use insta::assert_snapshot;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::config::folder;
use crate::{run, transcript};

const SHOP: &str = "tests/fixtures/dns/shop.yaml";

fn query<'a>(query: &'a str, from: &'a str) -> Vec<&'a str> {
    vec!["dns", SHOP, "--query", query, "--from", from, "--complete"]
}

#[test]
fn all_names_and_those_that_are_missing() {
    assert_snapshot!(transcript(&[&["dns", SHOP], &["dns", SHOP, "--complete"]]));
}

#[test]
fn a_query_ends_in_one_of_five_ways() {
    let queries = [
        query("db-0.db.prod:5432", "prod/deployment/api"),
        query("api:80", "prod/pod/shell"),
        query("_postgres._tcp.db", "prod/deploy/api"),
        query("db-0.db.prod.svc.cluster.local.:5432", "prod/deploy/api"),
        query("legacy:1434", "prod/pod/shell"),
        query("metrics:80", "prod/pod/shell"),
        query("db-0.db:80", "prod/deploy/api"),
        query("db:5432", "prod/pod/shell"),
        query("db-3.db:5432", "prod/deploy/api"),
        query("cache:6379", "prod/pod/shell"),
        query("nothing.prod:80", "prod/pod/shell"),
        query("queue-0.queue:1", "prod/pod/shell"),
        query("db:5432", "prod/sts/queue"),
        query("api:9", "prod/pod/shell"),
        query("mail:25", "prod/pod/shell"),
        query("api:80", "prod/pod/sealed"),
    ];
    let queries: Vec<_> = queries.iter().map(Vec::as_slice).collect();
    let told = transcript(&queries);
    let rules: Vec<_> =
        told.lines().filter_map(|line| line.strip_prefix("why: headlint explain ")).collect();
    assert!(rules.len() > 3, "{rules:?}");
    for rule in rules {
        assert_eq!(run(&["explain", rule]).code, 0, "{rule}");
    }
    assert_snapshot!(told);
}

#[test]
fn what_may_be_elsewhere_is_unknown() {
    let ran = run(&["dns", SHOP, "--query", "other.prod:80", "--from", "prod/deploy/api"]);
    assert!(ran.code == 1 && ran.stdout.contains("=> unknown"), "{}", ran.stdout);
}

#[test]
fn json_is_told_as_its_schema_says() {
    let path = "schema/headlint-dns.v1.json";
    let generator = SchemaSettings::default().for_serialize().into_generator();
    let schema = generator.into_root_schema_for::<Document>();
    let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always") {
        fs::write(path, &schema).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap();
    assert_eq!(kept, schema, "INSTA_UPDATE=always writes it anew");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let query = query("db-0.db:80", "prod/deploy/api");
    for mut arguments in [vec!["dns", SHOP], query] {
        arguments.extend(["--format", "json"]);
        let told = run(&arguments).stdout;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert!(validator.is_valid(&told), "{told}");
        assert_snapshot!(serde_json::to_string_pretty(&told).unwrap());
    }
    let wrong = serde_json::json!({"schema": "headlint.dev/dns/v1"});
    assert!(!validator.is_valid(&wrong), "neither a table nor a trace");
}

#[test]
fn wrong_questions_are_explained() {
    let ask = |host, from| vec!["dns", SHOP, "--query", host, "--from", from];
    let questions = [
        ask("db", "prod/deploy/api"),
        ask("db:0", "prod/deploy/api"),
        ask("db:postgres", "prod/deploy/api"),
        ask("postgres://db:5432", "prod/deploy/api"),
        ask("db:5432", "prod/api"),
        ask("db:5432", "prod/deploy/other"),
        ask("db:5432", "deploy/api"),
        vec!["dns", SHOP, "--query", "db:5432"],
        vec!["dns", "gone.yaml"],
        vec!["dns", "--format", "xml", SHOP],
    ];
    let questions: Vec<_> = questions.iter().map(Vec::as_slice).collect();
    assert_snapshot!(transcript(&questions));
}

#[test]
fn facts_of_the_cluster_come_from_the_configuration() {
    let config = "cluster: {zone: example.org, dnsTtl: 5, dualStack: true}";
    let folder = folder(config, &["s.yaml"]);
    let service = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, \
                   spec: {ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}}";
    fs::write(folder.path().join("s.yaml"), service).unwrap();
    let ran = run(&["dns", folder.path().to_str().unwrap()]);
    let rows: Vec<_> = ran.stdout.lines().filter(|it| it.starts_with("web.")).collect();
    assert_eq!(rows.len(), 2, "{}", ran.stdout);
    assert!(rows.iter().all(|it| it.starts_with("web.shop.svc.example.org") && it.contains("5 s")));
    assert!(rows[1].contains("AAAA"), "{}", rows[1]);
    fs::write(folder.path().join("headlint.yaml"), "cluster: {ttl: 5}").unwrap();
    assert_eq!(run(&["dns", folder.path().to_str().unwrap()]).code, 2);
}
