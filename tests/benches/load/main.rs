//! The webhook under load: TLS on loopback, connections kept alive, a Service
//! CREATE that fires, all built-in policies. Prints figures, asserts none.
//!
//! The server is a process of its own, made of the same parts as
//! `headlint-webhook`, but for the watches: its context is generated. wrk makes
//! the load on the same processors; what it takes itself is printed too.
//!
//! Where `POLICY_SERVER` names a binary of Kubewarden's policy-server, and
//! `POLICY_SERVER_POLICIES` its policies file with a policy `bench`, it runs
//! beside ours.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod server;
mod world;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headlint_tests::cluster::Authority;

/// The argument that makes this program the server: how many objects it knows
/// follows.
const SERVE: &str = "--serve";

/// Seconds of load for each figure.
const SECONDS: u32 = 5;

const CONNECTIONS: [u32; 3] = [1, 16, 64];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [first, objects, folder] = arguments.as_slice()
        && first == SERVE
    {
        return server::run(objects == "many", Path::new(folder));
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    println!(
        "{:32} {:>4} {:>9} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8}",
        "server", "conn", "requests", "p50", "p99", "p99.9", "CPU each", "wrk each", "RSS"
    );
    for (name, body, objects) in [
        ("headlint, nothing known", "service.lua", "none"),
        ("headlint, 62,000 objects known", "service.lua", "many"),
        ("headlint, with a neighbour", "neighbour.lua", "many"),
    ] {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.args([SERVE, objects]).arg(folder.path());
        measure(name, &mut command, "/validate", folder.path(), body);
    }
    if let (Some(binary), Some(policies)) =
        (std::env::var_os("POLICY_SERVER"), std::env::var_os("POLICY_SERVER_POLICIES"))
    {
        let mut command = Command::new(binary);
        command.arg("--policies").arg(policies).args(["--addr", "127.0.0.1", "--port", PORT]);
        command.arg("--cert-file").arg(folder.path().join("tls.crt"));
        command.arg("--key-file").arg(folder.path().join("tls.key"));
        measure("policy-server", &mut command, "/validate/bench", folder.path(), "service.lua");
    } else {
        println!("policy-server: not measured, POLICY_SERVER names no binary");
    }
}

/// Where the server listens.
const PORT: &str = "18443";

/// Certificates, requests, and what wrk does with them.
fn prepare(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let identity = Authority::new().issue(&["127.0.0.1".to_owned()]);
    write("tls.crt", &identity.certificate);
    write("tls.key", &identity.key);
    for (name, request) in [
        ("service.lua", world::review("bench", "vectors")),
        ("neighbour.lua", world::review("team-0", "broker-0")),
    ] {
        let body = folder.join(name).with_extension("json");
        std::fs::write(&body, request).unwrap();
        write(name, &include_str!("load.lua").replace("BODY", &body.display().to_string()));
    }
}

/// One server at all numbers of connections.
fn measure(name: &str, command: &mut Command, path: &str, folder: &Path, script: &str) {
    let start = Instant::now();
    let server = Server(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let ready = server.until_ready(start);
    let url = format!("https://127.0.0.1:{PORT}{path}");
    // A first, short load brings pages and caches in.
    wrk(folder, script, &url, 16, 1);
    for connections in CONNECTIONS {
        let before = server.cpu();
        let load = wrk(folder, script, &url, connections, SECONDS);
        let cpu = (server.cpu() - before).as_secs_f64() * 1e6 / load.requests;
        println!(
            "{name:32} {connections:4} {:7.0}/s {:>6}us {:>6}us {:>6}us {cpu:7.0}us {:7.0}us {:5} MB",
            load.requests / f64::from(SECONDS),
            load.p50,
            load.p99,
            load.p999,
            load.cpu.as_secs_f64() * 1e6 / load.requests,
            server.resident() / 1024,
        );
        assert!(load.failed == 0, "{} requests of {name} failed", load.failed);
    }
    println!("{name}: accepts after {} ms", ready.as_millis());
}

struct Server(Child);

impl Server {
    fn until_ready(&self, start: Instant) -> Duration {
        let address = format!("127.0.0.1:{PORT}");
        // Far more than any of them takes.
        while start.elapsed() < Duration::from_secs(60) {
            if std::net::TcpStream::connect(&address).is_ok() {
                return start.elapsed();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("the server doesn't listen");
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(PathBuf::from(format!("/proc/{}/{file}", self.0.id()))).unwrap()
    }

    /// User and system time so far, in ticks of ten milliseconds.
    fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Resident memory in KiB.
    fn resident(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What wrk saw.
#[derive(Default)]
struct Load {
    requests: f64,
    failed: u64,
    p50: u64,
    p99: u64,
    p999: u64,
    cpu: Duration,
}

fn wrk(folder: &Path, script: &str, url: &str, connections: u32, seconds: u32) -> Load {
    let threads = connections.min(2);
    let command = format!("wrk -t{threads} -c{connections} -d{seconds}s -s {script} {url}; times");
    let mut child = Command::new("bash")
        .args(["-c", &command])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("wrk is installed");
    let mut load = Load::default();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        lines.push(line.unwrap());
    }
    child.wait().unwrap();
    for line in &lines {
        let Some((name, value)) = line.split_once('=') else { continue };
        let number: f64 = value.parse().unwrap();
        match name {
            "requests" => load.requests = number,
            "failed" => load.failed = number as u64,
            "p50" => load.p50 = number as u64,
            "p99" => load.p99 = number as u64,
            "p999" => load.p999 = number as u64,
            _ => {}
        }
    }
    // `times` ends with the time of the children: `0m1.234s 0m0.567s`.
    let times = lines.last().unwrap().split_whitespace();
    load.cpu = times
        .map(|time| {
            let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
            let seconds = minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap();
            Duration::from_secs_f64(seconds)
        })
        .sum();
    load
}
