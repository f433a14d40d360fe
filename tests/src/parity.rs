//! The cases of all rules as a real API server sees them: for every object what
//! a webhook is sent, or why the API server refuses it; and what the policies
//! say of either.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use futures::{StreamExt, stream};
use headlint_policies::finding::{Finding, ObjectRef};
use headlint_policies::lint::Options;
use headlint_policies::manifest::{Node, Source, load};
use headlint_policies::model::project;
use hyper::{Method, Request};
use kube::Client;
use kube::discovery::{ApiResource, Discovery, Scope};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cases::{self, Case, brief, lint_text};
use crate::changes::{self, Item};
use crate::cluster::{Answer, Cluster, StandIn, until};

/// Rules whose cases mean something else to an API server, or nothing: what
/// they report is gone before a webhook is called, or is no business of one.
pub const EXEMPT: [&str; 6] = [
    "exemption-covers-nothing",
    "yaml-number-port-surprise",
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

/// An object of a case, and what became of it.
#[derive(Clone, Debug)]
pub struct Played {
    /// As kubectl reads it; none if it is deleted.
    pub new: Option<Value>,
    /// What was there before, in a case about a change.
    pub old: Option<Value>,
    /// When it was created, updated or deleted.
    pub fate: Fate,
}

/// A case and its objects, in the order of the file; those that are deleted
/// last.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The case.
    pub case: Case,
    /// Its objects.
    pub objects: Vec<Played>,
}

/// Sends each object of every case by itself, as a dry run: so the namespaces
/// and names are those of the case, and nothing is in anybody's way. What a
/// webhook is sent doesn't depend on other objects.
///
/// A case about a change has namespaces of its own, for what was there before is
/// stored.
///
/// # Panics
/// When the API server fails.
#[must_use]
pub fn record(cluster: &Cluster) -> Vec<Recorded> {
    let cases = cases::all().into_iter().enumerate();
    let cases: Vec<_> = cases.map(|(at, case)| Play { at, pairs: pairs(&case), case }).collect();
    let namespaces = cases.iter().flat_map(|play| {
        let objects = play.pairs.iter().flatten().flatten();
        objects.map(|object| play.stage(object))
    });
    for namespace in namespaces.collect::<BTreeSet<_>>() {
        cluster.ensure_namespace(&namespace);
    }
    let recorder = Recorder::start(cluster);
    let played = stream::iter(&cases).map(|play| recorder.play(play)).buffered(CONCURRENCY);
    let played: Vec<_> = cluster.block_on(played.collect());
    cluster.unregister_webhook(NAME);
    let recorded = cases.into_iter().zip(played).map(|(Play { pairs, case, .. }, fates)| {
        let objects = pairs.into_iter().zip(fates);
        let objects = objects.map(|([old, new], fate)| Played { new, old, fate }).collect();
        Recorded { case, objects }
    });
    recorded.collect()
}

impl Recorded {
    /// What the API server refuses, and its words.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        let refused = |played: &Played| match &played.fate {
            Fate::Refused(message) => Some(message.clone()),
            _ => None,
        };
        self.objects.iter().filter_map(refused).collect()
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
        let report = match &self.case.old {
            Some(old) => changes::report(old, &self.case.text, &options),
            None => lint_text("-", &self.case.text, &options).report,
        };
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        let (mut reviewed, mut ignored) = (BTreeSet::new(), BTreeSet::new());
        for played in &self.objects {
            let [before, after] = played.known().map(|it| it.map(|it| self.item(it)));
            if let Some((projected, _)) = after.as_ref().or(before.as_ref()) {
                let object = &projected.meta().object_ref;
                if matches!(played.fate, Fate::Reviewed(_)) {
                    reviewed.insert(object.clone());
                }
                ignored.extend(projected.ignored.iter().map(|rule| (object.clone(), rule.clone())));
            }
            old.extend(before);
            new.extend(after);
        }
        let emptied: BTreeSet<_> =
            report.findings.iter().filter(|it| it.rule == EMPTY).map(|it| &it.object).collect();
        let told = |it: &&Finding| reviewed.contains(&it.object) && !is_exempt(&it.rule);
        let mut by_linter: Vec<_> = report.findings.iter().filter(told).map(brief).collect();
        let in_place = emptied.iter().filter(|it| reviewed.contains(**it));
        by_linter.extend(in_place.map(|it| without_endpoints(it)));
        by_linter.sort();

        let judged = changes::judge_items(old, new, &options, |_| true);
        assert!(judged.faults.is_empty(), "{:?}", judged.faults);
        let findings = judged.findings.iter().filter(told);
        let findings =
            findings.filter(|it| !ignored.contains(&(it.object.clone(), it.rule.clone())));
        let mut by_webhook: Vec<_> = findings
            .map(|it| match it.rule == WITHOUT_ENDPOINTS && emptied.contains(&it.object) {
                true => without_endpoints(&it.object),
                false => brief(it),
            })
            .collect();
        by_webhook.sort();
        (by_linter, by_webhook)
    }

    fn item(&self, object: &Value) -> Item {
        let node = Node::deserialize(object).expect("it is JSON");
        let projected = project(&node, &self.case.options.default_namespace);
        (Arc::new(projected.expect("its types are right")), Box::new(move || node.to_json()))
    }
}

impl Played {
    /// The versions before and after: those of the review, or else those of the
    /// case.
    fn known(&self) -> [Option<&Value>; 2] {
        match &self.fate {
            Fate::Reviewed(request) => {
                ["oldObject", "object"].map(|it| Some(&request[it]).filter(|it| !it.is_null()))
            }
            _ => [self.old.as_ref(), self.new.as_ref()],
        }
    }
}

/// What becomes of [`EMPTY`] in a webhook, with whatever severity.
fn without_endpoints(object: &ObjectRef) -> String {
    format!("{WITHOUT_ENDPOINTS} {}/{}", object.kind, object.name)
}

fn is_exempt(rule: &str) -> bool {
    EXEMPT.contains(&rule)
}

/// A case on its way to the API server.
struct Play {
    /// Its number.
    at: usize,
    pairs: Vec<Pair>,
    case: Case,
}

impl Play {
    /// The namespace where an object is played.
    fn stage(&self, object: &Value) -> String {
        let namespace = namespace(object, &self.case);
        match &self.case.old {
            Some(_) => format!("case-{}-{namespace}", self.at),
            None => namespace,
        }
    }
}

/// An object before and after.
type Pair = [Option<Value>; 2];

/// The objects of a case, each with what was there before.
fn pairs(case: &Case) -> Vec<Pair> {
    let identity = |object: &Value| {
        let (kind, name) = (&object["kind"], &object["metadata"]["name"]);
        (kind.to_string(), namespace(object, case), name.to_string())
    };
    let mut old = case.old.as_deref().map(objects).unwrap_or_default();
    let mut pairs: Vec<_> = objects(&case.text)
        .into_iter()
        .map(|new| {
            let before = old.iter().position(|it| identity(it) == identity(&new));
            [before.map(|at| old.remove(at)), Some(new)]
        })
        .collect();
    pairs.extend(old.into_iter().map(|deleted| [Some(deleted), None]));
    pairs
}

/// The objects of a text, as kubectl reads them.
///
/// # Panics
/// When it isn't UTF-8.
#[must_use]
pub fn objects(text: &str) -> Vec<Value> {
    let source = Source::new("-", text.as_bytes().to_vec()).expect("it is UTF-8");
    load(Arc::new(source)).manifests.iter().map(|it| it.root.to_json()).collect()
}

/// The namespace of an object of a case.
#[must_use]
pub fn namespace(object: &Value, case: &Case) -> String {
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
        let probe = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}});
        let (path, _) = recorder.paths(&probe, "default").expect("it has ConfigMaps");
        let mut asked = 0;
        until("the recorder to be asked", || {
            asked += 1;
            let user = format!("{USER}probe-{asked}");
            let request = recorder.request(Method::POST, &path, &probe, Some(user));
            matches!(cluster.block_on(request), Fate::Reviewed(_)).then_some(())
        });
        recorder
    }

    /// Plays a case: stores what was there before, if it is about a change, then
    /// sends what becomes of each object.
    async fn play(&self, play: &Play) -> Vec<Fate> {
        let mut stored = Vec::new();
        for [old, _] in &play.pairs {
            stored.push(match old {
                Some(old) => self.store(play, old).await,
                None => None,
            });
        }
        let mut fates = Vec::new();
        for (index, fate) in stored.into_iter().enumerate() {
            fates.push(match fate {
                Some(fate) => fate,
                None => self.send(play, index).await,
            });
        }
        fates
    }

    /// Stores an object, with the owners of its fields, and on its way out if it
    /// is so. The fate of one that can't be stored.
    async fn store(&self, play: &Play, object: &Value) -> Option<Fate> {
        // It isn't that of the case, and one that ends would take the others
        // along before anybody is asked about them.
        if object["kind"] == "Namespace" {
            return Some(Fate::Unreviewed);
        }
        let Some((path, one)) = self.paths(object, &play.stage(object)) else {
            return Some(Fate::Unregistered);
        };
        let mut stored = sendable(object);
        let is_deleting = !object["metadata"]["deletionTimestamp"].is_null();
        if is_deleting && let Some(finalizers) = stored["metadata"]["finalizers"].as_array_mut() {
            // Controllers take away their own.
            finalizers.push(json!("headlint.dev/recorder"));
        }
        let mut steps = match object["kind"] == "Endpoints" {
            // A controller may have made it for the Service.
            true => vec![(Method::PUT, &one, &stored)],
            false => vec![(Method::POST, &path, &stored)],
        };
        if !object["metadata"]["managedFields"].is_null() {
            // Whoever creates an object owns all of it at first.
            steps.push((Method::PUT, &one, &stored));
        }
        if is_deleting {
            steps.push((Method::DELETE, &one, &Value::Null));
        }
        for (method, path, body) in steps {
            match self.request(method, path, body, None).await {
                Fate::Unreviewed => {}
                fate => return Some(fate),
            }
        }
        None
    }

    /// Creates, updates or deletes an object, as a dry run and as a user of its
    /// own.
    async fn send(&self, play: &Play, index: usize) -> Fate {
        let [old, new] = &play.pairs[index];
        let object = new.as_ref().or(old.as_ref()).expect("a pair has one of them");
        let Some((path, one)) = self.paths(object, &play.stage(object)) else {
            return Fate::Unregistered;
        };
        let user = Some(format!("{USER}{}-{index}", play.at));
        let (operation, method, path, body) = match (old, new) {
            (None, _) => ("CREATE", Method::POST, path, sendable(object)),
            (Some(_), Some(new)) => ("UPDATE", Method::PUT, one, sendable(new)),
            (Some(_), None) => ("DELETE", Method::DELETE, one, Value::Null),
        };
        let fate = self.request(method, &path, &body, user).await;
        let Fate::Reviewed(mut request) = fate else { return fate };
        assert_eq!(request["operation"], operation, "{path}");
        for version in ["object", "oldObject"] {
            if let Some(named) = request[version]["metadata"].get_mut("namespace") {
                *named = json!(namespace(object, &play.case));
            }
        }
        Fate::Reviewed(request)
    }

    /// Of all objects of this one's kind in the namespace, and of it alone; none
    /// if the API server has no such kind.
    fn paths(&self, object: &Value, namespace: &str) -> Option<(String, String)> {
        let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let (resource, scope) = self.kinds.get(&(text("apiVersion"), text("kind")))?;
        let folder = if resource.group.is_empty() { "api" } else { "apis" };
        let namespace = match scope {
            Scope::Namespaced => format!("/namespaces/{namespace}"),
            Scope::Cluster => String::new(),
        };
        let all = format!("/{folder}/{}{namespace}/{}", resource.api_version, resource.plural);
        let one = format!("{all}/{}", object["metadata"]["name"].as_str().unwrap_or_default());
        Some((all, one))
    }

    /// What becomes of a request. It is a dry run if a user of its own makes it:
    /// those are recorded.
    async fn request(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        user: Option<String>,
    ) -> Fate {
        let mut query = match method {
            Method::DELETE => String::new(),
            _ => "fieldValidation=Strict".to_owned(),
        };
        let mut request = Request::builder().method(method);
        if let Some(user) = &user {
            query += "&dryRun=All";
            request = request
                .header("impersonate-user", user)
                .header("impersonate-group", "system:masters");
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = request.uri(format!("{path}?{query}"));
        let request = request.header("content-type", "application/json").body(body);
        let answer = self.client.request_text(request.expect("it is a request")).await;
        let review = user.and_then(|user| self.reviews.lock().expect("no panic").remove(&user));
        match (answer, review) {
            (Ok(_), Some(review)) => Fate::Reviewed(review),
            (Ok(_), None) => Fate::Unreviewed,
            (Err(kube::Error::Api(status)), None) => Fate::Refused(status.message),
            // A namespace that was made for the case is found out last.
            (Err(kube::Error::Api(status)), Some(review)) if status.is_already_exists() => {
                Fate::Reviewed(review)
            }
            (answer, review) => panic!("{path}: {answer:?} {review:?}"),
        }
    }
}

/// The object without what the API server says itself: when it was deleted, its
/// namespace, and the address of a Service, which would be one of another
/// network.
#[must_use]
pub fn sendable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("deletionTimestamp");
        metadata.remove("namespace");
    }
    let spec = &object["spec"];
    let is_address = |ip: &Value| ip.as_str().is_some_and(|ip| ip.parse::<Ipv4Addr>().is_ok());
    let agree = spec["clusterIPs"].is_null() || spec["clusterIPs"][0] == spec["clusterIP"];
    if object["kind"] == "Service"
        && is_address(&spec["clusterIP"])
        && agree
        && let Some(spec) = object["spec"].as_object_mut()
    {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    object
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
