use super::*;

/// `host[:port]` as found, with `srv ` in front and the form behind.
fn found(key: &str, text: &str) -> Vec<String> {
    scan(key, text)
        .into_iter()
        .map(|spot| {
            let written = &text[spot.range.clone()];
            assert!(written.starts_with(&spot.host), "{written} is {}", spot.host);
            let srv = if spot.srv { "srv " } else { "" };
            let port = spot.port.map_or(String::new(), |port| format!(":{port}"));
            let form = match spot.form {
                Form::Word => "word",
                Form::Whole => "whole",
                Form::Port => "port",
                Form::Authority => "url",
            };
            format!("{srv}{}{port} {form}", spot.host)
        })
        .collect()
}

#[track_caller]
fn check(key: &str, text: &str, expected: &[&str]) {
    assert_eq!(found(key, text), expected, "{key}: {text}");
}

#[test]
fn urls_have_hosts_ports_and_defaults() {
    for (text, expected) in [
        ("http://db", &["db:80 url"][..]),
        ("https://db.prod/x?y=z", &["db.prod:443 url"]),
        ("jdbc:mysql://mysql-0.mysql:3306/app?useSSL=false", &["mysql-0.mysql:3306 url"]),
        ("jdbc:postgresql://pg.prod.svc/app", &["pg.prod.svc:5432 url"]),
        ("redis://:p%40ss@redis-master:6379/0", &["redis-master:6379 url"]),
        ("redis://:$(PASSWORD)@redis/0", &["redis:6379 url"]),
        (
            "amqp://user:${PW}@rabbit.mq.svc.cluster.local/%2f",
            &["rabbit.mq.svc.cluster.local:5672 url"],
        ),
        ("mongodb://h1:27017,h2:27017/db?replicaSet=rs0", &["h1:27017 url", "h2:27017 url"]),
        ("mongodb://u:p@h1,h2/db", &["h1 url", "h2 url"]),
        (
            "mongodb+srv://mongo.prod.svc.cluster.local/db",
            &["srv mongo.prod.svc.cluster.local url"],
        ),
        ("dns:///web-headless.prod.svc:9095", &["web-headless.prod.svc:9095 url"]),
        ("dns://8.8.8.8/web.prod.svc:80", &["web.prod.svc:80 url"]),
        ("xds:///web.prod.svc", &["srv web.prod.svc url"]),
        ("PLAINTEXT://kafka-0.kafka:9092,SSL://:9093", &["kafka-0.kafka:9092 url"]),
        ("dns+thanos-store:10901", &["thanos-store:10901 url"]),
        ("dnssrv+_grpc._tcp.thanos.mon.svc", &["srv _grpc._tcp.thanos.mon.svc url"]),
        ("http://[::1]:80/ http://10.0.0.1:80 http://0.0.0.0", &[]),
        ("unix:///var/run/x.sock file:///etc/a.b s3://bucket/key", &[]),
        ("http://$(HOST):8080 http://${HOST}:1 http://{{ .Host }}:2 http://%s:3", &[]),
        ("http://db-$(ORDINAL).db:80 http://db:$(PORT) http://<pod>.db:80", &[]),
        ("oracle:thin:@db:1521/x", &["db:1521 port"]),
        ("user:pw@tcp(mysql:3306)/app", &["mysql:3306 port"]),
        ("user:pw@mysql:3306/app", &["mysql:3306 port"]),
        ("@db:80", &["db:80 port"]),
        (
            "0:db-0.db:5432,1:db-1.db.prod.svc:5433",
            &["db-0.db:5432 port", "db-1.db.prod.svc:5433 port"],
        ),
        ("0@db-0.db:9093,1@db-1.db:9093", &["db-0.db:9093 port", "db-1.db:9093 port"]),
        ("8080:db:80 10.0.0.1:db.x:80 0:db.x a:b.c:1", &[]),
    ] {
        check("", text, expected);
    }
}

#[test]
fn lists_of_hosts_are_taken_apart() {
    for (text, expected) in [
        (
            "etcd-0=http://etcd-0.etcd:2380,etcd-1=http://etcd-1.etcd:2380",
            &["etcd-0.etcd:2380 url", "etcd-1.etcd:2380 url"][..],
        ),
        ("--initial-cluster=a=http://a.b:2380", &["a.b:2380 url"]),
        (
            "kafka-0.kafka:9092,kafka-1.kafka:9092",
            &["kafka-0.kafka:9092 port", "kafka-1.kafka:9092 port"],
        ),
        ("a.b.svc:1;c.d.svc:2 e.f.svc:3", &["a.b.svc:1 port", "c.d.svc:2 port", "e.f.svc:3 port"]),
        ("--join=db-0.db,db-1.db.prod", &["db-0.db whole", "db-1.db.prod whole"]),
        ("server.1=zk-0.zk:2888:3888;2181", &["zk-0.zk:2888 port"]),
        ("[\"es-0.es\", 'es-1.es']", &["es-0.es whole", "es-1.es whole"]),
        (
            "rabbit@rabbit-0.rabbit.mq.svc.cluster.local",
            &["rabbit-0.rabbit.mq.svc.cluster.local word"],
        ),
        (
            "_http._tcp.db.prod.svc.cluster.local",
            &["srv _http._tcp.db.prod.svc.cluster.local whole"],
        ),
    ] {
        check("", text, expected);
    }
}

#[test]
fn scripts_and_files_are_read_line_by_line() {
    for (text, expected) in [
        ("until nslookup db-0.db; do sleep 1; done", &["db-0.db word"][..]),
        ("until nslookup db-0.db.prod.svc; do", &["db-0.db.prod.svc word"]),
        ("curl -s http://db:8080/healthz && ls a.b", &["db:8080 url", "a.b word"]),
        ("x=$(curl -s http://db:80)", &["db:80 url"]),
        ("echo waiting for db:80; nc -z db:80", &["db:80 port"]),
        ("# http://db:80\nurl: http://web # http://old", &["web:80 url"]),
        ("brokers:\n  - kafka-0.kafka:9092\n", &["kafka-0.kafka:9092 port"]),
        ("{\"url\":\"http://db:80\",\"hosts\":[\"a.b\"]}", &["db:80 url", "a.b whole"]),
        ("\"http://db:80\\nhttp://web\"", &["db:80 url", "web:80 url"]),
        ("<host>ch-0.ch.prod.svc</host><port>9000</port>", &["ch-0.ch.prod.svc whole"]),
        ("proxy_pass http://web:8080;\nserver db:1;", &["web:8080 url", "db:1 port"]),
        ("set $up http://db.prod.svc; proxy_pass $up:3100/;", &["db.prod.svc url"]),
        ("spring.redis.host=redis.prod", &["redis.prod whole"]),
    ] {
        check("", text, expected);
    }
}

#[test]
fn what_only_looks_like_a_host_is_left() {
    for text in [
        "redis",
        "12:30",
        "10.0.0.1:80",
        "1.2.3",
        "*/5 * * * *",
        "/var/lib/mysql-0.mysql/data",
        "quay.io/redis:7.2",
        "redis:7.2-alpine",
        "registry.local/img@sha256:abc",
        "C:\\data\\db",
        "DB_HOST:3306",
        "db_host:3306",
        "app.kubernetes.io/name",
        "{{ .db }}.db:80",
        "$HOST.db:80",
        "${HOST}.db:80",
        "db-${i}.db:80",
        "$(hostname).db",
        "db.$NAMESPACE.svc",
        "db.${NAMESPACE}.svc.cluster.local:80",
        "*.db.prod.svc",
        "db\\.prod\\.svc",
        "db:99999",
        "db:0",
        "db:${PORT}",
        "web:80:81",
        "hosts=web:80:81,web:90:91",
        "git@db:80",
        "git clone git@git.prod.svc:80/app",
        "spring.redis.host: x",
        "log4j.logger.kafka=INFO",
        "foo_bar.baz:80",
        "_http._tcp",
    ] {
        check("", text, &[]);
    }
}

#[test]
fn the_key_tells_what_a_value_is_for() {
    check("--discovery-srv", "etcd.prod.svc", &["srv etcd.prod.svc whole"]);
    check("ETCD_DISCOVERY_SRV", "etcd.prod.svc", &["srv etcd.prod.svc whole"]);
    check("", "etcd --discovery-srv=etcd.prod.svc --x", &["srv etcd.prod.svc whole"]);
    check("", "etcd --discovery-srv etcd.prod.svc", &["srv etcd.prod.svc word"]);
    for (key, text) in [
        ("REDIS_IMAGE", "redis:7"),
        ("AGENT_INJECT_TLS_AUTO_HOSTS", "vault,vault.prod,vault.prod.svc"),
        ("", "image: redis:7"),
        ("", "image: \"a.b:80/redis\""),
        ("", "--tls-server-name=db.prod.svc"),
        ("", "DNS.1 = db.prod.svc"),
        ("", "description: call http://db:80"),
    ] {
        check(key, text, &[]);
    }
    check("", "image: redis:7\nurl: http://db", &["db:80 url"]);
}

#[test]
fn ranges_are_bytes_of_the_text() {
    let text = "ü url=http://user@db-0.db:80/ü";
    let spots = scan("", text);
    assert_eq!(&text[spots[0].range.clone()], "db-0.db:80");
    let text = "https://db.prod.svc./x";
    assert_eq!(&text[scan("", text)[0].range.clone()], "db.prod.svc.");
}

#[test]
fn an_upstream_of_nginx_is_no_host() {
    let groups = "upstream db { server db:80; }\nproxy_pass http://db; proxy_pass http://db:81;";
    check("", groups, &["db:80 port", "db:81 url"]);
    check("", "the upstream db of http://db", &["db:80 url"]);
}
