//! An API server in memory: lists, pages, watches and Events, and the ways in
//! which they fail.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use hyper::{Request, Response};
use kube::Client;
use serde_json::{Value, json};
use tower::{BoxError, service_fn};

/// Shared by all clients.
#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    version: u64,
    /// By plural name of the kind.
    kinds: BTreeMap<String, Kind>,
    /// Nobody answers.
    down: bool,
    /// How a list that is asked for as a stream fails, if it does.
    unstreamed: Option<Unstreamed>,
    /// The calls, as method, path and query.
    calls: Vec<String>,
    events: BTreeMap<String, Value>,
}

/// How an API server says that it can't stream lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unstreamed {
    /// It doesn't know of them: the answer is an error.
    Unknown,
    /// Its etcd is too old, which it finds out in the stream.
    OldEtcd,
}

#[derive(Default)]
struct Kind {
    /// By namespace and name.
    objects: BTreeMap<(String, String), Value>,
    /// All changes, with their versions.
    log: Vec<(u64, &'static str, Value)>,
    /// Versions before are forgotten.
    oldest: u64,
    refusal: Option<u16>,
    watchers: Vec<UnboundedSender<Result<String, Infallible>>>,
}

impl Api {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = service_fn(move |request: Request<kube::client::Body>| {
            let api = api.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(Body::new(body), 1 << 20).await?;
                api.inside().answer(head.method.as_str(), &head.uri, &body)
            }
        });
        Client::new(service, "default")
    }

    /// Writes an object; `object` needs metadata with a name.
    pub(crate) fn put(&self, plural: &str, object: Value) {
        self.inside().change(plural, object, true);
    }

    pub(crate) fn delete(&self, plural: &str, namespace: &str, name: &str) {
        let object = json!({"metadata": {"name": name, "namespace": namespace}});
        self.inside().change(plural, object, false);
    }

    /// Changes something without telling those who watch, as while they are cut
    /// off, and forgets old versions.
    pub(crate) fn delete_unseen(&self, plural: &str, namespace: &str, name: &str) {
        let mut inside = self.inside();
        inside.version += 1;
        let version = inside.version;
        let kind = inside.kind(plural);
        kind.objects.remove(&(namespace.to_owned(), name.to_owned()));
        kind.log.clear();
        kind.oldest = version;
    }

    /// Ends the watches of a kind in the middle.
    pub(crate) fn break_watches(&self, plural: &str) {
        self.inside().kind(plural).watchers.clear();
    }

    pub(crate) fn refuse(&self, plural: &str, code: Option<u16>) {
        let mut inside = self.inside();
        let kind = inside.kind(plural);
        kind.refusal = code;
        kind.watchers.clear();
    }

    pub(crate) fn set_down(&self, down: bool) {
        let mut inside = self.inside();
        inside.down = down;
        for kind in inside.kinds.values_mut() {
            kind.watchers.clear();
        }
    }

    pub(crate) fn page_only(&self, how: Unstreamed) {
        self.inside().unstreamed = Some(how);
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.inside().calls.clone()
    }

    pub(crate) fn events(&self) -> BTreeMap<String, Value> {
        self.inside().events.clone()
    }
}

impl Inside {
    fn kind(&mut self, plural: &str) -> &mut Kind {
        self.kinds.entry(plural.to_owned()).or_default()
    }

    fn change(&mut self, plural: &str, mut object: Value, stays: bool) {
        self.version += 1;
        let version = self.version;
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        let key = (text("namespace"), text("name"));
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", key.1));
        }
        let kind = self.kind(plural);
        let is_new = !kind.objects.contains_key(&key);
        let what = match (stays, is_new) {
            (true, true) => "ADDED",
            (true, false) => "MODIFIED",
            (false, _) => "DELETED",
        };
        if stays {
            kind.objects.insert(key, object.clone());
        } else {
            kind.objects.remove(&key);
        }
        let line = line(what, &object);
        kind.log.push((version, what, object));
        kind.watchers.retain(|watcher| watcher.unbounded_send(Ok(line.clone())).is_ok());
    }

    fn answer(
        &mut self,
        method: &str,
        uri: &hyper::Uri,
        body: &[u8],
    ) -> Result<Response<Body>, BoxError> {
        if self.down {
            return Err("connection refused".into());
        }
        self.calls.push(format!("{method} {uri}"));
        let parts: Vec<_> = uri.path().trim_matches('/').split('/').collect();
        let plural = *parts.last().expect("a path has an end");
        let namespace = match &parts[..] {
            [.., "namespaces", namespace, _] => Some((*namespace).to_owned()),
            _ => None,
        };
        if method == "POST" {
            return Ok(self.post(body));
        }
        let query: BTreeMap<String, String> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.replace("%3D", "=")))
            .collect();
        if let Some(code) = self.kind(plural).refusal {
            return Ok(status(code, "refused"));
        }
        let flag = |key: &str| query.get(key).is_some_and(|value| value == "true");
        let unstreamed = self.unstreamed.filter(|_| flag("sendInitialEvents"));
        if unstreamed == Some(Unstreamed::Unknown) {
            return Ok(status(422, "sendInitialEvents is forbidden"));
        }
        let (version, kind) = (self.version, self.kind(plural));
        let here = |key: &(String, String)| namespace.as_ref().is_none_or(|one| *one == key.0);
        if !flag("watch") {
            return Ok(list(kind, here, &query, version));
        }
        let (sender, lines) = unbounded();
        let send = |text: String| {
            let _ = sender.unbounded_send(Ok(text));
        };
        if unstreamed == Some(Unstreamed::OldEtcd) {
            let error = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                "reason": "InternalError", "message": "no progress requests", "code": 500});
            send(line("ERROR", &error));
        } else if flag("sendInitialEvents") {
            for (_, object) in kind.objects.iter().filter(|(key, _)| here(key)) {
                send(line("ADDED", object));
            }
            let end = json!({"k8s.io/initial-events-end": "true"});
            let metadata = json!({"resourceVersion": version.to_string(), "annotations": end});
            send(line(
                "BOOKMARK",
                &json!({"apiVersion": "v1", "kind": "Any", "metadata": metadata}),
            ));
        } else {
            let from: u64 = query["resourceVersion"].parse()?;
            if from < kind.oldest {
                let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                    "reason": "Expired", "message": "too old", "code": 410});
                send(line("ERROR", &gone));
            } else {
                for (_, what, object) in kind.log.iter().filter(|(version, ..)| *version > from) {
                    send(line(what, object));
                }
            }
        }
        kind.watchers.push(sender);
        Ok(Response::new(Body::from_stream(lines)))
    }

    fn post(&mut self, body: &[u8]) -> Response<Body> {
        let event: Value = serde_json::from_slice(body).unwrap();
        let name = event["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if self.events.contains_key(&name) {
            return status(409, "already exists");
        }
        let answer = Body::from(event.to_string());
        self.events.insert(name, event);
        Response::new(answer)
    }
}

/// Items of lists have no type, as those of a real API server.
fn list(
    kind: &Kind,
    here: impl Fn(&(String, String)) -> bool,
    query: &BTreeMap<String, String>,
    version: u64,
) -> Response<Body> {
    let name = query.get("fieldSelector").and_then(|fields| fields.strip_prefix("metadata.name="));
    let wanted = |key: &(String, String)| here(key) && name.is_none_or(|name| name == key.1);
    let all: Vec<_> = kind.objects.iter().filter(|(key, _)| wanted(key)).map(|(_, o)| o).collect();
    let start: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
    let limit: usize = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
    let mut items: Vec<Value> = all.iter().skip(start).take(limit).map(|o| (*o).clone()).collect();
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.remove("apiVersion");
        item.remove("kind");
    }
    let next = start.saturating_add(limit);
    let token = if next < all.len() { next.to_string() } else { String::new() };
    let metadata = json!({"resourceVersion": version.to_string(), "continue": token});
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items});
    Response::new(Body::from(list.to_string()))
}

fn line(what: &str, object: &Value) -> String {
    // The type comes first.
    format!("{{\"type\":\"{what}\",\"object\":{object}}}\n")
}

fn status(code: u16, message: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": message, "code": code});
    let mut response = Response::new(Body::from(status.to_string()));
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap();
    response
}

/// The distinct resources that were asked for.
pub(crate) fn resources(calls: &[String]) -> BTreeSet<String> {
    let path = |call: &String| call.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
    calls.iter().map(path).filter_map(|path| path.rsplit('/').next().map(str::to_owned)).collect()
}
