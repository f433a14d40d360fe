//! The Pods that a workload makes, before there are any.

use crate::k8s;
use crate::model::{Label, Workload};

/// Kinds that make Pods, with the names that kubectl takes for them.
pub(super) const WORKLOADS: [(&str, &[&str]); 8] = [
    ("CronJob", &["cronjob", "cronjobs", "cj"]),
    ("DaemonSet", &["daemonset", "daemonsets", "ds"]),
    ("Deployment", &["deployment", "deployments", "deploy"]),
    ("Job", &["job", "jobs"]),
    ("Pod", &["pod", "pods", "po"]),
    ("ReplicaSet", &["replicaset", "replicasets", "rs"]),
    ("ReplicationController", &["replicationcontroller", "replicationcontrollers", "rc"]),
    ("StatefulSet", &["statefulset", "statefulsets", "sts"]),
];

/// More Pods of one workload than anybody has; beyond it they are only counted
/// as "more".
const MOST_PODS: i64 = 5_000;

/// A Pod that will be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod<'b> {
    /// What makes it, or itself.
    pub workload: &'b Workload,
    /// Its name; none where it ends in something random.
    pub name: Option<String>,
    /// Of a StatefulSet's Pod.
    pub(super) ordinal: Option<i64>,
    /// `spec.hostname`, as its controller sets it.
    pub(super) hostname: Option<String>,
    /// `spec.subdomain`, as its controller sets it.
    pub(super) subdomain: Option<&'b str>,
}

/// The Pods of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Crew<'b> {
    /// Those that are sure to be there, in order.
    pub(super) pods: Vec<Pod<'b>>,
    /// Why there may be others; a sentence.
    pub(super) more: Option<String>,
}

/// The Pods of a workload that isn't refused.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/statefulset/stateful_set_utils.go`
/// (`initIdentity`: host name and subdomain of the template are overwritten),
/// `pkg/controller/job/job_controller.go` (`completionModeIndexed`: the host name
/// is the Job's name and the index).
pub(super) fn crew(workload: &Workload) -> Crew<'_> {
    let object = &workload.meta.object_ref;
    let who = name_of(workload);
    if let Some(set) = &workload.stateful_set {
        let subdomain = set.service_name.as_deref();
        let numbered = |ordinal: i64| {
            let name = format!("{}-{ordinal}", object.name);
            let (hostname, name) = (Some(name.clone()), Some(name));
            Pod { workload, name, ordinal: Some(ordinal), hostname, subdomain }
        };
        let replicas = workload.replicas.unwrap_or(1).max(0);
        // Something else scales it: to one at least, where it isn't written.
        let sure = if workload.autoscaled { replicas.min(1) } else { replicas };
        let first = set.first_ordinal;
        let pods = (first..first.saturating_add(sure.min(MOST_PODS))).map(numbered).collect();
        let more = if workload.autoscaled {
            Some(format!("{who} is scaled by something else, so that it may have more Pods"))
        } else {
            long_name(&object.name).or_else(|| {
                (sure > MOST_PODS).then(|| format!("{who} has more than {MOST_PODS} Pods"))
            })
        };
        return Crew { pods, more };
    }
    let template = &workload.template;
    let pod = |name| Pod {
        workload,
        name,
        ordinal: None,
        hostname: template.hostname.clone(),
        subdomain: template.subdomain.as_deref(),
    };
    match object.kind.as_str() {
        "Pod" => {
            let name = (!object.name.is_empty()).then(|| object.name.clone());
            Crew { pods: vec![pod(name)], more: None }
        }
        "DaemonSet" => {
            let more = format!("{who} has one Pod for each node");
            Crew { pods: Vec::new(), more: Some(more) }
        }
        "Job" | "CronJob" => {
            let more = format!("{who} has Pods only while it runs");
            Crew { pods: Vec::new(), more: Some(more) }
        }
        _ => {
            let replicas = workload.replicas.unwrap_or(1).max(0);
            let sure = if workload.autoscaled { replicas.min(1) } else { replicas };
            let count = usize::try_from(sure.min(MOST_PODS)).unwrap_or_default();
            let more = if workload.autoscaled {
                Some(format!("{who} is scaled by something else, so that it may have more Pods"))
            } else {
                (sure > MOST_PODS).then(|| format!("{who} has more than {MOST_PODS} Pods"))
            };
            Crew { pods: vec![pod(None); count], more }
        }
    }
}

/// Pods carry the label `controller-revision-hash: <name>-<hash>` of 63
/// characters at most, and the hash has 7 to 10.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/history/controller_history.go`
/// (`ControllerRevisionName`).
fn long_name(name: &str) -> Option<String> {
    (name.len() > 52)
        .then(|| format!("the name of StatefulSet `{name}` may be too long for it to have any Pod"))
}

/// Whether a Service's selector selects a Pod; none where it asks for a label
/// whose value only a controller knows.
pub(super) fn selects(selector: &[Label], pod: &Pod<'_>) -> Option<bool> {
    let mut certain = true;
    for wanted in selector {
        match has(wanted, pod) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => certain = false,
        }
    }
    certain.then_some(true)
}

fn has(wanted: &Label, pod: &Pod<'_>) -> Option<bool> {
    let template = &pod.workload.template;
    if template.added_labels.contains(&wanted.key) {
        return match wanted.key.as_str() {
            k8s::POD_NAME_LABEL => Some(pod.name.as_ref() == Some(&wanted.value)),
            "apps.kubernetes.io/pod-index" => {
                Some(pod.ordinal.is_some_and(|ordinal| ordinal.to_string() == wanted.value))
            }
            _ => None,
        };
    }
    Some(template.labels.contains(wanted))
}

/// `StatefulSet `db``.
pub(super) fn name_of(workload: &Workload) -> String {
    let object = &workload.meta.object_ref;
    format!("{} `{}`", object.kind, object.name)
}
