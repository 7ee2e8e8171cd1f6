//! The HTTP library's set-up, and what its errors mean.

use std::time::Duration;

use reqwest::{Client, Url};

use super::InfluxError;
use crate::config::InfluxConfig;
use crate::http::{self, CaFault, cause, innermost};
use crate::sink::verdict::Failure;

/// The timeouts, for the wording of errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) request: Duration,
}

/// A client that goes nowhere but where it is sent: no redirects, no proxies.
pub(super) fn client(config: &InfluxConfig, base: &Url, connector_name: &str) -> Result<Client, InfluxError> {
    let path = || config.tls_ca_location.clone().unwrap_or_default();
    let builder = http::builder(base, config.tls_ca_location.as_deref()).map_err(|fault| match fault {
        CaFault::Unreadable(source) => InfluxError::CaUnreadable { path: path(), source },
        CaFault::NoCertificate => InfluxError::CaInvalid { path: path() },
    })?;
    let builder = builder
        .user_agent(user_agent(connector_name))
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        // The server's certificate comes with its answers, so that it can be told when it ends.
        .tls_info(true)
        .tls_danger_accept_invalid_certs(config.tls_insecure);
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
