//! How a policy can fail.

use wasmtime::Trap;

use super::limits::LimitExceeded;

/// How a policy can fail. Never a finding, and never a pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum FaultReason {
    /// The bytes are no WebAssembly component.
    #[error("not a WebAssembly component: {0}")]
    NoComponent(String),
    /// It can't be linked or described.
    #[error("can't be used: {0}")]
    Unusable(String),
    /// It was made for a contract that this engine doesn't speak.
    #[error("was made for {found}; this headlint speaks {}", super::v1::CONTRACT)]
    Version {
        /// The interface that it exports or imports.
        found: String,
    },
    /// It lacks the exports of the contract.
    #[error("doesn't export `{}`: it is no headlint policy", super::v1::RULES)]
    NoRules,
    /// It wants something that policies don't get.
    #[error("imports `{0}`, which no policy gets: a policy is a pure function")]
    Import(String),
    /// Another policy has the same name, or a rule of that id.
    #[error("{0} is taken by a policy that was loaded before")]
    Clash(String),
    /// It takes settings, and refuses to do without.
    #[error("needs settings, under `policies` in the configuration: {0}")]
    Unconfigured(String),
    /// It trapped.
    #[error("trapped: {0}")]
    Trap(String),
    /// It ran too long.
    #[error("gave no answer within {milliseconds} ms")]
    Deadline {
        /// The limit.
        milliseconds: u128,
    },
    /// The machine has no room for an instance.
    #[error("could not be given an instance: {0}")]
    NoInstance(String),
    /// It used up its stack.
    #[error("used up its stack")]
    Stack,
    /// It wanted too much memory or too many look-ups.
    #[error("{0}")]
    Limit(String),
    /// It sent more bytes than a message may have.
    #[error("sent a message of more than {limit} bytes")]
    Message {
        /// The limit.
        limit: usize,
    },
    /// It answered with more findings than one object can have.
    #[error("answered with {count} findings on one object, more than {limit}")]
    Findings {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// What it said isn't what the contract asks for.
    #[error("answered with {0}")]
    Malformed(String),
}

impl FaultReason {
    /// What an error from making an instance means.
    pub(crate) fn of_instance(error: &wasmtime::Error, limits: &super::Limits) -> Self {
        match Self::of(error, limits) {
            Self::Malformed(_) => Self::NoInstance(format!("{error:#}")),
            reason => reason,
        }
    }

    /// What an error from a call into the guest means.
    pub(crate) fn of(error: &wasmtime::Error, limits: &super::Limits) -> Self {
        if let Some(limit) = error.downcast_ref::<LimitExceeded>() {
            return Self::Limit(limit.to_string());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::Deadline { milliseconds: limits.deadline.as_millis() },
            Some(Trap::StackOverflow) => Self::Stack,
            Some(trap) => Self::Trap(trap.to_string().replace("wasm trap: ", "")),
            None => {
                // Neither a string that isn't UTF-8 nor a message that is too
                // long has an error type of its own in wasmtime 48.
                let text = format!("{error:#}");
                if text.contains("fuel") {
                    Self::Message { limit: limits.message_bytes }
                } else if text.contains("utf-8") {
                    Self::Malformed(format!("a text that isn't UTF-8: {text}"))
                } else {
                    Self::Malformed(format!("what can't be taken: {text}"))
                }
            }
        }
    }

    /// Whether asking again is pointless: it would cost the whole deadline on
    /// every object.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        matches!(self, Self::Deadline { .. })
    }
}
