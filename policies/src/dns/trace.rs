//! What one client gets, step by step.

mod dial;

use super::answer::{Answer, Code, RecordType};
use super::bundle::Bundle;
use super::endpoints::Readiness;
use super::name::{Name, Part, parse};
use super::network::{Direction, Passage, Side, passage};
use super::port::Outcome;
use super::query::{Query, QueryError};
use super::search::{Search, search};
use crate::finding::ObjectRef;
use crate::model::{Service, Workload};

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// As asked, such as `db-0.db.prod:5432`.
    pub query: String,
    /// The client.
    pub from: ObjectRef,
    /// In order.
    pub steps: Vec<Step>,
    /// How it ends.
    pub outcome: Outcome,
    /// What to change; none where it connects, or nothing is known to help.
    pub advice: Option<Advice>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// `search`, `dns`, `service`, `endpoint`, `port` or `network policy`.
    pub stage: &'static str,
    /// What happens.
    pub text: String,
}

/// Which field to change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// What to do; an imperative.
    pub text: String,
    /// The object that has the field.
    pub object: ObjectRef,
    /// JSONPath in it.
    pub path: String,
    /// The rule that explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
}

impl Bundle {
    /// Follows a client's call.
    ///
    /// # Errors
    /// The client isn't in the input.
    pub fn trace(&self, query: &Query) -> Result<Trace, QueryError> {
        let (namespace, kind, name) = &query.from;
        let mut clients = self.workloads().filter(|it| {
            let object = &it.meta.object_ref;
            object.kind == *kind && object.namespace == *namespace && object.name == *name
        });
        let client = clients.next().ok_or_else(|| QueryError::NoClient {
            kind,
            name: name.clone(),
            namespace: namespace.clone(),
        })?;
        let shown = match query.port {
            Some(port) => format!("{}:{port}", query.host),
            None => query.host.clone(),
        };
        let mut way = Way { bundle: self, client, steps: Vec::new(), advice: None };
        let outcome = way.follow(&query.host, query.port);
        let from = client.meta.object_ref.clone();
        let advice = way.advice.filter(|_| outcome != Outcome::Connects);
        Ok(Trace { query: shown, from, steps: way.steps, outcome, advice })
    }
}

/// A call that is being followed.
struct Way<'b> {
    bundle: &'b Bundle,
    client: &'b Workload,
    steps: Vec<Step>,
    advice: Option<Advice>,
}

impl<'b> Way<'b> {
    fn step(&mut self, stage: &'static str, text: impl Into<String>) {
        self.steps.push(Step { stage, text: text.into() });
    }

    fn advise(
        &mut self,
        object: &ObjectRef,
        path: &str,
        text: impl Into<String>,
        rule: Option<&'static str>,
    ) {
        let (object, path, text) = (object.clone(), path.to_owned(), text.into());
        self.advice.get_or_insert(Advice { text, object, path, rule });
    }

    fn follow(&mut self, host: &str, port: Option<u16>) -> Outcome {
        let own = self.client.meta.object_ref.clone();
        let template = &self.client.template.path;
        let dns_policy = format!("{template}.spec.dnsPolicy");
        let names = match search(self.bundle, self.client, host) {
            Search::Cluster(names) => names,
            Search::Node(why) => {
                let text = format!(
                    "{why}: the Pod asks the node's DNS, which doesn't know the cluster's names"
                );
                self.step("search", text);
                let policy = if self.client.template.host_network {
                    "ClusterFirstWithHostNet"
                } else {
                    "ClusterFirst"
                };
                self.advise(
                    &own,
                    &dns_policy,
                    format!("set it to {policy}"),
                    Some("host-network-dns-policy"),
                );
                return Outcome::NxDomain;
            }
            Search::Own(servers) => {
                let servers = servers.join(", ");
                let text = format!(
                    "dnsPolicy is None: the Pod asks {servers}, which may know the cluster's \
                     names or not"
                );
                self.step("search", text);
                return Outcome::Unknown;
            }
        };
        self.step("search", format!("the resolver asks for {}", names.join(", then ")));
        if let Some(outcome) = self.reach_dns() {
            return outcome;
        }
        self.hosts_file(host, &names);
        let kinds = RecordType::asked_of(host);
        let Some((name, answer)) = self.resolve(&names, kinds) else {
            return self.unresolved(host, &names, kinds);
        };
        self.show(&name, &answer);
        let uncertain = !answer.doubts.is_empty();
        if uncertain {
            self.step("dns", format!("there may be other addresses: {}", answer.doubts.join("; ")));
        }
        self.dial(&name, &answer, port)
    }

    /// Whether the client may ask the cluster's DNS; an outcome if not.
    fn reach_dns(&mut self) -> Option<Outcome> {
        let ask = |protocol| {
            passage(self.bundle, Direction::Egress, self.client, Side::Dns, (53, protocol))
        };
        match ask("UDP") {
            Passage::Open(_) => None,
            Passage::Unknown(why) => {
                self.step("network policy", format!("port 53 of the cluster's DNS: {why}"));
                None
            }
            Passage::Blocked { by, direction } => {
                self.blocked(
                    &by,
                    direction,
                    "port 53/UDP of the cluster's DNS",
                    Some("netpol-egress-blocks-dns"),
                );
                Some(Outcome::TimesOut)
            }
        }
    }

    fn blocked(
        &mut self,
        by: &[String],
        direction: Direction,
        what: &str,
        rule: Option<&'static str>,
    ) {
        let policies = by.join("`, `");
        let (verb, namespace) = match direction {
            Direction::Egress => ("out to", self.client.meta.object_ref.namespace.clone()),
            Direction::Ingress => ("in to", String::new()),
        };
        self.step("network policy", format!("`{policies}` lets nothing {verb} {what}"));
        let Some(first) = by.first().filter(|_| !namespace.is_empty()) else { return };
        let object = policy_ref(&namespace, first);
        self.advise(&object, direction.field(), format!("add a rule that allows {what}"), rule);
    }

    /// A Pod finds its own name without DNS.
    ///
    /// # Source
    /// kubernetes v1.36 `pkg/kubelet/kubelet_pods.go` (`managedHostsFileContent`).
    fn hosts_file(&mut self, host: &str, names: &[String]) {
        let Some(set) = &self.client.stateful_set else { return };
        let object = &self.client.meta.object_ref;
        let service = set.service_name.as_deref();
        for pod in super::pods::crew(self.client).pods {
            let Some(name) = pod.name else { continue };
            let whole = service.map(|service| {
                let zone = &self.bundle.cluster().zone;
                format!("{name}.{service}.{}.svc.{zone}", object.namespace)
            });
            if host == name
                || whole.is_some_and(|whole| names.first() == Some(&whole) || host == whole)
            {
                let text = format!(
                    "Pod `{name}` itself finds the name in its /etc/hosts; the others ask DNS"
                );
                self.step("search", text);
            }
        }
    }

    /// The first name that has records.
    fn resolve(&self, names: &[String], kinds: &[RecordType]) -> Option<(String, Answer<'b>)> {
        names.iter().find_map(|name| {
            let answers = kinds.iter().map(|kind| self.bundle.ask(name, *kind));
            let found = answers.into_iter().find(|answer| !answer.records.is_empty())?;
            Some((name.clone(), found))
        })
    }

    /// Why no name is answered.
    fn unresolved(&mut self, host: &str, names: &[String], kinds: &[RecordType]) -> Outcome {
        let bundle = self.bundle;
        let answers: Vec<_> = names.iter().map(|name| (name, bundle.ask(name, kinds[0]))).collect();
        let meant = |(name, _): &&(&String, Answer<'_>)| self.service_of(name).is_some();
        let known = answers.iter().find(meant);
        let in_zone = |(_, answer): &&(&String, Answer<'_>)| answer.code != Code::Elsewhere;
        let full = format!(".svc.{}", bundle.cluster().zone);
        let is_full = host.strip_suffix('.').unwrap_or(host).ends_with(&full);
        let whole = answers.iter().find(|(name, _)| is_full && host.starts_with(name.as_str()));
        let chosen = known.or(whole).or_else(|| {
            // `x.prod` is rather a Service of that namespace than a Pod of Service `prod`.
            let namespace = answers.iter().find(|(name, _)| {
                matches!(
                    parse(name, &bundle.cluster().zone),
                    Some(Name::Service { namespace, of: Part::Whole, .. })
                        if bundle.has_namespace(namespace)
                )
            });
            namespace.or_else(|| answers.iter().find(in_zone))
        });
        let Some((name, answer)) = chosen.or(answers.first()) else { return Outcome::NxDomain };
        let code = match answer.code {
            Code::NoError => "no such record",
            Code::NxDomain => "NXDOMAIN",
            Code::Elsewhere => "another server answers",
        };
        self.step("dns", format!("{name}: {code}: {}", answer.why));
        if answer.code == Code::Elsewhere {
            return Outcome::Unknown;
        }
        let service = self.service_of(name).map(|service| &service.meta.object_ref);
        if let Some(object) = answer.object.as_ref().or(service)
            && !answer.field.is_empty()
        {
            self.advise(&object.clone(), &answer.field, advice_for(answer), answer.rule);
        }
        if answer.doubts.is_empty() {
            return Outcome::NxDomain;
        }
        self.step("dns", format!("not certain: {}", answer.doubts.join("; ")));
        Outcome::Unknown
    }

    fn service_of(&self, name: &str) -> Option<&'b Service> {
        self.bundle.service_of(name)
    }

    fn show(&mut self, name: &str, answer: &Answer<'_>) {
        let who: Vec<_> = super::table::answers(answer);
        let ttl = self.bundle.cluster().dns_ttl;
        self.step("dns", format!("{name}: {} (for {ttl} s)", who.join(", ")));
        let waits = answer.records.iter().any(|it| it.readiness == Readiness::WhenReady);
        if waits {
            self.step("dns", "only Pods that are Ready are among them");
        }
    }
}

fn policy_ref(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "networking.k8s.io/v1".to_owned(),
        kind: "NetworkPolicy".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// What to do about a name without an answer.
fn advice_for(answer: &Answer<'_>) -> String {
    match (answer.rule, answer.field.as_str()) {
        (_, "$.spec.replicas") => "dial a Pod that is there, or have more of them",
        (Some("selector-matches-nothing"), _) => "give it labels that Pods have",
        (Some("selectorless-without-endpoints"), _) => {
            "give it a selector, or add an EndpointSlice with its name as a label"
        }
        (Some("unnamed-port-no-srv"), _) => "name the port",
        (Some("srv-name-not-published" | "endpoints-port-name-mismatch"), _) => {
            "give the port that name, or ask for another"
        }
        (Some("named-target-port-unresolved"), _) => {
            "let targetPort be a port that a container has"
        }
        (Some("statefulset-service-missing"), _) => "add a headless Service of that name",
        (Some("pod-dns-name-invalid"), _) => {
            "dial the name that the Pod has, or let it take its name from here"
        }
        _ => &answer.why,
    }
    .to_owned()
}
