//! What the policies say of one request: of the object under review, and of
//! the objects that it has to do with.

use std::sync::Arc;

use axum::body::Bytes;
use headlint_policies::compare::{Mark, new_only};
use headlint_policies::engine::{Origin, Policy, Subject, Verdict, Version};
use headlint_policies::inventory::{Change, Inventory, Snapshot};
use headlint_policies::manifest::{Node, has_one};
use headlint_policies::model::{DecodeError, ObjectRef, Projected, project};

use tokio::time::{Instant, timeout_at};

use super::asking::{Answer, Asker, Failure, ask};

/// So many related objects are judged with one request.
const RELATED: usize = 16;

/// A verdict, and whose.
pub(crate) struct Told<'r> {
    pub(crate) policy: &'r Policy,
    pub(crate) verdict: Verdict,
    /// The object that it is about.
    pub(crate) subject: Arc<Subject>,
    /// Whether that is a related object, not the one under review.
    pub(crate) related: bool,
}

/// All that was said.
#[derive(Default)]
pub(crate) struct Judged<'r> {
    /// What is new, in no order.
    pub(crate) told: Vec<Told<'r>>,
    /// Policies that failed on the object under review.
    pub(crate) failed: Vec<(&'r Policy, Failure)>,
    /// The policies that were asked about it.
    pub(crate) asked: Vec<&'r Policy>,
    /// Related objects that were left out: too many, or no time for them.
    pub(crate) left_out: usize,
}

/// One version of the object under review.
pub(crate) struct Reviewed {
    pub(crate) tree: Arc<Node>,
    pub(crate) projected: Arc<Projected>,
    /// What it stands in.
    body: Bytes,
}

impl Reviewed {
    /// # Errors
    /// A field whose type no API server lets through.
    pub(crate) fn read(tree: Node, namespace: &str, body: Bytes) -> Result<Self, DecodeError> {
        let projected = Arc::new(project(&tree, namespace)?);
        Ok(Self { tree: Arc::new(tree), projected, body })
    }

    fn change(&self) -> Change {
        Change::Put(Arc::clone(&self.projected))
    }

    pub(crate) fn name(&self) -> &ObjectRef {
        &self.projected.meta().object_ref
    }

    /// The version as policies see it beside the others.
    fn version(&self, world: &Snapshot) -> Version {
        let (tree, body) = (Arc::clone(&self.tree), self.body.clone());
        let projected = situated(&self.projected, world);
        Version::new(projected, Box::new(move || tree.to_json()))
            .searched_by(Box::new(move |texts| has_one(&body, texts)))
    }
}

/// What happens to the object under review.
pub(crate) enum Event {
    Create(Reviewed),
    Update { new: Reviewed, old: Reviewed },
    Delete(Reviewed),
}

impl Event {
    /// The version that counts.
    fn reviewed(&self) -> &Reviewed {
        match self {
            Self::Create(reviewed) | Self::Update { new: reviewed, .. } => reviewed,
            Self::Delete(last) => last,
        }
    }

    /// Whether the object is on its way out already.
    pub(crate) fn is_deleting(&self) -> bool {
        !matches!(self, Self::Delete(_)) && self.reviewed().projected.meta().traits.deleting
    }

    /// What the world will be told, if it happens.
    pub(crate) fn change(&self) -> Change {
        match self {
            Self::Create(new) | Self::Update { new, .. } => new.change(),
            Self::Delete(old) => Change::Remove(old.name().clone()),
        }
    }

    /// Whether a controller wrote the object.
    pub(crate) fn is_controlled(&self) -> bool {
        self.reviewed().projected.is_controlled()
    }
}

/// Judges a request beside a world that may, or may not yet, have the object.
/// Related objects are judged `until` then.
pub(crate) async fn judge<'r>(
    asker: Asker<'r>,
    world: &Snapshot,
    event: &Event,
    until: Instant,
) -> Judged<'r> {
    let origin = Origin::Admission;
    let mut judged = Judged::default();
    match event {
        Event::Create(new) => {
            let with = world.over(&new.change());
            let subject = Arc::new(Subject::created(new.version(&with), origin));
            judged.review(&subject, ask(asker, &subject, &with).await);
            let without = || world.over(&Change::Remove(new.name().clone()));
            let related = judged.related(asker, new, &with, None, without);
            // What it didn't come to is counted.
            let _ = timeout_at(until, related).await;
        }
        Event::Update { new, old } => {
            let (with, before) = (world.over(&new.change()), world.over(&old.change()));
            let versions = (new.version(&with), old.version(&before));
            let subject = Arc::new(Subject::updated(versions.0, versions.1, origin));
            judged.review(&subject, ask(asker, &subject, &with).await);
            if !judged.told.is_empty() {
                // What was wrong before is nobody's fault now.
                let subject = Subject::created(old.version(&before), origin);
                let known = ask(asker, &Arc::new(subject), &before).await;
                let known = known.iter().filter_map(|answer| answer.verdicts.as_ref().ok());
                let known = known.flatten().map(|verdict| Mark::of(verdict, &old.tree));
                let told = judged.told.into_iter();
                let told = told.map(|one| (Mark::of(&one.verdict, &new.tree), one)).collect();
                judged.told = new_only(known, told);
            }
            let related = judged.related(asker, new, &with, Some(old), || before.clone());
            let _ = timeout_at(until, related).await;
        }
        Event::Delete(old) => {
            // Nothing else is looked at: what is taken apart is wrong in between.
            let without = world.over(&Change::Remove(old.name().clone()));
            let subject = Arc::new(Subject::deleted(old.version(&without), origin));
            judged.review(&subject, ask(asker, &subject, &without).await);
        }
    }
    judged
}

impl<'r> Judged<'r> {
    /// Takes what was said of the object under review.
    fn review(&mut self, subject: &Arc<Subject>, answers: Vec<Answer<'r>>) {
        for Answer { policy, verdicts } in answers {
            self.asked.push(policy);
            match verdicts {
                Ok(verdicts) => self.told.extend(verdicts.into_iter().map(|verdict| Told {
                    policy,
                    verdict,
                    subject: Arc::clone(subject),
                    related: false,
                })),
                Err(failure) => self.failed.push((policy, failure)),
            }
        }
    }

    /// Adds what is said of related objects with the new version, and wasn't
    /// before. A policy that fails on one of them is none of this request's
    /// business.
    async fn related(
        &mut self,
        asker: Asker<'r>,
        new: &Reviewed,
        with: &Snapshot,
        old: Option<&Reviewed>,
        before: impl Fn() -> Snapshot,
    ) {
        if new.projected.is_controlled() {
            return;
        }
        let mut names = with.related(&new.projected);
        if let Some(old) = old {
            names.extend(before().related(&old.projected));
            names.sort();
            names.dedup();
        }
        let objects = names.iter().filter_map(|name| with.projected(name).cloned());
        let objects: Vec<_> = objects
            .filter(|object| !object.is_controlled() && !object.meta().traits.deleting)
            .collect();
        self.left_out = objects.len();
        for object in objects.into_iter().take(RELATED) {
            let subject = on_its_own(&object, with);
            let now = ask(asker, &subject, with).await;
            let now: Vec<_> = now
                .into_iter()
                .filter_map(|answer| Some((answer.policy, answer.verdicts.ok()?)))
                .flat_map(|(policy, verdicts)| verdicts.into_iter().map(move |one| (policy, one)))
                .map(|(policy, one)| (Mark::of_unchanged(&one), (policy, one)))
                .collect();
            if now.is_empty() {
                self.left_out -= 1;
                continue;
            }
            let before = before();
            let known = ask(asker, &on_its_own(&object, &before), &before).await;
            let known = known.iter().filter_map(|answer| answer.verdicts.as_ref().ok());
            let known = known.flatten().map(Mark::of_unchanged);
            self.told.extend(new_only(known, now).into_iter().map(|(policy, verdict)| Told {
                policy,
                verdict,
                subject: Arc::clone(&subject),
                related: true,
            }));
            self.left_out -= 1;
        }
    }
}

/// An object that isn't under review: nobody kept its JSON.
fn on_its_own(object: &Arc<Projected>, world: &Snapshot) -> Arc<Subject> {
    let version = Version::without_json(situated(object, world));
    Arc::new(Subject::created(version, Origin::Audit))
}

/// With what others tell of it.
fn situated(projected: &Arc<Projected>, world: &Snapshot) -> Arc<Projected> {
    match world.situated(&projected.object) {
        Some(object) => Arc::new(Projected { object, ..Projected::clone(projected) }),
        None => Arc::clone(projected),
    }
}
