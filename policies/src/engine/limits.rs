//! What one evaluation may spend.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// What one evaluation may spend. The memory and the stack are fixed in
/// `headlint_policy_pack`, for compiled code depends on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall time in the guest.
    pub deadline: Duration,
    /// How often the clock is looked at: the grain of the deadline.
    pub tick: Duration,
    /// Work that look-ups and queries do for the guest, in bytes or nodes
    /// looked at: epochs interrupt a guest, never the host.
    pub work: u64,
    /// Findings on one object.
    pub findings: usize,
    /// Bytes that cross from the guest to the host in one call: the findings
    /// of an object with all their texts, or the arguments of a look-up.
    pub message_bytes: usize,
}

impl Limits {
    /// Limits that keep an evaluation within a deadline.
    #[must_use]
    pub fn within(deadline: Duration) -> Self {
        // The host copies some 10 bytes or visits one node in ten
        // nanoseconds, so its work alone ends within the deadline too.
        const WORK_PER_MILLISECOND: u64 = 100_000;
        // Far more than a person reads about one object.
        const FINDINGS: usize = 1_000;
        // A finding with related places and edits is 1 to 2 KiB.
        const BYTES_PER_FINDING: usize = 4 << 10;
        let milliseconds = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        Self {
            deadline,
            tick: Duration::from_millis(10),
            work: milliseconds.saturating_mul(WORK_PER_MILLISECOND),
            findings: FINDINGS,
            message_bytes: FINDINGS * BYTES_PER_FINDING,
        }
    }

    /// The same limits for whoever can't wait, but may ask again: a guest gets a
    /// millisecond at most before it is told to be continued elsewhere.
    #[must_use]
    pub fn in_slices(self) -> Self {
        Self { tick: SLICE / 2, ..self }
    }

    pub(crate) fn ticks(&self, patience: Patience) -> u64 {
        let time = match patience {
            Patience::Deadline => self.deadline,
            // The tick that has begun is a part of it.
            Patience::Slice => return SLICE.as_micros().div_ceil(self.tick.as_micros()) as u64,
        };
        // One more, for the current tick has already begun.
        (time.as_micros() / self.tick.as_micros()) as u64 + 1
    }
}

/// How long a thread that serves others may be held.
const SLICE: Duration = Duration::from_millis(1);

/// How long whoever asks is going to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as a policy may take.
    Deadline,
    /// Until a slice of time is over. A policy is a pure function: it can be
    /// asked once more, on a thread that nobody waits for.
    Slice,
}

impl Default for Limits {
    /// Five seconds: a hundred thousand times what a built-in policy takes, so
    /// that a busy machine makes no fault.
    fn default() -> Self {
        Self::within(Duration::from_secs(5))
    }
}

/// Why an evaluation was stopped by the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitExceeded {
    #[error("wants more than {} MiB of memory", headlint_policy_pack::MEMORY_LIMIT >> 20)]
    Memory,
    #[error("its look-ups cost more than one evaluation may spend")]
    Work,
}

/// Keeps an instance's memory within the limit, and its peak.
#[derive(Debug, Default)]
pub(crate) struct MemoryMeter {
    pub(crate) peak: usize,
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > headlint_policy_pack::MEMORY_LIMIT {
            // A refusal would let the guest abort with a trap that doesn't
            // tell why.
            return Err(LimitExceeded::Memory.into());
        }
        self.peak = self.peak.max(desired);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

/// Entries of one table: a function table of the largest guests seen (a
/// JavaScript engine) has 12,000.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
