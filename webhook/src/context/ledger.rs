//! What one watch knows of: enough to tell what vanished from a new list, and
//! which objects are to be looked at again. The objects themselves are in the
//! inventory.

use std::collections::HashMap;

use headlint_policies::model::ObjectRef;
use jiff::Timestamp;

/// Namespace and name.
pub(super) type Key = (Box<str>, Box<str>);

/// An object that may be under review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewable {
    /// Which one.
    pub object: ObjectRef,
    /// `metadata.uid`.
    pub uid: String,
    /// Since when it is as it is, as far as that was seen.
    pub since: Timestamp,
}

#[derive(Debug)]
struct Entry {
    /// Of the last list that had it, or whose watch did.
    list: u32,
    digest: u64,
    /// Whether it is in the inventory; otherwise it couldn't be read.
    readable: bool,
    /// None for what a controller wrote.
    stamp: Option<Stamp>,
}

/// What tells an object from a later one of its name, and how old it is.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) uid: Box<str>,
    pub(super) since: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    known: HashMap<Key, Entry>,
    list: u32,
    malformed: usize,
}

impl Ledger {
    /// A new list begins: what isn't seen until [`finish`](Self::finish) is gone.
    pub(super) fn begin(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    /// Sees an object. Tells whether it is known in just this form.
    pub(super) fn see(&mut self, key: &Key, digest: u64) -> bool {
        match self.known.get_mut(key) {
            Some(entry) if entry.digest == digest => {
                entry.list = self.list;
                true
            }
            _ => false,
        }
    }

    /// Enters an object, or its new form.
    pub(super) fn enter(&mut self, key: Key, digest: u64, readable: bool, stamp: Option<Stamp>) {
        self.malformed += usize::from(!readable);
        let entry = Entry { list: self.list, digest, readable, stamp };
        if let Some(old) = self.known.insert(key, entry) {
            self.malformed -= usize::from(!old.readable);
        }
    }

    /// Strikes an object out. Tells whether it was known.
    pub(super) fn strike(&mut self, key: &Key) -> bool {
        let Some(old) = self.known.remove(key) else { return false };
        self.malformed -= usize::from(!old.readable);
        true
    }

    /// The list is complete: what it lacked is struck out, and returned.
    pub(super) fn finish(&mut self) -> Vec<Key> {
        let list = self.list;
        let gone = self.known.iter().filter(|(_, entry)| entry.list != list);
        let gone: Vec<_> = gone.map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.strike(key);
        }
        gone
    }

    /// Strikes everything out, and returns it.
    pub(super) fn clear(&mut self) -> Vec<Key> {
        self.malformed = 0;
        std::mem::take(&mut self.known).into_keys().collect()
    }

    /// How many are in the inventory.
    pub(super) fn objects(&self) -> usize {
        self.known.len() - self.malformed
    }

    /// How many couldn't be read.
    pub(super) fn malformed(&self) -> usize {
        self.malformed
    }

    /// Namespace, name and stamp of what nobody controls.
    pub(super) fn stamped(&self) -> impl Iterator<Item = (&Key, &Stamp)> {
        let readable = self.known.iter().filter(|(_, entry)| entry.readable);
        readable.filter_map(|(key, entry)| Some((key, entry.stamp.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        ("n".into(), name.into())
    }

    #[test]
    fn what_a_list_lacks_is_gone_even_after_a_list_that_broke_off() {
        let mut ledger = Ledger::default();
        ledger.begin();
        for name in ["a", "b", "c"] {
            assert!(!ledger.see(&key(name), 1));
            ledger.enter(key(name), 1, name != "c", None);
        }
        assert_eq!(ledger.finish(), []);
        assert_eq!((ledger.objects(), ledger.malformed()), (2, 1));
        // It breaks off after `d`, and the next one has only `a`.
        ledger.begin();
        ledger.enter(key("d"), 1, true, None);
        ledger.begin();
        assert!(ledger.see(&key("a"), 1));
        let mut gone = ledger.finish();
        gone.sort();
        assert_eq!(gone, [key("b"), key("c"), key("d")]);
        assert_eq!((ledger.objects(), ledger.malformed()), (1, 0));
    }

    #[test]
    fn another_form_is_no_longer_known() {
        let mut ledger = Ledger::default();
        ledger.enter(key("a"), 1, false, None);
        assert!(ledger.see(&key("a"), 1));
        assert!(!ledger.see(&key("a"), 2));
        ledger.enter(key("a"), 2, true, None);
        assert_eq!((ledger.objects(), ledger.malformed()), (1, 0));
        assert!(ledger.strike(&key("a")));
        assert!(!ledger.strike(&key("a")));
        assert_eq!(ledger.clear(), []);
    }
}
