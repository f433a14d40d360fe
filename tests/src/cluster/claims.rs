//! What a webhook with headlint's policies does with a manifest, whichever way
//! it comes.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::kubectl::{Namespace, Outcome};
use crate::cases::rule_ids;

/// A way of kubectl's to hand over a manifest.
type Way = for<'n> fn(&'n Namespace<'_>, &str) -> Outcome;

const WAYS: [(&str, Way); 3] = [
    ("apply --dry-run=server", |namespace, manifest| namespace.dry_run(manifest)),
    ("apply --server-side", |namespace, manifest| namespace.apply_server_side(manifest)),
    ("apply", |namespace, manifest| namespace.apply(manifest)),
];

/// What becomes of a manifest.
#[derive(Clone, Copy, Debug)]
pub enum Claim<'r> {
    /// It is admitted, and no rule warns.
    Accepted,
    /// It is admitted, and just this rule warns.
    Warned(&'r str),
    /// It is denied, and this rule is the reason.
    Denied(&'r str),
}

impl Namespace<'_> {
    /// [`Claim::Accepted`] holds. The manifest's objects stay.
    ///
    /// # Panics
    /// When it doesn't.
    #[track_caller]
    pub fn accepts(&self, manifest: &str) {
        self.check(Claim::Accepted, manifest).unwrap_or_else(|reason| panic!("{reason}"));
    }

    /// [`Claim::Warned`] holds. The manifest's objects stay.
    ///
    /// # Panics
    /// When it doesn't.
    #[track_caller]
    pub fn warns_with(&self, rule: &str, manifest: &str) {
        self.check(Claim::Warned(rule), manifest).unwrap_or_else(|reason| panic!("{reason}"));
    }

    /// [`Claim::Denied`] holds.
    ///
    /// # Panics
    /// When it doesn't.
    #[track_caller]
    pub fn denies_with(&self, rule: &str, manifest: &str) {
        self.check(Claim::Denied(rule), manifest).unwrap_or_else(|reason| panic!("{reason}"));
    }

    /// Hands over the manifest in every way, each time as if it were new.
    ///
    /// # Errors
    /// Why the claim doesn't hold.
    pub fn check(&self, claim: Claim<'_>, manifest: &str) -> Result<(), String> {
        for (way, hand_over) in WAYS {
            let _ = self.delete(manifest).succeeded();
            let outcome = hand_over(self, manifest);
            if !holds(claim, &outcome) {
                return Err(format!(
                    "not {claim:?} by {way}: {}{}",
                    outcome.stdout, outcome.stderr
                ));
            }
        }
        Ok(())
    }
}

fn holds(claim: Claim<'_>, outcome: &Outcome) -> bool {
    let warned = rules(&outcome.warnings());
    match claim {
        Claim::Accepted => outcome.success && warned.is_empty(),
        Claim::Warned(rule) => outcome.success && warned == [rule],
        Claim::Denied(rule) => !outcome.success && rules(outcome.denial().as_slice()) == [rule],
    }
}

/// The ids that texts begin with, each once; the API server has warnings of its
/// own.
fn rules<'t>(texts: &[&'t str]) -> Vec<&'t str> {
    static IDS: OnceLock<BTreeSet<String>> = OnceLock::new();
    let ids = IDS.get_or_init(rule_ids);
    let rules: BTreeSet<_> = texts
        .iter()
        .filter_map(|text| Some(text.split_once(": ")?.0))
        .filter(|rule| ids.contains(*rule))
        .collect();
    rules.into_iter().collect()
}
