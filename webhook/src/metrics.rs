//! What Prometheus sees. Names and units follow its conventions: base units,
//! `_total` on what only grows, points in time instead of ages.
//!
//! Counting allocates nothing: labels are static, and what belongs to a policy
//! or a kind is a handle that its owner keeps.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use headlint_policies::engine::Cost;
use headlint_policies::evaluate::Judgement;
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// A gauge with fractions.
type Real = Gauge<f64, AtomicU64>;

/// Upper bounds of the buckets of a request, in seconds: an answer usually
/// takes a tenth of a millisecond, and the API server waits ten seconds.
const REQUEST_BUCKETS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 1.0, 2.5, 10.0,
];

/// Upper bounds of the buckets of one policy's evaluation, in seconds.
const EVALUATION_BUCKETS: [f64; 14] = [
    0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.005, 0.02, 0.1,
    0.5, 1.0, 5.0,
];

/// Kinds that have a label value of their own: those that can be under review.
/// Whoever may create objects could otherwise create label values.
const KINDS: [&str; 18] = [
    "APIService",
    "ConfigMap",
    "CronJob",
    "CustomResourceDefinition",
    "DaemonSet",
    "Deployment",
    "EndpointSlice",
    "Endpoints",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "Namespace",
    "NetworkPolicy",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "Service",
    "StatefulSet",
];

/// The label value of what wasn't read.
const UNREAD: &str = "unread";

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Without a word.
    Allowed,
    /// With warnings.
    Warned,
    /// With a denial.
    Denied,
    /// It was no AdmissionReview.
    Malformed,
    /// There was no time or no room for it.
    Shed,
    /// A policy failed, or the webhook did.
    Fault,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Warned => "warned",
            Self::Denied => "denied",
            Self::Malformed => "malformed",
            Self::Shed => "shed",
            Self::Fault => "fault",
        }
    }
}

/// What is loaded again while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The configuration file.
    Config,
    /// The folder of policies.
    Policies,
    /// The serving certificate and its key.
    Certificate,
    /// The authorities of client certificates.
    ClientCa,
}

impl Source {
    /// Its name, in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Policies => "policies",
            Self::Certificate => "certificate",
            Self::ClientCa => "client-ca",
        }
    }
}

/// Why look-ups of a kind answer *unknown*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// The API server doesn't let us list or watch it.
    Forbidden,
    /// The watch has been down for too long.
    Down,
}

impl Unknown {
    fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Down => "down",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    kind: &'static str,
    operation: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnknownLabels {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExemptionLabels {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

type Histograms = Family<PolicyLabels, Histogram, fn() -> Histogram>;

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    /// From the head of a request to its answer.
    pub request_seconds: Histogram,
    /// Requests that are being judged.
    pub running: Gauge,
    /// Requests that wait for a place.
    pub queued: Gauge,
    /// Open connections of the API server.
    pub connections: Gauge,
    /// TLS handshakes that failed or took too long.
    pub handshake_failures: Counter,
    related_omitted: Counter,
    /// Findings that rest on an object's absence and still stand after the
    /// grace time.
    pub pending_findings: Gauge,
    /// When the serving certificate expires, in seconds since 1970.
    pub certificate_expiry: Gauge,
    /// Counts the configurations that were put into use; 1 is the first.
    pub generation: Gauge,
    reload_success: Family<SourceLabels, Gauge>,
    reload_time: Family<SourceLabels, Real>,
    /// Handles of the policies in use, by name.
    meters: ArcSwap<HashMap<String, PolicyMeter>>,
    evaluations: Family<PolicyLabels, Counter>,
    evaluation_seconds: Histograms,
    faults: Family<PolicyLabels, Counter>,
    peak_memory: Family<PolicyLabels, Gauge>,
    context_objects: Family<KindLabels, Gauge>,
    context_event_time: Family<KindLabels, Real>,
    watch_restarts: Family<KindLabels, Counter>,
    context_unknown: Family<UnknownLabels, Gauge>,
    exemption_uses: Family<ExemptionLabels, Gauge>,
    exemptions_expired: Gauge,
}

/// The metrics of one policy.
#[derive(Clone, Debug)]
struct PolicyMeter {
    evaluations: Counter,
    seconds: Histogram,
    faults: Counter,
    peak_memory: Gauge,
}

/// The metrics of one watched kind.
#[derive(Clone, Debug)]
pub struct KindMeter {
    objects: Gauge,
    event_time: Real,
    restarts: Counter,
    forbidden: Gauge,
    down: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let evaluation_histogram: fn() -> Histogram = || Histogram::new(EVALUATION_BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("headlint"),
            requests: Family::default(),
            request_seconds: Histogram::new(REQUEST_BUCKETS),
            running: Gauge::default(),
            queued: Gauge::default(),
            connections: Gauge::default(),
            handshake_failures: Counter::default(),
            related_omitted: Counter::default(),
            pending_findings: Gauge::default(),
            certificate_expiry: Gauge::default(),
            generation: Gauge::default(),
            reload_success: Family::default(),
            reload_time: Family::default(),
            meters: ArcSwap::default(),
            evaluations: Family::default(),
            evaluation_seconds: Family::new_with_constructor(evaluation_histogram),
            faults: Family::default(),
            peak_memory: Family::default(),
            context_objects: Family::default(),
            context_event_time: Family::default(),
            watch_restarts: Family::default(),
            context_unknown: Family::default(),
            exemption_uses: Family::default(),
            exemptions_expired: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        self.begin();
        let registry = &mut self.registry;
        registry.register(
            "build",
            "The version of this binary",
            Info::new(BuildLabels { version: env!("CARGO_PKG_VERSION") }),
        );
        registry.register(
            "requests",
            "Admission requests by kind, operation and answer",
            self.requests.clone(),
        );
        registry.register(
            "requests_running",
            "Requests that are being judged",
            self.running.clone(),
        );
        registry.register(
            "requests_queued",
            "Requests that wait for their turn",
            self.queued.clone(),
        );
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "tls_handshake_failures",
            "TLS handshakes that failed or took too long",
            self.handshake_failures.clone(),
        );
        registry.register(
            "related_objects_omitted",
            "Related objects that a review left out because there were too many, or no time for them",
            self.related_omitted.clone(),
        );
        registry.register(
            "pending_findings",
            "Findings that rest on the absence of an object and still stand after the grace time",
            self.pending_findings.clone(),
        );
        registry.register(
            "config_generation",
            "Counts the configurations that were put into use",
            self.generation.clone(),
        );
        registry.register(
            "reload_success",
            "Whether what was last read from the source could be used (1) or not (0)",
            self.reload_success.clone(),
        );
        registry.register(
            "policy_evaluations",
            "Evaluations of one object by a policy",
            self.evaluations.clone(),
        );
        registry.register("policy_faults", "Evaluations that failed", self.faults.clone());
        registry.register(
            "context_objects",
            "Objects of the cluster that are known",
            self.context_objects.clone(),
        );
        registry.register(
            "context_watch_restarts",
            "Watches that had to be started again",
            self.watch_restarts.clone(),
        );
        registry.register(
            "context_unknown",
            "Whether look-ups of a kind answer unknown (1), and why",
            self.context_unknown.clone(),
        );
        registry.register(
            "exemption_uses",
            "Findings that an exemption has covered since the configuration was loaded",
            self.exemption_uses.clone(),
        );
        registry.register(
            "exemptions_expired",
            "Exemptions that no longer count",
            self.exemptions_expired.clone(),
        );

        registry.register_with_unit(
            "request_duration",
            "Time from the head of a request to its answer",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        registry.register_with_unit(
            "policy_evaluation_duration",
            "Time of an evaluation",
            Unit::Seconds,
            self.evaluation_seconds.clone(),
        );
        registry.register_with_unit(
            "policy_peak_memory",
            "The most memory that an evaluation took",
            Unit::Bytes,
            self.peak_memory.clone(),
        );
        registry.register_with_unit(
            "certificate_expiry_timestamp",
            "When the serving certificate expires",
            Unit::Seconds,
            self.certificate_expiry.clone(),
        );
        registry.register_with_unit(
            "reload_timestamp",
            "When the source was last put into use",
            Unit::Seconds,
            self.reload_time.clone(),
        );
        registry.register_with_unit(
            "context_last_event_timestamp",
            "When the API server last said something about a kind",
            Unit::Seconds,
            self.context_event_time.clone(),
        );
    }

    /// Series that begin with the first request that they count would hide it: an
    /// increase from nothing is none.
    fn begin(&self) {
        for verdict in [Verdict::Shed, Verdict::Malformed] {
            let labels =
                RequestLabels { kind: UNREAD, operation: UNREAD, verdict: verdict.as_str() };
            drop(self.requests.get_or_create(&labels));
        }
    }

    /// Counts a request of `kind` (such as `Service`) and
    /// `operation` (as the API server spells it); empty, if it wasn't read so
    /// far.
    pub fn request(&self, kind: &str, operation: &str, verdict: Verdict) {
        let known = KINDS.iter().find(|known| **known == kind).copied();
        let kind = known.unwrap_or(if kind.is_empty() { UNREAD } else { "other" });
        let operation = match operation {
            "CREATE" => "CREATE",
            "UPDATE" => "UPDATE",
            "DELETE" => "DELETE",
            "CONNECT" => "CONNECT",
            _ => UNREAD,
        };
        let labels = RequestLabels { kind, operation, verdict: verdict.as_str() };
        self.requests.get_or_create(&labels).inc();
    }

    /// Notes whether what a source holds now could be put into use.
    pub fn reloaded(&self, source: Source, success: bool) {
        let labels = SourceLabels { source: source.as_str() };
        self.reload_success.get_or_create(&labels).set(i64::from(success));
        if success {
            self.reload_time.get_or_create(&labels).set(now());
        }
    }

    /// Makes handles for the policies that are in use from now on.
    pub fn policies<'n>(&self, names: impl Iterator<Item = &'n str>) {
        let meters = names.map(|name| (name.to_owned(), self.policy(name))).collect();
        self.meters.store(Arc::new(meters));
    }

    /// Notes that a policy was asked.
    pub fn evaluation(&self, judgement: &Judgement<'_>) {
        let (name, failed) = (judgement.policy.name(), judgement.verdicts.is_err());
        match self.meters.load().get(name) {
            Some(meter) => meter.evaluated(&judgement.cost, failed),
            // A policy that was taken out of use during the request.
            None => self.policy(name).evaluated(&judgement.cost, failed),
        }
    }

    /// Notes related objects that a review left out.
    pub fn left_out(&self, count: usize) {
        self.related_omitted.inc_by(count as u64);
    }

    fn policy(&self, name: &str) -> PolicyMeter {
        let labels = PolicyLabels { policy: name.to_owned() };
        PolicyMeter {
            evaluations: self.evaluations.get_or_create_owned(&labels),
            seconds: self.evaluation_seconds.get_or_create_owned(&labels),
            faults: self.faults.get_or_create_owned(&labels),
            peak_memory: self.peak_memory.get_or_create_owned(&labels),
        }
    }

    /// The handle of a watched kind.
    #[must_use]
    pub fn kind(&self, kind: &'static str) -> KindMeter {
        let labels = KindLabels { kind };
        let unknown = |reason: Unknown| {
            let labels = UnknownLabels { kind, reason: reason.as_str() };
            self.context_unknown.get_or_create_owned(&labels)
        };
        KindMeter {
            objects: self.context_objects.get_or_create_owned(&labels),
            event_time: self.context_event_time.get_or_create_owned(&labels),
            restarts: self.watch_restarts.get_or_create_owned(&labels),
            forbidden: unknown(Unknown::Forbidden),
            down: unknown(Unknown::Down),
        }
    }

    /// Replaces what is told of exemptions: how often each was used, by its
    /// reason, and how many have expired.
    pub fn exemptions<'e>(&self, uses: impl Iterator<Item = (&'e str, u64)>, expired: usize) {
        self.exemption_uses.clear();
        for (reason, uses) in uses {
            let labels = ExemptionLabels { reason: reason.to_owned() };
            let uses = i64::try_from(uses).unwrap_or(i64::MAX);
            self.exemption_uses.get_or_create(&labels).inc_by(uses);
        }
        self.exemptions_expired.set(i64::try_from(expired).unwrap_or(i64::MAX));
    }

    /// All of them in Prometheus' text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 << 10);
        prometheus_text::encode(&mut text, &self.registry).expect("a String takes everything");
        text
    }
}

impl PolicyMeter {
    fn evaluated(&self, cost: &Cost, failed: bool) {
        self.evaluations.inc();
        self.seconds.observe(cost.time.as_secs_f64());
        if failed {
            self.faults.inc();
        }
        let peak = i64::try_from(cost.peak_memory).unwrap_or(i64::MAX);
        self.peak_memory.inner().fetch_max(peak, Ordering::Relaxed);
    }
}

impl KindMeter {
    /// So many objects are known, after so many restarts of the watch; the API
    /// server last spoke of them at this time, if ever. Look-ups answer
    /// *unknown* for a reason, or they don't.
    pub fn status(
        &self,
        objects: usize,
        restarts: u64,
        heard: Option<SystemTime>,
        unknown: Option<Unknown>,
    ) {
        self.objects.set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.restarts.inner().store(restarts, Ordering::Relaxed);
        self.event_time.set(heard.map_or(0.0, since_epoch));
        self.forbidden.set(i64::from(unknown == Some(Unknown::Forbidden)));
        self.down.set(i64::from(unknown == Some(Unknown::Down)));
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    since_epoch(SystemTime::now())
}

fn since_epoch(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
