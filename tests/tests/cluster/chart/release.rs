//! A release of the chart, and what a node would do for it.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use headlint_tests::cluster::{Backend, Balancer, Cluster, Namespace, Replica};
use headlint_tests::helm::{HELMS, Helm, chart};
use serde_json::Value;

/// In a namespace of its own, of whose name all other names are made.
pub(super) struct Release<'n, 'c> {
    helm: Helm,
    home: &'n Namespace<'c>,
    balancer: OnceCell<Balancer>,
}

impl Drop for Release<'_, '_> {
    /// A test that failed leaves nothing that would make others fail.
    fn drop(&mut self) {
        let name = format!("validatingwebhookconfiguration/{}", self.full_name());
        let _ = self.home.kubectl(&["delete", &name, "--ignore-not-found"], "");
    }
}

impl<'n, 'c> Release<'n, 'c> {
    pub(super) fn install(helm: Helm, home: &'n Namespace<'c>, values: &[&str]) -> Self {
        let release = Self { helm, home, balancer: OnceCell::new() };
        release.write("install", values);
        release
    }

    pub(super) fn upgrade(&self, values: &[&str]) {
        self.write("upgrade", values);
        self.mount();
    }

    /// Upgrades to values that set what somebody else wrote: Helm 4 asks whether
    /// that is meant.
    pub(super) fn replace_owner(&self, values: &[&str]) {
        let meant = ["--force-conflicts"];
        self.write_with("upgrade", values, if self.helm == HELMS[1] { &meant } else { &[] });
        self.mount();
    }

    fn write(&self, verb: &str, values: &[&str]) {
        self.write_with(verb, values, &[]);
    }

    fn write_with(&self, verb: &str, values: &[&str], flags: &[&str]) {
        let chart = chart();
        let mut args = vec![verb, self.name(), chart.to_str().unwrap()];
        args.extend(flags);
        args.extend(["--set", "image.repository=registry.example.com/headlint"]);
        args.extend(values.iter().flat_map(|value| ["--set", value]));
        self.helm(&args);
    }

    /// Runs Helm, which has to succeed and may not warn. Returns what it prints.
    #[track_caller]
    pub(super) fn helm(&self, args: &[&str]) -> String {
        let mut command = self.helm.command();
        command
            .args(args)
            .args(["--namespace", self.home.name()])
            .env("KUBECONFIG", self.cluster().kubeconfig())
            .env("HOME", self.cluster().folder());
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{} {args:?}: {error}{told}", self.helm.name());
        assert_eq!(error, "", "{} {args:?}", self.helm.name());
        told
    }

    fn cluster(&self) -> &'c Cluster {
        self.home.cluster()
    }

    pub(super) fn name(&self) -> &str {
        self.home.name()
    }

    /// Of most of its objects.
    pub(super) fn full_name(&self) -> String {
        format!("{}-headlint", self.name())
    }

    pub(super) fn notes(&self) -> String {
        self.helm(&["get", "notes", self.name()])
    }

    pub(super) fn configuration(&self) -> Value {
        let name = format!("validatingwebhookconfiguration/{}", self.full_name());
        self.home.get(&name).unwrap()
    }

    pub(super) fn configuration_argument(&self) -> String {
        format!("--webhook-configuration={}", self.full_name())
    }

    pub(super) fn bundle(&self) -> Value {
        self.configuration()["webhooks"][0]["clientConfig"]["caBundle"].clone()
    }

    pub(super) fn certificates(&self) -> Value {
        self.home.get(&format!("secret/{}-certificate", self.full_name())).unwrap()["data"].clone()
    }

    fn config(&self) -> PathBuf {
        self.cluster().folder().join(format!("{}-config.yaml", self.name()))
    }

    /// Does what the kubelet does when a ConfigMap has changed.
    pub(super) fn mount(&self) {
        let config = self.home.get(&format!("configmap/{}", self.full_name())).unwrap();
        let text = config["data"]["config.yaml"].as_str().unwrap();
        let new = self.config().with_extension("new");
        fs::write(&new, text).and_then(|()| fs::rename(&new, self.config())).unwrap();
    }

    /// So many, behind the Service.
    pub(super) fn replicas(&self, count: usize) -> Vec<Replica> {
        self.mount();
        let deployment = self.home.get(&format!("deployment/{}", self.full_name())).unwrap();
        let pod = &deployment["spec"]["template"]["spec"];
        let account = pod["serviceAccountName"].as_str().unwrap();
        let kubeconfig = self.cluster().kubeconfig_of(self.name(), account);
        let replicas: Vec<_> = (0..count)
            .map(|index| {
                let mut command = Command::new(Replica::program());
                for arg in pod["containers"][0]["args"].as_array().unwrap() {
                    let arg = arg.as_str().unwrap();
                    match arg.strip_prefix("--config=") {
                        Some(_) => command.arg("--config").arg(self.config()),
                        None => command.arg(arg),
                    };
                }
                let address = SocketAddr::from((self.cluster().free_address(), 8443));
                let name = format!("{}-{index}", self.full_name());
                Replica::start_as(self.cluster(), &kubeconfig, &name, address, command)
            })
            .collect();
        let address = self.cluster().cluster_ip(self.name(), &self.full_name());
        let backends: Vec<Backend> = replicas.iter().map(Replica::backend).collect();
        let balancer = Balancer::start(self.cluster(), SocketAddr::new(address, 443), backends);
        assert!(self.balancer.set(balancer).is_ok(), "once");
        replicas
    }

    /// Runs the webhook's program as a hook does: with its account and rights,
    /// which go afterwards. Returns what it prints.
    pub(super) fn run_hook(&self, account: &str, args: &[&str]) -> String {
        let account = format!("{}-{account}", self.full_name());
        let hooks = self.helm(&["get", "hooks", self.name()]);
        let hooks = hooks.split("---\n").filter(|hook| hook.contains("kind: "));
        let hooks = hooks.map(|hook| serde_yaml::from_str::<Value>(hook).unwrap());
        let own: Vec<_> = hooks
            .filter(|hook| hook["metadata"]["name"] == account && hook["spec"].is_null())
            .collect();
        assert!(own.len() >= 3, "an account, a role and a binding: {own:?}");
        let each = |verb: &str| {
            for hook in &own {
                let namespace = hook["metadata"]["namespace"].as_str().unwrap_or("default");
                let args = [verb, "-f", "-", "--namespace", namespace];
                let _ = self.home.kubectl(&args, &hook.to_string()).succeeded();
            }
        };
        each("apply");
        let mut command = Command::new(Replica::program());
        command.args(args).arg("--kubeconfig");
        command.arg(self.cluster().kubeconfig_of(self.name(), &account));
        let output = command.output().unwrap();
        each("delete");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// All objects of all kinds that have to do with a release: those in its
    /// namespace, and those that have its name.
    pub(super) fn left(home: &Namespace<'_>) -> BTreeSet<String> {
        let list = |args: &[&str]| home.kubectl(args, "").succeeded().stdout;
        let kinds = list(&["api-resources", "--verbs=list", "-o", "name"]);
        // Events expire by themselves, and say what was.
        let kinds: Vec<_> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
        let all = list(&[
            "get",
            &kinds.join(","),
            "--all-namespaces",
            "--ignore-not-found",
            "-o",
            "jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}",
        ]);
        let name = home.name();
        let own = all.lines().filter(|object| {
            let mut parts = object.split('/').skip(1);
            parts.next() == Some(name)
                || parts.next().is_some_and(|it| it.starts_with(&format!("{name}-")))
        });
        own.map(str::to_owned).collect()
    }
}
