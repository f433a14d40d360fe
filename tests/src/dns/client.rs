//! A DNS client that hides nothing: codes, times to live, bytes and truncation.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use headlint_policies::dns::{Code, RecordType};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whether there is such a name.
    pub code: Code,
    /// Records of the answer section: `10.0.0.1`, `100 8000 db-0.db.…`, `CNAME …`.
    pub records: BTreeSet<String>,
    /// Of all records of the answer section.
    pub ttls: BTreeSet<u32>,
    /// Bytes of the whole answer, by TCP.
    pub bytes: usize,
    /// Whether an answer by UDP to a client without EDNS was cut.
    pub cut: bool,
}

/// It keeps its connection.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    socket: UdpSocket,
    stream: TcpStream,
    next: u16,
}

/// Far longer than a server on this machine takes.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    pub(super) fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self { server, socket, stream: connect(server), next: 0 }
    }

    /// Asks by UDP, and by TCP where there is more to see.
    ///
    /// # Panics
    /// When the server doesn't answer.
    #[must_use]
    pub fn ask(&mut self, name: &str, record_type: RecordType) -> Reply {
        self.next = self.next.wrapping_add(1);
        let query = query(self.next, name, record_type);
        self.socket.send_to(&query, self.server).expect("it can be sent");
        let mut buffer = [0; 65_536];
        let length = loop {
            let (length, from) = self.socket.recv_from(&mut buffer).expect("CoreDNS answers");
            let is_ours = from == self.server && buffer[..2] == query[..2];
            if is_ours {
                break length;
            }
        };
        let mut reply = read(&buffer[..length]);
        let cut = reply.cut;
        if !reply.records.is_empty() || cut {
            let answer = self.by_tcp(&query);
            reply = read(&answer);
            reply.cut = cut;
        }
        reply
    }

    fn by_tcp(&mut self, query: &[u8]) -> Vec<u8> {
        exchange(&mut self.stream, query).unwrap_or_else(|_| {
            // It closes connections that were quiet for a while.
            self.stream = connect(self.server);
            exchange(&mut self.stream, query).expect("CoreDNS answers")
        })
    }
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("CoreDNS listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a stream");
    stream
}

fn exchange(stream: &mut TcpStream, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(query.len()).expect("a query is short");
    stream.write_all(&[&length.to_be_bytes(), query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn query(id: u16, name: &str, record_type: RecordType) -> Vec<u8> {
    let record_type = match record_type {
        RecordType::A => TYPE::A,
        RecordType::Aaaa => TYPE::AAAA,
        RecordType::Srv => TYPE::SRV,
    };
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let question = Question::new(name, QTYPE::TYPE(record_type), QCLASS::CLASS(CLASS::IN), false);
    packet.questions.push(question);
    packet.build_bytes_vec().expect("a query")
}

fn read(bytes: &[u8]) -> Reply {
    let packet = Packet::parse(bytes).expect("CoreDNS writes packets");
    let code = match packet.rcode() {
        RCODE::NoError => Code::NoError,
        RCODE::NameError => Code::NxDomain,
        // No other plugin serves names of other zones.
        RCODE::Refused => Code::Elsewhere,
        other => panic!("CoreDNS answered {other:?}"),
    };
    let records = packet.answers.iter().map(|record| match &record.rdata {
        RData::A(address) => Ipv4Addr::from(address.address).to_string(),
        RData::AAAA(address) => Ipv6Addr::from(address.address).to_string(),
        RData::SRV(srv) => {
            assert_eq!(srv.priority, 0);
            format!("{} {} {}", srv.weight, srv.port, srv.target)
        }
        RData::CNAME(name) => format!("CNAME {}", name.0),
        other => panic!("CoreDNS answered {other:?}"),
    });
    Reply {
        code,
        records: records.collect(),
        ttls: packet.answers.iter().map(|record| record.ttl).collect(),
        bytes: bytes.len(),
        cut: packet.has_flags(PacketFlag::TRUNCATION),
    }
}
