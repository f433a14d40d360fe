//! Endpoints and a Service that call their ports differently.

use headlint_policy_sdk::service::{headless, placeholder};
use headlint_policy_sdk::types::{
    IntOrString, ObjectRef, Reference, ReferenceVia, Service, ServicePort,
};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Safety, Severity, Version, WRITTEN,
    display_name,
};

use crate::pair::{Given, by_hand, effective, given, ports_path};

/// The rule.
pub const RULE: Rule = Rule {
    id: "endpoints-port-name-mismatch",
    severity: Severity::Warning,
    action: Action::Warn,
    default_on: true,
    heals_later: true,
    kinds: &["Endpoints", "EndpointSlice"],
    operations: WRITTEN,
    only_if: &[],
    summary: "hand-written endpoints and their Service have different port names",
    documentation: include_str!("endpoints-port-name-mismatch.md"),
    check,
};

/// A Service, and all that is written for it.
struct Joined<'e> {
    service: &'e Service,
    given: Vec<Given<'e>>,
}

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(object) = review.endpoints() else { return };
    let namespace = &object.meta.ref_.namespace;
    if object.service.is_empty() {
        return;
    }
    let Some(service) = context.service(namespace, &object.service).found() else { return };
    if !by_hand(&service) || service.ports.iter().any(|port| placeholder(&port.name)) {
        return;
    }
    let mut objects = context.endpoints_of(namespace, &object.service).seen();
    objects.retain(|other| other.meta.ref_ != object.meta.ref_);
    // Of several objects, the first speaks for what all of them lack.
    let leads = objects.iter().all(|other| order(&object.meta.ref_) < order(&other.meta.ref_));
    objects.push(object.clone());
    let Some(effective) = effective(&objects) else { return };
    let joined =
        Joined { service: &service, given: effective.iter().copied().flat_map(given).collect() };
    let own: Vec<_> =
        joined.given.iter().filter(|one| one.object.meta.ref_ == object.meta.ref_).collect();
    for given in own.iter().filter(|given| !joined.publishes(&given.port.name)) {
        if let Some(finding) = joined.misnamed(given, context) {
            findings.add(finding);
        }
    }
    let strayed = joined.given.iter().any(|given| !joined.publishes(&given.port.name));
    if let ([first, ..], true, false) = (own.as_slice(), leads, strayed)
        && let Some(finding) = joined.incomplete(first)
    {
        findings.add(finding);
    }
}

fn order(object: &ObjectRef) -> (&str, &str) {
    (&object.kind, &object.name)
}

impl Joined<'_> {
    fn publishes(&self, name: &str) -> bool {
        self.service.ports.iter().any(|port| port.name == name)
    }

    /// The ports of the Service that no endpoints have by name.
    fn missing(&self) -> Vec<(usize, &ServicePort)> {
        let given = |name: &str| self.given.iter().any(|given| given.port.name == name);
        self.service.ports.iter().enumerate().filter(|(_, port)| !given(&port.name)).collect()
    }

    /// The port of the Service that this one is meant to be.
    fn counterpart(&self, given: &Given) -> Option<(usize, &ServicePort)> {
        let mut missing = self.missing();
        if missing.is_empty() {
            missing = self.missing_beside(given);
        }
        let alone = self.stray_names() == 1;
        match missing.as_slice() {
            [one] if alone => Some(*one),
            _ => {
                let mut equal = missing.into_iter().filter(|(_, port)| leads_to(port, given));
                equal.next().filter(|_| equal.next().is_none())
            }
        }
    }

    /// The ports of the Service that the subset of this one doesn't have.
    fn missing_beside(&self, given: &Given) -> Vec<(usize, &ServicePort)> {
        let beside = |name: &str| {
            self.given.iter().any(|other| {
                other.object.meta.ref_ == given.object.meta.ref_
                    && other.subset == given.subset
                    && other.port.name == name
            })
        };
        self.service.ports.iter().enumerate().filter(|(_, port)| !beside(&port.name)).collect()
    }

    /// How many names the endpoints have that the Service doesn't.
    fn stray_names(&self) -> usize {
        let names = self.given.iter().map(|given| given.port.name.as_str());
        let mut names: Vec<_> = names.filter(|name| !self.publishes(name)).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }

    /// Whether nothing goes without a port because of this one: it is a further
    /// one, that the Service just doesn't publish.
    fn is_surplus(&self, given: &Given) -> bool {
        let missing = self.missing();
        let joins = self.given.iter().any(|other| {
            other.object.meta.ref_ == given.object.meta.ref_
                && other.subset == given.subset
                && self.publishes(&other.port.name)
        });
        let spoken_for = |port: &ServicePort| {
            self.given
                .iter()
                .any(|other| !self.publishes(&other.port.name) && leads_to(port, other))
        };
        if missing.is_empty() {
            return joins;
        }
        !missing.iter().any(|(_, port)| leads_to(port, given))
            && missing.iter().all(|(_, port)| spoken_for(port))
    }

    fn misnamed(&self, given: &Given, context: &Context) -> Option<Finding> {
        let service = self.service;
        let name = &service.meta.ref_.name;
        let headless = headless(service);
        let stray = &given.port.name;
        let of = display_name(&given.object.meta.ref_);
        let number = given.port.port.unwrap_or_default();
        let path = given.path("name");
        let finding = Finding::new(&RULE, path.as_str());
        if service.ports.is_empty() {
            return (headless && !stray.is_empty()).then(|| {
                finding
                    .severity(Severity::Info)
                    .what(format!(
                        "port {number} of {of} is called `{stray}`, but Service `{name}` publishes \
                        no ports"
                    ))
                    .why("SRV answers with a port that the Service doesn't tell anybody about")
                    .help(format!("add the port `{stray}` to the Service"))
                    .related(&service.meta.ref_, "$.spec", "the Service has no ports")
            });
        }
        let called = match stray.as_str() {
            "" => format!("port {number} of {of} has no name"),
            _ => format!("port {number} of {of} is called `{stray}`"),
        };
        let published = published(service);
        let finding = finding.what(format!("{called}, but Service `{name}` publishes {published}"));
        let finding = finding.related(
            &service.meta.ref_,
            "$.spec.ports",
            format!("the Service publishes {published}"),
        );
        if self.is_surplus(given) {
            return Some(
                finding
                    .severity(Severity::Info)
                    .why("the port is there only for clients that ask for its SRV record")
                    .help("add the port to the Service, or remove it here"),
            );
        }
        let missing = self.missing();
        let asked: Vec<_> =
            missing.iter().map(|(_, port)| port.name.as_str()).filter(|n| !n.is_empty()).collect();
        let consumers = if headless { by_name(service, &missing, context) } else { Vec::new() };
        // Elsewhere each name is there: only the addresses of this subset are lost.
        let in_part = missing.is_empty();
        let mut finding = finding
            .severity(if in_part || (headless && consumers.is_empty()) {
                Severity::Warning
            } else {
                Severity::Error
            })
            .why(if in_part {
                "whatever joins Service and endpoints by the name of the port, as kube-proxy and \
                gateways do, leaves these addresses out; so do SRV records"
                    .to_owned()
            } else {
                self.loss(&asked, stray)
            });
        let counterpart = self.counterpart(given);
        finding = match (counterpart, stray.as_str()) {
            (Some((_, port)), "") => finding.help(format!("write `name: {}` here", port.name)),
            (Some((_, port)), stray) if port.name.is_empty() => {
                finding.help(format!("add `name: {stray}` to the port of Service `{name}`"))
            }
            (Some((_, port)), stray) => finding.help(format!(
                "write `name: {}` here, or call the port of the Service `{stray}`",
                port.name
            )),
            (None, _) => {
                finding.help("give the ports of the endpoints and of the Service the same names")
            }
        };
        if let Some((_, port)) = counterpart.filter(|(_, port)| !port.name.is_empty()) {
            let written =
                context.query(Version::New, &path).is_ok_and(|matches| !matches.is_empty());
            let to = port.name.as_str().into();
            finding = if written {
                finding.set(path, to, Safety::Proposed)
            } else {
                finding.add(path, to, Safety::Proposed)
            };
        }
        for reference in consumers.iter().take(4) {
            finding = finding.related_range(
                &reference.holder.ref_,
                reference.path.as_str(),
                reference.range,
                "this follows the port by its name",
            );
        }
        Some(finding)
    }

    /// The finding for ports of the Service that all endpoints go without,
    /// though every name that they do have is one of the Service's.
    fn incomplete(&self, first: &Given) -> Option<Finding> {
        let missing = self.missing();
        let (index, _) = *missing.first()?;
        let service = self.service;
        let names: Vec<_> = missing.iter().map(|(_, port)| port.name.as_str()).collect();
        let of = display_name(&first.object.meta.ref_);
        let listed = quoted(&names);
        Some(
            Finding::new(&RULE, ports_path(first.object, first.subset))
                .severity(if headless(service) { Severity::Warning } else { Severity::Error })
                .what(format!(
                    "Service `{}` publishes {listed}, but no port of {of} has that name",
                    service.meta.ref_.name
                ))
                .why(self.loss(&names, ""))
                .help(format!(
                    "add {listed} to the ports of {of}, or remove it from those of the Service"
                ))
                .related(
                    &service.meta.ref_,
                    format!("$.spec.ports[{index}].name"),
                    "published here",
                ),
        )
    }

    /// What it costs that the names differ. `asked` are those of the Service.
    fn loss(&self, asked: &[&str], stray: &str) -> String {
        let ObjectRef { namespace, name, .. } = &self.service.meta.ref_;
        if !headless(self.service) {
            return "kube-proxy joins them by name: the port has no backend, and clients get \
                    `connection refused`"
                .to_owned();
        }
        let protocol =
            self.service.ports.iter().find(|port| Some(&port.name.as_str()) == asked.first());
        let protocol = protocol.map_or("tcp".to_owned(), |port| port.protocol.to_ascii_lowercase());
        match (asked.first(), stray) {
            (Some(asked), "") => format!(
                "the addresses resolve, but `_{asked}._{protocol}.{name}.{namespace}.svc` is \
                NXDOMAIN, and whatever joins them by port name finds none"
            ),
            (Some(asked), stray) => format!(
                "the addresses resolve, but `_{asked}._{protocol}.{name}.{namespace}.svc` is \
                NXDOMAIN while `_{stray}._{protocol}` answers, and whatever joins them by port \
                name finds none"
            ),
            (None, stray) => format!(
                "the addresses resolve, but a gateway or mesh that joins them by port name finds \
                none; SRV answers to `_{stray}._{protocol}` only, which the Service doesn't publish"
            ),
        }
    }
}

/// Whether the port of the Service has the number of that of the endpoints.
fn leads_to(port: &ServicePort, given: &Given) -> bool {
    port.protocol == given.port.protocol
        && (port.port == given.port.port
            || matches!(port.target_port, Some(IntOrString::Int(n)) if Some(n) == given.port.port))
}

/// Who finds one of these ports by its name: SRV clients, and what follows
/// endpoints on behalf of a Service's port.
fn by_name(
    service: &Service,
    missing: &[(usize, &ServicePort)],
    context: &Context,
) -> Vec<Reference> {
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    let mut references = context.references_to(namespace, name).seen();
    references.retain(|reference| {
        matches!(reference.via, ReferenceVia::Srv | ReferenceVia::Route | ReferenceVia::Monitor)
            && missing.iter().filter(|(_, port)| !port.name.is_empty()).any(|(_, port)| {
                match &reference.port {
                    Some(IntOrString::Text(name)) => *name == port.name,
                    Some(IntOrString::Int(number)) => {
                        reference.via == ReferenceVia::Route && Some(*number) == port.port
                    }
                    None => false,
                }
            })
    });
    references
}

/// The names of a Service's ports.
fn published(service: &Service) -> String {
    let names: Vec<_> = service.ports.iter().map(|port| port.name.as_str()).collect();
    if names == [""] { "a port without a name".to_owned() } else { quoted(&names) }
}

/// `` `http`, `metrics` ``
fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use headlint_policy_sdk::types::{Endpoints, Label, Object, Traits};

    use super::*;
    use crate::pair::tests::{endpoints, found, service};

    fn severities(service: &Service, endpoints: &Endpoints) -> Vec<Severity> {
        let found = found(&RULE, Object::Endpoints(endpoints.clone()), service, endpoints);
        found.into_iter().map(|(severity, _)| severity).collect()
    }

    #[test]
    fn names_have_to_be_the_same() {
        let of = |ports: &[(&str, i64, Option<i64>)], subsets: &[&[(&str, i64)]]| {
            severities(&service(ports), &endpoints(subsets))
        };
        let http = [("http", 80, None)];
        let unnamed = [("", 80, None)];
        assert_eq!(of(&http, &[&[("http", 80)]]), []);
        assert_eq!(of(&unnamed, &[&[("", 80)]]), []);
        assert_eq!(of(&http, &[&[("web", 80)]]), [Severity::Warning]);
        assert_eq!(of(&http, &[&[("", 80)]]), [Severity::Warning]);
        assert_eq!(of(&unnamed, &[&[("web", 80)]]), [Severity::Warning]);
        assert_eq!(of(&[], &[&[("web", 80)]]), [Severity::Info]);
        assert_eq!(of(&[], &[&[("", 80)]]), []);
        assert_eq!(of(&http, &[&[("http", 80), ("metrics", 90)]]), [Severity::Info]);
        assert_eq!(of(&http, &[&[("http", 80)], &[("web", 80)]]), [Severity::Warning]);
        let two = [("http", 80, None), ("metrics", 90, None)];
        assert_eq!(of(&two, &[&[("http", 80)], &[("metrics", 90)]]), []);
        assert_eq!(of(&two, &[&[("http", 80)]]), [Severity::Warning]);
        assert_eq!(
            of(&http, &[&[("web", 80), ("metrics", 90)]]),
            [Severity::Warning, Severity::Info]
        );
    }

    #[test]
    fn with_a_cluster_ip_nothing_is_left() {
        let mut vip = service(&[("http", 80, None)]);
        vip.cluster_ip = None;
        assert_eq!(severities(&vip, &endpoints(&[&[("web", 80)]])), [Severity::Error]);
        assert_eq!(severities(&vip, &endpoints(&[&[("http", 80), ("web", 90)]])), [Severity::Info]);
    }

    #[test]
    fn what_others_write_or_nobody_reads_is_left_alone() {
        let http = service(&[("http", 80, None)]);
        let wrong = endpoints(&[&[("web", 80)]]);
        let mut selecting = http.clone();
        selecting.selector.push(Label { key: "app".to_owned(), value: "db".to_owned() });
        assert_eq!(severities(&selecting, &wrong), []);
        let mut managed = wrong.clone();
        managed.meta.traits = Traits::ENDPOINTS_MANAGED_ELSEWHERE;
        assert_eq!(severities(&http, &managed), []);
        let mut skipped = wrong.clone();
        skipped.skip_mirror = true;
        assert_eq!(severities(&http, &skipped), []);
        let mut named = wrong.clone();
        named.address_type = Some("FQDN".to_owned());
        assert_eq!(severities(&http, &named), []);
        assert_eq!(severities(&http, &endpoints(&[&[]])), []);
        assert_eq!(severities(&http, &endpoints(&[&[("${NAME}", 80)]])), []);
    }
}
