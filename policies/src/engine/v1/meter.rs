//! What the host does for a guest is counted, and ends.

use wasmtime::Result;

use crate::engine::limits::LimitExceeded;

/// Price of one look-up, whatever it finds: a few index look-ups and a crossing.
const CALL: u64 = 100;

/// Price of one record, beside its texts.
const RECORD: u64 = 50;

/// What is left of [`super::Limits::work`]. All that is copied for a guest
/// goes through it, so that no answer is larger than the guest can pay.
#[derive(Debug)]
pub(super) struct Meter {
    left: u64,
}

impl Meter {
    pub(super) fn new(work: u64) -> Self {
        Self { left: work }
    }

    pub(super) fn left(&mut self) -> &mut u64 {
        &mut self.left
    }

    pub(super) fn take(&mut self, amount: u64) -> Result<()> {
        match self.left.checked_sub(amount) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(LimitExceeded::Work.into()),
        }
    }

    pub(super) fn call(&mut self) -> Result<()> {
        self.take(CALL)
    }

    /// Conditions of a selector that may each be held against so many objects.
    pub(super) fn matching(&mut self, conditions: usize, objects: usize) -> Result<()> {
        self.take((conditions as u64).saturating_mul(objects as u64))
    }

    /// Mentions of names that are read beside the other objects.
    pub(super) fn resolving(&mut self, mentions: usize) -> Result<()> {
        self.take(CALL + RECORD.saturating_mul(mentions as u64))
    }

    pub(super) fn text(&mut self, text: &str) -> Result<String> {
        self.take(text.len() as u64)?;
        Ok(text.to_owned())
    }

    pub(super) fn maybe(&mut self, text: Option<&String>) -> Result<Option<String>> {
        text.map(|text| self.text(text)).transpose()
    }

    pub(super) fn texts(&mut self, texts: &[String]) -> Result<Vec<String>> {
        self.list(texts, |meter, text| meter.text(text))
    }

    pub(super) fn list<T, W>(
        &mut self,
        list: &[T],
        convert: impl Fn(&mut Self, &T) -> Result<W>,
    ) -> Result<Vec<W>> {
        self.take(RECORD * list.len() as u64)?;
        list.iter().map(|one| convert(self, one)).collect()
    }
}
