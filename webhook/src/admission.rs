//! From the body of a request to the body of its answer.
//!
//! ```text
//! bytes ─request─▶ Event ─judge─▶ Judged ─action─▶ Answer ─response─▶ bytes
//!                            │
//!                          asking: one policy after another, in slices of time
//! ```
//!
//! Nothing here asks the API server: all that is known was watched before.

mod action;
mod asking;
mod judge;
mod recent;
mod request;
mod response;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Bytes;
use axum::http::StatusCode;
use headlint_policies::engine::{Patience, Subject, Verdict};
use headlint_policies::evaluate::Question;
use headlint_policies::inventory::{Inventory, Live};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{debug, info};

use self::action::{Decision, decide, is_sent};
use self::asking::{Asker, Suspensions};
use self::judge::{Event, Judged, Reviewed, Told, judge};
use self::recent::Recent;
use self::request::{Asked, Malformed, Request, parse};
use self::response::Answer;
use crate::config::OnFault;
use crate::metrics::{self, Metrics};
use crate::pending::Judge;
use crate::runtime::Runtime;
use crate::server::Reply;

/// Answers requests.
pub struct Admission {
    runtime: Arc<ArcSwap<Runtime>>,
    context: Arc<Live>,
    metrics: Arc<Metrics>,
    suspensions: Arc<Suspensions>,
    /// Places for policies that take long.
    elsewhere: Arc<Semaphore>,
    recent: Recent,
}

impl Admission {
    /// With what is configured at the moment of a request, and what is known
    /// then.
    pub fn new(runtime: Arc<ArcSwap<Runtime>>, context: Arc<Live>, metrics: Arc<Metrics>) -> Self {
        let elsewhere = runtime.load().config().capacity.elsewhere();
        Self {
            runtime,
            context,
            metrics,
            suspensions: Arc::default(),
            elsewhere: Arc::new(Semaphore::new(elsewhere)),
            recent: Recent::default(),
        }
    }

    /// Answers the body of one request, of which the answer is `due` then. A
    /// malformed one isn't answered with 200, so that the API server's
    /// failurePolicy decides.
    pub async fn review(&self, body: Bytes, due: Instant) -> Reply {
        match self.answer(body, due).await {
            Ok(reply) => reply,
            Err(malformed) => {
                self.metrics.request("", "", metrics::Verdict::Malformed);
                debug!(%malformed, "malformed request");
                Reply::text(StatusCode::BAD_REQUEST, malformed.to_string())
            }
        }
    }

    async fn answer(&self, body: Bytes, due: Instant) -> Result<Reply, Malformed> {
        let request = parse(&body)?;
        let about = About::of(&request);
        let Some(event) = event(request, &body)? else {
            let answer = about.declined();
            self.metrics.request(&about.kind, &about.operation, metrics::Verdict::Allowed);
            return Ok(Reply::json(answer.body(&about.uid)));
        };
        let runtime = self.runtime.load_full();
        let judged = match event.is_deleting() {
            true => Judged::default(),
            false => {
                let asker = Asker {
                    runtime: &runtime,
                    suspensions: &self.suspensions,
                    elsewhere: &self.elsewhere,
                    metrics: &self.metrics,
                };
                // The object's own findings don't wait for those of others.
                let now = Instant::now();
                let until = now + due.saturating_duration_since(now) / 2;
                judge(asker, &self.recent.over(self.context.snapshot()), &event, until).await
            }
        };
        self.metrics.left_out(judged.left_out);
        let answer = answer(&runtime, &event, &judged);
        let verdict = match (&*answer.denials, &*answer.warnings, &*judged.failed) {
            ([], _, [_, ..]) => metrics::Verdict::Fault,
            ([_, ..], ..) => metrics::Verdict::Denied,
            ([], [_, ..], []) => metrics::Verdict::Warned,
            ([], [], []) => metrics::Verdict::Allowed,
        };
        self.metrics.request(&about.kind, &about.operation, verdict);
        if answer.denials.is_empty() && !about.dry_run && !event.is_controlled() {
            self.recent.note(event.change());
        }
        about.log(&answer);
        Ok(Reply::json(answer.body(&about.uid)))
    }
}

impl Judge for Admission {
    fn wants(&self, kind: &str) -> bool {
        self.runtime.load().engine().policies().iter().any(|policy| policy.wants(kind))
    }

    fn judge(
        &self,
        subject: &Arc<Subject>,
        inventory: &Arc<dyn Inventory + Send + Sync>,
    ) -> Vec<Verdict> {
        let runtime = self.runtime.load_full();
        let question = Question::new(runtime.rules(), subject, inventory);
        let mut verdicts = Vec::new();
        for asked in question.policies(runtime.engine()) {
            let judgement = question.ask(&asked, Patience::Deadline);
            self.metrics.evaluation(&judgement);
            let told = judgement.verdicts.unwrap_or_default().into_iter();
            let is_sent = |verdict: &Verdict| is_sent(&runtime, asked.policy, subject, verdict);
            verdicts.extend(told.filter(is_sent));
        }
        verdicts
    }
}

/// What is judged; none where nothing is. The request was read from the body.
fn event(request: Request, body: &Bytes) -> Result<Option<Event>, Malformed> {
    let namespace = request.namespace;
    let read = |field, tree| {
        Reviewed::read(tree, &namespace, body.clone())
            .map_err(|error| Malformed::Object { field, problem: error.to_string() })
    };
    Ok(Some(match request.asked {
        Asked::Create { object } => Event::Create(read("object", object)?),
        Asked::Update { object, old } => {
            Event::Update { new: read("object", object)?, old: read("oldObject", old)? }
        }
        Asked::Delete { old } => Event::Delete(read("oldObject", old)?),
        Asked::Other => return Ok(None),
    }))
}

/// What is said of what was found.
fn answer(runtime: &Runtime, event: &Event, judged: &Judged<'_>) -> Answer {
    let mut answer = Answer::default();
    let mut told: Vec<_> = judged.told.iter().collect();
    told.sort_by_key(|one| {
        let verdict = &one.verdict;
        let object = &one.subject.projected().meta().object_ref;
        (Reverse(verdict.severity), one.related, object, &verdict.rule, verdict.path.clone())
    });
    for one in told {
        match decide(runtime, event, one) {
            Decision::Silence => {}
            Decision::Warn => answer.warnings.push(text(one)),
            Decision::Deny => answer.denials.push(text(one)),
        }
    }
    for (policy, failure) in &judged.failed {
        let text = format!("headlint: the policy {} judged nothing: {failure}", policy.name());
        match runtime.config().on_fault {
            OnFault::Admit => answer.warnings.insert(0, text),
            OnFault::Deny => answer.denials.push(text),
        }
    }
    let rules: BTreeSet<_> = judged.told.iter().map(|one| one.verdict.rule.as_str()).collect();
    if !rules.is_empty() {
        answer.audit.insert("rules", Vec::from_iter(rules).join(","));
    }
    if !judged.asked.is_empty() {
        let policies = judged.asked.iter();
        let policies = policies.map(|policy| format!("{}@{}", policy.name(), policy.digest()));
        answer.audit.insert("policies", Vec::from_iter(policies).join(","));
    }
    answer
}

/// The rule first, as whoever looks for it does.
fn text(told: &Told<'_>) -> String {
    let verdict = &told.verdict;
    let about = match told.related {
        true => format!("{}: ", told.subject.projected().meta().object_ref),
        false => String::new(),
    };
    format!("{}: {about}{} [{}]; {}", verdict.rule, verdict.what, verdict.path, verdict.help)
}

/// What logs and metrics say of a request.
struct About {
    uid: String,
    kind: String,
    operation: String,
    sub_resource: String,
    namespace: String,
    name: String,
    dry_run: bool,
}

impl About {
    fn of(request: &Request) -> Self {
        Self {
            uid: request.uid.clone(),
            kind: request.kind.clone(),
            operation: request.operation.clone(),
            sub_resource: request.sub_resource.clone(),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            dry_run: request.dry_run,
        }
    }

    /// The answer to what headlint doesn't judge: a refusal would stop what is
    /// none of its business.
    fn declined(&self) -> Answer {
        let what = match self.sub_resource.as_str() {
            "" => format!("the operation {}", self.operation),
            sub_resource => format!("the subresource `{sub_resource}`"),
        };
        let text = format!("headlint: doesn't judge {what}; take it out of the webhook's rules");
        Answer { warnings: vec![text], audit: BTreeMap::new(), ..Answer::default() }
    }

    fn log(&self, answer: &Answer) {
        let Self { uid, kind, operation, namespace, name, .. } = self;
        for denial in &answer.denials {
            info!(uid, kind, operation, namespace, name, denial, "denied");
        }
        debug!(
            uid,
            kind,
            operation,
            namespace,
            name,
            denials = answer.denials.len(),
            warnings = answer.warnings.len(),
            "judged"
        );
    }
}
