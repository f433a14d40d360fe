//! What else exists.

pub use crate::bindings::host::{QueryError, QueryMatch, UnknownReason, Version};
/// The view of an immutable snapshot that a rule gets. In the sandbox each call
/// crosses its boundary: keep what it answers. Natively, where unit tests run, it is
/// a small world of their own.
#[cfg(not(target_family = "wasm"))]
pub use crate::fake::Snapshot as Context;
#[cfg(target_family = "wasm")]
pub use crate::host::Host as Context;

/// The answer to a look-up. Not finding a thing is no proof that it doesn't
/// exist, so every rule has to say what it does with all three.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<T> {
    /// It is there. A list has at least one entry.
    Found(T),
    /// It is certain that there is none.
    Absent,
    /// None was seen, which proves nothing.
    Unknown(UnknownReason),
}

impl<T> Answer<T> {
    /// What was found, if anything.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

impl<T> Answer<Vec<T>> {
    /// What was seen: empty unless found.
    pub fn seen(self) -> Vec<T> {
        self.found().unwrap_or_default()
    }
}
