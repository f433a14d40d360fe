//! Addresses for one cluster: of the loopback network, and of its node if it has
//! one.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

/// 127.N.0.0/16: its lower half is for Services, the upper one for servers.
/// Other clusters on this machine have another N, so that ports are never in
/// anybody's way.
#[derive(Debug)]
pub struct Network {
    second: u8,
    next: AtomicU8,
    node: Option<Ipv4Addr>,
    dual_stack: bool,
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
        Self { second, next: AtomicU8::new(10), node: None, dual_stack: false, _claim: claim }
    }

    /// The network of a cluster with a node, whose Pods can't reach loopback
    /// addresses: the API server is at the node's, and Services have some that
    /// kube-proxy translates.
    ///
    /// # Panics
    /// As [`Network::claim`].
    #[must_use]
    pub fn of_node(address: Ipv4Addr) -> Self {
        Self { node: Some(address), ..Self::claim() }
    }

    /// The network of a cluster whose Services can have addresses of both families.
    /// Nobody listens at those of IPv6.
    ///
    /// # Panics
    /// As [`Network::claim`].
    #[must_use]
    pub fn of_both_families() -> Self {
        Self { dual_stack: true, ..Self::claim() }
    }

    /// The node's address.
    #[must_use]
    pub fn node(&self) -> Option<Ipv4Addr> {
        self.node
    }

    /// The range for `--service-cluster-ip-range`.
    #[must_use]
    pub fn services(&self) -> String {
        match self.node {
            Some(_) => "10.96.0.0/16".to_owned(),
            None if self.dual_stack => format!("127.{0}.0.0/17,fd00:{0}::/112", self.second),
            None => format!("127.{}.0.0/17", self.second),
        }
    }

    /// How clients know the API server: by its address, and as the Service
    /// `kubernetes`, whose address is the range's first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let service = ["kubernetes.default.svc", "10.96.0.1"].map(str::to_owned);
        [self.api_server().to_string()].into_iter().chain(service).collect()
    }

    /// Where etcd listens.
    #[must_use]
    pub fn etcd(&self) -> Ipv4Addr {
        self.host(1)
    }

    /// Where the API server listens.
    #[must_use]
    pub fn api_server(&self) -> Ipv4Addr {
        self.node.unwrap_or_else(|| self.host(2))
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
