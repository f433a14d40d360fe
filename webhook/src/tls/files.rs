//! A certificate and its key from files, such as a mounted Secret's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{Serving, TlsError, provider};
use crate::watch::{Contents, Watched};

/// Where the certificate chain and its key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key of the leaf.
    pub key: PathBuf,
}

impl KeyFiles {
    /// The files, to be read whenever they change.
    #[must_use]
    pub fn watched(&self) -> Watched {
        Watched::files([self.certificate.clone(), self.key.clone()])
    }

    /// Serves what the files hold.
    ///
    /// # Errors
    /// When they hold no certificate with its key; then what is served stays.
    pub fn install(&self, contents: &Contents, serving: &Arc<Serving>) -> Result<(), TlsError> {
        let chain = certificates(contents, &self.certificate)?;
        let pem = bytes(contents, &self.key)?;
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|error| TlsError::Pem { path: self.key.clone(), reason: error.to_string() })?;
        serving.install(CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Pair)?);
        Ok(())
    }
}

/// The certificates of a PEM file; at least one.
pub(super) fn certificates(
    contents: &Contents,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes(contents, path)?).collect();
    let chain = chain
        .map_err(|error| TlsError::Pem { path: path.to_owned(), reason: error.to_string() })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

fn bytes<'c>(contents: &'c Contents, path: &Path) -> Result<&'c [u8], TlsError> {
    contents.read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
