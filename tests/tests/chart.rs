//! The chart, as far as no cluster is needed to see it.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use headlint_policies::engine::{Action, Engine, Limits};
use headlint_policies::raw;
use headlint_tests::cases::root;
use headlint_tests::helm::{HELMS, chart, ci_values};
use serde_json::{Value, json};

fn name(values: &Path) -> &str {
    values.file_stem().unwrap().to_str().unwrap()
}

fn json_file(path: &str) -> Value {
    serde_json::from_slice(&fs::read(root().join(path)).unwrap()).unwrap()
}

/// Values by name, and what becomes of them.
fn renders() -> BTreeMap<String, Vec<Value>> {
    let objects = |values: &Path| {
        let texts = HELMS[1].render("headlint", values);
        texts.iter().map(|text| serde_yaml::from_str(text).unwrap()).collect()
    };
    ci_values().iter().map(|values| (name(values).to_owned(), objects(values))).collect()
}

fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn both_versions_of_helm_find_nothing_to_say() {
    for helm in HELMS {
        for values in ci_values() {
            let (chart, values) = (chart(), values.to_str().unwrap().to_owned());
            let output =
                helm.run(["lint", "--strict", "--values", &values, chart.to_str().unwrap()]);
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{} {values}: {told}", helm.name());
            let findings = told.lines().filter(|line| line.starts_with('['));
            let findings: Vec<_> =
                findings.filter(|line| !line.ends_with("icon is recommended")).collect();
            assert!(findings.is_empty(), "{} {values}: {findings:?}", helm.name());
        }
    }
}

#[test]
fn both_versions_of_helm_render_what_is_recorded() {
    for values in ci_values() {
        let [three, four] = HELMS.map(|helm| helm.render("headlint", &values));
        assert_eq!(three, four, "{}", values.display());
        insta::assert_snapshot!(name(&values), four.join("\n---\n"));
    }
}

/// A cluster's answers would make a difference between Helm and what only renders.
#[test]
fn rendering_asks_no_cluster() {
    let mut folders = vec![chart().join("templates")];
    let mut templates = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for asking in ["lookup", ".Capabilities", "IsInstall", "IsUpgrade"] {
                assert!(!text.contains(asking), "{}: {asking}", path.display());
            }
            templates += 1;
        }
    }
    assert!(templates > 20, "{templates}");
}

#[test]
fn without_an_image_helm_says_how_to_get_one() {
    for helm in HELMS {
        let output = helm.run(["template", "headlint", chart().to_str().unwrap()]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains("make image"), "{error}");
    }
}

/// All mappings of the values whose keys the chart names, as paths of `--set`.
fn mappings(value: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(fields) = value else { return };
    found.push(path.to_owned());
    for (key, value) in fields {
        // Keys of these are the user's own.
        let free = ["labels", "annotations", "podAnnotations", "podLabels", "nodeSelector"];
        if !free.contains(&key.as_str()) {
            mappings(value, &format!("{path}{key}."), found);
        }
    }
}

#[test]
fn a_misspelt_key_is_refused_wherever_it_is() {
    let values: Value =
        serde_yaml::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    let mut paths = Vec::new();
    mappings(&values, "", &mut paths);
    // Those that are empty by default, too.
    let empty = [
        "config.cluster.",
        "config.exemptions[0].",
        "certificates.certManager.issuerRef.",
        "policies.configMap.",
        "tolerations[0].",
        "affinity.nodeAffinity.",
        "resources.limits.",
        "networkPolicy.metricsFrom[0].podSelector.",
    ];
    paths.extend(empty.map(str::to_owned));
    assert!(paths.len() > 15, "{paths:?}");
    let chart = chart();
    let chart = chart.to_str().unwrap();
    for helm in HELMS {
        for path in &paths {
            let set = format!("{path}mispelt=1");
            let output = helm.run([
                "template",
                "headlint",
                chart,
                "--set",
                "image.repository=headlint",
                "--set",
                &set,
            ]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{}: {set} is accepted", helm.name());
            assert!(error.contains("mispelt"), "{}: {set}: {error}", helm.name());
        }
    }
}

/// Helm 3 asks a cluster even then.
#[test]
fn the_notes_say_what_is_denied() {
    let told = [
        ("enforcement=warn", "denies nothing.", "config.enforcement=deny"),
        (
            "rules.statefulset-name-too-long=deny",
            "nothing but what `config.rules` says.",
            "config.enforcement=deny",
        ),
        ("enforcement=deny", "It denies what can't work", "config.enforcement=warn"),
    ];
    let chart = chart();
    for (value, denied, next) in told {
        let value = format!("config.{value}");
        let output = HELMS[1].run([
            "install",
            "headlint",
            chart.to_str().unwrap(),
            "--dry-run=client",
            "--set",
            "image.repository=headlint",
            "--set",
            &value,
        ]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, notes) = told.split_once("NOTES:").unwrap();
        assert!(notes.contains(denied) && notes.contains(next), "{value}: {notes}");
    }
}

#[test]
fn names_are_never_too_long() {
    let values = ci_values().into_iter().find(|file| file.ends_with("default-values.yaml"));
    let values = values.unwrap();
    let chart = chart();
    let release = format!("{}.{}", "a".repeat(25), "b".repeat(27));
    let args = ["template", &release, chart.to_str().unwrap(), "--values"];
    let fail = ["--set", "webhook.failurePolicy=Fail"];
    for helm in HELMS {
        let output = helm.run([&args[..], &[values.to_str().unwrap()], &fail].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("  name: "));
        let names: BTreeSet<_> = names.collect();
        assert!(names.len() > 3 && names.iter().any(|name| name.ends_with("-uninstall")));
        for name in names {
            assert!(name.len() <= 63 && !name.contains('.'), "{}: {name}", helm.name());
        }
    }
}

#[test]
fn every_value_has_a_schema_and_the_other_way_round() {
    let values: Value =
        serde_yaml::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    fn compare(values: &Value, schema: &Value, path: &str) {
        let Some(properties) = schema["properties"].as_object() else { return };
        // What is free by default, or Kubernetes' own.
        if path == ".config" || path == ".policies" || path == ".certificates.certManager.issuerRef"
        {
            return;
        }
        let values = values.as_object().unwrap();
        let names = |keys: Vec<&String>| keys.into_iter().cloned().collect::<BTreeSet<_>>();
        let mut described = names(properties.keys().collect());
        described.remove("global");
        // Kubernetes' own.
        described.remove("claims");
        if path != ".affinity" {
            assert_eq!(names(values.keys().collect()), described, "at `{path}`");
        }
        for (key, value) in values {
            compare(value, &properties[key], &format!("{path}.{key}"));
        }
    }
    compare(&values, &json_file("charts/headlint/values.schema.json"), "");
}

#[test]
fn the_configuration_has_the_webhooks_own_schema() {
    let mut schema = json_file("charts/headlint/values.schema.json");
    let mut config = schema["properties"]["config"].take();
    let id = config.as_object_mut().unwrap().remove("$id");
    assert!(id.is_some(), "its references are within itself");
    let own = json_file("webhook/schema/headlint-webhook-config.v1.json");
    assert_eq!(
        config, own,
        "copy webhook/schema/headlint-webhook-config.v1.json to properties.config"
    );
}

#[test]
fn every_key_of_the_configuration_can_be_a_value() {
    let schema = json_file("charts/headlint/values.schema.json");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let example = fs::read_to_string(root().join("webhook/schema/example.yaml")).unwrap();
    let defaults = fs::read_to_string(chart().join("values.yaml")).unwrap();
    let mut values: Value = serde_yaml::from_str(&defaults).unwrap();
    values["config"] = serde_yaml::from_str(&example).unwrap();
    validator.validate(&values).unwrap();
    values["config"]["enforcment"] = "deny".into();
    assert!(!validator.is_valid(&values));
}

/// As the API names it.
fn resource(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with("endpoints") => kind,
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

#[test]
fn the_api_server_asks_about_the_kinds_that_rules_report_on() {
    let engine = Engine::builtin(Limits::default(), 1, None).unwrap();
    let rules = engine.rules();
    let judged =
        rules.iter().filter(|(policy, rule)| *policy != raw::POLICY && rule.action != Action::None);
    let kinds: BTreeSet<_> =
        judged.flat_map(|(_, rule)| &rule.kinds).map(|kind| resource(kind)).collect();
    let optional = ["configmaps", "ingresses"].map(str::to_owned);
    assert!(optional.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let mut counts = BTreeSet::new();
    for (values, objects) in renders() {
        let [configuration] = of_kind(&objects, "ValidatingWebhookConfiguration")[..] else {
            panic!("{values}: one configuration")
        };
        let webhooks = configuration["webhooks"].as_array().unwrap();
        let (mut asked, mut deletions) = (BTreeSet::new(), BTreeSet::new());
        for webhook in webhooks {
            for rule in webhook["rules"].as_array().unwrap() {
                let found = match rule["operations"].to_string().as_str() {
                    r#"["CREATE","UPDATE"]"# => &mut asked,
                    // A dead webhook keeps nothing alive.
                    r#"["DELETE"]"# if webhook["failurePolicy"] == "Ignore" => &mut deletions,
                    operations => panic!("{values}: {operations}"),
                };
                for resource in rule["resources"].as_array().unwrap() {
                    let resource = resource.as_str().unwrap().to_owned();
                    assert!(found.insert(resource), "{values}: twice: {rule}");
                }
            }
            let excluded = &webhook["namespaceSelector"]["matchExpressions"];
            let names = excluded[0]["values"].as_array().unwrap();
            let own = [json!("kube-system"), json!("headlint")];
            assert!(own.iter().all(|name| names.contains(name)), "{names:?}");
            assert_eq!(excluded[1]["key"], "headlint.dev/webhook");
            assert!(webhook["timeoutSeconds"].as_u64().unwrap() <= 10);
        }
        let mut expected = kinds.clone();
        if values != "everything-values" {
            expected.retain(|kind| !optional.contains(kind));
        }
        assert_eq!(asked, expected, "{values}");
        assert_eq!(deletions, BTreeSet::from(["services", "statefulsets"].map(str::to_owned)));
        counts.insert(asked.len());
    }
    assert_eq!(counts.len(), 2, "with optional kinds and without");
}

#[test]
fn a_replica_that_ends_has_the_time_that_it_takes() {
    for (values, objects) in renders() {
        let [deployment] = of_kind(&objects, "Deployment")[..] else { panic!("{values}: one") };
        let pod = &deployment["spec"]["template"]["spec"];
        let args = pod["containers"][0]["args"].as_array().unwrap();
        let seconds = |name: &str| -> u64 {
            args.iter().find_map(|arg| arg.as_str()?.strip_prefix(name)?.parse().ok()).unwrap()
        };
        let (settle, drain) = (seconds("--settle-seconds="), seconds("--drain-seconds="));
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(grace > settle + drain, "{values}: {grace} {settle} {drain}");
        let [configuration] = of_kind(&objects, "ValidatingWebhookConfiguration")[..] else {
            panic!("{values}: one configuration")
        };
        let timeout = configuration["webhooks"][0]["timeoutSeconds"].as_u64().unwrap();
        assert!(drain > timeout, "{values}: what was accepted may take {timeout} s");
        assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    }
}

#[test]
fn headlint_finds_nothing_in_its_own_chart() {
    let program = root().join("target/release/headlint");
    assert!(program.exists(), "no {}: `make build` builds it", program.display());
    for helm in HELMS {
        for values in ci_values() {
            let objects = helm.render("headlint", &values);
            let mut command = Command::new(&program);
            command.args([
                "lint",
                "--complete",
                "--hints",
                "--fail-on",
                "info",
                "--format",
                "json",
                "-",
            ]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut lint = command.spawn().unwrap();
            let text = objects.join("\n---\n");
            lint.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            let output = lint.wait_with_output().unwrap();
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(0), "{}: {report:#}", values.display());
            let read = report["summary"]["objects"].as_u64().unwrap();
            assert_eq!(read, objects.len() as u64, "{}", values.display());
        }
    }
}
