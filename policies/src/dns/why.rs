//! Why a name has no record.

use super::answer::{Answer, Code};
use super::bundle::Bundle;
use super::endpoints::{Backing, Behind};
use super::name::Part;
use super::pods::Pod;
use crate::inventory::Inventory;
use crate::model::{Service, ServicePort};

impl Bundle {
    pub(super) fn no_service(
        &self,
        namespace: &str,
        service: &str,
        of: Part<'_>,
        uncertain: Option<String>,
    ) -> Answer<'_> {
        let elsewhere = self.inventory().services_named(service).found().unwrap_or_default();
        let there: Vec<_> = elsewhere
            .iter()
            .map(|other| format!("`{}`", other.meta.object_ref.namespace))
            .collect();
        let hint = match (namespace, there.is_empty()) {
            ("svc", false) => format!(
                ": `svc` stands where the namespace belongs, which is {}",
                there.join(" or ")
            ),
            (_, false) => format!(", but in {}", there.join(", ")),
            (_, true) => String::new(),
        };
        let why = format!("there is no Service `{service}` in namespace `{namespace}`{hint}");
        let mut answer = Answer::empty(Code::NxDomain, &why, "");
        if let Part::Endpoint(host) = of {
            let named = self.inventory().workloads_naming(namespace, service).found();
            let named = named.unwrap_or_default();
            let mut sets = named.iter().filter(|it| it.stateful_set.is_some());
            if let Some(set) = sets.find(|set| host.starts_with(&set.meta.object_ref.name)) {
                answer.rule = Some("statefulset-service-missing");
                answer.field = "$.spec.serviceName".to_owned();
                answer.object = Some(set.meta.object_ref.clone());
            }
        }
        answer.doubts.extend(uncertain);
        answer
    }

    /// Why a name of a Service has no endpoint.
    pub(super) fn no_endpoint<'b>(
        &self,
        service: &Service,
        of: Part<'_>,
        backing: &Backing<'b>,
    ) -> Answer<'b> {
        if let Some(lack) = &backing.lack {
            let answer = Answer::empty(Code::NxDomain, &lack.why, lack.field);
            return Answer { rule: lack.rule, object: lack.object.clone(), ..answer };
        }
        match of {
            Part::Endpoint(host) => self.no_host(service, host, backing),
            Part::Address { .. } => {
                Answer::empty(Code::NxDomain, "no such Pod is known by its IP there", "")
            }
            Part::Whole | Part::Port { .. } => {
                let ports = backing.endpoints.iter().flat_map(|it| &it.ports);
                let ports = ports.map(|port| port.name.as_str());
                let is_named = |port: &ServicePort| of.names_port(&port.name, &port.protocol);
                if !service.ports.iter().any(is_named) {
                    return unpublished(service, of, ports);
                }
                if service.selector.is_empty() {
                    let answer = unpublished(service, of, ports);
                    let why = format!("in what lists its endpoints, {}", answer.why);
                    let rule = Some("endpoints-port-name-mismatch");
                    return Answer { rule, why, ..answer };
                }
                let why = "no container of its Pods has a port of the name that targetPort gives";
                let answer = Answer::empty(Code::NxDomain, why, "$.spec.ports");
                Answer { rule: Some("named-target-port-unresolved"), ..answer }
            }
        }
    }

    fn no_host<'b>(&self, service: &Service, host: &str, backing: &Backing<'b>) -> Answer<'b> {
        const RULE: Option<&str> = Some("pod-dns-name-invalid");
        let name = &service.meta.object_ref.name;
        let pods = backing.endpoints.iter().filter_map(|endpoint| match &endpoint.who {
            Behind::Pod(pod) => Some(pod),
            Behind::Written { .. } => None,
        });
        let refused = |pod: &Pod<'_>, why: &str, field: &str| {
            let object = Some(pod.workload.meta.object_ref.clone());
            Answer { rule: RULE, object, ..Answer::empty(Code::NxDomain, why, field) }
        };
        for pod in pods.clone() {
            if pod.name.as_deref() == Some(host) || pod.hostname.as_deref() == Some(host) {
                let field = match &pod.workload.stateful_set {
                    Some(_) => "$.spec.serviceName".to_owned(),
                    None => format!("{}.spec.subdomain", pod.workload.template.path),
                };
                let why = match pod.subdomain {
                    Some(other) => {
                        format!("`{host}` takes its name from Service `{other}`, not from `{name}`")
                    }
                    None => "only a Pod with hostname and subdomain has a name".to_owned(),
                };
                return refused(pod, &why, &field);
            }
        }
        let hosts: Vec<_> =
            backing.endpoints.iter().filter_map(|it| it.hostname.as_deref()).collect();
        let why = match hosts.as_slice() {
            [] => format!("no Pod behind `{name}` has a host name: they are known by their IPs"),
            [one] => format!("the only host name behind `{name}` is `{one}`"),
            [first, .., last] => {
                format!("the host names behind `{name}` are `{first}` to `{last}`")
            }
        };
        // One more Pod would have the name.
        let (set, ordinal) = host.rsplit_once('-').unwrap_or_default();
        let mut sets = pods.filter(|pod| pod.hostname.is_some() && pod.ordinal.is_some());
        if ordinal.parse::<u32>().is_ok()
            && let Some(pod) = sets.find(|pod| pod.workload.meta.object_ref.name == set)
        {
            return refused(pod, &why, "$.spec.replicas");
        }
        Answer { rule: RULE, ..Answer::empty(Code::NxDomain, &why, "") }
    }
}

/// Why a Service has no port of that name.
pub(super) fn unpublished<'b, 'p>(
    service: &Service,
    of: Part<'_>,
    names: impl Iterator<Item = &'p str>,
) -> Answer<'b> {
    let mut names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let (port, protocol) = match of {
        Part::Port { port, protocol } => (port, protocol),
        Part::Whole | Part::Endpoint(_) | Part::Address { .. } => ("", ""),
    };
    let object = &service.meta.object_ref.name;
    let (why, rule) = if names.contains(&port) {
        (format!("port `{port}` of Service `{object}` isn't of protocol `{protocol}`"), None)
    } else if names.is_empty() {
        (format!("the ports of Service `{object}` have no names"), Some("unnamed-port-no-srv"))
    } else {
        let names = names.join("`, `");
        (
            format!("the ports of Service `{object}` are named `{names}`"),
            Some("srv-name-not-published"),
        )
    };
    Answer { rule, ..Answer::empty(Code::NxDomain, &why, "$.spec.ports") }
}
