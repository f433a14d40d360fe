//! The linter's door: files in, a report out.

mod base;
mod comments;
mod duplicates;
mod environments;
mod locate;
mod memory;
pub(crate) mod patches;
mod unused;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::civil::Date;
use nix::time::{ClockId, clock_gettime};
use rayon::prelude::*;

use self::base::Base;
use self::comments::Comments;
use self::environments::{Environment, Environments};
use self::memory::Known;
pub use self::memory::{Effort, Memory};
use crate::config::Exemptions;
use crate::engine::{self, Engine, Origin, Subject, Verdict, Version};
use crate::evaluate::{Judgement, Question, RuleFilter};
use crate::finding::{
    Fault, Finding, Fingerprint, InputError, Report, SCHEMA, Severity, Skipped, Summary,
};
use crate::inventory::{Inventory, Knowledge, Noting, Snapshot};
use crate::manifest::{self, Document, Piece, Source};
use crate::model::{ClusterProfile, Object, Projected, project};
use crate::raw;

/// How to lint.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nothing exists beyond the input.
    pub complete: bool,
    /// The namespace of objects that name none.
    pub default_namespace: String,
    /// Which rules count.
    pub rules: RuleFilter,
    /// How bad findings of single rules are, whatever their policy says.
    pub severities: BTreeMap<String, Severity>,
    /// Facts of the cluster.
    pub cluster: ClusterProfile,
    /// Findings that somebody has decided to live with.
    pub exemptions: Arc<Exemptions>,
    /// The current day, by which exemptions expire.
    pub today: Date,
    /// Whether the input is all that exemptions are about, so that one that
    /// covers nothing may be called so.
    pub whole: bool,
    /// What was there before. If there is any, objects are judged as changes of
    /// it, and what is gone as a deletion.
    pub base: Vec<Before>,
    /// Whether it is measured what each policy takes. To ask for the time of a thread
    /// takes as long as a small part of a policy.
    pub profile: bool,
}

/// A file as it was before.
#[derive(Clone, Debug)]
pub struct Before {
    /// What was in it, under a name of its own.
    pub source: Arc<Source>,
    /// The name that it has, or would have, among the files of now.
    pub now: PathBuf,
}

impl Default for Options {
    /// Nothing is known of what lies beyond the input, and no exemption expires.
    fn default() -> Self {
        Self {
            complete: false,
            default_namespace: "default".to_owned(),
            rules: RuleFilter::default(),
            severities: BTreeMap::new(),
            cluster: ClusterProfile::default(),
            exemptions: Arc::default(),
            today: Date::ZERO,
            whole: true,
            base: Vec::new(),
            profile: false,
        }
    }
}

impl Options {
    /// How bad a finding is after all; none where it doesn't count.
    fn severity(&self, rule: &str, usual: Severity, subject: &Subject) -> Option<Severity> {
        if subject.projected().ignored.iter().any(|ignored| ignored == rule)
            || self.exemptions.covering(rule, subject, self.today).is_some()
        {
            return None;
        }
        Some(self.severities.get(rule).copied().unwrap_or(usual))
    }
}

/// What a policy took in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProfile {
    /// The policy's name.
    pub policy: String,
    /// Evaluations, each in an instance of its own.
    pub calls: u64,
    /// CPU time of all evaluations together: on how many threads, and how busy
    /// the machine is with other things, makes no difference.
    pub cpu_time: Duration,
    /// The most linear memory that any instance had, in bytes.
    pub peak_memory: usize,
}

/// The outcome of a run.
#[derive(Debug)]
pub struct Lint {
    /// What to tell.
    pub report: Report,
    /// The files, for whoever draws source lines.
    pub sources: Vec<Arc<Source>>,
    /// What each policy took, ordered by name; nothing unless it was asked for.
    pub profile: Vec<PolicyProfile>,
}

/// An object that was read, and where it is.
#[derive(Clone, Debug)]
struct Item {
    document: Document,
    projected: Arc<Projected>,
    /// Whether it is a patch of another one.
    is_patch: bool,
    /// Of what was there before: [`Before::now`].
    now: Option<Arc<Path>>,
}

impl Item {
    /// The file that it is in, or would be in.
    fn path(&self) -> &Path {
        self.now.as_deref().unwrap_or(self.document.source().name.as_ref())
    }

    /// A patch of a Service is judged in what it patches. One of a workload may
    /// dial Services.
    fn is_judged(&self) -> bool {
        !(self.is_patch && matches!(self.projected.object, Object::Service(_)))
    }
}

/// An object under review.
#[derive(Clone, Copy)]
struct Case<'i> {
    item: &'i Item,
    /// The version before it.
    before: Option<&'i Item>,
    /// It is there no longer.
    is_gone: bool,
}

impl<'i> Case<'i> {
    fn there(item: &'i Item, before: Option<&'i Item>) -> Self {
        Self { item, before, is_gone: false }
    }

    fn gone(item: &'i Item) -> Self {
        Self { item, before: None, is_gone: true }
    }

    /// Whether it is judged as a change of something.
    fn is_change(self) -> bool {
        self.is_gone || self.before.is_some()
    }

    fn subject(self) -> Subject {
        let is_changed = self.before.is_some();
        let version = |item: &Item| {
            let (document, projected) = (item.document.clone(), Arc::clone(&item.projected));
            let text = item.document.clone();
            let json = move || {
                let json = document.tree().to_json();
                if is_changed { base::applied(json, &projected.object) } else { json }
            };
            let version = Version::new(Arc::clone(&item.projected), Box::new(json));
            // What was applied last stands in no file.
            if is_changed {
                version
            } else {
                version.searched_by(Box::new(move |texts| text.has_one(texts)))
            }
        };
        let new = version(self.item);
        match self.before.map(version) {
            _ if self.is_gone => Subject::deleted(new, Origin::Lint),
            Some(old) => Subject::updated(new, old, Origin::Lint),
            None => Subject::created(new, Origin::Lint),
        }
    }
}

/// What one piece of a file holds.
#[derive(Debug, Default)]
struct Part {
    items: Vec<Item>,
    /// Of the rules about text, whether they count or not; each with its item.
    findings: Vec<(usize, Finding)>,
    errors: Vec<InputError>,
    skipped: Vec<Skipped>,
    documents: usize,
}

/// The tree of a piece is gone once it has been projected: with all trees of a
/// large file at once, memory would be a multiple.
fn read(source: &Arc<Source>, piece: Piece, options: &Options) -> Part {
    let loaded = piece.load(source);
    let mut part = Part {
        errors: loaded.errors,
        skipped: loaded.skipped,
        documents: loaded.documents,
        ..Part::default()
    };
    for manifest in loaded.manifests {
        match project(&manifest.root, &options.default_namespace) {
            Ok(projected) => {
                let findings = raw::judge(&manifest, &projected, &options.rules);
                let at = part.items.len();
                part.findings.extend(findings.into_iter().map(|finding| (at, finding)));
                let projected = Arc::new(projected);
                let document = manifest.document;
                part.items.push(Item { document, projected, is_patch: false, now: None });
            }
            Err(error) => part.errors.push(error.in_source(source, &manifest.root)),
        }
    }
    part
}

impl Part {
    /// The findings about text that count.
    fn counting(&self, options: &Options) -> impl Iterator<Item = Finding> {
        self.findings.iter().filter_map(|(at, finding)| {
            let subject = Case::there(&self.items[*at], None).subject();
            let severity = options.severity(&finding.rule, finding.severity, &subject)?;
            Some(Finding { severity, ..finding.clone() })
        })
    }
}

/// Lints files. `progress` is called with the number of objects judged so far
/// and of all, from any thread.
pub fn lint(
    engine: &Engine,
    inputs: Vec<Result<Arc<Source>, InputError>>,
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Lint {
    run(engine, inputs, options, None, progress)
}

/// Lints files once more, after some of them have changed. Says what [`lint`]
/// says, and takes less: a source that is the same one is not read again, and an
/// object is not judged again where no policy could say anything else. Engine
/// and options have to be those that the memory was filled with.
pub fn lint_again(
    engine: &Engine,
    inputs: Vec<Result<Arc<Source>, InputError>>,
    options: &Options,
    memory: &mut Memory,
) -> Lint {
    run(engine, inputs, options, Some(memory), &|_, _| {})
}

fn run(
    engine: &Engine,
    inputs: Vec<Result<Arc<Source>, InputError>>,
    options: &Options,
    mut memory: Option<&mut Memory>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Lint {
    options.exemptions.begin();
    let mut errors = Vec::new();
    let mut sources = Vec::new();
    for input in inputs {
        match input {
            Ok(source) => sources.push(source),
            Err(error) => errors.push(error),
        }
    }
    let known = |source| memory.as_ref().and_then(|memory| memory.parts(source));
    let parts: Vec<Arc<Vec<Part>>> = sources
        .par_iter()
        .map(|source| known(source).unwrap_or_else(|| Arc::new(parts(source, options))))
        .collect();
    if let Some(memory) = &mut memory {
        memory.keep_parts(&sources, &parts);
    }

    let mut summary = Summary { files: sources.len(), ..Summary::default() };
    let (mut items, mut skipped, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts.iter().flat_map(|parts| &**parts) {
        summary.documents += part.documents;
        items.extend(part.items.iter().cloned());
        findings.extend(part.counting(options));
        errors.extend(part.errors.iter().cloned());
        skipped.extend(part.skipped.iter().cloned());
    }
    drop(parts);
    mark_patches(&mut items);
    let (items, patches): (Vec<_>, Vec<_>) = items.into_iter().partition(Item::is_judged);
    skipped.extend(patches.iter().map(skipped_patch));
    let mut items = items;
    summary.objects = items.len();
    let (mut base, wrong) = Base::read(&options.base, options);
    errors.extend(wrong);
    base.keep(&mut items);

    let knowledge = Knowledge {
        complete: options.complete,
        // What could not be read may be just what a look-up asks for.
        unreadable: !errors.is_empty() || skipped.iter().any(Skipped::is_unrendered),
        unwatched: Vec::new(),
        kinds: Vec::new(),
        namespaces: Vec::new(),
        profile: options.cluster.clone(),
    };
    let whole = items.iter().filter(|item| !item.is_patch);
    let snapshot = Snapshot::build(whole.map(|item| Arc::clone(&item.projected)), knowledge);
    // What other objects say about this one holds for the one under review too.
    for item in &mut items {
        if let Some(object) = snapshot.situated(&item.projected.object) {
            Arc::make_mut(&mut item.projected).object = object;
        }
    }
    base.situate(&snapshot);
    let gone = base.gone(&items).into_iter().map(Case::gone);
    let cases: Vec<_> =
        items.iter().map(|item| Case::there(item, base.before(item))).chain(gone).collect();
    let judged = judge(engine, &cases, snapshot, options, memory, progress);
    findings.extend(judged.findings);
    let mut comments = Comments::of(&sources);
    findings.retain(|finding| !comments.cover(finding));
    findings.extend(unused::findings(engine, &items, &comments, options));
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    tell_apart(&mut findings);
    sources.extend(options.exemptions.source().map(Arc::clone));
    sources.extend(options.base.iter().map(|before| Arc::clone(&before.source)));
    for finding in &findings {
        match finding.severity {
            Severity::Error => summary.errors += 1,
            Severity::Warning => summary.warnings += 1,
            Severity::Info => summary.hints += 1,
        }
    }
    errors.sort();
    skipped.sort();
    let report =
        Report { schema: SCHEMA, findings, errors, faults: judged.faults, skipped, summary };
    Lint { report, sources, profile: judged.profile }
}

/// What can't be read of a file.
pub fn unreadable(source: &Arc<Source>, options: &Options) -> Vec<InputError> {
    parts(source, options).into_iter().flat_map(|part| part.errors).collect()
}

/// The parts of a file. Pieces, not files: one large file keeps all threads busy
/// as well.
fn parts(source: &Arc<Source>, options: &Options) -> Vec<Part> {
    let pieces = manifest::pieces(source).into_par_iter();
    pieces.map(|piece| read(source, piece, options)).collect()
}

/// Makes fingerprints unique: one object may stand in several files.
fn tell_apart(findings: &mut [Finding]) {
    let mut seen: HashMap<Fingerprint, usize> = HashMap::with_capacity(findings.len());
    for finding in findings {
        let others = seen.entry(finding.fingerprint.clone()).or_default();
        if *others > 0 {
            finding.fingerprint = finding.fingerprint.after(*others);
        }
        *others += 1;
    }
}

fn mark_patches(items: &mut [Item]) {
    let patches = patches::are_patches(items.iter().map(|item| &*item.projected));
    for (item, is_patch) in items.iter_mut().zip(patches) {
        item.is_patch = is_patch;
    }
}

fn skipped_patch(item: &Item) -> Skipped {
    let object = &item.projected.meta().object_ref;
    Skipped {
        file: item.document.source().name.clone(),
        line: item.document.line(),
        reason: format!(
            "a patch of {} `{}`: check the output of `kubectl kustomize`",
            object.kind, object.name
        ),
    }
}

/// File, line, column, rule; then the path, so that no two are equal.
fn order(finding: &Finding) -> (Option<(&str, u32, u32)>, &str, &str) {
    let place = finding.location.as_ref();
    let place = place.map(|place| (place.file.as_str(), place.line, place.column));
    (place, &finding.rule, &finding.path)
}

/// How often a policy may run into its deadline in one run. It would take as
/// long on every object; what it is not asked about is told.
const DEADLINES: usize = 3;

/// What one policy did with its deadlines so far.
#[derive(Default)]
struct Patience {
    deadlines: AtomicUsize,
    unasked: AtomicUsize,
}

impl Patience {
    /// Whether the policy is asked about one more object.
    fn lasts(&self) -> bool {
        let lasts = self.deadlines.load(Ordering::Relaxed) < DEADLINES;
        if !lasts {
            self.unasked.fetch_add(1, Ordering::Relaxed);
        }
        lasts
    }
}

/// What this thread has spent so far; nothing where it isn't measured.
fn cpu_time(options: &Options) -> Duration {
    if !options.profile {
        return Duration::ZERO;
    }
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

struct Judged {
    findings: Vec<Finding>,
    faults: Vec<Fault>,
    profile: Vec<PolicyProfile>,
}

/// What a policy said, and the processor time that it took.
type Timed<'e> = (Judgement<'e>, Duration);

/// What policies said of one object.
struct Said<'e> {
    judgements: Vec<Timed<'e>>,
    /// With the name of the policy, whether it counts or not.
    verdicts: Vec<(String, Verdict)>,
    /// Whether every policy was asked, and gave an answer.
    is_all: bool,
}

/// Asks all policies that want it about one object.
fn ask<'e>(
    engine: &'e Engine,
    subject: &Arc<Subject>,
    environment: &Environment<'_>,
    noting: Option<&Arc<Noting>>,
    options: &Options,
    patience: &BTreeMap<&str, Patience>,
) -> Said<'e> {
    let inventory: Arc<dyn Inventory + Send + Sync> = match noting {
        Some(noting) => Arc::<Noting>::clone(noting),
        None => Arc::<Snapshot>::clone(&environment.snapshot),
    };
    let question = Question::new(&options.rules, subject, &inventory);
    let policies = question.policies(engine);
    let wanted = policies.len();
    let mut judgements: Vec<_> = policies
        .into_iter()
        .filter(|asked| patience[asked.policy.name()].lasts())
        .map(|asked| {
            let before = cpu_time(options);
            let judgement = question.ask(&asked, engine::Patience::Deadline);
            (judgement, cpu_time(options).saturating_sub(before))
        })
        .collect();
    let mut verdicts = Vec::new();
    let mut answers = 0;
    for (judgement, _) in &mut judgements {
        let policy = judgement.policy.name();
        match &mut judgement.verdicts {
            Ok(said) => {
                answers += 1;
                verdicts.extend(said.drain(..).map(|verdict| (policy.to_owned(), verdict)));
            }
            Err(reason) if reason.is_deadline() => {
                patience[policy].deadlines.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
    }
    Said { judgements, verdicts, is_all: answers == wanted }
}

fn judge(
    engine: &Engine,
    cases: &[Case<'_>],
    snapshot: Snapshot,
    options: &Options,
    memory: Option<&mut Memory>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Judged {
    let patience: BTreeMap<&str, Patience> =
        engine.policies().iter().map(|policy| (policy.name(), Patience::default())).collect();
    let done = AtomicUsize::new(0);
    let there = cases.iter().filter(|case| !case.is_gone).map(|case| case.item);
    let whole = there.filter(|item| !item.is_patch);
    let environments = Environments::new(whole, snapshot);
    let known = memory.as_ref().map(|memory| memory.recall(cases, &environments));
    let judgements: Vec<(Vec<Timed<'_>>, Arc<Known>)> = (0..cases.len())
        .into_par_iter()
        .map(|at| {
            let case = cases[at];
            let subject = Arc::new(case.subject());
            let environment = environments.of(case.item);
            let (judgements, known) = match known.as_ref().and_then(|known| known[at].as_ref()) {
                Some(known) => (Vec::new(), known.once_more(case, &subject, environment, options)),
                None => {
                    let noting = known.is_some().then(|| Noting::new(&environment.snapshot));
                    let noting = noting.map(Arc::new);
                    let said =
                        ask(engine, &subject, environment, noting.as_ref(), options, &patience);
                    let asked = noting.filter(|_| said.is_all).map(|noting| noting.asked());
                    let known =
                        Known::new(case, &subject, environment, options, said.verdicts, asked);
                    (said.judgements, known)
                }
            };
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, cases.len());
            (judgements, Arc::new(known))
        })
        .collect();
    if let Some(memory) = memory {
        let recalled = known.iter().flatten().flatten().count();
        let known = judgements.iter().map(|(_, known)| known);
        memory.keep(cases, known, cases.len() - recalled);
    }

    let mut profile: BTreeMap<&str, PolicyProfile> = BTreeMap::new();
    // A policy that fails in one way on many objects is one fault.
    let mut failed: BTreeMap<(&str, &str, String), (String, usize)> = BTreeMap::new();
    let mut findings = duplicates::findings(&environments.namesakes, options);
    for (case, (judgements, known)) in cases.iter().zip(judgements) {
        findings.extend(known.findings().iter().cloned());
        for (judgement, cpu_time) in judgements {
            let name = judgement.policy.name();
            if options.profile {
                let entry = profile.entry(name).or_insert_with(|| PolicyProfile {
                    policy: name.to_owned(),
                    calls: 0,
                    cpu_time: Duration::ZERO,
                    peak_memory: 0,
                });
                entry.calls += 1;
                entry.cpu_time += cpu_time;
                entry.peak_memory = entry.peak_memory.max(judgement.cost.peak_memory);
            }
            if let Err(reason) = judgement.verdicts {
                let object = &case.item.projected.object.meta().object_ref;
                failed
                    .entry((name, judgement.policy.digest(), reason.to_string()))
                    .or_insert_with(|| (object.to_string(), 0))
                    .1 += 1;
            }
        }
    }
    let faults = failed
        .into_iter()
        .map(|((policy, digest, reason), (object, count))| Fault {
            policy: policy.to_owned(),
            digest: digest.to_owned(),
            reason: match count {
                1 => format!("{reason} (on {object})"),
                _ => format!("{reason} (on {object} and {} more)", count - 1),
            },
        })
        .chain(engine.policies().iter().filter_map(|policy| {
            let unasked = patience[policy.name()].unasked.load(Ordering::Relaxed);
            (unasked > 0).then(|| Fault {
                policy: policy.name().to_owned(),
                digest: policy.digest().to_owned(),
                reason: format!(
                    "was not asked about {unasked} further objects, after {DEADLINES} that it \
                     gave no answer on"
                ),
            })
        }))
        .collect();
    Judged { findings, faults, profile: profile.into_values().collect() }
}
