//! Asking a worker: one address with an optional path, one user, one set of authorities, for all commands.
//!
//! What passes by itself (a rebalance of a Connect cluster) is asked again a few times. Nothing else is: whether a change was made before the
//! connection broke is for a person to find out.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Answer, ClientError};
use crate::cli::rest::TargetArgs;
use crate::config::Secret;
use crate::http::{self, CaFault};

/// The password of `--user`.
const PASSWORD_VARIABLE: &str = "SLUICE_PASSWORD";

/// The longest password that is read from a file.
const PASSWORD_MAX_BYTES: u64 = 4096;

/// How long a worker that does not answer at all is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer is waited for: Connect's own limit is 90 s, and its answer then says what it is busy with.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(100);

/// Pauses before a request is sent again that a rebalance kept from being done: kcctl and others wait about as long in all.
const PAUSES_MS: [u64; 4] = [200, 400, 800, 1600];

/// A worker that can be asked.
#[derive(Debug)]
pub struct Worker {
    http: Client,
    base: Url,
    user: Option<(String, Secret)>,
}

// === impl Worker ===

impl Worker {
    /// The worker of these arguments; connects to nothing yet. `limit`: how long an answer may take, `None` for ever.
    ///
    /// # Errors
    ///
    /// If the arguments can't work, whatever the worker says.
    pub fn new(target: &TargetArgs, limit: Option<Duration>) -> Result<Self, ClientError> {
        let base = http::base_url(&target.url).map_err(|fault| {
            let why = match fault {
                http::AddressFault::Credentials => {
                    "give the user by --user, and the password as its help says".to_owned()
                }
                fault => fault.to_string(),
            };
            ClientError::Url { url: http::redacted(&target.url), why }
        })?;
        let user = user_of(target, std::env::var(PASSWORD_VARIABLE).ok())?;
        if user.is_some() && base.scheme() == "http" && !http::is_loopback(&base) {
            tracing::warn!(url = base.as_str(), "the password goes over the network unencrypted, use https");
        }
        let ca = target.ca_file.as_deref();
        let path = || target.ca_file.clone().unwrap_or_default();
        let builder = http::builder(&base, ca).map_err(|fault| match fault {
            CaFault::Unreadable(source) => ClientError::CaUnreadable { path: path(), source },
            CaFault::NoCertificate => ClientError::CaInvalid { path: path() },
        })?;
        let builder =
            builder.connect_timeout(CONNECT_TIMEOUT).user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")));
        let builder = match limit {
            Some(limit) => builder.timeout(limit),
            None => builder,
        };
        let http = builder.build().map_err(|source| ClientError::Setup { url: base.to_string(), source })?;
        Ok(Self { http, base, user })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A request for a path, given by its segments as they are meant, and a query: they are percent-encoded.
    ///
    /// # Errors
    ///
    /// A segment that no address can say.
    pub fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<RequestBuilder, ClientError> {
        for segment in path {
            let name = || (*segment).to_owned();
            segment_fault(segment).map_or(Ok(()), |why| Err(ClientError::Name { name: name(), why }))?;
        }
        let mut url = http::at(&self.base, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url).header(ACCEPT, "application/json");
        Ok(match &self.user {
            Some((user, password)) => request.basic_auth(user, Some(password.reveal())),
            None => request,
        })
    }

    /// `GET path`, and its answer if it is a good one.
    ///
    /// # Errors
    ///
    /// No answer, or not a good one.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ClientError> {
        self.send(self.request(Method::GET, path, &[])?).await?.success()?.json()
    }

    /// `method path` with a JSON body, if there is one, and its answer if it is a good one.
    ///
    /// # Errors
    ///
    /// No answer, or not a good one.
    pub async fn change(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Answer, ClientError> {
        let request = self.request(method, path, &[])?;
        let request = match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            None => request,
        };
        self.send(request).await?.success()
    }

    /// Sends a request made by [`Worker::request`]; again if a rebalance is in its way.
    ///
    /// # Errors
    ///
    /// No whole answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, ClientError> {
        for pause_ms in PAUSES_MS {
            let Some(same) = request.try_clone() else { break };
            let answer = self.attempt(same).await?;
            if !answer.is_passing() {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        self.attempt(request).await
    }

    async fn attempt(&self, request: RequestBuilder) -> Result<Answer, ClientError> {
        let (http, request) = request.build_split();
        let request = request.map_err(|source| ClientError::Setup { url: self.base.to_string(), source })?;
        let asked = format!("{} {}", request.method(), request.url());
        let failed = |error: &reqwest::Error| ClientError::Ask { asked: asked.clone(), why: why(error) };
        let response = http.execute(request).await.map_err(|error| failed(&error))?;
        let user = self.user.as_ref().map(|(user, _)| user.clone());
        Answer::read(asked.clone(), user, response).await.map_err(|error| failed(&error))
    }
}

/// As whom the worker is asked.
fn user_of(target: &TargetArgs, variable: Option<String>) -> Result<Option<(String, Secret)>, ClientError> {
    let Some(user) = target.user.clone() else { return Ok(None) };
    if user.is_empty() || user.contains([':', '\r', '\n']) {
        return Err(ClientError::User { user });
    }
    let password = match (&target.password_file, variable) {
        (Some(path), _) => password(path)?,
        (None, Some(password)) => Secret::new(password),
        (None, None) => return Err(ClientError::NoPassword { user }),
    };
    Ok(Some((user, password)))
}

/// The first line of a file.
fn password(path: &Path) -> Result<Secret, ClientError> {
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(PASSWORD_MAX_BYTES + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|source| ClientError::PasswordFile { path: path.to_owned(), source })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() && line.len() as u64 <= PASSWORD_MAX_BYTES => Ok(Secret::new(line)),
        _ => Err(ClientError::PasswordEmpty { path: path.to_owned() }),
    }
}

/// What is wrong with a segment of a path. Left as it is, the address would be another one, and so would the connector.
fn segment_fault(segment: &str) -> Option<&'static str> {
    match segment {
        "" => Some("it is empty"),
        "." | ".." => Some("addresses can't say it"),
        _ if segment.contains(char::is_control) => Some("it holds a control character"),
        _ => None,
    }
}

/// Why there was no answer, and what to do.
fn why(error: &reqwest::Error) -> String {
    match http::cause::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            let innermost = http::innermost(error);
            return format!(
                "its certificate is not accepted ({innermost}); check the host in --url, or name its authority by --ca-file"
            );
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            return "it does not speak TLS; should --url begin with http://?".to_owned();
        }
        Some(error) => return format!("the TLS connection broke: {error}"),
        None => {}
    }
    let innermost = http::innermost(error);
    if error.is_dns() {
        return format!("its name does not resolve ({innermost}); check --url (or SLUICE_URL)");
    }
    if error.is_connect() {
        return format!("no connection ({innermost}); is it running? Give its address by --url (or SLUICE_URL)");
    }
    if error.is_timeout() {
        return "no answer in time; it may still do what was asked, `sluice status` tells".to_owned();
    }
    format!(
        "the connection broke before the answer ({innermost}); it may have done what was asked, `sluice status` tells"
    )
}

#[cfg(test)]
mod tests;
