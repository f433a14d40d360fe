//! What a rule says of Corefiles, seen with CoreDNS.

use std::collections::BTreeSet;

use headlint_policies::dns::{Code, RecordType};
use headlint_tests::cluster::{Cluster, until};
use headlint_tests::dns::{Reply, Server};
use headlint_tests::truth;

use crate::Test::{self, Sharing};
use crate::truth::corefile;

pub(crate) const TESTS: &[(&str, Test)] =
    &[("corefiles_answer_as_rules_say", Sharing(corefiles_answer_as_rules_say))];

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: db}
subsets:
- addresses: [{ip: 10.1.2.3}]
  ports: [{name: sql, port: 5432}]
";

fn corefiles_answer_as_rules_say(cluster: &Cluster) {
    let namespace = cluster.namespace();
    let _ = namespace.apply(SERVICE).succeeded();
    let name = format!("db.{}.svc.cluster.local", namespace.name());
    let ask = |case: &str| -> Reply {
        let case = truth::case("coredns-config-headless", case).unwrap();
        let mut server = Server::configured(cluster, &corefile(&case));
        let mut client = server.client();
        until("CoreDNS to know the Service", || {
            let reply = client.ask(&name, RecordType::A);
            (reply.code == Code::NoError).then_some(reply)
        })
    };
    for (case, seconds) in [
        ("fires-ttl", 300),
        ("fires-shortest-time", 120),
        ("quiet-ttl-capped", 30),
        ("quiet-shortest-time", 30),
    ] {
        let reply = ask(case);
        assert_eq!(reply.ttls, BTreeSet::from([seconds]), "{case}");
    }
    for (case, address) in
        [("fires-template", "192.0.2.1"), ("quiet-template-of-others", "10.1.2.3")]
    {
        let reply = ask(case);
        assert_eq!(reply.records, BTreeSet::from([address.to_owned()]), "{case}");
    }
}
