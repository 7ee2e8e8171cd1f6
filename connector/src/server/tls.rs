//! Certificate and key of the https listeners, taken anew when their files change.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use super::reload::Reload;
use crate::config::CertificateFiles;

/// Why certificate and key can't be used.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The first file has none.
    #[error("no certificate is in it: it has to have the chain in PEM, our own certificate first")]
    NoCertificate,
    /// The first file is damaged.
    #[error("the certificate is no PEM: {0}")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// The second file has no key, or is damaged.
    #[error("the key is no private key in PEM: {0}")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// They do not belong together, or are of a kind that is not spoken.
    #[error("certificate and key can't be used together: {0}")]
    Pair(#[source] rustls::Error),
}

/// The pair in use.
#[derive(Debug)]
pub(super) struct Certificate {
    files: CertificateFiles,
    current: RwLock<Arc<ServerConfig>>,
}

// === impl Certificate ===

impl Certificate {
    /// The pair of these contents of the two files.
    pub(super) fn new(files: CertificateFiles, contents: &[Vec<u8>]) -> Result<Self, CertificateError> {
        let current = RwLock::new(pair(contents)?);
        Ok(Self { files, current })
    }

    /// What connections from now on speak with.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The files, in the order of their contents.
    pub(super) fn paths(files: &CertificateFiles) -> Vec<PathBuf> {
        vec![files.certificate.clone(), files.key.clone()]
    }
}

impl Reload for Certificate {
    fn what(&self) -> &'static str {
        "certificate and key of the listener"
    }

    fn paths(&self) -> Vec<PathBuf> {
        Self::paths(&self.files)
    }

    fn take(&self, contents: &[Vec<u8>]) -> Result<(), String> {
        let pair = pair(contents).map_err(|error| error.to_string())?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }
}

fn pair(contents: &[Vec<u8>]) -> Result<Arc<ServerConfig>, CertificateError> {
    let [certificate, key] = contents else { return Err(CertificateError::NoCertificate) };
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(CertificateError::Certificate)?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(CertificateError::Pair)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(CertificateError::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../sink/influx/tests/localhost.pem");
    const KEY: &[u8] = include_bytes!("../sink/influx/tests/localhost.key.pem");
    const OTHER_KEY: &[u8] = include_bytes!("../../tests/it/secured/expired.key.pem");

    #[test]
    fn a_broken_pair_is_told_and_the_old_one_stays() {
        let files = CertificateFiles { certificate: "c".into(), key: "k".into() };
        let certificate = Certificate::new(files, &[CERTIFICATE.to_vec(), KEY.to_vec()]).unwrap();
        let before = certificate.current();
        let bad: [(&[u8], &[u8], &str); 4] = [
            (CERTIFICATE, OTHER_KEY, "together"),
            (b"", KEY, "no certificate"),
            (CERTIFICATE, b"", "no private key"),
            (&CERTIFICATE[..CERTIFICATE.len() / 2], KEY, "certificate"),
        ];
        for (pem, key, said) in bad {
            let error = certificate.take(&[pem.to_vec(), key.to_vec()]).unwrap_err();
            assert!(error.contains(said), "{error}");
            assert!(Arc::ptr_eq(&before, &certificate.current()), "{said}");
        }
        certificate.take(&[CERTIFICATE.to_vec(), KEY.to_vec()]).unwrap();
        assert!(!Arc::ptr_eq(&before, &certificate.current()));
    }
}
