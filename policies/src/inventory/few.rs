//! Lists that mostly have one entry.

/// A list whose only entry needs no room elsewhere: an index of a cluster has
/// hundreds of thousands of them.
#[derive(Debug)]
pub(super) enum Few<T> {
    One(T),
    /// None, or two and more; never shrinks back to one.
    Many(Vec<T>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> Few<T> {
    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// # Panics
    /// When `at` is beyond the end.
    pub(super) fn insert(&mut self, at: usize, entry: T) {
        *self = match std::mem::take(self) {
            Self::One(one) if at == 0 => Self::Many(vec![entry, one]),
            Self::One(one) => Self::Many(vec![one, entry]),
            Self::Many(many) if many.is_empty() => Self::One(entry),
            Self::Many(mut many) => {
                many.insert(at, entry);
                Self::Many(many)
            }
        };
    }

    /// # Panics
    /// When there is none.
    pub(super) fn remove(&mut self, at: usize) {
        match self {
            Self::One(_) => *self = Self::default(),
            Self::Many(many) => drop(many.remove(at)),
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        match self {
            Self::One(one) if keep(one) => {}
            Self::One(_) => *self = Self::default(),
            Self::Many(many) => many.retain(keep),
        }
    }
}
