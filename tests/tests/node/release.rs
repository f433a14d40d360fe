//! A release of the chart, in a namespace of its own.

use std::collections::BTreeSet;
use std::process::Command;

use headlint_tests::cluster::{
    Load, Namespace, Outcome, ThroughApiServer, mismatched_service, until,
};
use headlint_tests::helm::{HELMS, Helm, chart};
use headlint_tests::node::{Node, REPOSITORY};
use k8s_openapi::ByteString;
use serde_json::Value;

/// What the release, and with it most of what the chart makes, is called.
const NAME: &str = "headlint";
const DEPLOYMENT: &str = "deployment/headlint";
const CONFIGURATION: &str = "validatingwebhookconfiguration/headlint";

pub(crate) const HELM_3: Helm = HELMS[0];
pub(crate) const HELM_4: Helm = HELMS[1];

/// So many requests a second, over so many connections.
const RATE: u32 = 100;
const ASKERS: usize = 4;

/// It is uninstalled when it is dropped.
pub(crate) struct Release<'n> {
    node: &'n Node,
    helm: Helm,
    namespace: Namespace<'n>,
    installed: bool,
    /// What there was before it.
    before: BTreeSet<String>,
}

impl<'n> Release<'n> {
    /// Installs it where Pods can't do more than *restricted* lets them, and waits
    /// until it is ready.
    #[track_caller]
    pub(crate) fn install(node: &'n Node, helm: Helm) -> Self {
        Self::install_with(node, helm, |_| Vec::new())
    }

    /// The same, with values that what is put into its namespace before has to do
    /// with.
    #[track_caller]
    pub(crate) fn install_with(
        node: &'n Node,
        helm: Helm,
        prepare: impl FnOnce(&Namespace<'_>) -> Vec<String>,
    ) -> Self {
        let namespace = node.cluster().namespace();
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        let _ = namespace
            .kubectl(&["label", "namespace", namespace.name(), restricted], "")
            .succeeded();
        let values = prepare(&namespace);
        let before = objects(&namespace);
        let release = Self { node, helm, namespace, installed: true, before };
        release.with_chart("install", &Vec::from_iter(values.iter().map(String::as_str)));
        // Its replicas are ready a moment before kube-proxy knows of them.
        let wrong = mismatched_service("routed").to_string();
        let ask = ["create", "--dry-run=server", "--namespace=default", "-f", "-"];
        until("its Service to be routed", || {
            let told = release.namespace.kubectl(&ask, &wrong);
            (!told.warnings().is_empty()).then_some(())
        });
        release
    }

    #[track_caller]
    fn with_chart(&self, command: &str, values: &[&str]) {
        let chart = chart();
        let image = format!("image.repository={REPOSITORY}");
        let mut args = vec![command, NAME, chart.to_str().unwrap(), "--wait", "--timeout", "3m"];
        args.extend(["--set", &image]);
        args.extend(values.iter().flat_map(|value| ["--set", value]));
        self.helm(&args);
    }

    /// Upgrades it to these values, and waits until only new replicas answer.
    #[track_caller]
    pub(crate) fn upgrade(&self, values: &[&str]) {
        self.with_chart("upgrade", values);
        self.until_replicas(2);
    }

    /// Goes back to how it was installed, and waits likewise.
    #[track_caller]
    pub(crate) fn rollback(&self) {
        self.helm(&["rollback", NAME, "1", "--wait", "--timeout", "3m"]);
        self.until_replicas(2);
    }

    /// Runs its tests.
    #[track_caller]
    pub(crate) fn test(&self) {
        // What their Pods log is told as well.
        let told = self.succeeds(&["test", NAME]).concat();
        assert!(told.contains("headlint was asked, and warns"), "{}: {told}", self.helm.name());
    }

    /// Runs Helm, which has to succeed and may not warn.
    #[track_caller]
    fn helm(&self, args: &[&str]) {
        let [_, error] = self.succeeds(args);
        assert_eq!(error, "", "{} {args:?}", self.helm.name());
    }

    /// What it prints, and how it warns.
    #[track_caller]
    fn succeeds(&self, args: &[&str]) -> [String; 2] {
        let output = self.command(args).output().unwrap();
        let told = [output.stdout, output.stderr];
        let told = told.map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{} {args:?}: {}", self.helm.name(), told.concat());
        told
    }

    fn command(&self, args: &[&str]) -> Command {
        let cluster = self.node.cluster();
        let mut command = self.helm.command();
        command
            .args(args)
            .args(["--namespace", self.namespace.name()])
            .env("KUBECONFIG", cluster.kubeconfig())
            .env("HOME", cluster.folder());
        command
    }

    /// Removes it, and waits until that is done.
    #[track_caller]
    pub(crate) fn uninstall(&mut self) {
        self.installed = false;
        self.helm(&["uninstall", NAME, "--wait", "--timeout", "3m"]);
    }

    /// Runs kubectl in its namespace.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> Outcome {
        self.namespace.kubectl(args, "").succeeded()
    }

    /// The Pods that serve.
    pub(crate) fn pods(&self) -> Vec<String> {
        let selector = "app.kubernetes.io/name=headlint";
        let pods = self.kubectl(&["get", "pods", "-l", selector, "-o", "name"]);
        pods.stdout.lines().map(str::to_owned).collect()
    }

    /// Lets it have so many replicas, and waits until it has.
    #[track_caller]
    pub(crate) fn scale(&self, replicas: usize) {
        self.kubectl(&["scale", DEPLOYMENT, &format!("--replicas={replicas}")]);
        self.until_replicas(replicas);
    }

    /// Waits until so many replicas are ready, and all others have ended: they go
    /// on answering for a while.
    #[track_caller]
    fn until_replicas(&self, replicas: usize) {
        until("the replicas to be there, and no others", || {
            let slices = self.namespace.get("endpointslices")?;
            let slices = slices["items"].as_array()?.iter();
            let endpoints =
                slices.flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
            let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
            (ready.count() == replicas && self.pods().len() == replicas).then_some(())
        });
    }

    /// Replaces all its Pods.
    #[track_caller]
    pub(crate) fn restart(&self) {
        self.kubectl(&["rollout", "restart", DEPLOYMENT]);
        self.kubectl(&["rollout", "status", DEPLOYMENT, "--timeout=3m"]);
        self.until_replicas(2);
    }

    /// What the API server trusts, in PEM.
    pub(crate) fn bundle(&self) -> String {
        let configuration = self.namespace.get(CONFIGURATION).unwrap();
        let webhooks = configuration["webhooks"].as_array().unwrap();
        let bundles: BTreeSet<_> =
            webhooks.iter().map(|webhook| text(&webhook["clientConfig"]["caBundle"])).collect();
        assert_eq!(bundles.len(), 1, "all webhooks are of the same server: {bundles:?}");
        bundles.into_iter().next().unwrap()
    }

    /// An entry of the Secret that the webhook keeps.
    pub(crate) fn secret(&self, key: &str) -> String {
        text(&self.namespace.get("secret/headlint-certificate").unwrap()["data"][key])
    }

    /// What it and its webhook made is gone, or going.
    #[track_caller]
    pub(crate) fn assert_nothing_is_left(&self) {
        let mut left = BTreeSet::new();
        let gone = || {
            left = objects(&self.namespace).difference(&self.before).cloned().collect();
            left.is_empty().then_some(())
        };
        until("nothing of it to be left", gone);
    }

    /// Runs kubectl in its namespace, about which the API server doesn't ask.
    pub(crate) fn apply(&self, manifest: &str) -> Outcome {
        self.namespace.apply(manifest)
    }

    /// Requests that flow through the API server into another namespace, each of
    /// which has to have this warning.
    pub(crate) fn load(&self, namespace: &Namespace<'_>, warning: Option<&'static str>) -> Load {
        let cluster = self.node.cluster();
        let path = format!("/api/v1/namespaces/{}/services", namespace.name());
        let object = mismatched_service("flowing");
        let asker = || ThroughApiServer::new(cluster, &path, object.clone(), warning);
        let mut load = Load::new(cluster);
        load.add("through the API server", RATE, (0..ASKERS).map(|_| asker()).collect());
        load
    }
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if self.installed {
            // A test has failed, and says so.
            let _ = self.command(&["uninstall", NAME, "--no-hooks"]).output();
        }
    }
}

/// Lets something happen while requests flow, and go on flowing afterwards: none
/// fails.
#[track_caller]
pub(crate) fn across(load: &Load, what: &str, event: impl FnOnce()) {
    let before = load.answered();
    event();
    let meanwhile = load.answered() - before;
    assert!(meanwhile > 0, "no requests flow, {what}");
    println!("{what}: {meanwhile} requests meanwhile");
    load.flow(&format!("after {what}"), 10);
}

fn text(base64: &Value) -> String {
    let ByteString(bytes) = serde_json::from_value(base64.clone()).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// All objects that the API server lists, as `Kind namespace/name`, but what
/// comes and goes by itself.
pub(crate) fn objects(namespace: &Namespace<'_>) -> BTreeSet<String> {
    let all = ["api-resources", "--verbs=list", "-o", "name"];
    let resources = namespace.kubectl(&all, "").succeeded().stdout;
    let ephemeral = |name: &&str| !name.starts_with("events") && !name.starts_with("leases");
    let resources = resources.lines().filter(ephemeral).collect::<Vec<_>>().join(",");
    let each =
        r#"{range .items[*]}{.kind}{" "}{.metadata.namespace}{"/"}{.metadata.name}{"\n"}{end}"#;
    let each = format!("jsonpath={each}");
    let list = ["get", &resources, "--all-namespaces", "--ignore-not-found", "-o", &each];
    let list = namespace.kubectl(&list, "").succeeded().stdout;
    // Every namespace gets these some time.
    let given = |line: &&str| !line.ends_with("/default") && !line.ends_with("/kube-root-ca.crt");
    list.lines().filter(given).map(str::to_owned).collect()
}
