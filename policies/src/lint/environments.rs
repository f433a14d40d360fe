//! Environments beside each other in one tree: `dev/db.yaml` and `prod/db.yaml`
//! hold one object in two forms, which never meet in a cluster.
//!
//! Where two objects have the same identity, the later one counts, as it would
//! if both were applied. Below the folder in which the paths of the two part,
//! the earlier one counts instead: what is in `dev/` is judged beside what is in
//! `dev/`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Item;
use super::locate::Places;
use crate::inventory::{Change, Inventory, Snapshot};
use crate::k8s;
use crate::model::ObjectRef;

/// What objects are judged beside, and where these are.
pub(super) struct Environment<'d> {
    pub(super) inventory: Arc<dyn Inventory + Send + Sync>,
    pub(super) places: Arc<Places<'d>>,
    snapshot: Snapshot,
}

impl<'d> Environment<'d> {
    fn new(snapshot: Snapshot, places: Places<'d>) -> Self {
        let inventory: Arc<dyn Inventory + Send + Sync> = Arc::new(snapshot.clone());
        Self { inventory, places: Arc::new(places), snapshot }
    }
}

/// All environments of a run.
pub(super) struct Environments<'d> {
    /// The one that counts everywhere else.
    common: Environment<'d>,
    /// By the folder, or file, that they are in.
    apart: BTreeMap<PathBuf, Environment<'d>>,
}

/// Whether two objects are one: the version of the API doesn't count.
fn identity(object: &ObjectRef) -> (&str, &str, &str, &str) {
    (k8s::group(&object.api_version), &object.kind, &object.namespace, &object.name)
}

fn path(item: &Item) -> &Path {
    Path::new(&item.document.source().name)
}

impl<'d> Environments<'d> {
    /// Of items that stand for themselves, with the snapshot of all of them.
    pub(super) fn new(items: impl Iterator<Item = &'d Item> + Clone, snapshot: Snapshot) -> Self {
        let named = items.clone().filter(|item| !item.projected.meta().object_ref.name.is_empty());
        let last: HashMap<_, _> =
            named.clone().map(|item| (identity(&item.projected.meta().object_ref), item)).collect();
        let mut groups: BTreeMap<PathBuf, Vec<&Item>> = BTreeMap::new();
        for item in named {
            let winner = last[&identity(&item.projected.meta().object_ref)];
            if let Some(folder) = parting(path(item), path(winner)) {
                groups.entry(folder).or_default().push(item);
            }
        }
        let common = Environment::new(snapshot, Places::new(items.map(located), None));
        let mut apart: BTreeMap<PathBuf, Environment<'d>> = BTreeMap::new();
        // A folder comes before what is in it.
        for (folder, items) in groups {
            let around = folder.ancestors().skip(1).find_map(|folder| apart.get(folder));
            let around = around.unwrap_or(&common);
            let changes: Vec<_> =
                items.iter().map(|item| Change::Put(Arc::clone(&item.projected))).collect();
            let snapshot = around.snapshot.over_all(&changes);
            let below = Some(Arc::clone(&around.places));
            let places = Places::new(items.into_iter().map(located), below);
            apart.insert(folder, Environment::new(snapshot, places));
        }
        Self { common, apart }
    }

    /// The one that an item is in.
    pub(super) fn of(&self, item: &Item) -> &Environment<'d> {
        if self.apart.is_empty() {
            return &self.common;
        }
        let apart = path(item).ancestors().find_map(|folder| self.apart.get(folder));
        apart.unwrap_or(&self.common)
    }
}

fn located(item: &Item) -> (&crate::manifest::Document, &crate::model::Projected) {
    (&item.document, &item.projected)
}

/// The first part of a path that another one doesn't share, with all before it;
/// none where the other one is the same, or further up.
fn parting(path: &Path, other: &Path) -> Option<PathBuf> {
    let mut folder = PathBuf::new();
    let mut others = other.components();
    for component in path.components() {
        folder.push(component);
        if others.next() != Some(component) {
            return Some(folder);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_paths_part_at_the_first_difference() {
        let part = |path: &str, other: &str| {
            parting(Path::new(path), Path::new(other)).map(|folder| folder.display().to_string())
        };
        assert_eq!(part("k8s/dev/db/a.yaml", "k8s/prod/db/a.yaml").as_deref(), Some("k8s/dev"));
        assert_eq!(part("/k8s/a.yaml", "/k8s/b.yaml").as_deref(), Some("/k8s/a.yaml"));
        assert_eq!(part("./dev/a.yaml", "./a.yaml").as_deref(), Some("dev"));
        assert_eq!(part("a.yaml", "a.yaml"), None);
        assert_eq!(part("-", "-"), None);
    }
}
