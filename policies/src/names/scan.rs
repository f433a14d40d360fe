//! Host names in text, whatever they may mean.

use std::ops::Range;

mod key;

use self::key::Key;
use super::prose;

/// A host name in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// Bytes of `host` or `host:port`.
    pub(super) range: Range<usize>,
    /// As written; may end with a dot.
    pub(super) host: String,
    /// Explicit, or the default of the scheme.
    pub(super) port: Option<u16>,
    /// In lower case; empty without one.
    pub(super) scheme: String,
    /// Whether the client asks for SRV records.
    pub(super) srv: bool,
    /// How sure it is that this is a host name.
    pub(super) form: Form,
}

/// How sure it is that a word is a host name, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A word with a dot among others.
    Word,
    /// Alone in its value, or an item of a list.
    Whole,
    /// With a port.
    Port,
    /// In a URL, or in a field for hosts.
    Authority,
}

/// Ports that clients take without being told, by scheme.
const DEFAULT_PORTS: &[(&str, u16)] = &[
    ("amqp", 5672),
    ("http", 80),
    ("https", 443),
    ("mysql", 3306),
    ("nats", 4222),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
];

/// Schemes without a host that DNS would know, or with one that no client of
/// Services dials.
const HOSTLESS: &[&str] = &[
    "docker",
    "docker-pullable",
    "file",
    "gs",
    "hdfs-site",
    "kubernetes",
    "kuberesolver",
    "oci",
    "s3",
    "s3a",
    "s3n",
    "secret",
    "unix",
    "urn",
    "vault",
    "wasb",
];

/// Parts of schemes (`mongodb+srv`) that make a client ask for SRV records.
const SRV_SCHEMES: &[&str] = &["dnssrv", "dnssrvnoa", "srv", "xds"];

/// All host names in a text, in order. `key` is what the text is the value of:
/// the name of a variable or of a flag, or empty.
///
/// A single label counts only with a port or in a URL. Next to what a template
/// or a shell would fill in, nothing counts.
pub(super) fn scan(key: &str, text: &str) -> Vec<Spot> {
    if !text.contains(['.', ':']) {
        return Vec::new();
    }
    let bytes = prose::blank(text);
    let mut scanner = Scanner { upstreams: upstreams(text), bytes, text, at: 0, spots: Vec::new() };
    let outer = Key::of(key);
    let mut key = outer;
    while let Some((word, new_line)) = scanner.next_word() {
        // An item of a YAML list belongs to the key above.
        if new_line && text[word.clone()] != *"-" {
            key = outer;
        }
        if scanner.behind(word.end).starts_with(b"://") {
            scanner.url(word, key);
        } else if let Some(inner) = scanner.key(&word) {
            key = inner;
        } else {
            scanner.word(word, key);
        }
    }
    scanner.spots
}

struct Scanner<'t> {
    text: &'t str,
    /// The text without what nobody dials, at the same offsets.
    bytes: Vec<u8>,
    /// Names that nginx takes for groups of servers.
    upstreams: Vec<&'t str>,
    /// Where to look for the next word.
    at: usize,
    spots: Vec<Spot>,
}

impl Scanner<'_> {
    /// The next run of bytes that names are made of, and whether it is the
    /// first of its line.
    fn next_word(&mut self) -> Option<(Range<usize>, bool)> {
        let gap = self.behind(self.at);
        let start = self.at + gap.iter().position(|&byte| is_name_byte(byte))?;
        let new_line = self.bytes[self.at..start].contains(&b'\n');
        self.at = self.run_end(start);
        Some((start..self.at, new_line))
    }

    fn run_end(&self, start: usize) -> usize {
        let rest = &self.bytes[start..];
        start + rest.iter().position(|&byte| !is_name_byte(byte)).unwrap_or(rest.len())
    }

    fn behind(&self, at: usize) -> &[u8] {
        &self.bytes[at.min(self.bytes.len())..]
    }

    fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).map(|at| self.bytes[at])
    }

    /// The word as a key or a flag of what follows.
    fn key(&self, word: &Range<usize>) -> Option<Key> {
        let text = &self.text[word.clone()];
        let rest = self.behind(word.end);
        let rest = rest.strip_prefix(b"\"").or(rest.strip_prefix(b"'")).unwrap_or(rest);
        let assigns = match rest.trim_ascii_start() {
            [b'=', ..] => true,
            [b':', after, ..] => matches!(after, b' ' | b'\n' | b'\t' | b'"' | b'[' | b'{'),
            [b':'] => true,
            _ => false,
        };
        let is_flag = text.starts_with('-') && text.len() > 1;
        (assigns || is_flag).then(|| Key::of(text))
    }

    /// `scheme://[user@]host[:port][,host[:port]…]`. `word` ends where `://`
    /// starts.
    fn url(&mut self, word: Range<usize>, key: Key) {
        let mut start = word.start;
        while self.before(start).is_some_and(|byte| byte == b'+' || is_name_byte(byte)) {
            start -= 1;
        }
        // `\n` and the like, in a JSON string.
        if self.before(start) == Some(b'\\') && start + 1 < word.end {
            start += 1;
        }
        let scheme = self.text[start..word.end].to_ascii_lowercase();
        let mut at = word.end + 3;
        self.at = at;
        if HOSTLESS.contains(&scheme.as_str()) {
            self.at = at + self.behind(at).iter().position(|&b| ends_authority(b)).unwrap_or(0);
            return;
        }
        // `dns://[server]/host:port`: the host is where others have a path.
        if (scheme == "dns" || scheme == "xds" || scheme == "passthrough")
            && let Some(slash) = self.behind(at).iter().position(|&byte| ends_authority(byte))
            && self.behind(at + slash).starts_with(b"/")
        {
            at += slash + 1;
        }
        let authority = self.behind(at);
        let authority = &authority
            [..authority.iter().position(|&byte| ends_authority(byte)).unwrap_or(authority.len())];
        if let Some(user) = authority.iter().rposition(|&byte| byte == b'@') {
            at += user + 1;
        }
        let srv = key.asks_srv || scheme.split('+').any(|part| SRV_SCHEMES.contains(&part));
        // nginx puts ports behind variables: `set $x http://db;`, `$x:8080`.
        let has_default = !srv && !self.sets_variable(start);
        let default = DEFAULT_PORTS.iter().find(|known| has_default && known.0 == scheme);
        let default = default.map(|known| known.1);
        loop {
            let end = self.run_end(at);
            if self.behind(end).starts_with(b"://") {
                break;
            }
            self.at = end.max(self.at);
            let Some((port, end)) = self.port(end) else { break };
            let host = &self.text[at..self.run_end(at)];
            let is_group = port.is_none() && self.upstreams.contains(&host);
            if !key.not_dialled && !is_group && self.ends_host(end) && is_host(host) {
                self.spots.push(Spot {
                    range: at..end,
                    host: host.to_owned(),
                    port: port.or(default),
                    scheme: scheme.clone(),
                    srv,
                    form: Form::Authority,
                });
            }
            self.at = end.max(self.at);
            if !self.behind(end).starts_with(b",") {
                break;
            }
            at = end + 1;
        }
    }

    /// Whether the word before is a variable, as in `set $x http://db`.
    fn sets_variable(&self, start: usize) -> bool {
        let before = self.bytes[..start].trim_ascii_end();
        let word = before.iter().rev().take_while(|&&byte| is_name_byte(byte)).count();
        before[..before.len() - word].last() == Some(&b'$')
    }

    /// A word that is neither a scheme nor a key.
    fn word(&mut self, word: Range<usize>, key: Key) {
        let Some((prefix, starts)) = self.starts_host(word.start) else { return };
        let host = &self.text[word.clone()];
        let Some((port, end)) = self.port(word.end) else { return };
        if !starts || !self.ends_host(end) || !is_host(host) || key.not_dialled {
            return;
        }
        let dotted = host.trim_end_matches('.').contains('.');
        let is_path = port.is_none() && self.behind(end).starts_with(b"/");
        // `git@db:80` is a path of SSH, and in `web:80:81` nothing is a host;
        // ZooKeeper writes `zk-0.zk:2888:3888`.
        let is_other = port.is_some()
            && (self.follows_user(word.start) || !dotted && self.behind(end).starts_with(b":"));
        let is_item = self.before(word.start) == Some(b':');
        if is_item && (!dotted || port.is_none()) {
            return;
        }
        if is_other {
            return;
        }
        if (!dotted && port.is_none() && prefix.is_empty()) || (is_path && !host.contains(".svc")) {
            return;
        }
        let form = match port {
            _ if !prefix.is_empty() => Form::Authority,
            Some(_) => Form::Port,
            None if self.is_whole(&word) => Form::Whole,
            None => Form::Word,
        };
        let srv = key.asks_srv || host.starts_with('_') || SRV_SCHEMES.contains(&prefix.as_str());
        let host = host.to_owned();
        self.at = end;
        self.spots.push(Spot { range: word.start..end, host, port, scheme: prefix, srv, form });
    }

    /// Whether `user@` stands in front, without a password. A number is none: Kafka
    /// writes `0@kafka-0.kafka:9093`.
    fn follows_user(&self, start: usize) -> bool {
        let Some(before) = self.bytes[..start].strip_suffix(b"@") else { return false };
        let user = before.iter().rev().take_while(|&&byte| is_name_byte(byte)).count();
        let (front, user) = before.split_at(before.len() - user);
        !user.iter().all(u8::is_ascii_digit) && front.last() != Some(&b':')
    }

    /// Whether a host may start here, with the `dns+` or `dnssrv+` before it.
    fn starts_host(&self, start: usize) -> Option<(String, bool)> {
        let Some(before) = self.before(start) else { return Some((String::new(), true)) };
        if before == b'+' {
            let mut from = start - 1;
            while self.before(from).is_some_and(is_name_byte) {
                from -= 1;
            }
            let prefix = &self.text[from..start - 1];
            let known = matches!(prefix, "dns" | "dnssrv" | "dnssrvnoa");
            return known.then(|| (prefix.to_owned(), true));
        }
        let starts = match before {
            b'"' | b'\'' | b'=' | b',' | b';' | b'[' | b'@' | b'>' | b'|' => true,
            b'(' => self.before(start - 1) != Some(b'$'),
            b':' => self.follows_index(start - 1),
            byte => byte.is_ascii_whitespace(),
        };
        Some((String::new(), starts))
    }

    /// Whether the colon follows the number of an item, as pgpool writes its list
    /// of servers: `0:db-0.db:5432,1:db-1.db:5432`.
    fn follows_index(&self, colon: usize) -> bool {
        let before = &self.bytes[..colon];
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let front = before[..before.len() - digits].last();
        digits > 0 && front.is_none_or(|byte| b",\"'=".contains(byte))
    }

    /// The port behind a host, and where it ends; none where what follows the
    /// colon isn't a number, and so the port unknown.
    fn port(&self, host_end: usize) -> Option<(Option<u16>, usize)> {
        let [b':', rest @ ..] = self.behind(host_end) else { return Some((None, host_end)) };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            // `nfs.storage.svc:/export`
            return rest.starts_with(b"/").then_some((None, host_end));
        }
        let end = host_end + 1 + digits;
        let port = self.text[host_end + 1..end].parse().ok().filter(|&port| port > 0)?;
        Some((Some(port), end))
    }

    /// Whether what follows can follow a host or its port.
    fn ends_host(&self, end: usize) -> bool {
        match self.behind(end) {
            [] => true,
            [b'}', b'}', ..] => false,
            [b'\\', escaped, ..] => matches!(escaped, b'"' | b'\'' | b'n' | b'r' | b't' | b'\n'),
            [byte, ..] => byte.is_ascii_whitespace() || b"\"',;/?])}<&|#:".contains(byte),
        }
    }

    /// Whether a word is a value, or an item of a list, by itself.
    fn is_whole(&self, word: &Range<usize>) -> bool {
        let before = self.bytes[..word.start].trim_ascii_end();
        let first = self.bytes[before.len()..word.start].contains(&b'\n');
        let opens = first
            || match unquote(before.last(), || before[..before.len() - 1].trim_ascii_end().last()) {
                None => true,
                Some(byte) => b"=,:[->".contains(byte),
            };
        let mut behind =
            self.behind(word.end).iter().filter(|&&byte| !matches!(byte, b' ' | b'\t' | b'\r'));
        let next = behind.next();
        if self.before(word.start) == Some(b'=') && self.behind(word.end).first() == Some(&b' ') {
            return true;
        }
        opens
            && match unquote(next, || behind.next()) {
                None => true,
                Some(byte) => b"\n,]<;".contains(byte),
            }
    }
}

/// The byte beyond a quote, if there is one.
fn unquote<'b>(byte: Option<&'b u8>, beyond: impl FnOnce() -> Option<&'b u8>) -> Option<&'b u8> {
    if matches!(byte, Some(b'"' | b'\'')) { beyond() } else { byte }
}

/// The names behind `upstream`, in front of a brace.
///
/// # Source
/// nginx `ngx_http_upstream_module`, `ngx_http_proxy_module` (`proxy_pass`): a
/// name without a port is first looked up among the groups of servers.
fn upstreams(text: &str) -> Vec<&str> {
    text.match_indices("upstream ")
        .filter_map(|(at, word)| {
            let (name, behind) = text[at + word.len()..].trim_start().split_once('{')?;
            let name = name.trim_end();
            (!name.is_empty() && name.bytes().all(is_name_byte) && !behind.starts_with('{'))
                .then_some(name)
        })
        .collect()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

/// What can't stand in the authority of a URL, users and passwords included.
fn ends_authority(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"/?#\"'`<>\\|;".contains(&byte)
}

/// Whether this could be a name that cluster DNS answers: labels in lower case,
/// the first two of an SRV name with an underscore, and no address.
fn is_host(name: &str) -> bool {
    let mut labels: Vec<_> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
    if let [port, protocol, rest @ ..] = labels.as_slice()
        && let (Some(port), Some(protocol)) = (port.strip_prefix('_'), protocol.strip_prefix('_'))
    {
        if !is_label(port) || !matches!(protocol, "tcp" | "udp" | "sctp") {
            return false;
        }
        labels = rest.to_vec();
    }
    let last = labels.last().copied().unwrap_or_default();
    !labels.is_empty()
        && labels.iter().all(|label| is_label(label))
        && !last.starts_with(|c: char| c.is_ascii_digit())
}

/// # Source
/// RFC 1123 as in kubernetes v1.36 `apimachinery/pkg/api/validate/content`
/// (`IsDNS1123Label`).
fn is_label(label: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    label.len() <= 63
        && label.starts_with(inner)
        && label.ends_with(inner)
        && label.chars().all(|c| inner(c) || c == '-')
}

#[cfg(test)]
mod tests;
