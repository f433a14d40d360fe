//! The chart on a real API server. There is no node, so that the webhook's
//! processes run beside it, as the chart's account and with the arguments of the
//! chart's Deployment.

mod release;
mod rights;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use headlint_tests::cluster::{
    Cluster, Load, MISMATCH, Namespace, Replica, ThroughApiServer, mismatched_service, until,
};
use headlint_tests::helm::{HELMS, Helm, ci_values, definitions};
use hyper::Method;
use serde_json::{Value, json};

use self::release::Release;
use crate::Test::{self, Alone, Sharing};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("chart_is_accepted_without_a_warning", Sharing(chart_is_accepted_without_a_warning)),
    ("chart_lives_with_helm_3", Alone(|cluster| lives(cluster, HELMS[0]))),
    ("chart_lives_with_helm_4", Alone(|cluster| lives(cluster, HELMS[1]))),
    ("chart_changes_who_makes_certificates", Alone(chart_changes_who_makes_certificates)),
    ("chart_serves_single_namespaces", Alone(chart_serves_single_namespaces)),
    ("commands_of_hooks_say_what_is_wrong", Sharing(commands_of_hooks_say_what_is_wrong)),
    ("chart_locks_no_cluster", Alone(chart_locks_no_cluster)),
    ("chart_gives_the_rights_that_are_used", Alone(rights::chart_gives_the_rights_that_are_used)),
];

/// Pods of a namespace have to be *restricted*, and whatever isn't is told.
fn restrict(namespace: &Namespace<'_>) {
    let labels = json!({
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    });
    let name = format!("namespace/{}", namespace.name());
    let _ = namespace.patch(&name, &json!({"metadata": {"labels": labels}})).succeeded();
}

fn define_resources(namespace: &Namespace<'_>) {
    for file in definitions() {
        let text = fs::read_to_string(&file).unwrap();
        let _ = namespace.apply_server_side(&text).succeeded();
        let definition: Value = serde_yaml::from_str(&text).unwrap();
        let name = definition["metadata"]["name"].as_str().unwrap();
        until("the definition to count", || {
            let object = namespace.get(&format!("customresourcedefinition/{name}"))?;
            let conditions = object["status"]["conditions"].as_array()?;
            let established = |it: &Value| it["type"] == "Established" && it["status"] == "True";
            conditions.iter().any(established).then_some(())
        });
    }
}

/// The Pod that an object makes, if it makes one.
fn pod_of(object: &Value) -> Option<Value> {
    let template = object["spec"].get("template")?;
    let mut pod = template.clone();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["name"] = object["metadata"]["name"].clone();
    pod["metadata"]["namespace"] = object["metadata"]["namespace"].clone();
    Some(pod)
}

fn chart_is_accepted_without_a_warning(cluster: &Cluster) {
    let namespace = cluster.namespace();
    restrict(&namespace);
    define_resources(&namespace);
    // That the warnings would be seen.
    let loose = "{apiVersion: v1, kind: Pod, metadata: {name: loose}, spec: {containers: [{name: a, image: a}]}}";
    let _ = namespace.dry_run(loose).refused_with("violates PodSecurity");
    let (mut objects, mut pods, mut kinds) = (0, 0, BTreeSet::new());
    for helm in HELMS {
        for values in ci_values() {
            for text in helm.render(namespace.name(), &values) {
                let object: Value = serde_yaml::from_str(&text).unwrap();
                let within = object["metadata"]["namespace"].as_str().unwrap_or_default();
                let args = ["apply", "--dry-run=server", "-f", "-", "--namespace", within];
                let hand_over = |manifest: &str| {
                    let outcome = namespace.kubectl(&args, manifest).succeeded();
                    let name = (helm.name(), &values, text.lines().next());
                    assert!(outcome.stderr.is_empty(), "{name:?}: {}", outcome.stderr);
                };
                hand_over(&text);
                objects += 1;
                if let Some(pod) = pod_of(&object) {
                    hand_over(&pod.to_string());
                    pods += 1;
                }
                kinds.insert(object["kind"].as_str().unwrap().to_owned());
            }
        }
    }
    println!("{objects} objects of {} kinds and {pods} Pods of their templates", kinds.len());
    assert_eq!(kinds.len(), 19, "{kinds:?}");
    assert_eq!(pods, 12, "the webhook, the test, and the end where failures count");
}

/// The long name that a rule denies, when it enforces.
fn long_named() -> String {
    let name = "a".repeat(60);
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "serviceName": "a", "selector": {"matchLabels": {"app": "a"}},
            "template": {
                "metadata": {"labels": {"app": "a"}},
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    })
    .to_string()
}

fn mismatch() -> String {
    mismatched_service("db").to_string()
}

/// Requests that are warned of by the webhook, and have to be.
fn asked(cluster: &Cluster, namespace: &Namespace<'_>) -> Load {
    let services = format!("/api/v1/namespaces/{}/services", namespace.name());
    let mut load = Load::new(cluster);
    let asker = ThroughApiServer::new(cluster, &services, mismatched_service("db"), Some(MISMATCH));
    load.add("Services", 20, vec![asker.clone(), asker]);
    load
}

/// The metrics that alerts and the dashboard ask for.
fn observed() -> BTreeSet<String> {
    let values = ci_values().into_iter().find(|file| file.ends_with("everything-values.yaml"));
    let objects = HELMS[1].render("headlint", &values.unwrap());
    let asking = ["PrometheusRule", "ConfigMap"].map(|kind| format!("\nkind: {kind}\n"));
    let texts = objects.iter().filter(|text| asking.iter().any(|kind| text.contains(kind)));
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let words = texts.flat_map(|text| text.split(word)).filter(|it| it.starts_with("headlint_"));
    words.map(str::to_owned).collect()
}

/// From `helm install` to `helm uninstall`, while requests flow.
fn lives(cluster: &mut Cluster, helm: Helm) {
    let (home, judged) = (cluster.namespace(), cluster.namespace());
    restrict(&home);
    let values = ["webhook.failurePolicy=Fail"];
    let before = Release::left(&home);
    let release = Release::install(helm, &home, &values);
    assert!(release.notes().contains("denies nothing"), "{}", release.notes());
    until("Pods in a restricted namespace", || {
        let pods = home.kubectl(&["get", "pods", "-o", "name"], "").succeeded().stdout;
        (pods.lines().count() == 2).then_some(())
    });
    let mut replicas = release.replicas(2);
    replicas.iter_mut().for_each(Replica::until_ready);
    until("the API server to ask", || {
        (judged.dry_run(&mismatch()).warnings().len() == 1).then_some(())
    });
    assert_eq!(home.dry_run(&mismatch()).succeeded().warnings(), [""; 0], "its own namespace");
    let quiet = cluster.namespace();
    let label = format!("namespace/{}", quiet.name());
    let ignore = json!({"metadata": {"labels": {"headlint.dev/webhook": "ignore"}}});
    let _ = quiet.patch(&label, &ignore).succeeded();
    until("the label to count", || {
        quiet.dry_run(&mismatch()).succeeded().warnings().is_empty().then_some(())
    });

    let told = release.run_hook("test", &["check-cluster", "--namespace=default"]);
    assert!(told.contains(MISMATCH) && told.starts_with("headlint was asked"), "{told}");

    let (certificates, bundle) = (release.certificates(), release.bundle());
    assert!(bundle.is_string() && certificates["ca.crt"].is_string(), "{bundle}");
    let load = asked(cluster, &judged);
    load.flow("before the upgrade", 2);
    release.upgrade(&[
        "webhook.failurePolicy=Fail",
        "config.enforcement=deny",
        "webhook.timeoutSeconds=7",
    ]);
    assert!(release.notes().contains("It denies what can't work"));
    assert_eq!(release.configuration()["webhooks"][0]["timeoutSeconds"], 7);
    until("denials", || judged.dry_run(&long_named()).denial().map(drop));
    load.flow("after the upgrade", 2);
    assert_eq!((release.certificates(), release.bundle()), (certificates.clone(), bundle.clone()));
    release.helm(&["rollback", release.name(), "1"]);
    release.mount();
    assert_eq!(release.configuration()["webhooks"][0]["timeoutSeconds"], 5);
    until("no denials", || judged.dry_run(&long_named()).success.then_some(()));
    load.flow("after the rollback", 2);
    assert_eq!((release.certificates(), release.bundle()), (certificates, bundle));
    drop(load);
    let (metrics, asked) = (replicas[0].metrics(), observed());
    assert!(asked.len() > 10, "{asked:?}");
    for metric in asked {
        let series = [format!("\n{metric}{{"), format!("\n{metric} ")];
        assert!(series.iter().any(|series| metrics.contains(series)), "no {metric}: {metrics}");
    }

    // What no Job can do without a node.
    let services = format!("/api/v1/namespaces/{}/services", judged.name());
    let mut load = Load::new(cluster);
    let asker = ThroughApiServer::new(cluster, &services, mismatched_service("db"), None);
    load.add("Services", 20, vec![asker.clone(), asker]);
    let told = release.run_hook(
        "uninstall",
        &["withdraw", &release.configuration_argument(), "--settle-seconds=1"],
    );
    assert!(told.contains("is gone"), "{told}");
    release.helm(&["uninstall", release.name(), "--no-hooks"]);
    load.flow("while it is uninstalled", 2);
    for replica in &mut replicas {
        assert!(replica.terminate().success());
    }
    load.flow("when it is gone", 2);
    until("nothing to be left", || {
        let left: Vec<_> = Release::left(&home).difference(&before).cloned().collect();
        // What it waits for, where it waits in vain.
        (!left.is_empty()).then(|| println!("still there: {left:?}"));
        left.is_empty().then_some(())
    });
}

/// The webhook and cert-manager write what they would, and are told apart.
fn chart_changes_who_makes_certificates(cluster: &mut Cluster) {
    const SECRET: [&str; 3] = [
        "certificates.source=secret",
        "certificates.secret.name=ours",
        "certificates.secret.caBundle=ours",
    ];
    for helm in HELMS {
        let home = cluster.namespace();
        restrict(&home);
        define_resources(&home);
        let release = Release::install(helm, &home, &[]);
        let name = format!("validatingwebhookconfiguration/{}", release.full_name());
        let write = |manager: &str, bundle: &str| {
            let patch = |at: usize| {
                let path = format!("/webhooks/{at}/clientConfig/caBundle");
                json!({"op": "add", "path": path, "value": bundle})
            };
            let patch = json!([patch(0), patch(1)]).to_string();
            let manager = format!("--field-manager={manager}");
            let args = ["patch", &name, "--type=json", "--patch", &patch, &manager];
            let _ = home.kubectl(&args, "").succeeded();
        };
        write("headlint-webhook", "c2VsZg==");
        release.replace_owner(&SECRET);
        assert_eq!(release.bundle(), "b3Vycw==", "{}", helm.name());
        release.upgrade(&["certificates.source=cert-manager"]);
        let made = format!("{}-cert-manager", release.full_name());
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": made},
            "type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""},
        });
        let _ = home.apply(&secret.to_string()).succeeded();
        write("cert-manager-cainjector", "Y2VydA==");
        // Nothing that the chart takes over is somebody else's now.
        release.upgrade(&[]);
        release.certificates();
        release.helm(&["rollback", release.name(), "3"]);
        release.upgrade(&[]);
        release.helm(&["uninstall", release.name(), "--no-hooks"]);
    }
}

/// The account may read nowhere else, and nobody asks about anything else.
fn chart_serves_single_namespaces(cluster: &mut Cluster) {
    let (home, judged, other) = (cluster.namespace(), cluster.namespace(), cluster.namespace());
    restrict(&home);
    let namespaces = format!("config.namespaces={{{}}}", judged.name());
    let release = Release::install(HELMS[1], &home, &["webhook.failurePolicy=Fail", &namespaces]);
    let mut replicas = release.replicas(1);
    replicas.iter_mut().for_each(Replica::until_ready);
    until("the API server to ask", || {
        (judged.dry_run(&mismatch()).warnings().len() == 1).then_some(())
    });
    assert_eq!(other.dry_run(&mismatch()).succeeded().warnings(), [""; 0]);
    let asked = format!("--namespace={}", judged.name());
    let told = release.run_hook("test", &["check-cluster", &asked]);
    assert!(told.contains(MISMATCH), "{told}");
    let unknown = replicas[0].metric("headlint_context_unknown", "reason=\"forbidden\"");
    assert_eq!(unknown, 0.0, "it may read what it reads");
    release.helm(&["uninstall", release.name(), "--no-hooks"]);
}

/// Where headlint isn't asked, and where Helm has nothing to do with it.
fn commands_of_hooks_say_what_is_wrong(cluster: &Cluster) {
    let run = |args: &[&str]| {
        let mut command = Command::new(Replica::program());
        let output = command.args(args).arg("--kubeconfig").arg(cluster.kubeconfig()).output();
        let output = output.unwrap();
        let (told, error) = (output.stdout, output.stderr);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(told), text(error))
    };
    let namespace = cluster.namespace();
    let (code, told, error) = run(&["check-cluster", "--namespace", namespace.name()]);
    assert_eq!((code, &*told), (2, ""));
    assert!(error.starts_with("error: nobody says headless-port-target-mismatch"), "{error}");
    let (code, _, error) = run(&["check-cluster", "--namespace", "nowhere"]);
    assert_eq!(code, 2);
    assert!(error.contains("refuses the Service: namespaces \"nowhere\" not found"), "{error}");

    let name = namespace.name();
    let rendered = format!(
        "{{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, \
         metadata: {{name: {name}}}}}"
    );
    let _ = namespace.apply(&rendered).succeeded();
    let (code, told, error) = run(&["withdraw", "--webhook-configuration", name]);
    assert_eq!((code, &*error), (0, ""));
    assert!(told.contains("stays: Helm didn't install it"), "{told}");
    assert!(namespace.get(&format!("validatingwebhookconfiguration/{name}")).is_some());
    let _ = namespace.delete(&rendered).succeeded();
    let (code, told, _) = run(&["withdraw", "--webhook-configuration", name]);
    assert_eq!(code, 0);
    assert!(told.contains("isn't there"), "{told}");
}

/// Whether an object can be made, and for what reason not.
fn creates(cluster: &Cluster, path: &str, object: &Value) -> Result<(), String> {
    cluster.call(Method::POST, path, object).map(drop).map_err(|error| error.to_string())
}

/// The webhook is dead, and the API server has to ask it.
fn chart_locks_no_cluster(cluster: &mut Cluster) {
    let (home, judged) = (cluster.namespace(), cluster.namespace());
    // Something that controllers go on with.
    let web = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}";
    let _ = judged.apply(web).succeeded();
    let pods = |count: usize| {
        until(&format!("{count} Pods"), || {
            let pods = judged.kubectl(&["get", "pods", "-o", "name"], "").succeeded().stdout;
            (pods.lines().count() == count).then_some(())
        });
    };
    pods(1);
    let release = Release::install(HELMS[1], &home, &["webhook.failurePolicy=Fail"]);
    let name = judged.name();
    let path =
        |namespace: &str, resource: &str| format!("/api/v1/namespaces/{namespace}/{resource}");
    let service = json!({"metadata": {"generateName": "web-"}, "spec": {"ports": [{"port": 80}]}});
    let refused = until("requests to be refused", || {
        creates(cluster, &path(name, "services"), &service).err()
    });
    assert!(refused.contains("failed calling webhook"), "{refused}");

    let lease = json!({"metadata": {"generateName": "node-"}, "spec": {"holderIdentity": "x"}});
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    creates(cluster, leases, &lease).unwrap();
    creates(cluster, "/api/v1/nodes", &json!({"metadata": {"name": "node"}})).unwrap();
    creates(cluster, "/api/v1/namespaces", &json!({"metadata": {"generateName": "new-"}})).unwrap();
    creates(cluster, &path(name, "configmaps"), &json!({"metadata": {"name": "a"}})).unwrap();
    for namespace in ["kube-system", home.name()] {
        creates(cluster, &path(namespace, "services"), &service).unwrap();
    }
    let status = json!({"status": {"conditions": [
        {"type": "Ready", "status": "True"},
    ]}});
    let pod = judged.kubectl(&["get", "pods", "-o", "name"], "").succeeded().stdout;
    let patch = ["patch", pod.trim(), "--subresource=status", "--type=merge", "--patch"];
    let _ = judged.kubectl(&[&patch[..], &[&status.to_string()]].concat(), "").succeeded();
    // Controllers replace Pods and slices, and scale what is there.
    let _ = judged.kubectl(&["delete", pod.trim()], "").succeeded();
    pods(1);
    let _ = judged.kubectl(&["scale", "deployment/web", "--replicas=2"], "").succeeded();
    pods(2);
    let slices = ["get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o", "json"];
    let slices = judged.kubectl(&slices, "").succeeded().stdout;
    let slices: Value = serde_json::from_str(&slices).unwrap();
    let slice = slices["items"][0]["metadata"]["name"].as_str().unwrap();
    let _ = judged.kubectl(&["delete", "endpointslice", slice], "").succeeded();
    until("another slice", || {
        let got = judged.kubectl(&["get", "endpointslices", "-o", "name"], "").succeeded();
        (got.stdout.lines().count() == 1).then_some(())
    });
    let _ = judged.kubectl(&["delete", "endpoints", "web"], "").succeeded();
    until("the endpoints", || judged.get("endpoints/web"));
    // A namespace can be emptied.
    let _ = judged.kubectl(&["delete", "namespace", name, "--timeout=100s"], "").succeeded();
    // And the way out needs no webhook.
    release.helm(&["uninstall", release.name(), "--no-hooks"]);
}
