//! More Pods than an answer of DNS has room for.

use headlint_policy_sdk::service::{has, headless, refused, workloads};
use headlint_policy_sdk::types::{ObjectRef, Service, Traits, Workload};
use headlint_policy_sdk::{
    Action, Context, Finding, Findings, Review, Rule, Severity, WRITTEN, display_name,
};

/// The rule.
pub const RULE: Rule = Rule {
    id: "large-headless-response",
    severity: Severity::Warning,
    action: Action::None,
    default_on: true,
    heals_later: false,
    kinds: &["Service"],
    operations: WRITTEN,
    only_if: &[],
    summary: "a headless Service has more Pods than an answer of DNS holds",
    documentation: include_str!("large-headless-response.md"),
    check,
};

/// Bytes of an answer by UDP, for a client that says nothing about it.
///
/// # Source
/// RFC 1035 section 2.3.4.
const PLAIN: usize = 512;

/// Bytes of an answer by UDP for a client with EDNS.
///
/// # Source
/// coredns v1.15 `plugin/pkg/edns`, and what resolvers ask for since DNS Flag
/// Day 2020.
const EDNS: usize = 1232;

/// Bytes of an answer at all: its length is sent as 16 bits.
const LARGEST: usize = 65_535;

fn check(review: &Review, context: &Context, findings: &mut Findings) {
    let Some(service) = review.service() else { return };
    if !headless(service) || refused(service) || has(&service.meta, Traits::DELETING) {
        return;
    }
    let Some(behind) = workloads(service, context) else { return };
    let pods: usize = behind.iter().map(pods).sum();
    let ObjectRef { namespace, name, .. } = &service.meta.ref_;
    let whole = format!("{name}.{namespace}.svc.{}", context.cluster().zone);
    let bytes = addresses(&whole, pods);
    let srv = named(service).map_or(0, |_| ports(&whole, &behind));
    let (severity, why) = if bytes.max(srv) > LARGEST {
        let text = "no answer holds them all, not even by TCP: every client sees a part, and each \
            time another one";
        (Severity::Error, text.to_owned())
    } else if bytes > EDNS {
        let text = format!(
            "an answer has {bytes} bytes, more than UDP carries ({EDNS} with EDNS): a client that \
            doesn't ask again by TCP sees a part of the Pods, and each time another one"
        );
        (Severity::Warning, text)
    } else if bytes > PLAIN {
        let text = format!(
            "an answer has {bytes} bytes, more than {PLAIN}: a client without EDNS that doesn't \
            ask again by TCP sees a part of the Pods"
        );
        (Severity::Info, text)
    } else {
        return;
    };
    let most = behind.iter().max_by_key(|workload| self::pods(workload));
    let finding = Finding::new(&RULE, "$.spec.clusterIP")
        .severity(severity)
        .what(format!("headless Service `{name}` stands for {pods} Pods"))
        .why(why)
        .help(
            "let clients dial the names of single Pods, or a Service with a cluster IP; or split \
            the Pods over several Services",
        );
    findings.add(match most {
        Some(workload) => finding.related(
            &workload.meta.ref_,
            "$.spec.replicas",
            format!("{} has {} of them", display_name(&workload.meta.ref_), self::pods(workload)),
        ),
        None => finding,
    });
}

/// How many Pods a workload is sure to have.
fn pods(workload: &Workload) -> usize {
    let is_known = !workload.autoscaled && workload.meta.ref_.kind != "DaemonSet";
    let replicas = if is_known { workload.replicas.unwrap_or(1) } else { 0 };
    usize::try_from(replicas).unwrap_or(0)
}

/// Bytes of a question: the header, the name, its type and class.
fn question(name: &str) -> usize {
    12 + name.len() + 2 + 4
}

/// Bytes of an answer with addresses: each points at the name in the question.
fn addresses(name: &str, pods: usize) -> usize {
    question(name) + 16 * pods
}

/// The first port with a name.
fn named(service: &Service) -> Option<&str> {
    service.ports.iter().map(|port| port.name.as_str()).find(|name| !name.is_empty())
}

/// Bytes of an answer with SRV records, each with the target's name in full, and
/// the addresses of the targets: those are left out first, so that only the
/// records count.
fn ports(name: &str, behind: &[Workload]) -> usize {
    let record = |workload: &Workload| {
        // A Pod's own label and a dot, or its address with dashes.
        let label = workload.meta.ref_.name.len() + 3;
        18 + label + name.len() + 2
    };
    question(name) + behind.iter().map(|workload| pods(workload) * record(workload)).sum::<usize>()
}
