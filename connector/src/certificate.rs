//! Until when a certificate is valid.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Seconds since 1970 at which a certificate (DER) ends. None: this is no certificate.
pub(crate) fn not_after(der: &[u8]) -> Option<u64> {
    let certificate = Certificate::from_der(der).ok()?;
    Some(certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
}

/// The same of the first certificate of a PEM file, which is the owner's in a chain. None: there is none.
pub(crate) fn first_not_after(pem: &[u8]) -> Option<u64> {
    let first = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
    not_after(&first)
}

/// The latest end of all certificates of a PEM file: with it the last authority is gone. None: there is none.
pub(crate) fn last_not_after(pem: &[u8]) -> Option<u64> {
    CertificateDer::pem_slice_iter(pem).filter_map(|certificate| not_after(&certificate.ok()?)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCALHOST: &[u8] = include_bytes!("sink/influx/tests/localhost.pem");
    const EXPIRED: &[u8] = include_bytes!("../tests/it/secured/expired.pem");

    #[test]
    fn a_chain_ends_with_its_first_certificate_and_a_bundle_with_its_last() {
        let (localhost, expired) = (first_not_after(LOCALHOST).unwrap(), first_not_after(EXPIRED).unwrap());
        assert!(expired < 1_780_000_000 && localhost > expired, "{expired} {localhost}");
        let both = [EXPIRED, b"\n", LOCALHOST].concat();
        assert_eq!(first_not_after(&both), Some(expired));
        assert_eq!(last_not_after(&both), Some(localhost));
        assert_eq!(first_not_after(b"none"), None);
        assert_eq!(not_after(b"none"), None);
    }
}
