//! The certificate that is served.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate that is served now.
#[derive(Debug, Default)]
pub struct Serving {
    key: ArcSwapOption<CertifiedKey>,
}

impl Serving {
    /// Serves this certificate from now on.
    pub fn install(&self, key: CertifiedKey) {
        self.key.store(Some(Arc::new(key)));
    }

    /// The certificate that is served now.
    #[must_use]
    pub fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.key.load_full()
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}
