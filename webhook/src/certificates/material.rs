//! What the Secret holds, and its bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Validity;
use super::issue::SKEW;

/// The authorities that clients are to trust, in PEM.
pub(super) const AUTHORITIES: &str = "ca.crt";
/// The key of the authority that signs, in PEM.
pub(super) const AUTHORITY_KEY: &str = "ca.key";
/// The serving certificate, in PEM. This name and the next are those of
/// kubernetes.io/tls.
pub(super) const CERTIFICATE: &str = "tls.crt";
/// The key of the serving certificate, in PEM.
pub(super) const KEY: &str = "tls.key";

/// The data of the Secret.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

/// The certificate of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) der: CertificateDer<'static>,
    pub(super) validity: Validity,
}

/// An authority with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) authority: Authority,
    pub(super) key: Arc<PrivateKeyDer<'static>>,
}

/// A serving certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) der: CertificateDer<'static>,
    pub(super) key: Arc<PrivateKeyDer<'static>>,
    /// What it is for.
    pub(super) names: Vec<String>,
    pub(super) validity: Validity,
    /// Who signed it.
    pub(super) authority: Authority,
}

impl Pair {
    /// For rustls.
    ///
    /// # Errors
    /// When rustls knows no such keys.
    pub(super) fn certified(&self) -> Result<CertifiedKey, rustls::Error> {
        let chain = vec![self.der.clone()];
        CertifiedKey::from_der(chain, self.key.clone_key(), &ring::default_provider())
    }
}

/// What is usable of the data of the Secret at some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Material {
    /// Authorities to trust; none is expired.
    pub(super) trusted: Vec<Authority>,
    /// The one of them that signs.
    pub(super) signer: Option<Signer>,
    /// The certificate to serve, signed by one of them; not expired.
    pub(super) serving: Option<Pair>,
}

impl Material {
    /// Takes what is usable and leaves the rest: what is missing is made anew.
    pub(super) fn read(data: &Data, now: Timestamp) -> Self {
        let bytes = |key| data.get(key).map_or(&[][..], Vec::as_slice);
        let trusted = authorities(bytes(AUTHORITIES), now);
        let signer = signer(&trusted, bytes(AUTHORITY_KEY));
        let serving = serving(&trusted, bytes(CERTIFICATE), bytes(KEY), now);
        Self { trusted, signer, serving }
    }

    /// The data for the Secret.
    pub(super) fn write(&self) -> Data {
        let mut data = Data::from([(AUTHORITIES.to_owned(), bundle(&self.trusted))]);
        if let Some(signer) = &self.signer {
            data.insert(AUTHORITY_KEY.to_owned(), pem("PRIVATE KEY", signer.key.secret_der()));
        }
        if let Some(pair) = &self.serving {
            data.insert(CERTIFICATE.to_owned(), pem("CERTIFICATE", &pair.der));
            data.insert(KEY.to_owned(), pem("PRIVATE KEY", pair.key.secret_der()));
        }
        data
    }
}

/// Authorities as a caBundle.
pub(super) fn bundle(authorities: &[Authority]) -> Vec<u8> {
    authorities.iter().flat_map(|authority| pem("CERTIFICATE", &authority.der)).collect()
}

fn pem(tag: &str, der: &[u8]) -> Vec<u8> {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), lines).into_bytes()
}

/// The authorities in PEM that aren't expired, each one once. What is something
/// else is left out.
pub(super) fn authorities(pem: &[u8], now: Timestamp) -> Vec<Authority> {
    let mut authorities = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem).filter_map(Result::ok) {
        let Ok((_, certificate)) = X509Certificate::from_der(&der) else { continue };
        let Some(validity) = validity(&certificate) else { continue };
        let authority = Authority { der: der.clone(), validity };
        if certificate.is_ca() && !validity.expired(now) && !authorities.contains(&authority) {
            authorities.push(authority);
        }
    }
    authorities
}

fn signer(trusted: &[Authority], pem: &[u8]) -> Option<Signer> {
    let key = PrivateKeyDer::from_pem_slice(pem).ok()?;
    let public = KeyPair::try_from(&key).ok()?.subject_public_key_info();
    let authority = trusted.iter().find(|authority| {
        X509Certificate::from_der(&authority.der)
            .is_ok_and(|(_, certificate)| certificate.public_key().raw == public)
    })?;
    Some(Signer { authority: authority.clone(), key: Arc::new(key) })
}

fn serving(trusted: &[Authority], pem: &[u8], key: &[u8], now: Timestamp) -> Option<Pair> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let key = Arc::new(PrivateKeyDer::from_pem_slice(key).ok()?);
    let (names, validity) = {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        (names(&certificate), validity(&certificate)?)
    };
    let authority = trusted.iter().find(|authority| {
        names.first().is_some_and(|name| accepts(&[(*authority).clone()], &der, name, now))
    })?;
    let pair = Pair { der, key, names, validity, authority: authority.clone() };
    pair.certified().ok()?;
    Some(pair)
}

/// Whether a client that trusts these authorities accepts the certificate.
pub(super) fn accepts(
    authorities: &[Authority],
    certificate: &CertificateDer<'_>,
    name: &str,
    now: Timestamp,
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().map(|authority| authority.der.clone()));
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    match (verifier, ServerName::try_from(name)) {
        (Ok(verifier), Ok(name)) => {
            verifier.verify_server_cert(certificate, &[], &name, &[], now).is_ok()
        }
        _ => false,
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|four| std::net::IpAddr::from(four));
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(|sixteen| std::net::IpAddr::from(sixteen));
    v4().or_else(v6).map(|address| address.to_string())
}

fn validity(certificate: &X509Certificate<'_>) -> Option<Validity> {
    let validity = certificate.validity();
    let from = Timestamp::from_second(validity.not_before.timestamp()).ok()?;
    let expires = Timestamp::from_second(validity.not_after.timestamp()).ok()?;
    Some(Validity { issued: from.checked_add(SKEW).ok()?, expires })
}
