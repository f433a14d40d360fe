//! CoreDNS for a cluster without a node.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use super::client::Client;
use crate::cluster::{Cluster, Process, until};
use crate::node::program;

const PORT: u16 = 5353;

/// CoreDNS, at an address of the cluster's network, until it is dropped.
#[derive(Debug)]
pub struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Starts it, and waits until it has seen the API server.
    ///
    /// # Panics
    /// When it doesn't start.
    #[must_use]
    pub fn start(cluster: &Cluster, zone: &str, ttl: u32) -> Self {
        let corefile = format!(".:53 {{\nerrors\nkubernetes {zone} {{\nttl {ttl}\n}}\n}}\n");
        Self::configured(cluster, &corefile)
    }

    /// The same with a Corefile as a cluster has it: of the zone `.` at port 53, with
    /// a block of `kubernetes`.
    ///
    /// # Panics
    /// When it doesn't start.
    #[must_use]
    pub fn configured(cluster: &Cluster, corefile: &str) -> Self {
        let address = SocketAddr::from((cluster.free_address(), PORT));
        let bind = format!(".:{PORT} {{\n bind {}", address.ip());
        let kubeconfig = format!(" kubeconfig {} test", cluster.kubeconfig().display());
        let lines = corefile.lines().flat_map(|line| match line.trim() {
            ".:53 {" => vec![bind.as_str()],
            head if head.starts_with("kubernetes ") && head.ends_with('{') => {
                vec![line, &kubeconfig]
            }
            _ => vec![line],
        });
        let config = lines.collect::<Vec<_>>().join("\n") + "\n";
        let path = cluster.folder().join(format!("Corefile-{}", address.ip()));
        fs::write(&path, config).expect("it can be written");
        let mut command = Command::new(program("coredns"));
        command.arg("-conf").arg(path);
        let mut process = Process::start("coredns", &command, cluster.folder());
        until("CoreDNS to listen", || {
            process.assert_running();
            std::net::TcpStream::connect(address).ok()
        });
        Self { process, address }
    }

    /// A client of it.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn client(&mut self) -> Client {
        self.process.assert_running();
        Client::new(self.address)
    }
}
