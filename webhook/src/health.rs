//! Whether this replica should be asked: a set of named gates that other
//! modules open and close.

use std::sync::{Arc, Mutex, PoisonError};

/// All gates of the process, in the order in which they were made. Clones share
/// them.
#[derive(Clone, Debug, Default)]
pub struct Gates(Arc<Mutex<Vec<Gate>>>);

/// One condition of readiness. Clones are the same gate; a new one is closed.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    name: &'static str,
    /// Why it is closed; none when it is open.
    closed: Mutex<Option<String>>,
}

impl Gates {
    /// A new gate, closed for the reason given.
    #[must_use]
    pub fn gate(&self, name: &'static str, reason: &str) -> Gate {
        let gate = Gate(Arc::new(Inner { name, closed: Mutex::new(Some(reason.to_owned())) }));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(gate.clone());
        gate
    }

    /// Whether all gates are open.
    #[must_use]
    pub fn are_open(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().all(Gate::is_open)
    }

    /// One line for each gate, in the style of kube-apiserver's `/readyz?verbose`.
    #[must_use]
    pub fn describe(&self) -> String {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = gates.iter().map(|gate| match gate.reason() {
            None => format!("[+] {} ok\n", gate.0.name),
            Some(reason) => format!("[-] {}: {reason}\n", gate.0.name),
        });
        lines.collect()
    }
}

impl Gate {
    /// The condition holds.
    pub fn open(&self) {
        *self.0.closed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The condition doesn't hold, for this reason.
    pub fn close(&self, reason: impl Into<String>) {
        *self.0.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.into());
    }

    /// Whether the condition holds.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.closed.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn reason(&self) -> Option<String> {
        self.0.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_until_all_gates_are_open() {
        let gates = Gates::default();
        assert!(gates.are_open());
        let context = gates.gate("context", "not listed yet: Pod");
        let certificate = gates.gate("certificate", "none yet");
        context.clone().open();
        assert!(!gates.are_open());
        assert_eq!(gates.describe(), "[+] context ok\n[-] certificate: none yet\n");
        certificate.open();
        assert!(gates.are_open());
        context.close("the watch of Pod is down");
        assert_eq!(gates.describe(), "[-] context: the watch of Pod is down\n[+] certificate ok\n");
    }
}
