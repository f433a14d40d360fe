//! The cases of all rules as a real API server sees them: for every object what
//! a webhook is sent, or why the API server refuses it; and what the policies
//! say of either.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use futures::{StreamExt, stream};
use headlint_policies::engine::{Origin, Subject, Version};
use headlint_policies::evaluate::evaluate;
use headlint_policies::finding::ObjectRef;
use headlint_policies::inventory::{Inventory, Knowledge, Snapshot};
use headlint_policies::lint::Options;
use headlint_policies::manifest::{Node, Source, load};
use headlint_policies::model::{Projected, project};
use hyper::Request;
use kube::Client;
use kube::discovery::{ApiResource, Discovery, Scope};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cases::{self, Case, brief, engine, lint_text};
use crate::cluster::{Answer, Cluster, StandIn, until};

/// Rules whose cases mean something else to an API server, or nothing: what
/// they report is gone before a webhook is called, or is no business of one.
pub const EXEMPT: [&str; 7] = [
    "exemption-covers-nothing",
    "yaml-number-port-surprise",
    "service-name-portability",
    EMPTY,
    "duplicate-object",
    "yaml-duplicate-key",
    "unknown-field-case",
];

/// An empty selector: the API server stores none, and then the webhook tells
/// that there are no endpoints.
const EMPTY: &str = "empty-selector-is-selectorless";
const WITHOUT_ENDPOINTS: &str = "selectorless-without-endpoints";
/// Requests in flight.
const CONCURRENCY: usize = 16;
/// Of the webhook that records.
const NAME: &str = "recorder";
/// Users of this prefix are recorded.
const USER: &str = "headlint-case-";

/// What became of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// A webhook was sent this AdmissionReview's `request`.
    Reviewed(Value),
    /// The API server refused it with these words, and asked no webhook.
    Refused(String),
    /// The API server accepts it, and asks no webhook about its kind.
    Unreviewed,
    /// The API server has no such kind.
    Unregistered,
}

/// A case and its objects, in the order of the file.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The case.
    pub case: Case,
    /// Each object as kubectl reads it, and its fate.
    pub objects: Vec<(Value, Fate)>,
}

/// Sends each object of every case by itself, as a dry run: so the namespaces
/// and names are those of the case, and nothing is in anybody's way. What a
/// webhook is sent doesn't depend on other objects.
///
/// # Panics
/// When the API server fails.
#[must_use]
pub fn record(cluster: &Cluster) -> Vec<Recorded> {
    let read: Vec<_> = cases::all().into_iter().map(|case| (objects(&case), case)).collect();
    let namespaces: BTreeSet<_> = read
        .iter()
        .flat_map(|(objects, case)| objects.iter().map(|o| namespace(o, case)))
        .collect();
    for namespace in namespaces {
        cluster.ensure_namespace(&namespace);
    }
    let recorder = Recorder::start(cluster);
    let requests = read.iter().enumerate().flat_map(|(at, (objects, case))| {
        objects.iter().enumerate().map(move |(index, object)| (at, index, object, case))
    });
    let fates: HashMap<(usize, usize), Fate> = cluster.block_on(
        stream::iter(requests)
            .map(|(at, index, object, case)| {
                let user = format!("{USER}{at}-{index}");
                let fate = recorder.send(user, object, namespace(object, case));
                async move { ((at, index), fate.await) }
            })
            .buffer_unordered(CONCURRENCY)
            .collect(),
    );
    cluster.unregister_webhook(NAME);
    read.into_iter()
        .enumerate()
        .map(|(at, (objects, case))| {
            let fate = |index| fates[&(at, index)].clone();
            let objects = objects.into_iter().enumerate().map(|(i, object)| (object, fate(i)));
            Recorded { case, objects: objects.collect() }
        })
        .collect()
}

impl Recorded {
    /// Whether the API server refuses one of the objects.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.objects.iter().any(|(_, fate)| matches!(fate, Fate::Refused(_)))
    }

    /// What the linter says of the case with `--complete`, and what the
    /// policies say of the reviews, beside the same objects: of those that a
    /// webhook is asked about, by [`brief`], sorted.
    ///
    /// # Panics
    /// When a policy fails, or a review can't be read.
    #[must_use]
    pub fn said(&self) -> (Vec<String>, Vec<String>) {
        let options = Options { complete: true, ..self.case.options.clone() };
        let known: Vec<_> = self.objects.iter().map(|pair| self.known(pair)).collect();
        let reviewed: BTreeSet<_> = known
            .iter()
            .filter(|it| it.is_reviewed)
            .map(|it| &it.projected.meta().object_ref)
            .collect();
        let report = lint_text("-", &self.case.text, &options).report;
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        let emptied: BTreeSet<_> =
            report.findings.iter().filter(|it| it.rule == EMPTY).map(|it| &it.object).collect();
        let findings = report.findings.iter();
        let findings = findings.filter(|it| reviewed.contains(&it.object) && !is_exempt(&it.rule));
        let mut by_linter: Vec<_> = findings.map(brief).collect();
        by_linter.extend(emptied.intersection(&reviewed).map(|it| without_endpoints(it)));
        by_linter.sort();

        let knowledge = Knowledge { complete: true, ..Knowledge::default() };
        let all = known.iter().map(|it| Arc::clone(&it.projected));
        let snapshot = Arc::new(Snapshot::build(all, knowledge));
        let mut by_webhook = Vec::new();
        for Known { node, projected, .. } in known.iter().filter(|it| it.is_reviewed) {
            let situated = match snapshot.situated(&projected.object) {
                Some(object) => Arc::new(Projected { object, ..Projected::clone(projected) }),
                None => Arc::clone(projected),
            };
            let node = node.clone();
            let version = Version::new(situated, Box::new(move || node.to_json()));
            let subject = Arc::new(Subject::created(version, Origin::Admission));
            let inventory: Arc<dyn Inventory + Send + Sync> = Arc::<Snapshot>::clone(&snapshot);
            let of = &projected.meta().object_ref;
            for judgement in evaluate(engine(), &options.rules, &subject, &inventory, |_| true) {
                let verdicts = judgement.verdicts.expect("no policy fails").into_iter();
                let verdicts = verdicts.filter(|it| !projected.ignored.contains(&it.rule));
                by_webhook.extend(verdicts.filter(|it| !is_exempt(&it.rule)).map(|it| {
                    match emptied.contains(of) && it.rule == WITHOUT_ENDPOINTS {
                        true => without_endpoints(of),
                        false => {
                            format!(
                                "{} {} {}/{} {}",
                                it.rule, it.severity, of.kind, of.name, it.path
                            )
                        }
                    }
                }));
            }
        }
        by_webhook.sort();
        (by_linter, by_webhook)
    }

    fn known(&self, (object, fate): &(Value, Fate)) -> Known {
        let (object, is_reviewed) = match fate {
            Fate::Reviewed(request) => (&request["object"], true),
            _ => (object, false),
        };
        let node = Node::deserialize(object).expect("it is JSON");
        let projected = project(&node, &self.case.options.default_namespace);
        let projected = Arc::new(projected.expect("its types are right"));
        Known { node, projected, is_reviewed }
    }
}

/// An object as it is known beside the others: from its review, or else from
/// the file.
struct Known {
    node: Node,
    projected: Arc<Projected>,
    is_reviewed: bool,
}

/// What becomes of [`EMPTY`] in a webhook, with whatever severity.
fn without_endpoints(object: &ObjectRef) -> String {
    format!("{WITHOUT_ENDPOINTS} {}/{}", object.kind, object.name)
}

fn is_exempt(rule: &str) -> bool {
    EXEMPT.contains(&rule)
}

fn objects(case: &Case) -> Vec<Value> {
    let source = Source::new("-", case.text.clone().into_bytes()).expect("it is UTF-8");
    load(Arc::new(source)).manifests.iter().map(|it| it.root.to_json()).collect()
}

fn namespace(object: &Value, case: &Case) -> String {
    match object["metadata"]["namespace"].as_str() {
        None | Some("") => case.options.default_namespace.clone(),
        Some(namespace) => namespace.to_owned(),
    }
}

/// A webhook that admits all, and remembers what it was sent, by user.
struct Recorder {
    client: Client,
    kinds: BTreeMap<(String, String), (ApiResource, Scope)>,
    reviews: Arc<Mutex<HashMap<String, Value>>>,
    _webhook: StandIn,
}

impl Recorder {
    fn start(cluster: &Cluster) -> Self {
        let reviews = Arc::new(Mutex::new(HashMap::new()));
        let memory = Arc::clone(&reviews);
        let webhook = StandIn::serve(cluster, &[], move |request| {
            let user = request["userInfo"]["username"].as_str().unwrap_or_default().to_owned();
            let before = memory.lock().expect("no panic").insert(user, request.clone());
            assert!(before.is_none(), "one request for each user");
            Answer::admit()
        });
        let rules = json!([{
            "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"],
        }]);
        let condition = format!("request.userInfo.username.startsWith('{USER}')");
        let client_config = webhook.client_config(cluster);
        cluster.register_webhook(NAME, &client_config, &rules, &condition);
        let client = cluster.client().clone();
        let discovery = Discovery::new(client.clone()).run_aggregated();
        let discovery = cluster.block_on(discovery).expect("the API server tells its kinds");
        let kinds = kinds(&discovery);
        let recorder = Self { client, kinds, reviews, _webhook: webhook };
        let mut asked = 0;
        until("the recorder to be asked", || {
            asked += 1;
            let user = format!("{USER}probe-{asked}");
            let object =
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}});
            let fate = cluster.block_on(recorder.send(user, &object, "default".to_owned()));
            matches!(fate, Fate::Reviewed(_)).then_some(())
        });
        recorder
    }

    /// Creates an object, as a dry run and as a user of its own.
    async fn send(&self, user: String, object: &Value, namespace: String) -> Fate {
        let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let Some((resource, scope)) = self.kinds.get(&(text("apiVersion"), text("kind"))) else {
            return Fate::Unregistered;
        };
        let folder = if resource.group.is_empty() { "api" } else { "apis" };
        let namespace = match scope {
            Scope::Namespaced => format!("/namespaces/{namespace}"),
            Scope::Cluster => String::new(),
        };
        let path = format!("/{folder}/{}{namespace}/{}", resource.api_version, resource.plural);
        let request = Request::post(format!("{path}?dryRun=All&fieldValidation=Strict"))
            .header("content-type", "application/json")
            .header("impersonate-user", &user)
            .header("impersonate-group", "system:masters")
            .body(object.to_string().into_bytes())
            .expect("it is a request");
        let answer = self.client.request_text(request).await;
        let review = self.reviews.lock().expect("no panic").remove(&user);
        match (answer, review) {
            (Ok(_), Some(review)) => Fate::Reviewed(review),
            (Ok(_), None) => Fate::Unreviewed,
            (Err(kube::Error::Api(status)), None) => Fate::Refused(status.message),
            // A namespace that was made for the case is found out last.
            (Err(kube::Error::Api(status)), Some(review)) if status.is_already_exists() => {
                Fate::Reviewed(review)
            }
            (answer, review) => panic!("{object}: {answer:?} {review:?}"),
        }
    }
}

fn kinds(discovery: &Discovery) -> BTreeMap<(String, String), (ApiResource, Scope)> {
    let mut kinds = BTreeMap::new();
    for group in discovery.groups() {
        for version in group.versions() {
            for (resource, capabilities) in group.versioned_resources(version) {
                let kind = (resource.api_version.clone(), resource.kind.clone());
                kinds.insert(kind, (resource, capabilities.scope));
            }
        }
    }
    kinds
}
