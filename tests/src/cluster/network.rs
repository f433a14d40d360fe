//! Loopback addresses for one cluster.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

/// 127.N.0.0/16: its lower half is for Services, the upper one for servers.
/// Other clusters on this machine have another N, so that ports are never in
/// anybody's way.
#[derive(Debug)]
pub struct Network {
    second: u8,
    next: AtomicU8,
    /// The kernel takes it back however this process ends.
    _claim: TcpListener,
}

impl Network {
    /// Takes the first free one.
    ///
    /// # Panics
    /// When all are in use.
    #[must_use]
    pub fn claim() -> Self {
        let claim = |second| {
            let address = Ipv4Addr::new(127, second, 255, 254);
            Some((second, TcpListener::bind((address, 1024)).ok()?))
        };
        let (second, claim) = (96..=126).find_map(claim).expect("a free loopback network");
        Self { second, next: AtomicU8::new(10), _claim: claim }
    }

    /// The range for `--service-cluster-ip-range`.
    #[must_use]
    pub fn services(&self) -> String {
        format!("127.{}.0.0/17", self.second)
    }

    /// Where etcd listens.
    #[must_use]
    pub fn etcd(&self) -> Ipv4Addr {
        self.host(1)
    }

    /// Where the API server listens.
    #[must_use]
    pub fn api_server(&self) -> Ipv4Addr {
        self.host(2)
    }

    /// An address that was not given before.
    ///
    /// # Panics
    /// When some 240 were given.
    #[must_use]
    pub fn next(&self) -> Ipv4Addr {
        let host = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(host < 250, "no more addresses");
        self.host(host)
    }

    fn host(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.second, 255, host)
    }
}
