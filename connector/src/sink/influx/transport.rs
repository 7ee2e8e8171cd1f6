//! The HTTP library's set-up, and what its errors mean.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use reqwest::{Certificate, Client, Url, redirect};

use super::InfluxError;
use crate::config::InfluxConfig;
use crate::sink::verdict::Failure;

/// The timeouts, for the wording of errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) request: Duration,
}

/// A client that goes nowhere but where it is sent: no redirects, no proxies.
pub(super) fn client(config: &InfluxConfig, base: &Url, connector_name: &str) -> Result<Client, InfluxError> {
    // Whoever installed a provider first keeps it; there is no other in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(user_agent(connector_name))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .tls_danger_accept_invalid_certs(config.tls_insecure);
    if let Some(path) = &config.tls_ca_location {
        let pem = std::fs::read(path).map_err(|source| InfluxError::CaUnreadable { path: path.clone(), source })?;
        let authorities = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if authorities.is_empty() {
            return Err(InfluxError::CaInvalid { path: path.clone() });
        }
        builder = builder.tls_certs_only(authorities);
    } else if base.scheme() == "http" {
        // Spares reading the system's certificates, and failing on a machine that has none.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|source| InfluxError::Client { url: base.to_string(), source })
}

/// `sluice/0.1.0 (prices)`, whatever the connector is called.
fn user_agent(connector_name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = connector_name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    format!("sluice/{} ({name})", env!("CARGO_PKG_VERSION"))
}

/// Why there was no answer, and the words for it.
pub(super) fn failure(error: &reqwest::Error, limits: Limits) -> (Failure, String) {
    if let Some(tls) = cause::<rustls::Error>(error) {
        return tls_failure(tls);
    }
    let innermost = innermost(error);
    if error.is_builder() {
        return (Failure::Unsendable, format!("the request cannot be sent: {innermost}; check influx.url"));
    }
    if error.is_dns() {
        return (Failure::Resolve, format!("the host's name does not resolve: {innermost}"));
    }
    if error.is_connect() && error.is_timeout() {
        let ms = limits.connect.as_millis();
        return (Failure::Connect, format!("no connection within {ms} ms (influx.connect.timeout.ms)"));
    }
    if error.is_connect() {
        return (Failure::Connect, format!("cannot connect: {innermost}"));
    }
    if error.is_timeout() {
        let ms = limits.request.as_millis();
        return (Failure::Timeout, format!("no answer within {ms} ms (influx.request.timeout.ms)"));
    }
    (Failure::Interrupted, format!("the connection broke before the answer: {innermost}"))
}

fn tls_failure(error: &rustls::Error) -> (Failure, String) {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            let advice = "check the host in influx.url, or name its authority in influx.tls.ca.location";
            (Failure::Certificate, format!("the server's certificate is not accepted: {error}; {advice}"))
        }
        rustls::Error::InvalidMessage(_) => {
            (Failure::Tls, format!("the server does not speak TLS ({error}); should influx.url begin with http://?"))
        }
        rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(_) => {
            (Failure::Tls, format!("the server refuses TLS with us: {error}"))
        }
        // Bytes damaged on the way and the like: another connection may do better.
        _ => (Failure::Interrupted, format!("the TLS connection broke: {error}")),
    }
}

/// The first error of type `T` among the causes. An `io::Error` hides the error it wraps from `source()`, hence the second look.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
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
fn innermost(error: &reqwest::Error) -> String {
    let mut current: &dyn StdError = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}
