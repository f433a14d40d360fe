use super::*;
use crate::model::{ObjectRef, PodTemplate, ServicePort, StatefulSet};

/// Namespace `prod` with the Services `db`, `web` and `redis`, a StatefulSet
/// `mysql` whose Service `mysql-hl` isn't there, and `db` in `other` too.
struct World {
    services: Vec<Service>,
    workloads: Vec<Workload>,
}

fn name(namespace: &str, name: &str) -> Arc<Metadata> {
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Arc::new(Metadata {
        object_ref: ObjectRef { namespace, name, ..ObjectRef::default() },
        ..Metadata::default()
    })
}

fn world() -> World {
    let service = |namespace, of, port, target: IntOrString| Service {
        meta: name(namespace, of),
        ports: vec![ServicePort {
            port: Some(port),
            target_port: Some(target),
            ..ServicePort::default()
        }],
        ..Service::default()
    };
    let set = Workload {
        meta: name("prod", "mysql"),
        stateful_set: Some(StatefulSet {
            service_name: Some("mysql-hl".to_owned()),
            ..StatefulSet::default()
        }),
        template: PodTemplate::default(),
        ..Workload::default()
    };
    World {
        services: vec![
            service("prod", "db", 80, IntOrString::Int(8000)),
            service("prod", "redis", 6379, IntOrString::Int(6379)),
            service("prod", "web", 80, IntOrString::Text("http".to_owned())),
            service("other", "db", 80, IntOrString::Int(80)),
            service("svc", "own", 80, IntOrString::Int(80)),
        ],
        workloads: vec![set],
    }
}

impl Known for World {
    fn seen(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| {
            let object = &service.meta.object_ref;
            object.namespace == namespace && object.name == name
        })
    }

    fn workloads_with_pod(&self, namespace: &str, host: &str) -> Vec<&Workload> {
        let has = |one: &&Workload| {
            let object = &one.meta.object_ref;
            object.namespace == namespace && host.starts_with(&format!("{}-", object.name))
        };
        self.workloads.iter().filter(has).collect()
    }

    fn services_labelled(&self, _: Option<&[String]>, _: &LabelSelector) -> Vec<&Service> {
        Vec::new()
    }

    fn zone(&self) -> &str {
        "cluster.local"
    }
}

/// `pod/service.namespace`, or `-` for no reference.
fn reading(host: &str, port: Option<i64>, form: Form) -> String {
    let port = port.map(IntOrString::Int);
    match read(host, port.as_ref(), form, "prod", &world()) {
        None => "-".to_owned(),
        Some(Reading { pod, service, namespace, srv }) => {
            let pod = pod.map_or(String::new(), |pod| format!("{pod}/"));
            format!("{}{pod}{service}.{namespace}", if srv { "srv " } else { "" })
        }
    }
}

#[test]
fn full_names_follow_the_grammar_whatever_exists() {
    for (host, expected) in [
        ("x.y.svc", "x.y"),
        ("x.y.svc.cluster.local", "x.y"),
        ("x.y.svc.cluster.local.", "x.y"),
        ("p.x.y.svc", "p/x.y"),
        ("_http._tcp.x.y.svc", "srv x.y"),
        ("a.p.x.y.svc", "-"),
        ("x.y.svc.other.zone", "-"),
        ("x.y.svc.cluster", "-"),
        // The namespace is missing.
        ("db.svc", "db.svc"),
        ("db.svc.cluster.local", "db.svc"),
        ("nobody.svc.cluster.local", "-"),
    ] {
        assert_eq!(reading(host, None, Form::Word), expected, "{host}");
    }
}

#[test]
fn a_single_label_needs_a_service_beside_the_holder() {
    for (host, port, form, expected) in [
        ("db", None, Form::Authority, "db.prod"),
        ("db", Some(1), Form::Authority, "db.prod"),
        ("db", Some(80), Form::Port, "db.prod"),
        ("db", Some(8000), Form::Port, "db.prod"),
        // No port of it: an image, a group, a time.
        ("redis", Some(7), Form::Port, "-"),
        ("redis", Some(1000), Form::Port, "-"),
        ("redis", Some(6379), Form::Port, "redis.prod"),
        // A named port may be any.
        ("web", Some(8080), Form::Port, "web.prod"),
        ("web", Some(7), Form::Port, "-"),
        ("nobody", Some(80), Form::Authority, "-"),
        ("own", Some(80), Form::Authority, "-"),
    ] {
        assert_eq!(reading(host, port, form), expected, "{host} {port:?}");
    }
}

#[test]
fn two_labels_are_a_namespace_or_a_pod_only_where_something_says_so() {
    for (host, form, expected) in [
        ("db.other", Form::Whole, "db.other"),
        ("db.other", Form::Word, "-"),
        ("api.example", Form::Authority, "-"),
        ("db.elsewhere", Form::Authority, "-"),
        // The set names the Service, which isn't there.
        ("mysql-0.mysql-hl", Form::Word, "mysql-0/mysql-hl.prod"),
        ("mysql-0.mysql", Form::Port, "mysql-0/mysql.prod"),
        // A file.
        ("mysql-0.log", Form::Word, "-"),
        ("mysql-0.db", Form::Word, "mysql-0/db.prod"),
        ("thing.db", Form::Whole, "thing/db.prod"),
        ("thing.db", Form::Word, "-"),
        ("mysql-0.mysql-hl.prod", Form::Word, "mysql-0/mysql-hl.prod"),
        ("thing.db.other", Form::Port, "thing/db.other"),
        ("thing.db.other", Form::Word, "-"),
        ("thing-0.db.other", Form::Word, "thing-0/db.other"),
        ("thing-0.nobody.other", Form::Word, "-"),
        ("api.example.com", Form::Authority, "-"),
        ("_http._tcp.db", Form::Whole, "srv db.prod"),
        ("_http._tcp.db.other", Form::Whole, "srv db.other"),
        ("_sip._tcp.example.com", Form::Whole, "-"),
    ] {
        assert_eq!(reading(host, None, form), expected, "{host} {form:?}");
    }
}
