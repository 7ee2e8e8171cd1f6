//! What every HTTP client in this program has in common: it goes where it is sent and nowhere else, and trusts whom it is told to trust.
//!
//! The sink writes by it, and so do the commands that ask a worker. What an address may look like, how the library is set up, and what is
//! behind one of its errors; the words for a person are the caller's, who knows which setting is meant.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use reqwest::{Certificate, Client, ClientBuilder, Url, redirect};
use thiserror::Error;

/// What is wrong with an address.
#[derive(Debug, Error)]
pub(crate) enum AddressFault {
    /// It can't be read.
    #[error("{0}")]
    Malformed(String),
    /// Neither HTTP nor HTTPS.
    #[error("the scheme is neither http nor https")]
    Scheme,
    /// User or password stand in it, where they would be logged.
    #[error("user and password must not stand in it")]
    Credentials,
    /// It has a query or a fragment.
    #[error("leave the part from ? or # on out")]
    Query,
}

/// Why the certificate authorities of a file can't be used.
#[derive(Debug)]
pub(crate) enum CaFault {
    /// The file can't be read.
    Unreadable(io::Error),
    /// It is no PEM file with certificates.
    NoCertificate,
}

/// Reads an address: a scheme and a host, maybe a port and a path.
///
/// # Errors
/// See [`AddressFault`].
pub(crate) fn base_url(written: &str) -> Result<Url, AddressFault> {
    let url = Url::parse(written).map_err(|error| AddressFault::Malformed(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(AddressFault::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressFault::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(AddressFault::Query);
    }
    Ok(url)
}

/// The address without what may be a secret, for an error about it.
pub(crate) fn redacted(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => url.to_owned(),
    }
}

/// Whether the host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// `path` below the address's own, percent-encoded. The URL standard has no way to write a segment `.` or `..`, and no line break: those are lost.
pub(crate) fn at(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(path);
    url
}

/// The set-up of a client for `base`: no redirects, no proxies. The authorities in `ca` replace the system's; they do not add to them.
///
/// # Errors
/// The file of the authorities is of no use.
pub(crate) fn builder(base: &Url, ca: Option<&Path>) -> Result<ClientBuilder, CaFault> {
    // Whoever installed a provider first keeps it; there is no other in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().redirect(redirect::Policy::none()).no_proxy();
    if let Some(path) = ca {
        let pem = std::fs::read(path).map_err(CaFault::Unreadable)?;
        let authorities = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if authorities.is_empty() {
            return Err(CaFault::NoCertificate);
        }
        return Ok(builder.tls_certs_only(authorities));
    }
    // Spares reading the system's certificates, and failing on a machine that has none.
    Ok(if base.scheme() == "http" { builder.tls_certs_only([]) } else { builder })
}

/// The first error of type `T` among the causes. An `io::Error` hides the error it wraps from `source()`, hence the second look.
pub(crate) fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}

/// What the innermost cause says: "Connection refused (os error 111)".
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut current: &dyn StdError = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

#[cfg(test)]
pub(crate) mod testing;
