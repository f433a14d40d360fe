//! Certificates are replaced, and replicas end and come back.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use headlint_tests::cluster::{
    Authority, Balancer, Cluster, Direct, Identity, Load, MISMATCH, Replica, ThroughApiServer,
    Trust, mismatched_service, review, until,
};
use headlint_webhook::certificates::Lifetimes;
use k8s_openapi::ByteString;

use super::{
    API_SERVER_RATE, CLIENTS, PORT, RATE, SECONDS, Seen, WEBHOOKS, client_config, creations,
    in_namespace, number, service, services, with_certificate_of,
};

/// Serving certificates are renewed every 24 s and authorities every 72 s, so
/// that the stream sees both; 12 s are left for a busy machine.
const LIFETIMES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(108),
    serving: Duration::from_secs(36),
    settle: Duration::from_secs(2),
};

/// Makes this program the webhook, but for how long its certificates last.
const SHORT_LIVED: &str = "HEADLINT_TEST_SHORT_LIFETIMES";

/// The webhook, if this process was started to be it.
pub(crate) fn serve_with_short_lifetimes() -> Option<ExitCode> {
    std::env::var_os(SHORT_LIVED)?;
    Some(headlint_webhook::run(std::env::args_os(), async |shared| {
        headlint_webhook::reviewer_with(shared, LIFETIMES).await
    }))
}

/// A folder as the kubelet makes it of a Secret.
struct Volume {
    folder: PathBuf,
    versions: usize,
}

impl Volume {
    fn mount(folder: PathBuf, identity: &Identity) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let mut volume = Self { folder, versions: 0 };
        volume.swap(identity);
        for file in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(file), volume.folder.join(file)).unwrap();
        }
        volume
    }

    /// All files change at once, when `..data` points elsewhere.
    fn swap(&mut self, identity: &Identity) {
        self.versions += 1;
        let version = format!("..version-{}", self.versions);
        let folder = self.folder.join(&version);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tls.crt"), &identity.certificate).unwrap();
        fs::write(folder.join("tls.key"), &identity.key).unwrap();
        let (new, data) = (self.folder.join("..data_tmp"), self.folder.join("..data"));
        symlink(version, &new).unwrap();
        fs::rename(new, data).unwrap();
    }
}

/// The caBundle of a ValidatingWebhookConfiguration, PEM.
fn authorities(cluster: &Cluster, configuration: &str) -> String {
    let object = cluster.get(&format!("{WEBHOOKS}/{configuration}")).unwrap();
    let bundle = object["webhooks"][0]["clientConfig"]["caBundle"].clone();
    let ByteString(bytes) = serde_json::from_value(bundle).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// One stream, so that all of it takes some three minutes: the API server asks two
/// Services about each of its requests, and other clients ask each Service.
/// Behind `files` is a replica with a certificate from files, behind `kept` two
/// with certificates of their own making. With 30 s of load between them:
///
/// 1. the files are swapped for a renewed certificate,
/// 2. and for one of another authority;
/// 3. the authority of the certificates that replicas make for themselves has
///    changed, so that the caBundle grew and shrank, and the certificates were
///    renewed some times;
/// 4. SIGTERM ends one replica, which comes back; then the other one, so that
///    the connection of the API server was moved at least once.
pub(super) fn no_request_fails_while_certificates_and_replicas_change(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let name = namespace.name();
    let (files, kept) = (service(&namespace, "files"), service(&namespace, "kept"));
    let names = ["files", "kept"].map(|service| format!("{service}.{name}.svc"));
    let configurations = ["files", "kept"].map(|service| format!("{service}-{name}"));

    // Behind `files`.
    let (first, second) = (Authority::new(), Authority::new());
    let issue = |authority: &Authority| authority.issue(&[names[0].clone()]);
    let folder = cluster.folder().join(format!("files-{name}"));
    let mut volume = Volume::mount(folder, &issue(&first));
    let at = || SocketAddr::from((cluster.free_address(), PORT));
    let command = with_certificate_of(&volume.folder);
    let mut file_replica = Replica::start(cluster, &configurations[0], at(), command);

    // Behind `kept`.
    let mut replicas = [0, 1].map(|index| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .env(SHORT_LIVED, "1")
            .args(["--service", "kept", "--namespace", name])
            .args(["--webhook-configuration", &configurations[1]])
            .args(["--settle-seconds", "2", "--drain-seconds", "20"]);
        Replica::start(cluster, &format!("kept-{name}-{index}"), at(), command)
    });
    let bundle = [first.certificate(), second.certificate()].concat().into_bytes();
    let mut trusting = client_config(name, "files");
    trusting["caBundle"] = serde_json::to_value(ByteString(bundle)).unwrap();
    let condition = in_namespace(name);
    cluster.register_webhook(&configurations[0], &trusting, &creations(), &condition);
    let untrusting = client_config(name, "kept");
    cluster.register_webhook(&configurations[1], &untrusting, &creations(), &condition);
    let _files = Balancer::start(cluster, files, vec![file_replica.backend()]);
    let balancer = Balancer::start(cluster, kept, replicas.iter().map(Replica::backend).collect());
    file_replica.until_ready();
    replicas.iter_mut().for_each(Replica::until_ready);
    let object = mismatched_service("db");
    until("the API server to trust both", || {
        let path = format!("{}?dryRun=All", services(name));
        cluster.call(hyper::Method::POST, &path, &object).ok()
    });
    let started = authorities(cluster, &configurations[1]);

    let trust = configurations.each_ref().map(|name| Trust::follow(cluster, name));
    let seen: [Seen; 2] = Default::default();
    let review = review(name, "services", &object);
    let mut load = Load::new(cluster);
    for (index, address) in [files, kept].into_iter().enumerate() {
        let to = (names[index].as_str(), address);
        let asked = (&review, MISMATCH);
        let askers = Direct::askers(CLIENTS, to, &trust[index], asked, &seen[index]);
        load.add(&names[index], RATE, askers);
    }
    let asker = ThroughApiServer::new(cluster, &services(name), object, Some(MISMATCH));
    load.add("the API server", API_SERVER_RATE, vec![asker; CLIENTS]);

    let mut all = load.flow("before anything", SECONDS);
    for (what, authority) in [("renewed", &first), ("of another authority", &second)] {
        let before = number(&seen[0]);
        volume.swap(&issue(authority));
        until("the files to be read", || (number(&seen[0]) > before).then_some(()));
        all += load.flow(&format!("after the files were {what}"), SECONDS);
    }
    assert_eq!(number(&seen[0]), 3, "certificates from files");

    until("the first authority to leave the caBundle", || {
        load.assert_none_failed("until the authority changed");
        (!authorities(cluster, &configurations[1]).contains(&started)).then_some(())
    });
    all += load.flow("after the authority changed", SECONDS);

    for (index, replica) in replicas.iter_mut().enumerate() {
        let status = replica.terminate();
        assert!(status.success(), "{status}: {}", replica.log());
        assert!(!replica.log().contains("cut after"), "{}", replica.log());
        load.assert_none_failed(&format!("after SIGTERM of replica {index}"));
        replica.restart();
        replica.until_ready();
        until("both to be ready", || (balancer.ready() == 2).then_some(()));
    }
    all += load.flow("after SIGTERM of each replica", SECONDS);
    for replica in &replicas {
        assert!(replica.metric("headlint_requests_total", "kind=\"Service\"") > 0.0);
    }
    let certificates = number(&seen[1]);
    assert!(certificates >= 4, "only {certificates} certificates of their own making");
    let (in_all, api_server) =
        (load.answered(), file_replica.metric("headlint_requests_total", ""));
    drop(load);
    println!(
        "{in_all} requests ({all} of them between events), {api_server} judged by `files`, none \
         failed; certificates: 3 from files, {certificates} of their own making",
    );
    for configuration in &configurations {
        cluster.unregister_webhook(configuration);
    }
}
