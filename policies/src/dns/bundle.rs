//! Manifests as DNS needs them: all objects, with the addresses and resolver
//! settings that the model doesn't keep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::pods::WORKLOADS;
use crate::finding::{InputError, ObjectRef, Skipped};
use crate::inventory::{Answer, Inventory, Knowledge, Snapshot, UnknownReason};
use crate::k8s::{self, Kind};
use crate::lint::patches;
use crate::manifest::{self, Node, Source};
use crate::model::{
    ClusterProfile, Decoded, EndpointPort, EndpointSubset, Endpoints, Fields, Object, Projected,
    Service, Workload, project, template,
};

/// How manifests are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nothing exists beyond the input.
    pub complete: bool,
    /// The namespace of objects that name none.
    pub default_namespace: String,
    /// Facts of the cluster.
    pub cluster: ClusterProfile,
}

/// Manifests that are applied together.
#[derive(Debug)]
pub struct Bundle {
    snapshot: Snapshot,
    /// Those that objects are in. Each exists.
    namespaces: BTreeSet<String>,
    written: BTreeMap<ObjectRef, Vec<Written>>,
    resolvers: BTreeMap<ObjectRef, Resolver>,
    /// What could not be read.
    pub errors: Vec<InputError>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// One address of an Endpoints object or an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Of which subset; 0 for a slice.
    pub(super) subset: usize,
    /// As written: an IP, or a name in a slice of type FQDN.
    pub(super) address: String,
    pub(super) hostname: Option<String>,
    pub(super) ready: bool,
}

/// `dnsConfig` of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolver {
    pub(super) searches: Vec<String>,
    pub(super) nameservers: Vec<String>,
    pub(super) ndots: Option<usize>,
}

/// One object, and what only DNS reads of it.
struct Read {
    projected: Arc<Projected>,
    written: Vec<Written>,
    resolver: Resolver,
}

impl Bundle {
    /// Reads manifests. What can't be read is told in [`Bundle::errors`], and
    /// makes what isn't found uncertain.
    pub fn read(inputs: Vec<Result<Arc<Source>, InputError>>, options: Options) -> Self {
        let (mut errors, mut skipped, mut objects) = (Vec::new(), Vec::new(), Vec::new());
        let loaded: Vec<_> = inputs
            .into_par_iter()
            .map(|input| input.map(|source| (manifest::load(Arc::clone(&source)), source)))
            .collect();
        for input in loaded {
            let (loaded, source) = match input {
                Ok(read) => read,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            errors.extend(loaded.errors);
            skipped.extend(loaded.skipped);
            for manifest in loaded.manifests {
                match read(&manifest.root, &options.default_namespace) {
                    Ok(object) => objects.push(object),
                    Err(error) => errors.push(error.in_source(&source, &manifest.root)),
                }
            }
        }
        let patches = patches::are_patches(objects.iter().map(|one| &*one.projected));
        let mut patches = patches.into_iter();
        objects.retain(|_| patches.next() != Some(true));
        // A controller writes them anew from what is there beside them.
        objects.retain(|one| {
            !(one.projected.is_controlled() && matches!(one.projected.object, Object::Endpoints(_)))
        });
        let namespaces = objects.iter().map(|one| {
            let object = &one.projected.meta().object_ref;
            match object.kind.as_str() {
                "Namespace" => object.name.clone(),
                _ => object.namespace.clone(),
            }
        });
        let namespaces: BTreeSet<_> = namespaces.filter(|name| !name.is_empty()).collect();
        let (mut written, mut resolvers) = (BTreeMap::new(), BTreeMap::new());
        for one in &mut objects {
            let name = &one.projected.meta().object_ref;
            written.insert(name.clone(), std::mem::take(&mut one.written));
            resolvers.insert(name.clone(), std::mem::take(&mut one.resolver));
        }
        let knowledge = Knowledge {
            complete: options.complete,
            unreadable: !errors.is_empty() || skipped.iter().any(Skipped::is_unrendered),
            profile: options.cluster,
            ..Knowledge::default()
        };
        let snapshot = Snapshot::build(objects.into_iter().map(|one| one.projected), knowledge);
        Self { snapshot, namespaces, written, resolvers, errors, skipped }
    }

    /// Facts of the cluster.
    pub fn cluster(&self) -> &ClusterProfile {
        self.snapshot.cluster()
    }

    pub(super) fn inventory(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether a namespace is sure to exist.
    pub(super) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// Why the input is no proof that a namespace doesn't exist.
    pub(super) fn doubt_of_namespace(&self, name: &str) -> Option<String> {
        doubt(&self.snapshot.objects_of("Namespace", ""), &format!("Namespace `{name}`"))
    }

    /// All Services, by namespace and name. One without a name isn't among them.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.objects(["Service"]).filter_map(|object| match object {
            Object::Service(service) => Some(service),
            _ => None,
        })
    }

    /// All that makes Pods, by namespace, kind and name. What only
    /// `generateName` names isn't among them.
    pub fn workloads(&self) -> impl Iterator<Item = &Workload> {
        self.objects(WORKLOADS.map(|(kind, _)| kind)).filter_map(|object| match object {
            Object::Workload(workload) => Some(workload),
            _ => None,
        })
    }

    /// All Endpoints and EndpointSlices.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Endpoints> {
        self.objects(["Endpoints", "EndpointSlice"]).filter_map(|object| match object {
            Object::Endpoints(endpoints) => Some(endpoints),
            _ => None,
        })
    }

    fn objects<const N: usize>(&self, kinds: [&'static str; N]) -> impl Iterator<Item = &Object> {
        let places =
            self.namespaces.iter().flat_map(move |namespace| kinds.map(|kind| (kind, namespace)));
        places
            .flat_map(|(kind, namespace)| {
                self.snapshot.objects_of(kind, namespace).found().unwrap_or_default()
            })
            .filter(|object| !object.meta().object_ref.name.is_empty())
    }

    /// The addresses of an Endpoints object or an EndpointSlice, in order.
    pub(super) fn written(&self, object: &ObjectRef) -> &[Written] {
        self.written.get(object).map_or(&[], Vec::as_slice)
    }

    /// `dnsConfig` of a workload's Pods.
    pub(super) fn resolver(&self, object: &ObjectRef) -> Resolver {
        self.resolvers.get(object).cloned().unwrap_or_default()
    }
}

/// Why what wasn't found may be there after all; none where it was found, or is
/// certain not to be there.
pub(super) fn doubt<T>(answer: &Answer<T>, what: &str) -> Option<String> {
    let Answer::Unknown(reason) = answer else { return None };
    let why = match reason {
        UnknownReason::Unwatched => "isn't read",
        UnknownReason::Produced => {
            "may be made by an operator that the namespace has an object for"
        }
        UnknownReason::Unreadable => "may stand in what could not be read",
        UnknownReason::Elsewhere => "may be outside of this input (--complete: it isn't)",
    };
    Some(format!("{what} {why}"))
}

fn read(root: &Node, default_namespace: &str) -> Result<Read, crate::model::DecodeError> {
    let projected = Arc::new(project(root, default_namespace)?);
    let object = &projected.meta().object_ref;
    let kind = k8s::kind(&object.api_version, &object.kind);
    let written = match kind {
        Some(Kind::Endpoints) => endpoints(root),
        Some(Kind::EndpointSlice) => slice(root),
        _ => Ok(Vec::new()),
    };
    let resolver = kind.map_or_else(|| Ok(Resolver::default()), |kind| resolver(root, kind));
    let (written, resolver) =
        written.and_then(|written| Ok((written, resolver?))).map_err(|wrong| wrong.within(root))?;
    let written = match &projected.object {
        Object::Endpoints(endpoints) if kind == Some(Kind::Endpoints) => {
            mirrored(written, &endpoints.subsets)
        }
        _ => written,
    };
    Ok(Read { written, resolver, projected })
}

/// The most addresses with the same ports that a controller mirrors.
const MIRRORED: usize = 1000;

/// What a controller mirrors of Endpoints: subsets with the same ports are one, and
/// of each the first addresses count, those that are ready before all others.
///
/// # Source
/// kubernetes v1.36 `pkg/controller/endpointslicemirroring/reconciler.go` `reconcile`;
/// `pkg/api/v1/endpoints/util.go` `RepackSubsets`.
fn mirrored(written: Vec<Written>, subsets: &[EndpointSubset]) -> Vec<Written> {
    if written.len() <= MIRRORED {
        return written;
    }
    let mut by_ports: BTreeMap<Vec<&EndpointPort>, Vec<Written>> = BTreeMap::new();
    for one in written {
        let subset = subsets.get(one.subset);
        let mut ports: Vec<_> = subset.into_iter().flat_map(|subset| &subset.ports).collect();
        ports.sort_unstable();
        by_ports.entry(ports).or_default().push(one);
    }
    let first = |mut all: Vec<Written>| {
        all.sort_by(|a, b| (!a.ready, &a.address).cmp(&(!b.ready, &b.address)));
        all.truncate(MIRRORED);
        all
    };
    by_ports.into_values().flat_map(first).collect()
}

fn endpoints(root: &Node) -> Decoded<'_, Vec<Written>> {
    let mut written = Vec::new();
    for (index, subset) in root.objects("subsets")?.iter().enumerate() {
        for (key, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            for address in subset.objects(key)? {
                written.push(Written {
                    subset: index,
                    address: address.text("ip")?.unwrap_or_default().to_owned(),
                    hostname: address.filled("hostname")?.map(str::to_owned),
                    ready,
                });
            }
        }
    }
    Ok(written)
}

fn slice(root: &Node) -> Decoded<'_, Vec<Written>> {
    let mut written = Vec::new();
    for endpoint in root.objects("endpoints")? {
        let conditions = endpoint.object("conditions")?;
        let conditions = conditions.filter(|it| it.present("ready").is_some());
        // Missing is as good as true: see `model::endpoints`.
        let ready = conditions.map_or(Ok(true), |conditions| conditions.flag("ready"))?;
        let hostname = endpoint.filled("hostname")?;
        for (_, address) in endpoint.texts("addresses")? {
            written.push(Written {
                subset: 0,
                address: address.to_owned(),
                hostname: hostname.map(str::to_owned),
                ready,
            });
        }
    }
    Ok(written)
}

fn resolver(root: &Node, kind: Kind) -> Decoded<'_, Resolver> {
    let Some((_, Some(node))) = template(root, kind)? else { return Ok(Resolver::default()) };
    let Some(spec) = node.object("spec")? else { return Ok(Resolver::default()) };
    let Some(config) = spec.object("dnsConfig")? else { return Ok(Resolver::default()) };
    let texts = |key| -> Decoded<'_, Vec<String>> {
        Ok(config.texts(key)?.into_iter().map(|(_, text)| text.to_owned()).collect())
    };
    let mut ndots = None;
    for option in config.objects("options")? {
        if option.text("name")? == Some("ndots") {
            // What isn't a number, the resolver ignores.
            ndots = option.text("value")?.and_then(|value| value.parse().ok());
        }
    }
    Ok(Resolver { searches: texts("searches")?, nameservers: texts("nameservers")?, ndots })
}
