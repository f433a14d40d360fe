//! Authorities, certificates and mounted Secrets for tests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headlint_webhook::tls::provider;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// The name by which tests reach a server.
pub(crate) const SERVER: &str = "headlint.test";

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server of that name.
    pub(crate) fn server(&self) -> Pair {
        self.sign(CertificateParams::new([SERVER.to_owned()]).expect("a name"))
    }

    /// A certificate for a client, with a common name and DNS names.
    pub(crate) fn client(&self, common: &str, names: &[&str]) -> Pair {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, common);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Pair {
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")
    }
}

/// The TLS of a client that trusts an authority, and shows a certificate of its
/// own if it has one.
pub(crate) fn client(
    authority: &Authority,
    own: Option<&Pair>,
    alpn: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM");
    roots.add(root).expect("an authority");
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("the provider has them")
        .with_root_certificates(Arc::new(roots));
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM");
            builder.with_client_auth_cert(vec![pair.der()], key).expect("a pair")
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

/// A Secret or ConfigMap as kubelet mounts it: each file is a link into a
/// folder that is itself a link, which is replaced as a whole.
///
/// # Source
/// kubernetes v1.36 `pkg/volume/util/atomic_writer.go`.
pub(crate) struct Mount {
    folder: PathBuf,
    version: usize,
}

impl Mount {
    pub(crate) fn new(folder: &Path, files: &[(&str, &str)]) -> Self {
        let mut mount = Self { folder: folder.to_owned(), version: 0 };
        mount.swap(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), folder.join(name)).expect("a link");
        }
        mount
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Replaces all files at once.
    pub(crate) fn swap(&mut self, files: &[(&str, &str)]) {
        let old = self.folder.join(format!("..version_{}", self.version));
        self.version += 1;
        let new = format!("..version_{}", self.version);
        let folder = self.folder.join(&new);
        fs::create_dir(&folder).expect("a folder");
        for (name, content) in files {
            fs::write(folder.join(name), content).expect("a file");
        }
        let link = self.folder.join("..data_tmp");
        symlink(&new, &link).expect("a link");
        fs::rename(&link, self.folder.join("..data")).expect("one step");
        if old.exists() {
            fs::remove_dir_all(old).expect("nobody needs it");
        }
    }
}
