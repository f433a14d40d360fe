//! What is asked of [`Bundle::trace`].

use super::pods::WORKLOADS;

/// What a client dials, and which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// As in a connection string.
    pub(super) host: String,
    /// None for an SRV name, which tells the port itself.
    pub(super) port: Option<u16>,
    /// Namespace, kind and name.
    pub(super) from: (String, &'static str, String),
}

/// Why something is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Not a host name.
    #[error("`{host}` is no host name of a cluster")]
    Host {
        /// As written.
        host: String,
    },
    /// Without a port there is nothing to connect to.
    #[error(
        "`{host}` has no port: write {host}:5432, or an SRV name such as _postgres._tcp.{host}"
    )]
    NoPort {
        /// As written.
        host: String,
    },
    /// Not a port.
    #[error("`{port}` is no port: a number from 1 to 65535 belongs there")]
    Port {
        /// As written.
        port: String,
    },
    /// Not a client.
    #[error("`{from}` names no client: write namespace/kind/name, such as prod/deployment/api")]
    From {
        /// As written.
        from: String,
    },
    /// The client isn't in the input.
    #[error("there is no {kind} `{name}` in namespace `{namespace}` of this input")]
    NoClient {
        /// Such as `Deployment`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
}

impl Query {
    /// Reads `HOST:PORT`, and `NAMESPACE/KIND/NAME` or `KIND/NAME`.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn parse(query: &str, from: &str, default_namespace: &str) -> Result<Self, QueryError> {
        let (host, port) = match query.rsplit_once(':') {
            Some((host, port)) => {
                let number = port.parse().ok().filter(|number| *number != 0);
                let number = number.ok_or_else(|| QueryError::Port { port: port.to_owned() })?;
                (host, Some(number))
            }
            None => (query, None),
        };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
        };
        if !host.strip_suffix('.').unwrap_or(host).split('.').all(label) {
            return Err(QueryError::Host { host: host.to_owned() });
        }
        if port.is_none() && !host.starts_with('_') {
            return Err(QueryError::NoPort { host: host.to_owned() });
        }
        let wrong = || QueryError::From { from: from.to_owned() };
        let parts: Vec<_> = from.split('/').collect();
        let (namespace, kind, name) = match parts.as_slice() {
            [namespace, kind, name] => (*namespace, *kind, *name),
            [kind, name] => (default_namespace, *kind, *name),
            _ => return Err(wrong()),
        };
        let kind = kind.to_ascii_lowercase();
        let kind = WORKLOADS.iter().find(|(_, names)| names.contains(&kind.as_str()));
        let (kind, _) = kind.ok_or_else(wrong)?;
        if namespace.is_empty() || name.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            from: (namespace.to_owned(), kind, name.to_owned()),
        })
    }
}
