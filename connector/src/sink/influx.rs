//! The HTTP client of one connector: request bodies out, verdicts back.
//!
//! Each InfluxDB is written by its native endpoint, in nanoseconds. The requests are built once ([`request`]), why an attempt got
//! no answer is told in [`transport`], what an answer means in [`super::verdict`].
//!
//! Decisions:
//! - Proxies of the environment (`HTTP_PROXY` …) are **not** used, and redirects are not followed: what `influx.url` says is where the
//!   data goes, and nowhere else.
//! - A certificate authority of `influx.tls.ca.location` replaces the system's; it does not add to them.
//! - HTTP/1.1 over connections that are kept: a request that finds one idle costs no handshake. As many stay open as
//!   requests were in flight.
//! - A compressed body that the server cannot read (415) is sent again plainly, once, and so are all after it.

mod request;
mod transport;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::tls::TlsInfo;
use reqwest::{Client, Response};

use self::request::Requests;
use super::detect::{DetectError, Detected, Identity, classify, describe};
use super::verdict::{Answer, Verdict, excerpt, judge, judge_failure};
use crate::config::{Compression, InfluxConfig, Product};
use crate::retry::retry_after;
use crate::{certificate, http};

/// How much of an answer is read, in bytes. More, and a server that echoes bad lines fills our memory; less, and the list of bad lines
/// of an ordinary answer is cut.
const ANSWER_MAX: usize = 64 * 1024;

/// Bodies up to this many bytes are not compressed: they fit into one packet or two anyway.
const GZIP_MIN: usize = 1024;

/// What the name and version of a server's InfluxDB stand in.
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-influxdb-version");
const CLUSTER_HEADER: HeaderName = HeaderName::from_static("cluster-uuid");

/// Writes to one InfluxDB. Shared by all lanes of a connector; connections are kept between requests.
#[derive(Debug)]
pub struct InfluxClient {
    http: Client,
    requests: Requests,
    compress: bool,
    /// The server refused a compressed body: it gets none any more.
    gzip_refused: AtomicBool,
    limits: transport::Limits,
    /// When the server's certificate ends, in seconds since 1970; 0: it has shown none.
    certificate_ends: AtomicU64,
}

/// Why there can be no client for these settings.
#[derive(Debug, thiserror::Error)]
pub enum InfluxError {
    /// `influx.url` is not a base address.
    #[error("influx.url: {url:?} is not http(s)://host[:port][/prefix]: {why}")]
    Url {
        /// As it was written.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A setting that the product cannot do without is missing.
    #[error("{product} needs {}: set {}", missing.join(" and "), if missing.len() == 1 { "it" } else { "them" })]
    Missing {
        /// The product of `influx.version`.
        product: Product,
        /// The keys.
        missing: Vec<&'static str>,
    },
    /// A token or user that no HTTP header can carry.
    #[error("{key}: it holds a character that an HTTP header can't carry; is there a line break at its end?")]
    Credential {
        /// The key.
        key: &'static str,
    },
    /// The file of `influx.tls.ca.location` cannot be read.
    #[error("influx.tls.ca.location: cannot read {path}: check that the file exists and may be read")]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file of `influx.tls.ca.location` holds no certificate.
    #[error("influx.tls.ca.location: {path} is no PEM file with certificates (-----BEGIN CERTIFICATE-----)")]
    CaInvalid {
        /// The file.
        path: PathBuf,
    },
    /// TLS could not be set up.
    #[error(
        "cannot set up the HTTP client for {url}: set influx.tls.ca.location if this machine has no certificate authorities"
    )]
    Client {
        /// The address.
        url: String,
        /// What the HTTP library said.
        source: reqwest::Error,
    },
}

// === impl InfluxClient ===

impl InfluxClient {
    /// A client for these settings; connects to nothing yet. `connector_name` is told to the server in `User-Agent`.
    ///
    /// # Errors
    /// If the settings can't work whatever the server says: see [`InfluxError`].
    pub fn new(config: &InfluxConfig, connector_name: &str) -> Result<Self, InfluxError> {
        let base = request::base_url(&config.url)?;
        let http = transport::client(config, &base, connector_name)?;
        let requests = Requests::build(&http, &base, config)?;
        let compress = match config.compression {
            Compression::Auto => !http::is_loopback(&base),
            Compression::None => false,
            Compression::Gzip => true,
        };
        let limits = transport::Limits { connect: config.connect_timeout, request: config.request_timeout };
        Ok(Self {
            http,
            requests,
            compress,
            gzip_refused: AtomicBool::new(false),
            limits,
            certificate_ends: AtomicU64::new(0),
        })
    }

    /// Asks the server who it is: `GET /ping`, and where that does not tell, an empty write.
    ///
    /// # Errors
    /// If it cannot be reached or is not ready, or is no InfluxDB, or is one that the settings do not suffice for.
    pub async fn detect(&self) -> Result<Detected, DetectError> {
        let ping = self.ask(self.requests.ping()).await?;
        let mut detected = classify(&ping);
        if detected.is_none() {
            // VictoriaMetrics gives its name to writes only; an empty one stores nothing anywhere.
            detected = classify(&self.ask(self.requests.empty_write()).await?);
        }
        let url = self.requests.base();
        let Some(detected) = detected else {
            let answered = describe(&ping);
            let advice = "check influx.url, or set influx.version to 1, 2 or 3 if it speaks like one";
            let reason = format!("GET {url}/ping: {answered}; that is no InfluxDB: {advice}");
            return Err(DetectError::Configuration { reason });
        };
        match self.requests.missing(detected.product) {
            [] => Ok(detected),
            missing => {
                let (product, version) = (detected.product, detected.version);
                let missing = missing.join(" and ");
                let reason = format!("{url} is {product} (version {version}), which needs {missing}");
                Err(DetectError::Configuration { reason })
            }
        }
    }

    /// Writes a body of lines by the endpoint of `product`, in one attempt. Never fails otherwise than by its verdict, whose reason says
    /// what was attempted and where.
    pub async fn write(&self, product: Product, body: Bytes) -> Verdict {
        let Some(attempted) = self.requests.describe(product) else {
            let missing = self.requests.missing(product).join(" and ");
            return Verdict::Configuration { reason: format!("{product} needs {missing}") };
        };
        let compressed = self.compressed(&body).await;
        let gzipped = compressed.is_some();
        let answer = match self.post(product, compressed.unwrap_or_else(|| body.clone()), gzipped).await {
            Ok(answer) if gzipped && refuses_gzip(&answer) => {
                self.gzip_refused.store(true, Ordering::Relaxed);
                let words = excerpt(&String::from_utf8_lossy(&answer.body));
                tracing::warn!(
                    url = attempted,
                    status = answer.status,
                    answer = words,
                    "server does not take gzip, sending plain"
                );
                self.post(product, body, false).await
            }
            answered => answered,
        };
        match answer {
            Ok(answer) => judge(product, &answer).of(attempted),
            Err(verdict) => verdict.of(attempted),
        }
    }

    /// When the certificate that the server showed last ends, in seconds since 1970. None: there was none, or it was not read.
    pub fn certificate_ends(&self) -> Option<u64> {
        Some(self.certificate_ends.load(Ordering::Relaxed)).filter(|ends| *ends > 0)
    }

    /// The body compressed, if it is to be.
    async fn compressed(&self, body: &Bytes) -> Option<Bytes> {
        if !self.compress || body.len() <= GZIP_MIN || self.gzip_refused.load(Ordering::Relaxed) {
            return None;
        }
        let body = body.clone();
        // 4 MiB take some 40 ms: too long to keep a worker of the runtime from everything else. `None` only if the runtime is shutting down.
        tokio::task::spawn_blocking(move || gzip(&body)).await.ok()
    }

    async fn post(&self, product: Product, body: Bytes, gzipped: bool) -> Result<Answer, Verdict> {
        let mut request = self.requests.write(product);
        if gzipped {
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        *request.body_mut() = Some(body.into());
        let mut response = self.http.execute(request).await.map_err(|error| {
            let (failure, reason) = transport::failure(&error, self.limits);
            judge_failure(failure, reason)
        })?;
        if let Some(shown) = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate) {
            self.certificate_ends.store(certificate::not_after(shown).unwrap_or(0), Ordering::Relaxed);
        }
        let status = response.status().as_u16();
        let headers = response.headers();
        let retry_after = text(headers, RETRY_AFTER).and_then(|value| retry_after(&value, SystemTime::now()));
        let location = text(headers, LOCATION);
        let body = read_capped(&mut response).await;
        Ok(Answer { status, retry_after, location, body })
    }

    /// One question about identity. A server that is starting up answers 503 before it says who it is.
    async fn ask(&self, request: reqwest::Request) -> Result<Identity, DetectError> {
        let attempted = format!("{} {}", request.method(), request.url());
        let answered = self.http.execute(request).await;
        let mut response = answered.map_err(|error| {
            let (failure, why) = transport::failure(&error, self.limits);
            let reason = format!("{attempted}: {why}");
            match failure.is_configuration() {
                true => DetectError::Configuration { reason },
                false => DetectError::Transient { reason, retry_after: None },
            }
        })?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let version = text(&headers, VERSION_HEADER);
        let has_cluster_uuid = headers.contains_key(CLUSTER_HEADER);
        let body = read_capped(&mut response).await;
        let identity = Identity { status, version, has_cluster_uuid, body: body.to_vec() };
        if classify(&identity).is_none() && (status >= 500 || status == 429) {
            let retry_after = text(&headers, RETRY_AFTER).and_then(|value| retry_after(&value, SystemTime::now()));
            let reason = format!("{attempted}: {}", describe(&identity));
            return Err(DetectError::Transient { reason, retry_after });
        }
        Ok(identity)
    }
}

/// What is there of the answer, up to the limit. An answer that is read to its end leaves the connection fit for the next request; one that
/// breaks off has told its status already.
async fn read_capped(response: &mut Response) -> Bytes {
    let mut read = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_MAX - read.len();
        read.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if read.len() == ANSWER_MAX {
            break;
        }
    }
    read.freeze()
}

/// Whether the server cannot read gzip: QuestDB before 9.1 (415), InfluxDB 3 in front of which something renames it (400).
fn refuses_gzip(answer: &Answer) -> bool {
    let says_so = || String::from_utf8_lossy(&answer.body).contains("unacceptable content-encoding");
    answer.status == 415 || (answer.status == 400 && says_so())
}

/// Level 1: 4.8 times smaller at 65 to 127 MB/s; level 6 gives 6.5 times at 37 MB/s.
fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Level::fast());
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    Bytes::from(written.expect("a vector takes every byte"))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
