//! From a mention to the Service that it means, beside the other objects.

use std::sync::Arc;

use super::{Form, Mention, Target};
use crate::model::{IntOrString, LabelSelector, Metadata, Reference, Service, Via, Workload};

/// What the reading of a name depends on.
pub(crate) trait Known {
    /// The Service of that name, if it has been seen.
    fn seen(&self, namespace: &str, name: &str) -> Option<&Service>;
    /// The workloads that may have a Pod with that host name.
    fn workloads_with_pod(&self, namespace: &str, host: &str) -> Vec<&Workload>;
    /// The Services whose own labels a ServiceMonitor selects; `None` for all
    /// namespaces.
    fn services_labelled(
        &self,
        namespaces: Option<&[String]>,
        selector: &LabelSelector,
    ) -> Vec<&Service>;
    /// The DNS zone.
    fn zone(&self) -> &str;
}

/// The references that a mention stands for: one at most, but for a
/// ServiceMonitor.
pub(crate) fn resolve(
    mention: &Mention,
    holder: &Arc<Metadata>,
    known: &dyn Known,
) -> Vec<Reference> {
    let reference = |via, service, namespace| reference(mention, holder, via, service, namespace);
    match &mention.target {
        Target::Service { via, namespace, name, port } => {
            vec![Reference { port: port.clone(), ..reference(*via, name, namespace) }]
        }
        Target::Selected { namespaces, selector, .. } => known
            .services_labelled(namespaces.as_deref(), selector)
            .into_iter()
            .filter_map(|service| monitored(mention, holder, service))
            .collect(),
        Target::Host { host, port, scheme, srv, form } => {
            let namespace = &holder.object_ref.namespace;
            let Some(reading) = read(host, port.as_ref(), *form, namespace, known) else {
                return Vec::new();
            };
            let via = if *srv || reading.srv { Via::Srv } else { Via::Dial };
            vec![Reference {
                host: host.clone(),
                pod: reading.pod.map(str::to_owned),
                port: port.clone(),
                scheme: scheme.clone(),
                ..reference(via, reading.service, reading.namespace)
            }]
        }
    }
}

fn reference(
    mention: &Mention,
    holder: &Arc<Metadata>,
    via: Via,
    service: &str,
    namespace: &str,
) -> Reference {
    Reference {
        holder: Arc::clone(holder),
        path: mention.path.clone(),
        range: mention.range,
        via,
        host: service.to_owned(),
        pod: None,
        service: service.to_owned(),
        namespace: namespace.to_owned(),
        port: None,
        scheme: String::new(),
    }
}

/// The reference of a ServiceMonitor to a Service of a namespace that it looks
/// in; none if it doesn't select it.
pub(crate) fn monitored(
    mention: &Mention,
    holder: &Arc<Metadata>,
    service: &Service,
) -> Option<Reference> {
    let Target::Selected { selector, port, .. } = &mention.target else { return None };
    let name = &service.meta.object_ref;
    let monitor = reference(mention, holder, Via::Monitor, &name.name, &name.namespace);
    selector.matches(&service.meta.labels).then(|| Reference { port: port.clone(), ..monitor })
}

/// The Services that a mention may stand for, each as namespace and name: all
/// that [`resolve`] could find in any world, but for what a ServiceMonitor
/// selects. `own` is the namespace of the holder.
pub(crate) fn candidates<'a>(
    mention: &'a Mention,
    own: &'a str,
    zone: &str,
) -> Vec<(&'a str, &'a str)> {
    let host = match &mention.target {
        Target::Service { namespace, name, .. } => return vec![(namespace, name)],
        Target::Selected { .. } => return Vec::new(),
        Target::Host { host, .. } => host.strip_suffix('.').unwrap_or(host),
    };
    let (name, full) = without_suffix(host, zone);
    let labels: Vec<_> = name.split('.').collect();
    match (labels.as_slice(), full) {
        ([port, _, service, namespace], _) if port.starts_with('_') => vec![(namespace, service)],
        ([port, _, service], _) if port.starts_with('_') => vec![(own, service)],
        ([port, ..], _) if port.starts_with('_') => Vec::new(),
        ([service], true) => vec![("svc", service)],
        ([service, namespace] | [_, service, namespace], true) => vec![(namespace, service)],
        ([service], false) => vec![(own, service)],
        ([first, second], false) => vec![(own, second), (second, first)],
        ([_, service, namespace], false) => vec![(namespace, service)],
        _ => Vec::new(),
    }
}

/// What a host name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading<'a> {
    pod: Option<&'a str>,
    service: &'a str,
    namespace: &'a str,
    /// The name starts with `_port._protocol`.
    srv: bool,
}

/// Reads a name as a Pod in `own` would look it up.
///
/// # Source
/// kubernetes v1.36 `pkg/kubelet/network/dns/dns.go`
/// (`generateSearchesForDNSClusterFirst`): the search list is
/// `<namespace>.svc.<zone>`, `svc.<zone>`, `<zone>`; `kubernetes/dns`
/// `docs/specification.md` for the names.
fn read<'a>(
    host: &'a str,
    port: Option<&IntOrString>,
    form: Form,
    own: &'a str,
    known: &dyn Known,
) -> Option<Reading<'a>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let (name, full) = without_suffix(host, known.zone());
    let labels: Vec<_> = name.split('.').collect();
    let exists = |namespace: &str, service: &str| known.seen(namespace, service).is_some();
    let found = |pod, service, namespace| Some(Reading { pod, service, namespace, srv: false });

    if let [port, _, rest @ ..] = labels.as_slice()
        && port.starts_with('_')
    {
        let (service, namespace) = match rest {
            [service, namespace] if full || exists(namespace, service) => (service, *namespace),
            [service] if !full && exists(own, service) => (service, own),
            _ => return None,
        };
        return Some(Reading { pod: None, service, namespace, srv: true });
    }
    match (labels.as_slice(), full) {
        // The namespace is missing, and so `svc` is taken for one.
        (&[service], true) if exists(own, service) => found(None, service, "svc"),
        (&[service, namespace], true) => found(None, service, namespace),
        (&[pod, service, namespace], true) => found(Some(pod), service, namespace),
        (&[service], false) => {
            let known = known.seen(own, service)?;
            let meant = match (form, port) {
                (Form::Authority, _) => true,
                (Form::Port, Some(IntOrString::Int(port))) => may_listen(known, *port),
                _ => false,
            };
            if meant { found(None, service, own) } else { None }
        }
        (&[first, second], false) => {
            if is_pod(first, second, own, form, known) {
                found(Some(first), second, own)
            } else if form >= Form::Whole && exists(second, first) {
                found(None, first, second)
            } else if form >= Form::Whole && exists(own, second) {
                found(Some(first), second, own)
            } else {
                None
            }
        }
        (&[pod, service, namespace], false) => {
            let is_numbered = || pod.rsplit_once('-').is_some_and(|(_, end)| is_number(end));
            let meant = is_pod(pod, service, namespace, form, known)
                || (exists(namespace, service) && (form >= Form::Whole || is_numbered()));
            if meant { found(Some(pod), service, namespace) } else { None }
        }
        _ => None,
    }
}

/// The name in front of `.svc` or `.svc.<zone>`, and whether there was one.
fn without_suffix<'a>(host: &'a str, zone: &str) -> (&'a str, bool) {
    let short = host.strip_suffix(zone).and_then(|host| host.strip_suffix('.')).unwrap_or(host);
    match short.strip_suffix(".svc") {
        Some(name) => (name, true),
        None => (host, false),
    }
}

/// Whether `pod.service` is a Pod that some workload can have. Where no such
/// Service was seen, the workload has to name it, or something to be dialled:
/// `web-0.log` is a file.
fn is_pod(pod: &str, service: &str, namespace: &str, form: Form, known: &dyn Known) -> bool {
    let workloads = known.workloads_with_pod(namespace, pod);
    let governed = |workload: &&Workload| {
        let set = workload.stateful_set.as_ref();
        let named = match set {
            Some(set) => set.service_name.as_deref(),
            None => workload.template.subdomain.as_deref(),
        };
        named == Some(service)
    };
    !workloads.is_empty()
        && (form >= Form::Port
            || known.seen(namespace, service).is_some()
            || workloads.iter().any(governed))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `name:number` can be a port of the Service: `redis:7` is an image,
/// and `chown redis:1000` a group. Where the ports aren't all known, any number
/// above those of images counts.
fn may_listen(service: &Service, number: i64) -> bool {
    let known = service.ports.iter().any(|port| {
        port.port == Some(number) || port.target_port == Some(IntOrString::Int(number))
    });
    let named =
        |port: &crate::model::ServicePort| matches!(port.target_port, Some(IntOrString::Text(_)));
    let open = service.ports.is_empty() || service.ports.iter().any(named);
    known || (open && number >= 1024)
}

#[cfg(test)]
mod tests;
