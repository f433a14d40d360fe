//! Certificates of clients: the API server can be asked for one.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::files::certificates;
use super::{Acceptor, TlsError, provider};
use crate::watch::{Contents, Watched};

/// Which clients are let in, as it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// The authorities, in PEM.
    pub authorities: PathBuf,
    /// Names of which a certificate has to have one: its common name or a DNS
    /// name. Any, if empty.
    pub names: Vec<String>,
}

impl ClientFiles {
    /// The file, to be read whenever it changes.
    #[must_use]
    pub fn watched(&self) -> Watched {
        Watched::files([self.authorities.clone()])
    }

    /// Lets in whom the file says.
    ///
    /// # Errors
    /// When it holds no authorities; then the rules stay as they were.
    pub fn install(&self, contents: &Contents, acceptor: &Acceptor) -> Result<(), TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(contents, &self.authorities)? {
            roots.add(certificate).map_err(|error| TlsError::Authorities(error.to_string()))?;
        }
        let rule = ClientRule::new(roots, self.names.clone())?;
        acceptor.require_clients(rule).map_err(|error| TlsError::Authorities(error.to_string()))
    }
}

/// Lets in clients with a certificate of an authority, and of a name.
#[derive(Debug)]
pub struct ClientRule {
    chain: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl ClientRule {
    /// # Errors
    /// Without authorities.
    pub fn new(roots: RootCertStore, names: Vec<String>) -> Result<Self, TlsError> {
        let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| TlsError::Authorities(error.to_string()))?;
        Ok(Self { chain, names })
    }

    fn admits(&self, certificate: &X509Certificate<'_>) -> bool {
        let wanted = |name: &str| self.names.iter().any(|wanted| wanted == name);
        let common = certificate.subject().iter_common_name();
        let mut common = common.filter_map(|name| name.as_str().ok());
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let mut alternative =
            alternative.iter().flat_map(|extension| &extension.value.general_names);
        self.names.is_empty()
            || common.any(wanted)
            || alternative.any(|name| matches!(name, GeneralName::DNSName(name) if wanted(name)))
    }
}

impl ClientCertVerifier for ClientRule {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let (_, certificate) = X509Certificate::from_der(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if self.admits(&certificate) {
            Ok(verified)
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
