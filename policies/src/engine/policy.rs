//! One policy, and one evaluation of it.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Linker};

use super::bindings::{PolicyPre, rules};
use super::query::Extent;
use super::ticker::Ticker;
use super::v1::{self, State};
use super::{FaultReason, Limits, Patience, RuleInfo, Situation, rule};
use crate::finding::{Edit, ObjectRef, Severity};
use crate::manifest::Texts;
use crate::model::Projected;
use crate::path::Path;

/// When admission speaks about a finding. The linter takes no notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// At once.
    Now,
    /// At once, and as an Event if it still stands after the grace time.
    NowAndLater,
    /// Only as an Event, if it still stands after the grace time.
    Later,
}

/// What happens to the object under review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is new, or was read from a file.
    Create,
    /// It has an old version.
    Update,
    /// It goes away.
    Delete,
}

/// At which door an evaluation happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The offline linter.
    Lint,
    /// The API server asks.
    Admission,
    /// Stored objects are looked at again.
    Audit,
}

/// The settings of a policy that isn't told any.
const NO_SETTINGS: &str = "{}";

/// Why a policy doesn't take its settings; goes behind its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It says what is wrong.
    #[error("refuses its settings: {message}")]
    Refused {
        /// The key that is wrong; empty if the settings as a whole are.
        key: String,
        /// In the policy's words.
        message: String,
    },
    /// It doesn't say anything.
    #[error("fails on its settings: {0}")]
    Failed(#[from] FaultReason),
}

/// Makes the JSON form of an object when a policy asks for it.
type Json = Box<dyn Fn() -> Value + Send + Sync>;

/// Whether one of these texts may be in what an object was read from.
type Has = Box<dyn Fn(&Texts) -> bool + Send + Sync>;

/// A version of an object: its projection, and its JSON on demand.
pub struct Version {
    projected: Arc<Projected>,
    json: Option<Json>,
    has: Option<Has>,
    read: OnceLock<(Value, Extent)>,
}

impl Version {
    /// `json` is called at most once, and only if a policy asks for what the
    /// typed records don't carry.
    pub fn new(projected: Arc<Projected>, json: Json) -> Self {
        Self { projected, json: Some(json), has: None, read: OnceLock::new() }
    }

    /// The same, of which it can be told whether some texts are in it
    /// ([`crate::manifest::has_one`]). Without it they may be.
    #[must_use]
    pub fn searched_by(self, has: Has) -> Self {
        Self { has: Some(has), ..self }
    }

    /// Of an object of which nothing but the projection is kept.
    pub fn without_json(projected: Arc<Projected>) -> Self {
        Self { projected, json: None, has: None, read: OnceLock::new() }
    }
}

/// The object under review.
pub struct Subject {
    new: Version,
    old: Option<Version>,
    operation: Operation,
    origin: Origin,
}

impl Subject {
    /// An object that is new, or that stands for itself.
    pub fn created(new: Version, origin: Origin) -> Self {
        Self { new, old: None, operation: Operation::Create, origin }
    }

    /// An object that takes the place of an old version.
    pub fn updated(new: Version, old: Version, origin: Origin) -> Self {
        Self { new, old: Some(old), operation: Operation::Update, origin }
    }

    /// An object that goes away. Its last version is under review; the
    /// inventory beside it holds what is left without it.
    pub fn deleted(last: Version, origin: Origin) -> Self {
        Self { new: last, old: None, operation: Operation::Delete, origin }
    }

    /// Its projection; for a DELETE that of the last version.
    pub fn projected(&self) -> &Projected {
        &self.new.projected
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.new.projected.object.meta().object_ref.kind
    }

    pub(crate) fn json(&self, old: bool) -> Option<&(Value, Extent)> {
        let version = if old { self.old.as_ref()? } else { &self.new };
        let json = version.json.as_ref()?;
        Some(version.read.get_or_init(|| {
            let value = json();
            let extent = Extent::of(&value);
            (value, extent)
        }))
    }

    /// Whether one of these texts may be in the version that counts.
    pub(crate) fn may_have(&self, texts: &Texts) -> bool {
        self.new.has.as_ref().is_none_or(|has| has(texts))
    }

    /// What happens to it.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// One of its versions.
    pub(crate) fn version(&self, old: bool) -> Option<&Projected> {
        let version = if old { self.old.as_ref()? } else { &self.new };
        Some(&version.projected)
    }

    /// What a policy with these settings is asked.
    pub(crate) fn review(&self, rules: Vec<u32>, settings: &str) -> rules::Review {
        rules::Review {
            rules,
            settings: settings.to_owned(),
            operation: match self.operation {
                Operation::Create => rules::Operation::Create,
                Operation::Update => rules::Operation::Update,
                Operation::Delete => rules::Operation::Delete,
            },
            origin: match self.origin {
                Origin::Lint => rules::Origin::Lint,
                Origin::Admission => rules::Origin::Admission,
                Origin::Audit => rules::Origin::Audit,
            },
        }
    }
}

/// Another place that has to do with a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The object that the place is in.
    pub object: ObjectRef,
    /// Where in it.
    pub path: Path,
    /// Bytes of the string value there.
    pub range: Option<Range<usize>>,
    /// What is there.
    pub label: String,
}

/// What a policy says about one place of the object under review, checked:
/// the rule is one of its own, and every path is a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The rule's id.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// When admission speaks about it.
    pub timing: Timing,
    /// Where in the object under review.
    pub path: Path,
    /// Bytes of the string value there.
    pub range: Option<Range<usize>>,
    /// What is wrong.
    pub what: String,
    /// What a client sees.
    pub why: String,
    /// What to do.
    pub help: String,
    /// Other places.
    pub places: Vec<Place>,
    /// Changes that would mend it.
    pub edits: Vec<Edit>,
}

/// What an evaluation took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Wall time from the fresh store to the checked answer.
    pub time: Duration,
    /// The most linear memory that the instance had, in bytes.
    pub peak_memory: usize,
}

/// The outcome of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What the policy says, or how it failed.
    pub verdicts: Result<Vec<Verdict>, FaultReason>,
    /// What it took.
    pub cost: Cost,
}

/// A policy that is ready to be asked.
pub struct Policy {
    name: String,
    version: String,
    digest: String,
    rules: Vec<RuleInfo>,
    settings_schema: String,
    /// JSON that it has accepted, or why it can't do without.
    settings: Result<String, FaultReason>,
    kinds: BTreeSet<String>,
    pre: PolicyPre<State>,
    evaluate: ComponentExportIndex,
    limits: Limits,
    ticker: Arc<Ticker>,
}

impl Policy {
    pub(super) fn new(
        engine: &wasmtime::Engine,
        linker: &Linker<State>,
        component: &Component,
        digest: String,
        limits: Limits,
        ticker: Arc<Ticker>,
    ) -> Result<Self, FaultReason> {
        check_world(engine, component)?;
        let unusable = |error: wasmtime::Error| FaultReason::Unusable(format!("{error:#}"));
        let pre = linker.instantiate_pre(component).map_err(unusable)?;
        let pre = PolicyPre::new(pre).map_err(unusable)?;

        let running = ticker.run();
        let mut store = v1::store(engine, &limits, Patience::Deadline, None);
        let failed = |error: wasmtime::Error| FaultReason::of(&error, &limits);
        let instance = pre
            .instantiate(&mut store)
            .map_err(|error| FaultReason::of_instance(&error, &limits))?;
        let exported = instance.headlint_policy_rules();
        let described = exported.call_describe(&mut store).map_err(failed)?;
        let settings = match exported.call_check_settings(&mut store, NO_SETTINGS) {
            Ok(Ok(())) => Ok(NO_SETTINGS.to_owned()),
            Ok(Err(refused)) => Err(FaultReason::Unconfigured(refused.message)),
            Err(error) => return Err(failed(error)),
        };
        drop(running);
        let rules = rule::described(&described.name, described.rules)?;
        Ok(Self {
            kinds: rules.iter().flat_map(|rule| rule.kinds.iter().cloned()).collect(),
            name: described.name,
            version: described.version,
            digest,
            rules,
            settings_schema: described.settings_schema,
            settings,
            evaluate: evaluate_of(component)?,
            pre,
            limits,
            ticker,
        })
    }

    /// Its name, unique in an engine.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its semantic version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `sha256:…` of the component.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Its rules, in its own order.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        &self.rules
    }

    /// JSON Schema of its settings, as it gave it.
    #[must_use]
    pub fn settings_schema(&self) -> &str {
        &self.settings_schema
    }

    /// Whether it reports on objects of this kind.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }

    /// Asks whether it accepts these settings, given as JSON. The inner error
    /// names the bad key and says what is wrong.
    ///
    /// # Errors
    /// When the policy fails.
    pub fn check_settings(
        &self,
        settings: &str,
    ) -> Result<Result<(), (String, String)>, FaultReason> {
        let _running = self.ticker.run();
        let mut store = v1::store(self.pre.engine(), &self.limits, Patience::Deadline, None);
        self.pre
            .instantiate(&mut store)
            .map_err(|error| FaultReason::of_instance(&error, &self.limits))?
            .headlint_policy_rules()
            .call_check_settings(&mut store, settings)
            .map(|answer| answer.map_err(|error| (error.key, error.message)))
            .map_err(|error| FaultReason::of(&error, &self.limits))
    }

    pub(super) fn set_settings(&mut self, settings: &str) -> Result<(), SettingsError> {
        self.check_settings(settings)?
            .map_err(|(key, message)| SettingsError::Refused { key, message })?;
        self.settings = Ok(settings.to_owned());
        Ok(())
    }

    /// Asks some of its rules, by their positions, about one object, in an instance
    /// of its own.
    pub(crate) fn evaluate(
        &self,
        rules: Vec<u32>,
        situation: &Arc<Situation>,
        patience: Patience,
    ) -> Evaluation {
        let start = Instant::now();
        let _running = self.ticker.run();
        let situated = Some(Arc::clone(situation));
        let mut store = v1::store(self.pre.engine(), &self.limits, patience, situated);
        let verdicts = match &self.settings {
            Ok(settings) => self.call(&mut store, &situation.subject.review(rules, settings)),
            Err(reason) => Err(reason.clone()),
        };
        let peak_memory = store.data().memory.peak;
        drop(store);
        Evaluation { verdicts, cost: Cost { time: start.elapsed(), peak_memory } }
    }

    fn call(
        &self,
        store: &mut Store<State>,
        review: &rules::Review,
    ) -> Result<Vec<Verdict>, FaultReason> {
        // Only this one: to check the types of all that it exports takes a tenth of
        // what an instance takes.
        let (findings,) = self
            .pre
            .instance_pre()
            .instantiate(&mut *store)
            .map_err(|error| FaultReason::of_instance(&error, &self.limits))?
            .get_typed_func::<(&rules::Review,), (Vec<rules::Finding>,)>(
                &mut *store,
                &self.evaluate,
            )
            .and_then(|evaluate| evaluate.call(&mut *store, (review,)))
            .map_err(|error| FaultReason::of(&error, &self.limits))?;
        if findings.len() > self.limits.findings {
            return Err(FaultReason::Findings {
                count: findings.len(),
                limit: self.limits.findings,
            });
        }
        findings.into_iter().map(|finding| self.verdict(finding)).collect()
    }

    fn verdict(&self, finding: rules::Finding) -> Result<Verdict, FaultReason> {
        if !self.rules.iter().any(|rule| rule.id == finding.rule) {
            return Err(FaultReason::Malformed(format!(
                "a finding of the rule `{}`, which it doesn't hold",
                finding.rule
            )));
        }
        let path = |text: &str| -> Result<Path, FaultReason> {
            text.parse()
                .map_err(|error| FaultReason::Malformed(format!("the path `{text}`: {error}")))
        };
        Ok(Verdict {
            severity: v1::severity(finding.severity),
            timing: match finding.timing {
                rules::Timing::Now => Timing::Now,
                rules::Timing::NowAndLater => Timing::NowAndLater,
                rules::Timing::Later => Timing::Later,
            },
            path: path(&finding.path)?,
            range: finding.range.map(|range| range.start as usize..range.end as usize),
            places: finding
                .related
                .into_iter()
                .map(|place| {
                    let path = path(&place.path)?;
                    Ok(v1::place(place, path))
                })
                .collect::<Result<_, FaultReason>>()?,
            edits: v1::edits(finding.edits).map_err(FaultReason::Malformed)?,
            rule: finding.rule,
            what: finding.what,
            why: finding.why,
            help: finding.help,
        })
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Refuses what could do more than a pure function, or speaks another version,
/// before anything of it runs.
fn check_world(engine: &wasmtime::Engine, component: &Component) -> Result<(), FaultReason> {
    let kind = component.component_type();
    let other_version = |name: &str| name.starts_with("headlint:policy/").then(|| name.to_owned());
    for (name, _) in kind.imports(engine) {
        if v1::GRANTED.contains(&name) {
            continue;
        }
        return Err(match other_version(name) {
            Some(found) => FaultReason::Version { found },
            None => FaultReason::Import(name.to_owned()),
        });
    }
    let exports: Vec<_> = kind.exports(engine).map(|(name, _)| name.to_owned()).collect();
    if exports.iter().any(|name| name == v1::RULES) {
        return Ok(());
    }
    Err(match exports.iter().find_map(|name| other_version(name)) {
        Some(found) => FaultReason::Version { found },
        None => FaultReason::NoRules,
    })
}

fn evaluate_of(component: &Component) -> Result<ComponentExportIndex, FaultReason> {
    component
        .get_export_index(None, v1::RULES)
        .and_then(|rules| component.get_export_index(Some(&rules), "evaluate"))
        .ok_or_else(|| FaultReason::Unusable("it exports no `evaluate`".to_owned()))
}
