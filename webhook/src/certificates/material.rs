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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::issue;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn now() -> Timestamp {
        "2026-01-01T00:00:00.5Z".parse().unwrap()
    }

    fn material(names: &[&str]) -> Material {
        let signer = issue::authority(now(), 9 * DAY).unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let serving = issue::serving(&signer, names, now(), 3 * DAY).unwrap();
        Material {
            trusted: vec![signer.authority.clone()],
            signer: Some(signer),
            serving: Some(serving),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let material = material(&["a.b.svc", "127.0.0.1", "::1"]);
        assert_eq!(Material::read(&material.write(), now()), material);
    }

    #[test]
    fn data_that_is_nothing_gives_nothing() {
        assert_eq!(Material::read(&Data::new(), now()), Material::default());
        let written = material(&["a.b.svc"]).write();
        let junk = written.keys().map(|key| (key.clone(), vec![0xff, b'-', b'\n'])).collect();
        assert_eq!(Material::read(&junk, now()), Material::default());
    }

    #[test]
    fn a_pem_of_something_else_gives_nothing() {
        let junk = pem("CERTIFICATE", b"no DER");
        let data = [AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY]
            .map(|key| (key.to_owned(), junk.clone()));
        assert_eq!(Material::read(&Data::from(data), now()), Material::default());
    }

    #[test]
    fn each_cut_off_or_exchanged_value_is_left_out_without_a_panic() {
        let (one, other) = (material(&["a.b.svc"]), material(&["a.b.svc"]));
        for key in [AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY] {
            let mut exchanged = one.write();
            exchanged.insert(key.to_owned(), other.write()[key].clone());
            let read = Material::read(&exchanged, now());
            assert!(read.signer.is_none() || read.serving.is_none(), "{key}");
            for length in 0..one.write()[key].len() {
                let mut cut = one.write();
                cut.get_mut(key).unwrap().truncate(length);
                let read = Material::read(&cut, now());
                assert!(read == one || read.signer.is_none() || read.serving.is_none(), "{key}");
            }
        }
    }

    #[test]
    fn a_serving_certificate_is_no_authority() {
        let material = material(&["a.b.svc"]);
        assert!(authorities(&pem("CERTIFICATE", &material.serving.unwrap().der), now()).is_empty());
    }

    #[test]
    fn what_is_expired_is_left_out() {
        let material = material(&["a.b.svc"]);
        let read = |days| Material::read(&material.write(), super::super::after(now(), days * DAY));
        assert_eq!(read(2), material);
        assert_eq!(read(4), Material { serving: None, ..material.clone() });
        assert_eq!(read(10), Material::default());
    }

    #[test]
    fn a_clock_that_is_behind_by_less_than_an_hour_accepts_it() {
        let material = material(&["a.b.svc"]);
        let accepted = |minutes| {
            let now = now().checked_sub(Duration::from_secs(minutes * 60)).unwrap();
            accepts(&material.trusted, &material.serving.as_ref().unwrap().der, "a.b.svc", now)
        };
        assert!(accepted(59));
        assert!(!accepted(61));
    }

    #[test]
    fn a_client_accepts_only_the_names_and_the_authority() {
        let (one, other) = (material(&["a.b.svc", "127.0.0.1"]), material(&["a.b.svc"]));
        let der = &one.serving.as_ref().unwrap().der;
        assert!(accepts(&one.trusted, der, "a.b.svc", now()));
        assert!(accepts(&one.trusted, der, "127.0.0.1", now()));
        assert!(!accepts(&one.trusted, der, "b.b.svc", now()));
        assert!(!accepts(&other.trusted, der, "a.b.svc", now()));
        assert!(accepts(&[other.trusted, one.trusted].concat(), der, "a.b.svc", now()));
    }

    #[test]
    fn a_serving_certificate_does_not_outlive_its_authority() {
        let signer = issue::authority(now(), DAY).unwrap();
        let serving = issue::serving(&signer, vec!["a".to_owned()], now(), 3 * DAY).unwrap();
        assert_eq!(serving.validity, signer.authority.validity);
    }
}
