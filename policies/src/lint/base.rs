//! What was there before: so that objects are judged as changes, and those that
//! are gone as deletions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Before, Item, Options, Part, mark_patches, read};
use crate::finding::{InputError, ObjectRef};
use crate::inventory::{Inventory, Snapshot};
use crate::manifest;
use crate::model::Object;

const NONE: &str = "None";
const EXTERNAL_NAME: &str = "ExternalName";

/// Where `kubectl apply` keeps the manifest that it was called with.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object as the API server has it once its manifest was applied.
pub(super) fn applied(mut manifest: Value, stored: &Object) -> Value {
    let written = manifest.to_string();
    if let (Object::Service(service), Some(spec)) = (stored, manifest.get_mut("spec"))
        && let (Some(ip), Some(spec)) = (&service.cluster_ip, spec.as_object_mut())
    {
        spec.insert("clusterIP".to_owned(), Value::from(ip.clone()));
    }
    let metadata = manifest.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata {
        let annotations = metadata.entry("annotations").or_insert(Value::Null);
        if !annotations.is_object() {
            *annotations = Value::Object(Map::new());
        }
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(LAST_APPLIED.to_owned(), Value::from(written));
        }
    }
    manifest
}

/// Group, kind, namespace and name.
type Identity = (String, String, String, String);

fn identity(object: &ObjectRef) -> Identity {
    let (group, kind, namespace, name) = object.identity();
    (group.to_owned(), kind.to_owned(), namespace.to_owned(), name.to_owned())
}

/// The objects that were there before.
#[derive(Default)]
pub(super) struct Base(BTreeMap<Identity, Vec<Item>>);

impl Base {
    /// With what of it can't be read.
    pub(super) fn read(files: &[Before], options: &Options) -> (Self, Vec<InputError>) {
        let (mut items, mut errors) = (Vec::new(), Vec::new());
        for Before { source, now } in files {
            let now: Arc<Path> = now.as_path().into();
            for piece in manifest::pieces(source) {
                let Part { items: found, errors: wrong, .. } = read(source, piece, options);
                let now = || Some(Arc::clone(&now));
                items.extend(found.into_iter().map(|item| Item { now: now(), ..item }));
                errors.extend(wrong);
            }
        }
        mark_patches(&mut items);
        let mut by_identity: BTreeMap<_, Vec<Item>> = BTreeMap::new();
        for item in items.into_iter().filter(|item| !item.is_patch) {
            let object = &item.projected.meta().object_ref;
            // What has no name yet is never what was there before.
            if !object.name.is_empty() {
                by_identity.entry(identity(object)).or_default().push(item);
            }
        }
        (Self(by_identity), errors)
    }

    /// What other objects say now about these holds for them too.
    pub(super) fn situate(&mut self, snapshot: &Snapshot) {
        for item in self.0.values_mut().flatten() {
            if let Some(object) = snapshot.situated(&item.projected.object) {
                Arc::make_mut(&mut item.projected).object = object;
            }
        }
    }

    /// Gives objects what they keep from before although their manifests no longer
    /// say it.
    ///
    /// # Source
    /// `patchAllocatedValues` in kubernetes v1.36
    /// `pkg/registry/core/service/storage/storage.go`: an update that leaves
    /// `clusterIP` out takes it from the old object.
    pub(super) fn keep(&self, items: &mut [Item]) {
        for item in items {
            let Some(before) = self.before(item) else { continue };
            let Object::Service(old) = &before.projected.object else { continue };
            let Some(kept) = old.cluster_ip.clone().filter(|ip| ip == NONE) else { continue };
            if let Object::Service(new) = &item.projected.object
                && new.cluster_ip.as_deref().is_none_or(str::is_empty)
                && new.cluster_ips.is_empty()
                && new.service_type != EXTERNAL_NAME
                && let Object::Service(new) = &mut Arc::make_mut(&mut item.projected).object
            {
                new.cluster_ip = Some(kept);
            }
        }
    }

    /// The version before of an object: of several environments, the one in the
    /// file whose path is most alike.
    pub(super) fn before(&self, item: &Item) -> Option<&Item> {
        let namesakes = self.0.get(&identity(&item.projected.meta().object_ref))?;
        let path = item.path().as_os_str().as_encoded_bytes();
        let alike = |other: &&Item| {
            let other = other.path().as_os_str().as_encoded_bytes();
            path.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count()
        };
        namesakes.iter().max_by_key(alike)
    }

    /// What is there no longer, in each environment that had it. It may have moved
    /// into a file that didn't have it, and be all that several files had.
    pub(super) fn gone<'b>(&'b self, items: &[Item]) -> Vec<&'b Item> {
        let mut there: BTreeMap<Identity, BTreeSet<&Path>> = BTreeMap::new();
        for item in items.iter().filter(|item| !item.is_patch) {
            let identity = identity(&item.projected.meta().object_ref);
            there.entry(identity).or_default().insert(item.path());
        }
        let mut gone = Vec::new();
        for (identity, before) in &self.0 {
            let mut before: BTreeMap<&Path, &Item> =
                before.iter().map(|item| (item.path(), item)).collect();
            let there = there.get(identity).into_iter().flatten();
            let moved = there.filter(|path| before.remove(*path).is_none()).count();
            if moved == 0 {
                gone.extend(before.into_values());
            }
        }
        gone
    }
}
