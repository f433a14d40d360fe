//! The configuration of the webhook: one YAML file, of which every key has a
//! default.
//!
//! Its shape is `schema/headlint-webhook-config.v1.json`; a test keeps the two
//! equal.

mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headlint_policies::config::{self, Exemption, Exemptions, Problem, check_positive, check_rule};
use headlint_policies::engine::{Engine, Limits};
use headlint_policies::evaluate::RuleFilter;
use headlint_policies::model::ClusterProfile;
use headlint_policies::raw;
use jiff::civil::Date;

pub use self::written::{Enforcement, OnFault, OptionalKind, RuleAction, Written};
use crate::server::Capacity;

/// The configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// Whether rules that are meant to be enforced deny.
    pub enforcement: Enforcement,
    /// What is sent of the findings of single rules; it goes before the rest.
    pub rules: BTreeMap<String, RuleAction>,
    /// Which rules are judged.
    pub filter: RuleFilter,
    /// What happens to a request when a policy fails.
    pub on_fault: OnFault,
    /// Whether the annotation `headlint.dev/ignore` silences denials too.
    pub ignore_annotation_silences_denials: bool,
    /// The namespaces whose objects are known; all, if empty.
    pub namespaces: Vec<String>,
    /// Kinds that are watched beside the usual ones.
    pub optional_kinds: Vec<OptionalKind>,
    /// How long after a CREATE the absence of another object counts.
    pub grace: Duration,
    /// What one evaluation may spend.
    pub limits: Limits,
    /// Facts of the cluster.
    pub cluster: ClusterProfile,
    /// How many requests are judged at once, and how many wait.
    pub capacity: Capacity,
    /// Findings that somebody has decided to live with.
    pub exemptions: Exemptions,
}

/// Something that is right, but that its author should know.
pub type Notice = String;

/// What is wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It doesn't say what it should.
    #[error("{}:{problem}", path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// What, and where.
        problem: Problem,
    },
}

impl Written {
    /// Reads a configuration file; the problem is that of its text alone.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let written: Self = config::read(bytes)?;
        check_positive(&written.evaluation_deadline_milliseconds)?;
        written.concurrency.as_ref().map_or(Ok(()), check_positive)?;
        Ok(written)
    }

    /// What one evaluation may spend.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::within(Duration::from_millis(self.evaluation_deadline_milliseconds.value.into()))
            .in_slices()
    }

    /// How many requests are judged at once, and how many wait.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        // An evaluation that takes long yields its place to others, of which
        // there have to be some.
        const FOR_EACH_PROCESSOR: usize = 8;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let default = processors * FOR_EACH_PROCESSOR;
        Capacity {
            running: self.concurrency.as_ref().map_or(default, |number| usize::from(number.value)),
            queued: usize::from(self.queue),
        }
    }

    /// Checks it against the rules of an engine.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn resolve(self, engine: &Engine) -> Result<Config, Problem> {
        let (limits, capacity) = (self.limits(), self.capacity());
        let known = engine.rules();
        let ids: Vec<_> = known.iter().map(|(_, rule)| rule.id.as_str()).collect();
        for rule in self.rules.0.iter().map(|(rule, _)| rule).chain(&self.enabled_rules) {
            check_rule(rule, &ids)?;
        }
        let exemptions: Result<Vec<_>, _> =
            self.exemptions.into_iter().map(|written| Exemption::resolve(written, &ids)).collect();
        let enable = self.enabled_rules.into_iter().map(|rule| rule.value).collect();
        let rules = self.rules.0.into_iter().map(|(rule, action)| (rule.value, action));
        Ok(Config {
            enforcement: self.enforcement,
            rules: rules.collect(),
            filter: RuleFilter { enable, ..RuleFilter::default() },
            on_fault: self.on_fault,
            ignore_annotation_silences_denials: self.ignore_annotation_silences_denials,
            namespaces: self.namespaces,
            optional_kinds: self.optional_kinds,
            grace: Duration::from_secs(self.grace_seconds.into()),
            limits,
            cluster: self.cluster.into(),
            capacity,
            exemptions: Exemptions::new(exemptions?),
        })
    }
}

impl Config {
    /// What its author should know, one line each.
    #[must_use]
    pub fn notices(&self, engine: &Engine, today: Date) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (policy, rule) in engine.rules() {
            let id = &rule.id;
            let Some(action) = self.rules.get(id) else { continue };
            if policy == raw::POLICY {
                notices.push(format!(
                    "{id}: judges the text of a manifest, which no webhook sees: only `headlint lint` reports it"
                ));
            } else if *action == RuleAction::Deny && rule.heals_later {
                notices.push(format!(
                    "{id}: denies what an object that is applied later would heal: the order of application matters now"
                ));
            }
        }
        for exemption in self.exemptions.iter().filter(|one| one.is_expired(today)) {
            let expires = exemption.expires().map(|day| day.to_string()).unwrap_or_default();
            notices.push(format!(
                "line {}: this exemption has expired on {expires} and covers nothing: remove it ({})",
                exemption.line(),
                exemption.reason(),
            ));
        }
        notices
    }

    /// The keys whose value differs from that of `old`, and that count from the
    /// next start on only.
    #[must_use]
    pub fn needs_restart(&self, old: &Self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        let mut compare = |key, equal: bool| {
            if !equal {
                keys.push(key);
            }
        };
        compare("namespaces", self.namespaces == old.namespaces);
        compare("optionalKinds", self.optional_kinds == old.optional_kinds);
        compare("graceSeconds", self.grace == old.grace);
        compare("cluster", self.cluster == old.cluster);
        compare("concurrency", self.capacity.running == old.capacity.running);
        compare("queue", self.capacity.queued == old.capacity.queued);
        keys
    }
}

/// Names the file of a problem.
pub fn in_file(path: &Path) -> impl Fn(Problem) -> ConfigError {
    move |problem| ConfigError::Wrong { path: path.to_owned(), problem }
}
