//! Environments beside each other in one tree: `dev/db.yaml` and `prod/db.yaml`
//! hold one object in two forms, which never meet in a cluster.
//!
//! Of objects with one identity the nearest counts: what is in `dev/` is judged
//! beside what is in `dev/`, and what is in `dev/eu/` beside what is there. Of
//! two that are as near the later one counts, as it would if both were applied.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Item;
use super::locate::Places;
use crate::inventory::{Change, Snapshot};

/// What objects are judged beside, and where these are.
pub(super) struct Environment<'d> {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) places: Arc<Places<'d>>,
}

impl<'d> Environment<'d> {
    fn new(snapshot: Snapshot, places: Places<'d>) -> Self {
        Self { snapshot: Arc::new(snapshot), places: Arc::new(places) }
    }
}

/// All environments of a run.
pub(super) struct Environments<'d> {
    /// The one that counts everywhere else.
    common: Environment<'d>,
    /// By the folder, or file, that they are in.
    apart: BTreeMap<PathBuf, Environment<'d>>,
    /// Items with one identity, in their order; each list has several.
    pub(super) namesakes: Vec<Vec<&'d Item>>,
}

impl<'d> Environments<'d> {
    /// Of items that stand for themselves, with the snapshot of all of them.
    pub(super) fn new(items: impl Iterator<Item = &'d Item> + Clone, snapshot: Snapshot) -> Self {
        let namesakes = namesakes(items.clone());
        let groups = apart(&namesakes);
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
        Self { common, apart, namesakes }
    }

    /// The one that an item is in.
    pub(super) fn of(&self, item: &Item) -> &Environment<'d> {
        if self.apart.is_empty() {
            return &self.common;
        }
        let apart = item.path().ancestors().find_map(|folder| self.apart.get(folder));
        apart.unwrap_or(&self.common)
    }
}

fn located(item: &Item) -> (&crate::manifest::Document, &crate::model::Projected) {
    (&item.document, &item.projected)
}

fn namesakes<'d>(items: impl Iterator<Item = &'d Item>) -> Vec<Vec<&'d Item>> {
    let mut namesakes: HashMap<_, Vec<&Item>> = HashMap::new();
    for item in items {
        let object = &item.projected.meta().object_ref;
        if !object.name.is_empty() {
            namesakes.entry(object.identity()).or_default().push(item);
        }
    }
    namesakes.into_values().filter(|items| items.len() > 1).collect()
}

/// What counts in a folder, or file, but not around it. Of namesakes the nearest
/// counts, and the later of two that are as near: each is apart in the topmost
/// folder that has it, and no later one.
fn apart<'d>(namesakes: &[Vec<&'d Item>]) -> BTreeMap<PathBuf, Vec<&'d Item>> {
    let mut groups: BTreeMap<PathBuf, Vec<&Item>> = BTreeMap::new();
    for items in namesakes {
        let paths: Vec<_> = items.iter().map(|item| item.path()).collect();
        for (item, folder) in items.iter().zip(folders(&paths)) {
            if let Some(folder) = folder {
                groups.entry(folder.to_owned()).or_default().push(item);
            }
        }
    }
    groups
}

/// For each of these paths, in order, the topmost folder or file on it that no
/// later path goes through; none for the last, and where a later one is the same.
fn folders<'p>(paths: &[&'p Path]) -> Vec<Option<&'p Path>> {
    let mut taken = HashSet::new();
    let mut found = vec![None; paths.len()];
    for (at, path) in paths.iter().enumerate().rev() {
        // From the path itself up: the last that is free is the topmost.
        found[at] = path.ancestors().take_while(|folder| taken.insert(*folder)).last();
    }
    if let Some(last) = found.last_mut() {
        *last = None;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_namesakes_the_nearest_counts() {
        let told = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(Path::new).collect();
            let folders = folders(&paths).into_iter();
            folders.map(|one| one.map_or(String::new(), |one| one.display().to_string())).collect()
        };
        let check = |paths: &[&str], expected: &[&str]| {
            let told: Vec<String> = told(paths);
            assert_eq!(told, expected, "{paths:?}");
        };
        check(&["k8s/dev/db/a.yaml", "k8s/prod/db/a.yaml"], &["k8s/dev", ""]);
        check(&["/k8s/a.yaml", "/k8s/b.yaml"], &["/k8s/a.yaml", ""]);
        check(&["./dev/a.yaml", "./a.yaml"], &["./dev", ""]);
        check(&["a.yaml", "a.yaml"], &["", ""]);
        check(&["-", "-", "-"], &["", "", ""]);
        // Two in one folder of which neither counts outside of it.
        check(
            &["test/eu/a.yaml", "test/us/a.yaml", "live/eu/a.yaml", "live/us/a.yaml"],
            &["test/eu", "test", "live/eu", ""],
        );
        check(&["dev/a.yaml", "dev/a.yaml", "prod/a.yaml"], &["", "dev", ""]);
    }
}
