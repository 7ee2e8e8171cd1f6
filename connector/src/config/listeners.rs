//! Settings of the listeners: where they listen, with which certificate, who may do what, and what a client may ask of them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::kafka;
use super::read::Reader;
use super::response_headers::{self, ResponseHeader};

/// Methods that a foreign page may use when `access.control.allow.methods` says nothing, as in Connect.
const SAFE_METHODS: [&str; 3] = ["GET", "POST", "HEAD"];

/// The listeners' settings, checked.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// Where the REST API listens.
    pub main: Vec<ListenAddress>,
    /// Where the endpoints under `/admin` listen: `None` for the same, no address for nowhere.
    pub admin: Option<Vec<ListenAddress>>,
    /// Where metrics and health listen beside the first ones, without users.
    pub metrics: Vec<ListenAddress>,
    /// Certificate and key of the https ones.
    pub certificate: Option<CertificateFiles>,
    /// The file of users; without it nobody is asked who he is.
    pub users_file: Option<PathBuf>,
    /// Whether the API may be open to other machines without users.
    pub allow_anonymous: bool,
    /// Pages of others that may use the API.
    pub cross_origin: CrossOrigin,
    /// What every answer carries.
    pub headers: Vec<ResponseHeader>,
    /// What a client may ask for.
    pub limits: Limits,
}

/// One of the listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// Whether TLS is spoken.
    pub https: bool,
    /// `host:port`, port 0 for one chosen by the system.
    pub address: String,
}

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, our own certificate first (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

/// Pages of other origins, as Connect has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrossOrigin {
    /// The origins, `*` for all; none: nobody.
    pub origins: Vec<String>,
    /// The methods that they may use.
    pub methods: Vec<String>,
}

/// What a client may ask of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of one listener at a time.
    pub connections: usize,
    /// Bytes of a request's body; uploads of modules have a limit of their own.
    pub body_bytes: usize,
    /// How long a client may keep a connection waiting.
    pub idle: Duration,
    /// How long an answer may take.
    pub request: Duration,
}

// === impl ListenerConfig ===

impl ListenerConfig {
    /// Reads them; what is wrong is told to `reader`.
    pub(super) fn read(reader: &mut Reader) -> Self {
        let config = Self {
            main: addresses(reader, "listeners"),
            admin: reader.is_given("admin.listeners").then(|| addresses(reader, "admin.listeners")),
            metrics: addresses(reader, "metrics.listeners"),
            certificate: certificate(reader),
            users_file: reader.text("rest.auth.users.file").map(PathBuf::from),
            allow_anonymous: reader.bool("rest.auth.allow.anonymous"),
            cross_origin: cross_origin(reader),
            headers: reader.parsed("response.http.headers.config", response_headers::parse).unwrap_or_default(),
            limits: Limits {
                connections: reader.count("listeners.connections.max").get(),
                body_bytes: reader.count("listeners.request.body.max.bytes").get(),
                idle: reader.millis("listeners.idle.timeout.ms"),
                request: reader.millis("listeners.request.timeout.ms"),
            },
        };
        config.check_certificate(reader);
        config.check_users(reader);
        config
    }

    /// The listeners on which users are asked for, with the names of their settings.
    fn asking(&self) -> impl Iterator<Item = (&'static str, &ListenAddress)> {
        let admin = self.admin.iter().flatten().map(|listener| ("admin.listeners", listener));
        self.main.iter().map(|listener| ("listeners", listener)).chain(admin)
    }

    fn check_certificate(&self, reader: &mut Reader) {
        let metrics = self.metrics.iter().map(|listener| ("metrics.listeners", listener));
        let https = self.asking().chain(metrics).find(|(_, listener)| listener.https).map(|(key, _)| key);
        let certificate = "listeners.https.certificate.location";
        match https {
            Some(key) if !reader.has(certificate) && !reader.has("listeners.https.key.location") => {
                reader.problem(
                    key,
                    format!("https needs a certificate: give {certificate} and listeners.https.key.location (PEM)"),
                );
            }
            None if reader.has(certificate) => reader.warn(certificate, "has no effect: no listener speaks https"),
            _ => {}
        }
    }

    fn check_users(&self, reader: &mut Reader) {
        let open = self.asking().find(|(_, listener)| !listener.is_loopback()).map(|(key, _)| key);
        if let (Some(key), None, false) = (open, &self.users_file, self.allow_anonymous) {
            reader.problem(key, OPEN);
        }
        let clear = self.asking().find(|(_, listener)| !listener.is_loopback() && !listener.https);
        if let (Some((key, _)), Some(_)) = (clear, &self.users_file) {
            reader.warn(key, "passwords of rest.auth.users.file cross the network unencrypted: https protects them");
        }
        if self.users_file.is_some() && self.allow_anonymous {
            reader.warn("rest.auth.allow.anonymous", "has no effect: rest.auth.users.file says who may do what");
        }
    }
}

/// What is wrong with a listener that is open to other machines.
pub(crate) const OPEN: &str = "other machines could change everything here without a password: give rest.auth.users.file \
    (`sluice passwd FILE NAME --role admin` makes it), listen on 127.0.0.1, or, if whoever reaches this port may do everything, \
    set rest.auth.allow.anonymous=true";

// === impl ListenAddress ===

impl ListenAddress {
    /// Whether only this machine can reach it, as far as its name says.
    pub fn is_loopback(&self) -> bool {
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        }
    }
}

fn addresses(reader: &mut Reader, key: &str) -> Vec<ListenAddress> {
    reader.parsed(key, parse_listeners).unwrap_or_default()
}

fn certificate(reader: &mut Reader) -> Option<CertificateFiles> {
    let [certificate, key] = ["listeners.https.certificate.location", "listeners.https.key.location"];
    match (reader.text(certificate), reader.text(key)) {
        (Some(certificate), Some(key)) => {
            Some(CertificateFiles { certificate: PathBuf::from(certificate), key: PathBuf::from(key) })
        }
        (Some(_), None) => {
            reader.problem(key, "is missing: the private key that belongs to the certificate");
            None
        }
        (None, Some(_)) => {
            reader.problem(certificate, "is missing: the certificate that belongs to the key");
            None
        }
        (None, None) => None,
    }
}

fn cross_origin(reader: &mut Reader) -> CrossOrigin {
    let list = |text: Option<String>| -> Vec<String> {
        let text = text.unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    let origins: Vec<_> = list(reader.text("access.control.allow.origin"))
        .iter()
        .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
        .collect();
    if origins.iter().any(|origin| origin != "*" && !origin.contains("://")) {
        let what = "is no origin: write scheme://host[:port], several separated by commas, or * for all";
        reader.problem("access.control.allow.origin", what);
    }
    let mut methods = list(reader.text("access.control.allow.methods"));
    if methods.is_empty() {
        methods = SAFE_METHODS.map(str::to_owned).to_vec();
    }
    let is_method = |method: &String| method.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !methods.iter().all(is_method) {
        reader.problem("access.control.allow.methods", "names something that is no method of HTTP");
    }
    CrossOrigin { origins, methods }
}

fn parse_listeners(list: &str) -> Result<Vec<ListenAddress>, String> {
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    let listeners = items.map(parse_listener).collect::<Result<Vec<_>, _>>()?;
    if listeners.is_empty() { Err("names no listener".to_owned()) } else { Ok(listeners) }
}

fn parse_listener(listener: &str) -> Result<ListenAddress, String> {
    let example = "write http://host:port, for example http://127.0.0.1:8083";
    let (scheme, rest) = listener.split_once("://").ok_or_else(|| format!("has no scheme: {example}"))?;
    let https = scheme.eq_ignore_ascii_case("https");
    if !https && !scheme.eq_ignore_ascii_case("http") {
        return Err("only http and https are spoken here".to_owned());
    }
    let address = rest.trim_end_matches('/');
    let (host, port) = address.rsplit_once(':').ok_or_else(|| format!("has no port: {example}"))?;
    if port.parse::<u16>().is_err() {
        return Err("has a port that is no number from 0 to 65535".to_owned());
    }
    // Java takes an empty host for all interfaces.
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    kafka::check_host_port(host)?;
    Ok(ListenAddress { https, address: format!("{host}:{port}") })
}
