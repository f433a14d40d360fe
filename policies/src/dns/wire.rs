//! How many bytes an answer has.

use std::collections::HashSet;

use super::answer::{Additional, Data, Record, UNKNOWN_ADDRESS};

/// Bytes of a whole answer, without the 11 of EDNS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// With names as pointers to others, where that is allowed.
    pub compressed: usize,
    /// As CoreDNS sends it where it fits so.
    pub plain: usize,
    /// Names in it have the Pods' addresses in them: it is this long at most.
    pub at_most: bool,
}

/// # Source
/// RFC 1035 section 4.2.1.
const UDP: usize = 512;
/// # Source
/// DNS Flag Day 2020, the default of unbound, bind and systemd-resolved.
const EDNS: usize = 1232;
const EDNS_RECORD: usize = 11;
const TCP: usize = 65_535;

impl Size {
    /// What a client gets that says nothing of larger answers.
    pub fn sent(self) -> usize {
        if self.plain <= UDP { self.plain } else { self.compressed }
    }

    /// Whether any client gets it in one packet.
    pub fn fits_udp(self) -> bool {
        self.compressed <= UDP
    }

    /// Whether a client with EDNS of 1232 bytes gets it in one packet.
    pub fn fits_edns(self) -> bool {
        self.compressed + EDNS_RECORD <= EDNS
    }

    /// Whether it fits at all.
    pub fn fits_tcp(self) -> bool {
        self.compressed <= TCP
    }
}

/// A message that is only measured.
///
/// # Source
/// RFC 1035 section 4.1.4; `miekg/dns` v1.1 `msg.go` (`packDomainName`): the target
/// of an SRV record is never compressed, but others may point to it.
#[derive(Debug, Default)]
struct Message {
    compressed: usize,
    plain: usize,
    /// Names that others may point to.
    seen: HashSet<String>,
    at_most: bool,
}

/// Pointers have 14 bits.
const POINTABLE: usize = 1 << 14;

impl Message {
    /// Adds a name without the dot at its end.
    fn name(&mut self, name: &str, may_point: bool) {
        self.plain += name.len() + 2;
        let mut rest = name;
        loop {
            if self.seen.contains(rest) {
                if may_point {
                    self.compressed += 2;
                    return;
                }
            } else if self.compressed < POINTABLE {
                self.seen.insert(rest.to_owned());
            }
            let (label, behind) = rest.split_once('.').unwrap_or((rest, ""));
            self.compressed += label.len() + 1;
            if behind.is_empty() {
                break;
            }
            rest = behind;
        }
        self.compressed += 1;
    }

    fn bytes(&mut self, count: usize) {
        self.plain += count;
        self.compressed += count;
    }

    /// Name, type, class, time to live and length.
    fn head(&mut self, name: &str) {
        self.name(name, true);
        self.bytes(10);
    }
}

/// The size of an answer with these records, and with the addresses that come with
/// targets of SRV records.
pub(super) fn answer_size(name: &str, records: &[Record<'_>], additional: &[Additional]) -> Size {
    let mut message = Message::default();
    message.bytes(12);
    message.name(name, true);
    message.bytes(4);
    let mut owner = name.to_owned();
    for record in records {
        message.head(&owner);
        match &record.data {
            Data::A => message.bytes(4),
            Data::Aaaa => message.bytes(16),
            Data::Cname(target) => {
                message.name(target, true);
                owner.clone_from(target);
            }
            Data::Srv { target, .. } => {
                message.bytes(6);
                message.at_most |= record.key.is_some();
                message.name(&filled(target, record.key), false);
            }
        }
    }
    for Additional { target, key, is_v6 } in additional {
        message.head(&filled(target, *key));
        message.bytes(if *is_v6 { 16 } else { 4 });
    }
    let Message { compressed, plain, at_most, .. } = message;
    Size { compressed, plain, at_most }
}

/// A target with the longest address that it may have, and with another one for
/// each Pod.
fn filled(target: &str, key: Option<(usize, bool)>) -> String {
    let Some((number, is_v6)) = key else { return target.to_owned() };
    let longest = longest_address(is_v6).len();
    target.replace(UNKNOWN_ADDRESS, &format!("{number:0longest$}"))
}

/// The longest IP address with dashes.
pub(super) fn longest_address(is_v6: bool) -> &'static str {
    if is_v6 { "2001-0db8-ffff-ffff-ffff-ffff-ffff-ffff" } else { "255-255-255-255" }
}
