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
        let address = SocketAddr::from((cluster.free_address(), PORT));
        let config = format!(
            ".:{PORT} {{\n bind {}\n errors\n kubernetes {zone} {{\n  kubeconfig {} test\n  \
             ttl {ttl}\n }}\n}}\n",
            address.ip(),
            cluster.kubeconfig().display(),
        );
        let path = cluster.folder().join("Corefile");
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
