//! What one run finds out that still holds in the next one.
//!
//! What policies say of an object depends on the object, and on what they look up
//! beside it. So they would say it again where the object is the same and every
//! look-up has the answer that it had. Which of it counts, and on which lines the
//! other objects stand now, is looked at anew.

use std::collections::HashMap;
use std::sync::Arc;

use super::environments::{Environment, Environments};
use super::{Case, Item, Options, Part};
use crate::engine::{Subject, Verdict};
use crate::finding::{Finding, ObjectRef};
use crate::inventory::{Lookup, Snapshot};
use crate::manifest::{Source, Span};
use crate::model::Projected;

/// What [`lint_again`](super::lint_again) keeps from run to run.
#[derive(Debug, Default)]
pub struct Memory {
    parts: HashMap<Address, Read>,
    objects: HashMap<Key, Arc<Known>>,
    effort: Effort,
}

/// What tells two things apart: what is there is kept beside it.
type Address = usize;

fn address<T>(of: &Arc<T>) -> Address {
    Arc::as_ptr(of).addr()
}

/// What a run had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Sources that were read.
    pub sources: usize,
    /// Objects that policies were asked about.
    pub objects: usize,
}

/// A source, and what it holds.
type Read = (Arc<Source>, Arc<Vec<Part>>);

/// The source of an object, and where it starts there.
type Key = (Address, u32);

fn key(item: &Item) -> Key {
    (address(item.document.source()), item.document.span().start)
}

/// The text that an object stands in, and where.
type Stand = (Arc<Source>, Span);

/// What was found out about one object.
#[derive(Debug)]
pub(super) struct Known {
    source: Arc<Source>,
    projected: Arc<Projected>,
    /// What it was judged beside.
    snapshot: Arc<Snapshot>,
    /// What policies looked up there; none if it wasn't noted, or if a policy gave
    /// no answer.
    asked: Option<Arc<Vec<Lookup>>>,
    /// What each policy said, whether it counts or not.
    said: Arc<Vec<(String, Verdict)>>,
    told: Arc<Told>,
}

/// What counts of it.
#[derive(Debug)]
struct Told {
    verdicts: Vec<(String, Verdict)>,
    /// Where other objects were that it points at.
    stands: Vec<(ObjectRef, Option<Stand>)>,
    findings: Vec<Finding>,
}

impl Memory {
    /// What the last run had to do.
    #[must_use]
    pub fn effort(&self) -> Effort {
        self.effort
    }

    pub(super) fn parts(&self, source: &Arc<Source>) -> Option<Arc<Vec<Part>>> {
        self.parts.get(&address(source)).map(|(_, parts)| Arc::clone(parts))
    }

    /// Keeps what these sources hold, and nothing of others.
    pub(super) fn keep_parts(&mut self, sources: &[Arc<Source>], parts: &[Arc<Vec<Part>>]) {
        let read = sources.iter().zip(parts);
        let now: HashMap<_, _> = read
            .map(|(source, parts)| (address(source), (Arc::clone(source), Arc::clone(parts))))
            .collect();
        self.effort.sources = now.keys().filter(|source| !self.parts.contains_key(*source)).count();
        self.parts = now;
    }

    /// What is known of each object and still holds.
    pub(super) fn recall(
        &self,
        cases: &[Case<'_>],
        environments: &Environments<'_>,
    ) -> Vec<Option<Arc<Known>>> {
        let mut alike = Alike::default();
        cases
            .iter()
            .map(|case| {
                let known = self.objects.get(&key(case.item)).filter(|_| !case.is_change())?;
                let now = &environments.of(case.item).snapshot;
                (known.projected == case.item.projected
                    && known
                        .asked
                        .iter()
                        .flat_map(|asked| asked.iter())
                        .all(|lookup| alike.answer(lookup, &known.projected, &known.snapshot, now)))
                .then(|| Arc::clone(known))
            })
            .collect()
    }

    /// Keeps what is known of these objects, and nothing of others. `judged` of
    /// them had to be judged.
    pub(super) fn keep<'k>(
        &mut self,
        cases: &[Case<'_>],
        known: impl Iterator<Item = &'k Arc<Known>>,
        judged: usize,
    ) {
        let known = cases.iter().zip(known);
        let known = known.filter(|(case, known)| known.asked.is_some() && !case.is_change());
        self.objects = known.map(|(case, known)| (key(case.item), Arc::clone(known))).collect();
        self.effort.objects = judged;
    }
}

/// Which look-ups have the same answers in two snapshots: many objects look the
/// same up.
#[derive(Default)]
struct Alike<'k>(HashMap<(Address, Address), HashMap<&'k Lookup, bool>>);

impl<'k> Alike<'k> {
    fn answer(
        &mut self,
        lookup: &'k Lookup,
        subject: &Projected,
        before: &Arc<Snapshot>,
        now: &Arc<Snapshot>,
    ) -> bool {
        if matches!(lookup, Lookup::References) {
            return lookup.is_alike(subject, before, now);
        }
        let known = self.0.entry((address(before), address(now))).or_default();
        *known.entry(lookup).or_insert_with(|| lookup.is_alike(subject, before, now))
    }
}

impl Known {
    /// `asked` is none where it isn't to be recalled.
    pub(super) fn new(
        case: Case<'_>,
        subject: &Subject,
        environment: &Environment<'_>,
        options: &Options,
        said: Vec<(String, Verdict)>,
        asked: Option<Vec<Lookup>>,
    ) -> Self {
        let counting = counting(&said, subject, options);
        Self {
            source: Arc::clone(case.item.document.source()),
            projected: Arc::clone(&case.item.projected),
            snapshot: Arc::clone(&environment.snapshot),
            asked: asked.map(Arc::new),
            told: Arc::new(Told::new(case, environment, counting)),
            said: Arc::new(said),
        }
    }

    /// The same, with what counts now.
    pub(super) fn once_more(
        &self,
        case: Case<'_>,
        subject: &Subject,
        environment: &Environment<'_>,
        options: &Options,
    ) -> Self {
        let counting = counting(&self.said, subject, options);
        let told = if self.told.holds(&counting, environment) {
            Arc::clone(&self.told)
        } else {
            Arc::new(Told::new(case, environment, counting))
        };
        Self {
            source: Arc::clone(&self.source),
            projected: Arc::clone(&self.projected),
            snapshot: Arc::clone(&environment.snapshot),
            asked: self.asked.clone(),
            said: Arc::clone(&self.said),
            told,
        }
    }

    pub(super) fn findings(&self) -> &[Finding] {
        &self.told.findings
    }
}

/// What counts of what policies said, and how much.
fn counting(
    said: &[(String, Verdict)],
    subject: &Subject,
    options: &Options,
) -> Vec<(String, Verdict)> {
    said.iter()
        .filter_map(|(policy, verdict)| {
            let severity = options.severity(&verdict.rule, verdict.severity, subject)?;
            Some((policy.clone(), Verdict { severity, ..verdict.clone() }))
        })
        .collect()
}

impl Told {
    fn new(
        case: Case<'_>,
        environment: &Environment<'_>,
        verdicts: Vec<(String, Verdict)>,
    ) -> Self {
        let places = &environment.places;
        let pointed = verdicts.iter().flat_map(|(_, verdict)| &verdict.places);
        let stands = pointed
            .map(|place| {
                let stand = places.stand(&place.object);
                (place.object.clone(), stand.map(|(source, span)| (Arc::clone(source), span)))
            })
            .collect();
        let item = case.item;
        let findings = places.findings(&item.document, &item.projected, &verdicts);
        Self { verdicts, stands, findings }
    }

    /// Whether just this counts, and all that it points at is where it was.
    fn holds(&self, counting: &[(String, Verdict)], environment: &Environment<'_>) -> bool {
        self.verdicts == counting
            && self.stands.iter().all(|(object, stand)| {
                match (environment.places.stand(object), stand) {
                    (Some((source, span)), Some((known, at))) => {
                        Arc::ptr_eq(source, known) && span == *at
                    }
                    (None, None) => true,
                    _ => false,
                }
            })
    }
}
