//! What one replica does next: a pure function of what it sees, what it serves
//! and the time.

use std::fmt;

use jiff::Timestamp;

use super::issue::{self, SKEW};
use super::material::{Authority, Data, Material, Pair, Signer, authorities, bundle};
use super::{Lifetimes, after};

/// What a replica sees of the cluster; either part may be out of date.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) secret: Secret,
    /// The caBundle of each webhook of the configuration, by name; `None` when
    /// there is no configuration.
    pub(super) bundles: Option<Vec<(String, Vec<u8>)>>,
    /// Since when nothing of it has changed.
    pub(super) since: Timestamp,
}

/// The Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// There is none.
    Absent,
    /// It's ours, or empty.
    Ours(Data),
    /// It holds something that isn't ours, under these keys.
    Foreign(String),
}

/// What to do next. After each step but the last two, the next one is looked for
/// at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Serve this certificate from now on.
    Serve(Box<Pair>),
    /// Write into the Secret, if it is still as seen.
    Store(Box<Change>),
    /// Write this into each caBundle, if the Secret and the configuration are
    /// still as seen.
    Trust(Vec<u8>),
    /// Nothing, until something changes or this time has come.
    Wait(Timestamp),
    /// The Secret isn't ours: leave it alone. It holds these keys.
    Refuse(String),
}

/// A change of the Secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Why, for the log.
    pub(super) reason: Reason,
    /// Authorities that stay trusted.
    trusted: Vec<Authority>,
    /// Who signs; a new authority, if nobody.
    signer: Option<Signer>,
    serving: NewServing,
}

#[derive(Debug, PartialEq, Eq)]
enum NewServing {
    Keep(Pair),
    /// Make one for these names.
    Make(Vec<String>),
}

/// Why the Secret is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    AuthorityMissing,
    AuthorityDue,
    ServingMissing,
    ServingDue,
    ServingOfOldAuthority,
    NameMissing,
    StillServed,
    Superseded,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthorityMissing => "no usable authority with its key: there is a new one",
            Self::AuthorityDue => "the authority is due: there is a new one beside it",
            Self::ServingMissing => "no usable serving certificate with its key: it is replaced",
            Self::ServingDue => "the serving certificate is due: it is renewed",
            Self::ServingOfOldAuthority => {
                "the new authority is trusted: it signed a new serving certificate"
            }
            Self::NameMissing => "the serving certificate lacks a name: it is replaced",
            Self::StillServed => "the authority of a certificate in use was missing: it is back",
            Self::Superseded => "no certificate of an old authority is valid any more: it is gone",
        })
    }
}

impl Change {
    /// What the Secret is to hold.
    ///
    /// # Errors
    /// When a certificate can't be made: a name is no DNS name.
    pub(super) fn carry_out(
        self,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Result<Material, rcgen::Error> {
        let mut trusted = self.trusted;
        let signer = match self.signer {
            Some(signer) => signer,
            None => issue::authority(now, lifetimes.authority)?,
        };
        for authority in [Some(&signer.authority), self.serving.authority()].into_iter().flatten() {
            if !trusted.contains(authority) {
                trusted.push(authority.clone());
            }
        }
        let serving = match self.serving {
            NewServing::Keep(pair) => pair,
            NewServing::Make(names) => issue::serving(&signer, names, now, lifetimes.serving)?,
        };
        Ok(Material { trusted, signer: Some(signer), serving: Some(serving) })
    }
}

impl NewServing {
    fn authority(&self) -> Option<&Authority> {
        match self {
            Self::Keep(pair) => Some(&pair.authority),
            Self::Make(_) => None,
        }
    }
}

impl Seen {
    /// Whether each caBundle carries the authority.
    pub(super) fn carries(&self, authority: &Authority, now: Timestamp) -> bool {
        self.bundles.as_ref().is_some_and(|bundles| {
            bundles.iter().all(|(_, bundle)| authorities(bundle, now).contains(authority))
        })
    }
}

/// What to do next.
pub(super) fn next(
    seen: &Seen,
    served: Option<&Pair>,
    names: &[String],
    lifetimes: &Lifetimes,
    now: Timestamp,
) -> Step {
    let material = match &seen.secret {
        Secret::Absent => Material::default(),
        Secret::Ours(data) => Material::read(data, now),
        Secret::Foreign(keys) => return Step::Refuse(keys.clone()),
    };
    // An expired certificate serves nobody.
    let served = served.filter(|pair| !pair.validity.expired(now));
    let plan = Plan { seen, material, served, names, lifetimes, now };
    plan.serve()
        .or_else(|| plan.store().map(|change| Step::Store(Box::new(change))))
        .or_else(|| plan.trust())
        .unwrap_or_else(|| Step::Wait(plan.deadline()))
}

struct Plan<'a> {
    seen: &'a Seen,
    material: Material,
    served: Option<&'a Pair>,
    names: &'a [String],
    lifetimes: &'a Lifetimes,
    now: Timestamp,
}

impl Plan<'_> {
    fn settles(&self) -> Timestamp {
        after(self.seen.since, self.lifetimes.settle)
    }

    fn settled(&self) -> bool {
        self.settles() <= self.now
    }

    /// Nothing is served, or the Secret's certificate is trusted wherever the
    /// one in use is. The last holds for long before somebody stores it, unless
    /// a new authority had to be made without knowing the one in use.
    fn serve(&self) -> Option<Step> {
        let pair = self.material.serving.as_ref()?;
        let trusted = || self.settled() && self.seen.carries(&pair.authority, self.now);
        let useful = match self.served {
            None => true,
            Some(served) if served == pair => false,
            Some(served) => served.authority == pair.authority || trusted(),
        };
        useful.then(|| Step::Serve(Box::new(pair.clone())))
    }

    fn store(&self) -> Option<Change> {
        let Material { trusted, signer, serving } = &self.material;
        let usable = serving.as_ref().or(self.served);
        let keep_or_make = || match usable {
            Some(pair) => NewServing::Keep(pair.clone()),
            None => NewServing::Make(self.names.to_vec()),
        };
        let change = |reason, signer: Option<&Signer>, serving| {
            let mut trusted = trusted.clone();
            trusted.extend(self.lost_authority().cloned());
            Some(Change { reason, trusted, signer: signer.cloned(), serving })
        };
        let Some(signer) = signer else {
            return change(Reason::AuthorityMissing, None, keep_or_make());
        };
        if signer.authority.validity.due() <= self.now {
            return change(Reason::AuthorityDue, None, keep_or_make());
        }
        let signer = Some(signer);
        let Some(serving) = serving else {
            return change(Reason::ServingMissing, signer, keep_or_make());
        };
        if let Some((reason, names)) = self.renewal(serving) {
            return change(reason, signer, NewServing::Make(names));
        }
        let keep = NewServing::Keep(serving.clone());
        if self.lost_authority().is_some() {
            return change(Reason::StillServed, signer, keep);
        }
        let needed = self.needed_authorities();
        (needed.len() < trusted.len()).then(|| Change {
            reason: Reason::Superseded,
            trusted: needed,
            signer: signer.cloned(),
            serving: keep,
        })
    }

    /// The authority of what this replica serves, if the Secret doesn't name it.
    fn lost_authority(&self) -> Option<&Authority> {
        let authority = &self.served?.authority;
        let lost =
            !self.material.trusted.contains(authority) && !authority.validity.expired(self.now);
        lost.then_some(authority)
    }

    /// Whether the signer is to make another certificate: why, and its names.
    fn renewal(&self, serving: &Pair) -> Option<(Reason, Vec<String>)> {
        let signer = &self.material.signer.as_ref()?.authority;
        let own = serving.authority == *signer;
        if !own && !(self.settled() && self.seen.carries(signer, self.now)) {
            return None;
        }
        if !own {
            return Some((Reason::ServingOfOldAuthority, self.names.to_vec()));
        }
        if serving.validity.due() <= self.now {
            return Some((Reason::ServingDue, self.names.to_vec()));
        }
        let missing = self.names.iter().filter(|name| !serving.names.contains(name));
        let missing: Vec<_> = missing.cloned().collect();
        // The names that are there stay, so that replicas of two versions with
        // different names don't fight.
        (!missing.is_empty())
            .then(|| (Reason::NameMissing, [serving.names.clone(), missing].concat()))
    }

    /// When no certificate of the authority can be valid any more: it signed
    /// nothing after the first authority that came after it. `None` if nothing
    /// came after.
    fn superseded(&self, authority: &Authority) -> Option<Timestamp> {
        let issued = |authority: &Authority| authority.validity.issued;
        let later = self.material.trusted.iter().map(issued);
        let successor = later.filter(|later| *later > issued(authority)).min()?;
        Some(after(after(successor, self.lifetimes.serving), SKEW))
    }

    fn needed_authorities(&self) -> Vec<Authority> {
        let Material { trusted, signer, serving } = &self.material;
        let in_use = [
            signer.as_ref().map(|signer| &signer.authority),
            serving.as_ref().map(|pair| &pair.authority),
            self.served.map(|pair| &pair.authority),
        ];
        let needed = |authority: &&Authority| {
            in_use.contains(&Some(*authority))
                || self.superseded(authority).is_none_or(|time| time > self.now)
        };
        trusted.iter().filter(needed).cloned().collect()
    }

    /// What is missing in a caBundle is added at once. What is too much goes
    /// when it has been so for a while: a replica may be about to say that it
    /// needs it, and after a change from other certificates they are still in
    /// use.
    fn trust(&self) -> Option<Step> {
        let bundles = self.seen.bundles.as_ref()?;
        let trusted = &self.material.trusted;
        let exact = bundle(trusted);
        if bundles.iter().all(|(_, bundle)| *bundle == exact) {
            return None;
        }
        if self.settled() {
            return Some(Step::Trust(exact));
        }
        if trusted.iter().all(|authority| self.seen.carries(authority, self.now)) {
            return None;
        }
        let mut union = trusted.clone();
        for authority in bundles.iter().flat_map(|(_, bundle)| authorities(bundle, self.now)) {
            if !union.contains(&authority) {
                union.push(authority);
            }
        }
        Some(Step::Trust(bundle(&union)))
    }

    /// When the passing of time alone may ask for something.
    fn deadline(&self) -> Timestamp {
        let Material { trusted, signer, serving } = &self.material;
        let authorities = trusted.iter().filter_map(|authority| self.superseded(authority));
        let expiries = trusted.iter().map(|authority| authority.validity.expires);
        let signers = signer.iter().map(|signer| signer.authority.validity.due());
        let pairs = serving.iter().map(|pair| &pair.validity);
        let pairs = pairs.flat_map(|validity| [validity.due(), validity.expires]);
        let times = authorities.chain(expiries).chain(signers).chain(pairs);
        let times = times.chain([self.settles()]).filter(|time| *time > self.now);
        times.min().unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests;
