//! Makes authorities and serving certificates: ECDSA on P-256, which every TLS
//! client knows.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;

use super::material::{Authority, Pair, Signer};
use super::{Validity, after};

/// How far clocks may be apart: a certificate is good from this long before it
/// was made. Public authorities do the same.
pub(super) const SKEW: Duration = Duration::from_secs(60 * 60);

/// An authority that signs nothing but serving certificates.
pub(super) fn authority(now: Timestamp, life: Duration) -> Result<Signer, rcgen::Error> {
    let key = KeyPair::generate()?;
    let validity = validity(now, life);
    let mut params = params(Vec::new(), validity)?;
    // Clients that choose among authorities by name alone must not confuse two.
    let number = params.key_identifier(&key).iter().take(4).fold(0, |n, b| n << 8 | u32::from(*b));
    params.distinguished_name.push(DnType::CommonName, format!("headlint-webhook {number:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let der = params.self_signed(&key)?.der().clone();
    Ok(Signer { authority: Authority { der, validity }, key: secret(&key) })
}

/// A serving certificate. It doesn't outlive its authority.
pub(super) fn serving(
    signer: &Signer,
    names: Vec<String>,
    now: Timestamp,
    life: Duration,
) -> Result<Pair, rcgen::Error> {
    let mut validity = validity(now, life);
    validity.expires = validity.expires.min(signer.authority.validity.expires);
    let mut params = params(names.clone(), validity)?;
    // A common name has at most 64 characters, and no client reads it.
    params.distinguished_name.push(DnType::CommonName, "headlint-webhook");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let issuer =
        Issuer::from_ca_cert_der(&signer.authority.der, KeyPair::try_from(signer.key.as_ref())?)?;
    let key = KeyPair::generate()?;
    let der = params.signed_by(&key, &issuer)?.der().clone();
    Ok(Pair { der, key: secret(&key), names, validity, authority: signer.authority.clone() })
}

/// Certificates know no fractions of a second.
fn validity(now: Timestamp, life: Duration) -> Validity {
    let issued = Timestamp::from_second(now.as_second()).unwrap_or(now);
    Validity { issued, expires: after(issued, Duration::from_secs(life.as_secs())) }
}

fn params(names: Vec<String>, validity: Validity) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let since_1970 =
        |time: Timestamp| Duration::from_secs(u64::try_from(time.as_second()).unwrap_or_default());
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(validity.issued) - SKEW;
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(validity.expires);
    Ok(params)
}

fn secret(key: &KeyPair) -> Arc<PrivateKeyDer<'static>> {
    Arc::new(PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}
