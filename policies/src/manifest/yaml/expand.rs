//! What is written to what it means: aliases, merges, keys.

use std::collections::{HashMap, HashSet};

use super::compose::{Item, Kind};
use crate::manifest::node::{Entry, Node, Value};
use crate::manifest::problem::Problem;
use crate::manifest::scalar::Scalar;
use crate::manifest::{Duplicate, MAX_DEPTH};

/// Text that aliases may add to a document, in bytes. go-yaml shares strings
/// and counts nodes only; here they are copies.
const MAX_ALIASED_BYTES: usize = 64 << 20;

/// From this size on a mapping's keys are looked up by hash.
const HASHED_KEYS: usize = 24;

/// Makes the tree; keys that are written twice are added to `duplicates`. None
/// where nothing is written, or only null.
pub(super) fn expand(
    items: Vec<Item>,
    duplicates: &mut Vec<Duplicate>,
) -> Result<Option<Node>, Problem> {
    if items.is_empty() {
        return Ok(None);
    }
    let mut expander = Expander {
        items,
        duplicates,
        decoded: 0,
        aliased: 0,
        aliased_bytes: 0,
        alias_depth: 0,
        depth: 0,
    };
    let root = expander.node(0)?;
    Ok((!root.is_null()).then_some(root))
}

struct Expander<'d> {
    items: Vec<Item>,
    duplicates: &'d mut Vec<Duplicate>,
    /// Nodes made, as go-yaml counts them.
    decoded: u64,
    /// Nodes made inside of aliases.
    aliased: u64,
    aliased_bytes: usize,
    alias_depth: usize,
    depth: usize,
}

impl Expander<'_> {
    /// Counts a node.
    ///
    /// # Source
    /// `decoder.unmarshal` and `allowedAliasRatio` in `decode.go`.
    fn count(&mut self, at: usize) -> Result<(), Problem> {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        self.decoded += 1;
        if self.alias_depth == 0 {
            return Ok(());
        }
        self.aliased += 1;
        if self.aliased > 100 && self.decoded > 1000 {
            let decoded = self.decoded as f64;
            let allowed = 0.99 - 0.89 * ((decoded.clamp(LOW, HIGH) - LOW) / (HIGH - LOW));
            if self.aliased as f64 / decoded > allowed {
                return Err(self.excessive(at));
            }
        }
        Ok(())
    }

    fn excessive(&self, at: usize) -> Problem {
        let message = "the aliases of this document multiply its content beyond what kubectl and headlint accept: \
                       write less with anchors and aliases";
        Problem::new(self.items[at].span.start, message.to_owned())
    }

    fn node(&mut self, at: usize) -> Result<Node, Problem> {
        self.count(at)?;
        let Item { span, style, .. } = self.items[at];
        let value = match self.items[at].kind {
            Kind::Alias { target } => return self.alias(target as usize, Self::node),
            Kind::Merge => Value::String("<<".to_owned()),
            Kind::Scalar(_) => {
                let scalar = self.scalar(at)?;
                scalar.into_value().map_err(|message| Problem::new(span.start, message))?
            }
            Kind::Sequence { end } => {
                self.descend(at)?;
                let mut nodes = Vec::new();
                let mut child = at + 1;
                while child < end as usize {
                    nodes.push(self.node(child)?);
                    child = self.behind(child);
                }
                self.depth -= 1;
                Value::Sequence(nodes)
            }
            Kind::Mapping { .. } => {
                let mut entries = Entries::default();
                self.mapping(at, &mut entries, false)?;
                Value::Mapping(entries.list)
            }
        };
        Ok(Node { value, span, style })
    }

    fn alias<T>(
        &mut self,
        target: usize,
        make: impl FnOnce(&mut Self, usize) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.alias_depth += 1;
        let made = make(self, target);
        self.alias_depth -= 1;
        made
    }

    /// Adds a mapping's entries. A merge acts where it stands: it overrides
    /// what is before it, and what is behind it overrides the merge.
    fn mapping(&mut self, at: usize, entries: &mut Entries, merged: bool) -> Result<(), Problem> {
        let Kind::Mapping { end } = self.items[at].kind else {
            return Err(self.no_map(at));
        };
        self.descend(at)?;
        let mut key = at + 1;
        while key < end as usize {
            let value = self.behind(key);
            if matches!(self.items[key].kind, Kind::Merge) {
                self.merge(value, entries)?;
            } else {
                let entry = Entry {
                    key: self.key(key)?,
                    key_span: self.items[key].span,
                    value: self.node(value)?,
                };
                let duplicate = entries.insert(entry, merged);
                if self.alias_depth == 0 {
                    self.duplicates.extend(duplicate);
                }
            }
            key = self.behind(value);
        }
        self.depth -= 1;
        Ok(())
    }

    /// # Source
    /// `decoder.merge` in `decode.go`: of a list, the first has precedence.
    fn merge(&mut self, at: usize, entries: &mut Entries) -> Result<(), Problem> {
        match self.items[at].kind {
            Kind::Sequence { end } => {
                let mut children = Vec::new();
                let mut child = at + 1;
                while child < end as usize {
                    children.push(child);
                    child = self.behind(child);
                }
                children.into_iter().rev().try_for_each(|child| self.merge_one(child, entries))
            }
            _ => self.merge_one(at, entries),
        }
    }

    fn merge_one(&mut self, at: usize, entries: &mut Entries) -> Result<(), Problem> {
        self.count(at)?;
        match self.items[at].kind {
            Kind::Alias { target } => {
                let target = target as usize;
                if !matches!(self.items[target].kind, Kind::Mapping { .. }) {
                    return Err(self.no_map(at));
                }
                self.alias(target, |this, target| {
                    this.count(target)?;
                    this.mapping(target, entries, true)
                })
            }
            _ => self.mapping(at, entries, true),
        }
    }

    fn no_map(&self, at: usize) -> Problem {
        let message = "`<<` merges a mapping or a list of mappings, and this is neither: \
                       give it an alias of a mapping, or quote the key";
        Problem::new(self.items[at].span.start, message.to_owned())
    }

    fn key(&mut self, at: usize) -> Result<String, Problem> {
        self.count(at)?;
        let start = self.items[at].span.start;
        match self.items[at].kind {
            Kind::Alias { target } => self.alias(target as usize, Self::key),
            Kind::Merge => Ok("<<".to_owned()),
            Kind::Scalar(_) => {
                self.scalar(at)?.into_key().map_err(|message| Problem::new(start, message))
            }
            Kind::Sequence { .. } | Kind::Mapping { .. } => {
                let message = "a list or a mapping can't be a key: quote the key if it is a string";
                Err(Problem::new(start, message.to_owned()))
            }
        }
    }

    /// Takes the scalar, or a copy where an alias may need it again.
    fn scalar(&mut self, at: usize) -> Result<Scalar, Problem> {
        let Item { kind: Kind::Scalar(scalar), shared, .. } = &mut self.items[at] else {
            return Ok(Scalar::Null);
        };
        if !*shared {
            return Ok(std::mem::replace(scalar, Scalar::Null));
        }
        let copy = scalar.clone();
        if let (Scalar::Str(text), 1..) = (&copy, self.alias_depth) {
            self.aliased_bytes += text.len();
            if self.aliased_bytes > MAX_ALIASED_BYTES {
                return Err(self.excessive(at));
            }
        }
        Ok(copy)
    }

    fn descend(&mut self, at: usize) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Problem::too_deep(self.items[at].span.start));
        }
        Ok(())
    }

    /// Index of the item behind the one at `at` and all it holds.
    fn behind(&self, at: usize) -> usize {
        match self.items[at].kind {
            Kind::Sequence { end } | Kind::Mapping { end } => end as usize,
            _ => at + 1,
        }
    }
}

/// A mapping in the making.
#[derive(Default)]
pub(in crate::manifest) struct Entries {
    pub(in crate::manifest) list: Vec<Entry>,
    /// Index of each key, once there are [`HASHED_KEYS`].
    index: HashMap<String, usize>,
    /// Indices of entries that came by a merge, which may be overridden.
    merged: HashSet<usize>,
}

impl Entries {
    /// Adds an entry; one of the same key gives it its place. Says where a key
    /// is written twice in one mapping.
    pub(in crate::manifest) fn insert(&mut self, entry: Entry, merged: bool) -> Option<Duplicate> {
        let Some(at) = self.find(&entry.key) else {
            let at = self.list.len();
            if !self.index.is_empty() {
                self.index.insert(entry.key.clone(), at);
            }
            if merged {
                self.merged.insert(at);
            }
            self.list.push(entry);
            if self.list.len() == HASHED_KEYS {
                let keys = self.list.iter().enumerate();
                self.index = keys.map(|(at, entry)| (entry.key.clone(), at)).collect();
            }
            return None;
        };
        let key = entry.key.clone();
        let last = entry.key_span;
        let first = std::mem::replace(&mut self.list[at], entry);
        let was_merged = if merged { !self.merged.insert(at) } else { self.merged.remove(&at) };
        (!merged && !was_merged).then(|| Duplicate {
            key,
            first: first.key_span,
            last,
            same: first.value.to_json() == self.list[at].value.to_json(),
        })
    }

    fn find(&self, key: &str) -> Option<usize> {
        if self.index.is_empty() {
            self.list.iter().position(|entry| entry.key == key)
        } else {
            self.index.get(key).copied()
        }
    }
}
