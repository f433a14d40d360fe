//! What can be told without a server. What a server answers, `tests/src/dns` asks
//! one.

use std::sync::Arc;

use super::wire::answer_size;
use super::*;
use crate::manifest::Source;
use crate::model::ClusterProfile;

fn bundle(yaml: &str, complete: bool) -> Bundle {
    let source = Source::new("test.yaml", yaml.as_bytes().to_vec()).expect("it is UTF-8");
    let cluster = ClusterProfile::default();
    let options = Options { complete, default_namespace: "prod".to_owned(), cluster };
    let bundle = Bundle::read(vec![Ok(Arc::new(source))], options);
    assert_eq!(bundle.errors, []);
    bundle
}

fn service(name: &str, spec: &str) -> String {
    format!("---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {spec}}}\n")
}

fn set(name: &str, service: &str, replicas: i64) -> String {
    format!(
        "---\n{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: {name}}}, spec: \
         {{serviceName: {service}, replicas: {replicas}, selector: {{matchLabels: {{app: {name}}}}}, \
         template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, image: c}}]}}}}}}}}\n"
    )
}

const HEADLESS: &str =
    "{clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 80, targetPort: 5432}]}";

fn db(replicas: i64) -> String {
    service("db", HEADLESS) + &set("db", "db", replicas)
}

#[test]
fn a_set_has_names_for_its_service_its_ports_and_its_pods() {
    let table = bundle(&db(2), true).table();
    let rows: Vec<_> = table
        .names
        .iter()
        .map(|row| (row.name.strip_suffix(".prod.svc.cluster.local").unwrap(), row.record_type))
        .collect();
    let expected = [("db", "A"), ("_sql._tcp.db", "SRV"), ("db-0.db", "A"), ("db-1.db", "A")];
    assert_eq!(rows, expected);
    assert_eq!(table.names[0].answers, ["db-0", "db-1"]);
    assert_eq!(table.names[1].ports, [5432], "the target's, not the Service's");
    assert_eq!(table.missing, []);
}

#[test]
fn a_name_by_address_is_of_any_pod() {
    let yaml = service("db", HEADLESS) + &set("db", "other", 2);
    let table = bundle(&yaml, true).table();
    let row = table.names.iter().find(|row| row.name.starts_with(UNKNOWN_ADDRESS)).unwrap();
    assert_eq!(row.answers, ["a Pod of StatefulSet `db`"]);
}

#[test]
fn readiness_is_what_the_answer_depends_on() {
    let ready = |yaml: &str| bundle(yaml, true).table().names[0].ready;
    let probed = db(1).replace("image: c", "image: c, readinessProbe: {tcpSocket: {port: 1}}");
    assert_eq!(ready(&probed), Readiness::WhenReady);
    assert_eq!(ready(&db(1)), Readiness::WhenRunning);
    let published =
        probed.replace("clusterIP: None,", "clusterIP: None, publishNotReadyAddresses: true,");
    assert_eq!(ready(&published), Readiness::WhilePresent);
    assert_eq!(ready(&service("web", "{ports: [{port: 80}]}")), Readiness::Always);
}

#[test]
fn what_is_not_in_the_input_is_certain_only_if_nothing_else_exists() {
    for complete in [false, true] {
        let bundle = bundle(&db(1), complete);
        let missing = bundle.ask("other.prod.svc.cluster.local", RecordType::A);
        assert_eq!((missing.code, missing.doubts.is_empty()), (Code::NxDomain, complete));
        let beyond = bundle.ask("db-1.db.prod.svc.cluster.local", RecordType::A);
        assert_eq!((beyond.code, beyond.doubts.is_empty()), (Code::NxDomain, true));
        assert_eq!(beyond.field, "$.spec.replicas");
    }
}

#[test]
fn case_and_a_last_dot_do_not_matter() {
    let bundle = bundle(&db(1), true);
    let answer = bundle.ask("DB-0.db.Prod.svc.cluster.local.", RecordType::A);
    assert_eq!(answer.records.len(), 1);
    assert_eq!(bundle.ask("db.example.com", RecordType::A).code, Code::Elsewhere);
}

#[test]
fn a_scaled_set_has_one_pod_for_sure_and_maybe_more() {
    let scaler = "---\n{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: db}, \
                  spec: {scaleTargetRef: {kind: StatefulSet, name: db}}}\n";
    let bundle = bundle(&(db(3) + scaler), true);
    let ask = |name: &str| bundle.ask(&format!("{name}.prod.svc.cluster.local"), RecordType::A);
    assert_eq!(ask("db-0.db").records.len(), 1);
    let third = ask("db-2.db");
    assert!(third.records.is_empty() && !third.doubts.is_empty());
}

#[test]
fn sizes_are_those_of_the_wire() {
    // 28 addresses fit into 512 bytes, and 29 don't: names of 39 characters.
    let name = "headless-service-x.ns.svc.cluster.local";
    let yaml = |count| {
        (service("headless-service-x", HEADLESS) + &set("db", "headless-service-x", count))
            .replace("{name: headless-service-x}", "{name: headless-service-x, namespace: ns}")
            .replace("{name: db}", "{name: db, namespace: ns}")
    };
    for (count, fits) in [(28, true), (29, false)] {
        let bundle = bundle(&yaml(count), true);
        let size = bundle.ask(name, RecordType::A).size;
        assert_eq!(size.compressed, 12 + name.len() + 2 + 4 + 16 * usize::try_from(count).unwrap());
        assert_eq!((size.fits_udp(), size.fits_edns()), (fits, true));
    }
    assert_eq!(answer_size("a.b", &[], &[]).plain, 12 + 5 + 4);
}

fn outcome(yaml: &str, host: &str, from: &str) -> (Outcome, Option<String>) {
    let query = Query::parse(host, from, "prod").expect("it is a query");
    let trace = bundle(yaml, true).trace(&query).expect("the client is there");
    (trace.outcome, trace.advice.map(|advice| format!("{} {}", advice.object, advice.path)))
}

const CLIENT: &str = "---\n{apiVersion: v1, kind: Pod, metadata: {name: c, labels: {app: c}}, spec: {containers: [{name: c, image: c}]}}\n";

fn policy(spec: &str) -> String {
    format!(
        "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p}}, spec: {spec}}}\n"
    )
}

#[test]
fn a_query_ends_as_a_client_would_see_it() {
    let all = db(2) + CLIENT;
    let refused = Some("Service prod/db $.spec.ports[0].port".to_owned());
    assert_eq!(outcome(&all, "db-0.db:5432", "pod/c"), (Outcome::Connects, None));
    assert_eq!(outcome(&all, "db:80", "pod/c"), (Outcome::Refused, refused.clone()));
    assert_eq!(outcome(&all, "db:81", "pod/c"), (Outcome::Unknown, None));
    let replicas = Some("StatefulSet prod/db $.spec.replicas".to_owned());
    assert_eq!(outcome(&all, "db-2.db:5432", "pod/c"), (Outcome::NxDomain, replicas));
    // The right port would be let through: the policy isn't what is to be changed.
    let narrow = all.clone()
        + &policy("{podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 5432}]}]}");
    assert_eq!(outcome(&narrow, "db:5432", "pod/c"), (Outcome::Connects, None));
    assert_eq!(outcome(&narrow, "db:80", "pod/c"), (Outcome::TimesOut, refused));
}

#[test]
fn policies_are_about_the_pods_port_and_add_up() {
    let all = db(1) + CLIENT;
    let closed =
        policy("{podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 80}]}]}");
    let blocked = (Outcome::TimesOut, Some("NetworkPolicy prod/p $.spec.ingress".to_owned()));
    assert_eq!(outcome(&(all.clone() + &closed), "db:5432", "pod/c"), blocked);
    let second =
        closed.replace("name: p", "name: q").replace("port: 80", "port: 5400, endPort: 5500");
    assert_eq!(
        outcome(&(all.clone() + &closed + &second), "db:5432", "pod/c").0,
        Outcome::Connects
    );
    let named = policy(
        "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]}",
    );
    assert_eq!(outcome(&(all.clone() + &named), "db:5432", "pod/c").0, Outcome::Unknown);
    let mute = policy("{podSelector: {matchLabels: {app: c}}, policyTypes: [Egress]}");
    let egress = (Outcome::TimesOut, Some("NetworkPolicy prod/p $.spec.egress".to_owned()));
    assert_eq!(outcome(&(all + &mute), "db:5432", "pod/c"), egress);
}

#[test]
fn the_search_path_is_the_pods() {
    let all = db(1) + CLIENT;
    let foreign =
        all.clone() + &CLIENT.replace("name: c, labels", "name: d, namespace: other, labels");
    assert_eq!(outcome(&foreign, "db:5432", "other/pod/d").0, Outcome::NxDomain);
    assert_eq!(outcome(&foreign, "db.prod:5432", "other/pod/d").0, Outcome::Connects);
    let with = |spec: &str| db(1) + &CLIENT.replace("spec: {", &format!("spec: {{{spec}, "));
    let policy = Some("Pod prod/c $.spec.dnsPolicy".to_owned());
    assert_eq!(
        outcome(&with("hostNetwork: true"), "db:5432", "pod/c"),
        (Outcome::NxDomain, policy)
    );
    let hosted = with("hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet");
    assert_eq!(outcome(&hosted, "db:5432", "pod/c").0, Outcome::Connects);
    assert_eq!(outcome(&with("dnsPolicy: None"), "db:5432", "pod/c").0, Outcome::Unknown);
    let absolute = outcome(&all, "db.prod.svc.cluster.local.:5432", "pod/c").0;
    assert_eq!(absolute, Outcome::Connects);
    assert_eq!(outcome(&all, "db.prod.:5432", "pod/c").0, Outcome::Unknown);
}
