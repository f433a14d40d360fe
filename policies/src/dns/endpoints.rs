//! Who is behind a Service.

use std::collections::HashSet;
use std::net::IpAddr;

use super::bundle::{Bundle, Written, doubt};
use super::families::families;
use super::pods::{Pod, crew, name_of, selects};
use super::refusal;
use crate::finding::ObjectRef;
use crate::inventory::Inventory;
use crate::model::{ContainerRole, Endpoints, IntOrString, Service, ServicePort, Workload};

/// When DNS answers with an address.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// From the start, until it is gone: a cluster IP, an alias, an address that
    /// somebody wrote down.
    Always,
    /// As soon as the Pod has an address, and until it is gone:
    /// `publishNotReadyAddresses`.
    WhilePresent,
    /// While the Pod is Ready, which a `readinessProbe` decides.
    WhenReady,
    /// While the Pod runs: it has no `readinessProbe`, and so is Ready as soon as
    /// its containers run.
    WhenRunning,
}

/// One address behind a Service, which DNS hands out.
#[derive(Clone, Debug)]
pub(super) struct Endpoint<'b> {
    pub(super) who: Behind<'b>,
    /// Its first label in names of the Service; none: its IP with dashes.
    pub(super) hostname: Option<String>,
    /// Of its EndpointSlice; empty if that has none.
    pub(super) ports: Vec<Published>,
    pub(super) readiness: Readiness,
    pub(super) v4: bool,
    pub(super) v6: bool,
}

/// What has the address.
#[derive(Clone, Debug)]
pub(super) enum Behind<'b> {
    Pod(Pod<'b>),
    Written {
        by: &'b Endpoints,
        /// In the form in which DNS shows it.
        address: String,
    },
}

/// One port of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Published {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) number: i64,
}

/// All that is behind a Service.
#[derive(Clone, Debug, Default)]
pub(super) struct Backing<'b> {
    pub(super) endpoints: Vec<Endpoint<'b>>,
    /// Why there may be others; sentences.
    pub(super) doubts: Vec<String>,
    /// Why there are none, or fewer than one would think.
    pub(super) lack: Option<Lack>,
}

/// Why there are no endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub(super) why: String,
    /// JSONPath of the field to change.
    pub(super) field: &'static str,
    /// What has the field, if it isn't the Service.
    pub(super) object: Option<ObjectRef>,
    /// The rule that explains it.
    pub(super) rule: Option<&'static str>,
}

impl Lack {
    fn new(why: String, field: &'static str, rule: Option<&'static str>) -> Self {
        Self { why, field, rule, object: None }
    }

    fn of(self, object: &ObjectRef) -> Self {
        Self { object: Some(object.clone()), ..self }
    }
}

impl<'b> Backing<'b> {
    /// Whoever is behind a Service that isn't refused, and isn't an ExternalName.
    pub(super) fn of(bundle: &'b Bundle, service: &'b Service) -> Self {
        let mut backing = Self::default();
        if service.selector.is_empty() {
            backing.add_written(bundle, service);
        } else {
            backing.add_pods(bundle, service);
        }
        let mut seen = HashSet::new();
        backing.endpoints.retain(|endpoint| match &endpoint.who {
            Behind::Pod(_) => true,
            Behind::Written { address, .. } => {
                seen.insert((address.clone(), endpoint.hostname.clone(), endpoint.ports.clone()))
            }
        });
        backing
    }

    fn add_pods(&mut self, bundle: &'b Bundle, service: &'b Service) {
        let object = &service.meta.object_ref;
        let inventory = bundle.inventory();
        let found = inventory.workloads_matching(&object.namespace, &service.selector);
        self.doubts.extend(doubt(&found, "a Pod that the selector selects"));
        let (mut refused, mut matched) = (None, None);
        for workload in found.found().unwrap_or_default() {
            if let Some((why, _)) = refusal::workload(workload) {
                refused = Some((workload, why));
                continue;
            }
            matched = Some(workload);
            self.add_crew(bundle, service, workload);
        }
        // Those that somebody wrote stay beside the Pods; Endpoints don't.
        let slices = inventory.endpoints_of(&object.namespace, &object.name).found();
        for slice in slices.unwrap_or_default() {
            if slice.address_type.is_some() {
                self.add_addresses(bundle, slice);
            }
        }
        if self.endpoints.is_empty() {
            self.lack = Some(match refused {
                Some((workload, why)) => Lack::new(
                    format!("{} is refused: {why}", name_of(workload)),
                    "$.spec.selector",
                    Some("workload-selector-template-mismatch"),
                )
                .of(&workload.meta.object_ref),
                None if let Some(workload) = matched => Lack::new(
                    format!("{} has no Pod that is sure to be there", name_of(workload)),
                    "$.spec.replicas",
                    None,
                )
                .of(&workload.meta.object_ref),
                None => Lack::new(
                    "its selector matches no Pod".to_owned(),
                    "$.spec.selector",
                    Some("selector-matches-nothing"),
                ),
            });
        }
    }

    fn add_crew(&mut self, bundle: &'b Bundle, service: &'b Service, workload: &'b Workload) {
        let families = families(service, bundle.cluster());
        if families.depends {
            self.doubts.push("whether there are IPv6 addresses depends on the cluster".to_owned());
        }
        let crew = crew(workload);
        self.doubts.extend(crew.more);
        let mut asked = false;
        for pod in crew.pods {
            match selects(&service.selector, &pod) {
                Some(false) => continue,
                None => {
                    asked = true;
                    continue;
                }
                Some(true) => {}
            }
            let of_service = pod.subdomain == Some(service.meta.object_ref.name.as_str());
            let hostname = pod.hostname.clone().filter(|_| of_service);
            self.endpoints.push(Endpoint {
                hostname,
                ports: pod_ports(service, workload),
                readiness: readiness(service, workload),
                v4: families.v4,
                v6: families.v6,
                who: Behind::Pod(pod),
            });
        }
        if asked {
            let who = name_of(workload);
            self.doubts.push(format!("only a controller knows a label of {who} that is selected"));
        }
        let named = |port: &ServicePort| matches!(port.target_port, Some(IntOrString::Text(_)));
        if workload.template.injected && service.ports.iter().any(named) {
            let who = name_of(workload);
            self.doubts.push(format!("{who} gets containers injected, which may have ports"));
        }
    }

    fn add_written(&mut self, bundle: &'b Bundle, service: &'b Service) {
        let object = &service.meta.object_ref;
        let found = bundle.inventory().endpoints_of(&object.namespace, &object.name);
        self.doubts.extend(doubt(&found, "an Endpoints object or EndpointSlice of it"));
        if service.meta.traits.endpoints_managed_elsewhere {
            self.doubts.push("a controller outside of Kubernetes writes its endpoints".to_owned());
        }
        let found = found.found().unwrap_or_default();
        let is_skipped = |it: &Endpoints| it.skip_mirror && it.address_type.is_none();
        for endpoints in found.iter().copied().filter(|it| !is_skipped(it)) {
            self.add_addresses(bundle, endpoints);
        }
        if !self.endpoints.is_empty() {
            return;
        }
        self.lack = Some(match found.first() {
            None => Lack::new(
                "it has no selector, and nothing lists its endpoints".to_owned(),
                "$.spec.selector",
                Some("selectorless-without-endpoints"),
            ),
            Some(first) if found.iter().any(|it| is_skipped(it)) => Lack::new(
                "its Endpoints are labelled not to be mirrored, and DNS reads slices".to_owned(),
                "$.metadata.labels",
                Some("endpoints-skip-mirror"),
            )
            .of(&first.meta.object_ref),
            Some(first) => Lack::new(
                "none of its addresses is ready".to_owned(),
                "$",
                Some("endpoints-not-ready-only"),
            )
            .of(&first.meta.object_ref),
        });
    }

    fn add_addresses(&mut self, bundle: &'b Bundle, by: &'b Endpoints) {
        for written in bundle.written(&by.meta.object_ref) {
            if !written.ready {
                continue;
            }
            let Some((address, v4, v6)) = shown(written, by) else { continue };
            let subset = by.subsets.get(written.subset);
            let ports = subset.map(|subset| subset.ports.as_slice()).unwrap_or_default();
            let ports = ports.iter().map(|port| Published {
                name: port.name.clone(),
                protocol: port.protocol.clone(),
                number: port.port.unwrap_or(-1),
            });
            self.endpoints.push(Endpoint {
                hostname: written.hostname.clone(),
                ports: ports.collect(),
                readiness: Readiness::Always,
                v4,
                v6,
                who: Behind::Written { by, address },
            });
        }
    }
}

/// The address as DNS shows it, and its family. None for one that the API server
/// refuses, or that isn't mirrored.
fn shown(written: &Written, by: &Endpoints) -> Option<(String, bool, bool)> {
    if by.address_type.as_deref() == Some("FQDN") {
        return Some((written.address.clone(), false, false));
    }
    let address: IpAddr = written.address.parse().ok()?;
    Some((address.to_string(), address.is_ipv4(), address.is_ipv6()))
}

/// The ports of a Pod that its slice has: what can't be found is left out.
fn pod_ports(service: &Service, workload: &Workload) -> Vec<Published> {
    let published = service.ports.iter().filter_map(|port| {
        Some(Published {
            name: port.name.clone(),
            protocol: port.protocol.clone(),
            number: target(port, workload)?,
        })
    });
    published.collect()
}

/// The number of the Pod that a Service's port leads to.
///
/// # Source
/// `k8s.io/endpointslice` v0.36 `utils.go` (`FindPort`): a name is looked for with
/// its protocol, in containers and then in sidecars.
pub(super) fn target(port: &ServicePort, workload: &Workload) -> Option<i64> {
    match &port.target_port {
        None => port.port,
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::Text(name)) => {
            let containers = workload.template.containers.iter();
            let serving = containers.filter(|it| it.role != ContainerRole::Init);
            let mut ports = serving.flat_map(|container| &container.ports);
            let found = ports.find(|it| it.name == *name && it.protocol == port.protocol)?;
            found.container_port
        }
    }
}

fn readiness(service: &Service, workload: &Workload) -> Readiness {
    let containers = workload.template.containers.iter();
    let mut serving = containers.filter(|it| it.role != ContainerRole::Init);
    if service.publish_not_ready_addresses {
        Readiness::WhilePresent
    } else if serving.any(|it| it.readiness_probe) {
        Readiness::WhenReady
    } else {
        Readiness::WhenRunning
    }
}
