//! How the servers of a node are started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::Sandbox;
use crate::cases::root;
use crate::cluster::{self, Cluster, Process, until};

pub(super) const CONTAINERD: &str = "/run/containerd/containerd.sock";
/// It needs nothing of the file system below.
pub(super) const SNAPSHOTTER: &str = "native";
/// What the Pods of tests run (`tests/node/pod`), the kubelet's first container of
/// each among them.
pub const POD_IMAGE: &str = "headlint.test/pod:1";
/// The cluster IP of kube-dns.
pub(super) const RESOLVER: &str = "10.96.0.10";
const PODS: &str = "10.244.0.0/24";

/// A program of the node.
///
/// # Panics
/// When it hasn't been built.
pub(crate) fn program(name: &str) -> PathBuf {
    let program = root().join("target/node").join(name);
    assert!(program.exists(), "no {}: `make node` builds it", program.display());
    program
}

/// All of them, until they are dropped.
pub(super) struct Servers {
    // Dropped in this order.
    processes: [Process; 5],
}

impl Servers {
    pub(super) fn start(cluster: &Cluster, sandbox: &Sandbox) -> Self {
        let folder = sandbox.folder();
        let mut containerd = containerd(folder);
        until("containerd to listen", || {
            containerd.assert_running();
            Path::new(CONTAINERD).exists().then_some(())
        });
        let kubelet = kubelet(cluster, sandbox);
        let kubeconfig = cluster.kubeconfig();
        let proxy = kube_proxy(&kubeconfig, folder);
        let scheduler = kube_scheduler(&kubeconfig, folder);
        let dns = core_dns(&kubeconfig, folder);
        Self { processes: [dns, scheduler, proxy, kubelet, containerd] }
    }

    pub(super) fn assert_running(&mut self) {
        self.processes.iter_mut().for_each(Process::assert_running);
    }
}

fn write(path: &Path, text: &str) {
    let parent = path.parent().expect("it is in a folder");
    fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).expect("it can be written");
}

fn containerd(folder: &Path) -> Process {
    let programs = program("runc").canonicalize().expect("it is there");
    let programs = programs.parent().expect("it is in a folder");
    let network = folder.join("network/10-pods.conflist");
    // Each Pod's packets go by way of the node, where kube-proxy translates
    // them; a bridge would carry answers past it.
    let pods = json!({
        "cniVersion": "1.0.0", "name": "pods",
        "plugins": [{
            "type": "ptp",
            "ipam": {
                "type": "host-local", "dataDir": folder.join("addresses"),
                "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    });
    write(&network, &pods.to_string());
    // A container's score can't be lowered without a right that isn't ours.
    let config = format!(
        r#"version = 3
root = "{root}"
state = "/run/containerd"
[grpc]
address = "{CONTAINERD}"
[plugins."io.containerd.cri.v1.images"]
snapshotter = "{SNAPSHOTTER}"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{POD_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{programs}/runc"
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{programs}"]
conf_dir = "{network}"
"#,
        root = folder.join("containerd").display(),
        programs = programs.display(),
        network = folder.join("network").display(),
    );
    let path = folder.join("containerd.toml");
    write(&path, &config);
    let mut command = Command::new(program("containerd"));
    // It looks for the shim there.
    let path_variable = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{}:{path_variable}", programs.display()))
        .arg("--config")
        .arg(path);
    Process::start("containerd", &command, folder)
}

fn kubelet(cluster: &Cluster, sandbox: &Sandbox) -> Process {
    let folder = sandbox.folder();
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": Sandbox::ADDRESS.to_string(),
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
        "clusterDNS": [RESOLVER], "clusterDomain": "cluster.local",
        "cgroupDriver": "cgroupfs", "cgroupRoot": sandbox.cgroup(), "failCgroupV1": false,
        "enforceNodeAllocatable": [], "localStorageCapacityIsolation": false,
        // The machine's disk is nothing that a test looks after.
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": false,
        "podLogsDir": folder.join("pods"),
        "volumePluginDir": folder.join("volume-plugins"),
    });
    let path = folder.join("kubelet.json");
    write(&path, &config.to_string());
    let mut command = Command::new(cluster::program("kubelet"));
    command
        .arg(format!("--config={}", path.display()))
        .arg(format!("--kubeconfig={}", cluster.kubeconfig().display()))
        .arg(format!("--root-dir={}", folder.join("kubelet").display()))
        .arg(format!("--node-ip={}", Sandbox::ADDRESS))
        .arg("--hostname-override=node");
    Process::start("kubelet", &command, folder)
}

fn kube_proxy(kubeconfig: &Path, folder: &Path) -> Process {
    let mut command = Command::new(cluster::program("kube-proxy"));
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--cluster-cidr={PODS}"))
        // The limit is the whole machine's.
        .args(["--proxy-mode=nftables", "--conntrack-max-per-core=0"])
        .arg("--hostname-override=node");
    Process::start("kube-proxy", &command, folder)
}

fn kube_scheduler(kubeconfig: &Path, folder: &Path) -> Process {
    let mut command = Command::new(cluster::program("kube-scheduler"));
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .args(["--leader-elect=false", "--secure-port=0"]);
    Process::start("kube-scheduler", &command, folder)
}

fn core_dns(kubeconfig: &Path, folder: &Path) -> Process {
    let config = format!(
        ".:53 {{\n errors\n kubernetes cluster.local {{\n kubeconfig {} test\n }}\n}}\n",
        kubeconfig.display(),
    );
    let path = folder.join("Corefile");
    write(&path, &config);
    let mut command = Command::new(program("coredns"));
    command.arg("-conf").arg(path);
    Process::start("coredns", &command, folder)
}
