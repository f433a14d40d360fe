//! Workloads: Pods, and what makes Pods from a template.

use std::sync::Arc;

use super::selector::selector;
use super::{Decoded, Fields, Label, LabelSelector, Metadata, labels, traits};
use crate::k8s::{self, Kind};
use crate::manifest::Node;

/// A Pod, or something that makes Pods from a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Its metadata.
    pub meta: Arc<Metadata>,
    /// The Pods' labels and spec.
    pub template: PodTemplate,
    /// `spec.selector`, none when missing or null. The plain map of a
    /// ReplicationController is its `match_labels`.
    pub selector: Option<LabelSelector>,
    /// `spec.replicas`, or `spec.completions` of an Indexed Job. None when
    /// missing, which Kubernetes takes as 1, and always none for a Pod (it is
    /// one), a DaemonSet (one for each node), a CronJob or another Job.
    pub replicas: Option<i64>,
    /// A HorizontalPodAutoscaler or a ScaledObject sets the replicas.
    pub autoscaled: bool,
    /// A Job with `completionMode: Indexed`, or a CronJob of such: its Pods
    /// have host names.
    pub indexed: bool,
    /// Only of a StatefulSet.
    pub stateful_set: Option<StatefulSet>,
}

/// What only a StatefulSet has.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatefulSet {
    /// `spec.serviceName`; none when missing, null or empty.
    pub service_name: Option<String>,
    /// `spec.ordinals.start`, 0 when missing.
    pub first_ordinal: i64,
    /// `spec.podManagementPolicy`, `OrderedReady` when missing.
    pub pod_management_policy: String,
}

/// `metadata` and `spec` of Pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodTemplate {
    /// JSONPath of the object that holds `metadata` and `spec` of the Pods:
    /// `$.spec.template`, or `$` for a Pod.
    pub path: String,
    /// As written.
    pub labels: Arc<[Label]>,
    /// Keys that the controller adds, with values nobody knows yet. Sorted.
    pub added_labels: Vec<String>,
    /// None when empty.
    pub hostname: Option<String>,
    /// None when empty.
    pub subdomain: Option<String>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// None when empty.
    pub dns_policy: Option<String>,
    /// `spec.setHostnameAsFQDN`.
    pub set_hostname_as_fqdn: bool,
    /// Those of `containers`, then those of `initContainers`.
    pub containers: Vec<Container>,
    /// Its Pods get containers injected that no manifest shows.
    pub injected: bool,
}

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerRole {
    /// In `containers`.
    App,
    /// In `initContainers` with `restartPolicy: Always`.
    Sidecar,
    /// In `initContainers`, and gone before the Pod serves.
    Init,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// What it is for.
    pub role: ContainerRole,
    /// Its place in `containers`, or in `initContainers`.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// In the manifest's order.
    pub ports: Vec<ContainerPort>,
    /// Whether it has a `readinessProbe`.
    pub readiness_probe: bool,
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerPort {
    /// Empty when missing.
    pub name: String,
    /// `TCP` when missing.
    pub protocol: String,
    /// The number.
    pub container_port: Option<i64>,
}

/// Where a kind keeps the template of its Pods, with the labels that its
/// controller adds; none for a kind that makes no Pods.
///
/// # Source
/// kubernetes v1.36 `staging/src/k8s.io/api/apps/v1/types.go`
/// (`StatefulSetPodNameLabel`, `PodIndexLabel`, `ControllerRevisionHashLabelKey`,
/// `DefaultDeploymentUniqueLabelKey`) and `api/batch/v1/types.go`;
/// `pkg/controller/daemon/update.go` (`pod-template-generation`).
fn template_of(kind: Kind) -> Option<(&'static [&'static str], &'static [&'static str])> {
    const TEMPLATE: &[&str] = &["spec", "template"];
    const CRON_TEMPLATE: &[&str] = &["spec", "jobTemplate", "spec", "template"];
    const DAEMON: &[&str] = &["controller-revision-hash", "pod-template-generation"];
    const JOB: &[&str] = &[
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/job-name",
        "controller-uid",
        "job-name",
    ];
    const STATEFUL: &[&str] =
        &["apps.kubernetes.io/pod-index", "controller-revision-hash", k8s::POD_NAME_LABEL];
    Some(match kind {
        Kind::Pod => (&[], &[]),
        Kind::Deployment => (TEMPLATE, &["pod-template-hash"]),
        Kind::ReplicaSet | Kind::ReplicationController => (TEMPLATE, &[]),
        Kind::StatefulSet => (TEMPLATE, STATEFUL),
        Kind::DaemonSet => (TEMPLATE, DAEMON),
        Kind::Job => (TEMPLATE, JOB),
        Kind::CronJob => (CRON_TEMPLATE, JOB),
        _ => return None,
    })
}

/// The object that holds `metadata` and `spec` of the Pods, with its path.
pub(crate) fn template(root: &Node, kind: Kind) -> Decoded<'_, Option<(String, Option<&Node>)>> {
    let Some((steps, _)) = template_of(kind) else { return Ok(None) };
    let mut path = "$".to_owned();
    let mut node = Some(root);
    for step in steps {
        path.push('.');
        path.push_str(step);
        node = match node {
            Some(node) => node.object(step)?,
            None => None,
        };
    }
    Ok(Some((path, node)))
}

/// None for a kind that makes no Pods.
pub(super) fn decode<'n>(
    root: &'n Node,
    kind: Kind,
    meta: &Arc<Metadata>,
) -> Decoded<'n, Option<Workload>> {
    let (Some((path, node)), Some((_, added))) = (template(root, kind)?, template_of(kind)) else {
        return Ok(None);
    };
    let mut workload = Workload { meta: Arc::clone(meta), ..Workload::default() };
    workload.template = match node {
        Some(node) => pod_template(node)?,
        None => PodTemplate::default(),
    };
    workload.template.path = path;
    workload.template.added_labels = added.iter().map(|&key| key.to_owned()).collect();
    if workload.template.labels == meta.labels {
        workload.template.labels = Arc::clone(&meta.labels);
    }
    workload.template.injected |= meta.traits.injected;
    if workload.template.injected && !meta.traits.injected {
        Arc::make_mut(&mut workload.meta).traits.injected = true;
    }

    let Some(spec) = root.object("spec")? else { return Ok(Some(workload)) };
    match kind {
        Kind::Pod => {}
        Kind::ReplicationController => {
            let match_labels = labels(spec, "selector")?;
            if !match_labels.is_empty() {
                workload.selector =
                    Some(LabelSelector { match_labels, ..LabelSelector::default() });
            }
            workload.replicas = spec.int("replicas")?;
        }
        Kind::Job => index_job(&mut workload, spec)?,
        Kind::CronJob => {
            let job = match spec.object("jobTemplate")? {
                Some(template) => template.object("spec")?,
                None => None,
            };
            if let Some(job) = job {
                index_job(&mut workload, job)?;
                // Each run is a Job with a name of its own.
                workload.replicas = None;
            }
        }
        Kind::DaemonSet => workload.selector = selector(spec, "selector")?,
        _ => {
            workload.selector = selector(spec, "selector")?;
            workload.replicas = spec.int("replicas")?;
        }
    }
    if kind == Kind::StatefulSet {
        workload.stateful_set = Some(stateful_set(spec)?);
    }
    Ok(Some(workload))
}

fn index_job<'n>(workload: &mut Workload, spec: &'n Node) -> Decoded<'n, ()> {
    workload.indexed = spec.text("completionMode")? == Some("Indexed");
    if workload.indexed {
        workload.replicas = spec.int("completions")?;
    }
    Ok(())
}

fn stateful_set(spec: &Node) -> Decoded<'_, StatefulSet> {
    let first_ordinal = match spec.object("ordinals")? {
        Some(ordinals) => ordinals.int("start")?.unwrap_or(0),
        None => 0,
    };
    Ok(StatefulSet {
        service_name: spec.filled("serviceName")?.map(str::to_owned),
        first_ordinal,
        pod_management_policy: spec
            .filled("podManagementPolicy")?
            .unwrap_or("OrderedReady")
            .to_owned(),
    })
}

fn pod_template(node: &Node) -> Decoded<'_, PodTemplate> {
    let mut template = PodTemplate::default();
    if let Some(metadata) = node.object("metadata")? {
        template.labels = labels(metadata, "labels")?.into();
        let annotations = labels(metadata, "annotations")?;
        template.injected = traits::injects(&template.labels, &annotations);
    }
    let Some(spec) = node.object("spec")? else { return Ok(template) };
    template.hostname = spec.filled("hostname")?.map(str::to_owned);
    template.subdomain = spec.filled("subdomain")?.map(str::to_owned);
    template.host_network = spec.flag("hostNetwork")?;
    template.dns_policy = spec.filled("dnsPolicy")?.map(str::to_owned);
    template.set_hostname_as_fqdn = spec.flag("setHostnameAsFQDN")?;
    let (containers, inits) = (spec.objects("containers")?, spec.objects("initContainers")?);
    template.containers.reserve_exact(containers.len() + inits.len());
    for (index, node) in (0..).zip(containers) {
        template.containers.push(container(node, ContainerRole::App, index)?);
    }
    for (index, node) in (0..).zip(inits) {
        let role = match node.text("restartPolicy")? {
            Some("Always") => ContainerRole::Sidecar,
            _ => ContainerRole::Init,
        };
        template.containers.push(container(node, role, index)?);
    }
    Ok(template)
}

fn container(node: &Node, role: ContainerRole, index: u32) -> Decoded<'_, Container> {
    let declared = node.objects("ports")?;
    let mut ports = Vec::with_capacity(declared.len());
    for port in declared {
        ports.push(ContainerPort {
            name: port.text("name")?.unwrap_or_default().to_owned(),
            protocol: port.filled("protocol")?.unwrap_or("TCP").to_owned(),
            container_port: port.int("containerPort")?,
        });
    }
    Ok(Container {
        role,
        index,
        name: node.text("name")?.unwrap_or_default().to_owned(),
        ports,
        readiness_probe: node.object("readinessProbe")?.is_some(),
    })
}
