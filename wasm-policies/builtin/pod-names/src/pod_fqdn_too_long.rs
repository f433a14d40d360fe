//! A Pod whose full name is to be its host name, and is too long for one.

use headlint_policy_sdk::labels::selector_refused;
use headlint_policy_sdk::service::{dns_label, has, placeholder};
use headlint_policy_sdk::types::{Traits, Workload};
use headlint_policy_sdk::{
    Action, Condition, Context, Finding, Findings, MAKES_PODS, Review, Rule, Severity, Version,
    WRITTEN,
};

use crate::letters;

/// The rule.
pub const RULE: Rule = Rule {
    id: "pod-fqdn-too-long",
    severity: Severity::Error,
    action: Action::Warn,
    default_on: true,
    heals_later: false,
    kinds: MAKES_PODS,
    operations: WRITTEN,
    only_if: &[Condition::Has(&["setHostnameAsFQDN"])],
    summary: "a Pod's full name is to be its host name, and is too long for the kernel",
    documentation: include_str!("pod-fqdn-too-long.md"),
    check,
};

/// The longest host name that Linux takes.
///
/// # Source
/// kubernetes v1.36 `pkg/kubelet/util/util.go` `GetNodenameForKernel`.
const KERNEL: usize = 64;

/// The longest host name of a Pod; the kubelet cuts off the rest.
///
/// # Source
/// kubernetes v1.36 `pkg/kubelet/kubelet_pods.go` `truncatePodHostnameIfNeeded`.
const HOSTNAME: usize = 63;

/// A generated part of a name, with its dash: five letters behind what
/// `generateName` begins.
///
/// # Source
/// apiserver v0.36 `pkg/storage/names/generate.go`.
const SUFFIX: usize = 6;

/// The hash of a ReplicaSet's template, with its dash: a hash of 32 bits in
/// decimal, of which fewer than one in four hundred has less than 7 digits.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/controller_utils.go` `ComputeHash`.
const TEMPLATE_HASH: (usize, usize) = (8, 11);

/// What a CronJob appends for the time of a run, in minutes: 8 digits from
/// 1989 to 2160, with their dash.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/cronjob/utils.go` `getJobName`.
const RUN: usize = 9;

/// The host names that the Pods of a workload get.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    /// The longest one, with `*` for what is generated.
    name: String,
    /// Length of the longest one, if what is generated turns out short.
    least: usize,
    /// The same, if it turns out long.
    most: usize,
}

impl Host {
    fn exactly(name: String) -> Self {
        Self { least: name.len(), most: name.len(), name }
    }

    fn generated(name: &str, (least, most): (usize, usize), parts: &str) -> Self {
        Self { least: name.len() + least, most: name.len() + most, name: format!("{name}{parts}") }
    }
}

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(workload) = review.workload() else { return };
    let template = &workload.template;
    if !template.set_hostname_as_fqdn
        || selector_refused(workload)
        || has(&workload.meta, Traits::DELETING)
    {
        return;
    }
    let Some(subdomain) = subdomain(workload) else { return };
    let Some(host) = host(workload) else { return };
    let namespace = &workload.meta.ref_.namespace;
    let zone = context.cluster().zone;
    if [host.name.as_str(), namespace].into_iter().any(placeholder) || !dns_label(subdomain) {
        return;
    }
    let domain = format!("{subdomain}.{namespace}.svc.{zone}");
    let full = |host: usize| host.min(HOSTNAME) + 1 + domain.len();
    let (least, most) = (full(host.least), full(host.most));
    if most <= KERNEL || overridden(workload, context) {
        return;
    }
    let (kind, name) = (&workload.meta.ref_.kind, workload.meta.ref_.name.as_str());
    let who = match (kind.as_str(), name) {
        ("Pod", "") => "a Pod".to_owned(),
        ("Pod", name) => format!("Pod `{name}`"),
        (kind, "") => format!("a Pod of a {kind}"),
        (kind, name) => format!("a Pod of {kind} `{name}`"),
    };
    let verb = if least > KERNEL { "has" } else { "may have" };
    let finding = Finding::new(&RULE, format!("{}.spec.setHostnameAsFQDN", template.path))
        .severity(if least > KERNEL { Severity::Error } else { Severity::Warning })
        .what(format!(
            "{who} {verb} a full name of {most} letters, `{}.{domain}`, but a host name has at \
            most {KERNEL}",
            host.name
        ))
        .why(why(template.host_network, least > KERNEL))
        .help(format!(
            "shorten host name, subdomain or namespace by {}, or remove \
            `setHostnameAsFQDN`: the names in DNS don't need it",
            letters(most - KERNEL)
        ));
    findings.add(finding);
}

/// What the kubelet says: a Pod with a network of its own fails as a whole,
/// one in the node's network container by container.
///
/// # Source
/// kubernetes v1.36 `pkg/kubelet/kuberuntime/kuberuntime_sandbox.go`
/// `generatePodSandboxConfig`, `pkg/kubelet/kubelet_pods.go`
/// `GenerateRunContainerOptions`.
fn why(host_network: bool, certain: bool) -> String {
    let state = if host_network { "CreateContainerConfigError" } else { "ContainerCreating" };
    if certain {
        format!("the kubelet doesn't start it: it stays in {state}")
    } else {
        format!(
            "with most hashes of its template it stays in {state}: the kubelet doesn't start it"
        )
    }
}

/// The subdomain that the Pods get: without one there is no full name.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/statefulset/stateful_set_utils.go` `initIdentity`.
fn subdomain(workload: &Workload) -> Option<&str> {
    match &workload.stateful_set {
        Some(set) => set.service_name.as_deref(),
        None => workload.template.subdomain.as_deref(),
    }
}

/// None where nobody can know it yet.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/job/job_controller.go` (the index goes into
/// the host name), `pkg/kubelet/kubelet_pods.go` `GeneratePodHostNameAndDomain`.
fn host(workload: &Workload) -> Option<Host> {
    let reference = &workload.meta.ref_;
    let name = &reference.name;
    if let Some(hostname) = &workload.template.hostname
        && workload.stateful_set.is_none()
        && !workload.indexed
    {
        // Anything else is refused, or still to be filled in.
        return dns_label(hostname).then(|| Host::exactly(hostname.clone()));
    }
    if name.is_empty() {
        return None;
    }
    let last = match workload.replicas {
        Some(replicas) if !workload.autoscaled => replicas.max(1) - 1,
        _ => 0,
    };
    if let Some(set) = &workload.stateful_set {
        return Some(Host::exactly(format!("{name}-{}", set.first_ordinal.saturating_add(last))));
    }
    Some(match (reference.kind.as_str(), workload.indexed) {
        ("Pod", _) => Host::exactly(name.clone()),
        ("Job", true) => Host::exactly(format!("{name}-{last}")),
        ("CronJob", true) => {
            let run = RUN + 1 + last.to_string().len();
            Host::generated(name, (run, run), &format!("-*-{last}"))
        }
        ("CronJob", false) => Host::generated(name, (RUN + SUFFIX, RUN + SUFFIX), "-*-*"),
        ("Deployment", _) => {
            let (least, most) = TEMPLATE_HASH;
            Host::generated(name, (least + SUFFIX, most + SUFFIX), "-*-*")
        }
        _ => Host::generated(name, (SUFFIX, SUFFIX), "-*"),
    })
}

/// Whether `hostnameOverride` is set, which the API server refuses here.
fn overridden(workload: &Workload, context: &Context) -> bool {
    let path = format!("{}.spec.hostnameOverride", workload.template.path);
    context.query(Version::New, &path).is_ok_and(|matches| !matches.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use headlint_policy_sdk::fake::Snapshot;
    use headlint_policy_sdk::types::{
        Label, LabelSelector, Metadata, Object, ObjectRef, PodTemplate, StatefulSet,
    };
    use headlint_policy_sdk::{Operation, Origin};

    use super::*;

    /// Three Pods that want their full names.
    pub(crate) fn set() -> Workload {
        let labels = vec![Label { key: "app".to_owned(), value: "db".to_owned() }];
        Workload {
            meta: Metadata {
                ref_: ObjectRef {
                    api_version: "apps/v1".to_owned(),
                    kind: "StatefulSet".to_owned(),
                    namespace: "shop".to_owned(),
                    name: "db".to_owned(),
                },
                labels: Vec::new(),
                traits: Traits::empty(),
            },
            template: PodTemplate {
                path: "$.spec.template".to_owned(),
                labels: labels.clone(),
                added_labels: Vec::new(),
                hostname: None,
                subdomain: None,
                host_network: false,
                dns_policy: None,
                set_hostname_as_fqdn: true,
                containers: Vec::new(),
                injected: false,
            },
            selector: Some(LabelSelector { match_labels: labels, match_expressions: Vec::new() }),
            replicas: Some(3),
            autoscaled: false,
            indexed: false,
            stateful_set: Some(StatefulSet {
                service_name: Some("database".to_owned()),
                first_ordinal: 0,
                pod_management_policy: "OrderedReady".to_owned(),
            }),
        }
    }

    pub(crate) fn review(object: Object) -> Review {
        Review {
            settings: "{}".to_owned(),
            object,
            old: None,
            operation: Operation::Create,
            origin: Origin::Lint,
        }
    }

    fn severity(workload: Workload) -> Option<Severity> {
        let mut findings = Findings::default();
        check(&review(Object::Workload(workload)), &Snapshot::default(), &mut findings);
        let brief = findings.brief();
        brief.first().map(|(_, severity, _)| *severity)
    }

    #[test]
    fn the_last_ordinal_decides_for_a_set() {
        let named = |length: usize, replicas: i64, autoscaled: bool| {
            let mut set = set();
            set.meta.ref_.name = "a".repeat(length);
            set.replicas = Some(replicas);
            set.autoscaled = autoscaled;
            severity(set)
        };
        // `.database.shop.svc.cluster.local` has 32.
        assert_eq!(named(30, 3, false), None);
        assert_eq!(named(31, 3, false), Some(Severity::Error));
        assert_eq!(named(30, 11, false), Some(Severity::Error));
        assert_eq!(named(30, 11, true), None);
        assert_eq!(named(30, 0, false), None);
    }

    #[test]
    fn without_a_subdomain_or_the_wish_there_is_no_full_name() {
        let mut set = set();
        set.meta.ref_.name = "a".repeat(50);
        let mut unnamed = set.clone();
        unnamed.stateful_set =
            unnamed.stateful_set.map(|own| StatefulSet { service_name: None, ..own });
        // The controller drops it.
        unnamed.template.subdomain = Some("database".to_owned());
        assert_eq!(severity(unnamed), None);
        let mut unwished = set.clone();
        unwished.template.set_hostname_as_fqdn = false;
        assert_eq!(severity(unwished), None);
        assert_eq!(severity(set), Some(Severity::Error));
    }

    #[test]
    fn what_is_generated_counts() {
        let of = |kind: &str, length: usize, indexed: bool| {
            let mut workload = set();
            workload.meta.ref_.kind = kind.to_owned();
            workload.meta.ref_.name = "a".repeat(length);
            workload.stateful_set = None;
            workload.indexed = indexed;
            workload.template.subdomain = Some("database".to_owned());
            severity(workload)
        };
        assert_eq!(of("Pod", 32, false), None);
        assert_eq!(of("Pod", 33, false), Some(Severity::Error));
        assert_eq!(of("Deployment", 15, false), None);
        assert_eq!(of("Deployment", 16, false), Some(Severity::Warning));
        assert_eq!(of("Deployment", 19, false), Some(Severity::Error));
        assert_eq!(of("DaemonSet", 26, false), None);
        assert_eq!(of("DaemonSet", 27, false), Some(Severity::Error));
        assert_eq!(of("Job", 30, true), None);
        assert_eq!(of("Job", 31, true), Some(Severity::Error));
        assert_eq!(of("CronJob", 17, false), None);
        assert_eq!(of("CronJob", 18, false), Some(Severity::Error));
        assert_eq!(of("CronJob", 22, true), Some(Severity::Error));
        assert_eq!(of("CronJob", 21, true), None);
    }

    #[test]
    fn a_host_name_in_the_template_takes_the_place_of_a_generated_one() {
        let mut workload = set();
        workload.meta.ref_.kind = "Deployment".to_owned();
        workload.meta.ref_.name = "a".repeat(40);
        workload.stateful_set = None;
        workload.template.subdomain = Some("database".to_owned());
        workload.template.hostname = Some("a".repeat(32));
        assert_eq!(severity(workload.clone()), None);
        workload.template.hostname = Some("a".repeat(33));
        assert_eq!(severity(workload.clone()), Some(Severity::Error));
        workload.template.hostname = Some("${HOST}".repeat(8));
        assert_eq!(severity(workload), None);
    }
}
