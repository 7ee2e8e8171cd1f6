//! The commands `sluice swap` and `sluice rollback`: they ask a running worker over its REST API, and print what became of it.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::service::Done;
use super::shadow::Report;
use crate::api::SIGNATURE_HEADER;
use crate::cli::swap::{RollbackArgs, SwapArgs};
use crate::transform::structure::BYTES_MAX;

/// How long a worker that does not answer at all is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a command did not do what was asked.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The module can't be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// No worker would take it.
    #[error("{} has {bytes} bytes, and no module may have more than {BYTES_MAX}; build it with optimisation for size and without debug information", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// No answer.
    #[error("could not ask the worker at {url}; is it running? Give its address with --url")]
    Ask {
        /// Its address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// An answer that is none of ours.
    #[error("{url} answered {status}, not as a Sluice worker does: {body}")]
    Strange {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of what it said.
        body: String,
    },
    /// The worker refused.
    #[error("refused{gate}: {message}")]
    Refused {
        /// By which gate, in words.
        gate: String,
        /// The worker's words.
        message: String,
    },
    /// The result can't be printed.
    #[error("could not print the result")]
    Print(#[from] io::Error),
}

/// The body of an error.
#[derive(Debug, Deserialize)]
struct Refusal {
    message: String,
    #[serde(default)]
    gate: Option<String>,
    #[serde(default)]
    report: Option<Report>,
}

/// `sluice swap`.
///
/// # Errors
///
/// The module can't be read, the worker can't be asked, or it refuses the module.
pub async fn swap(args: &SwapArgs, out: &mut impl Write) -> Result<(), ClientError> {
    let query = if args.dry_run { "?dry-run=true" } else { "" };
    let url = format!("{}{query}", transform_url(&args.target.url, &args.connector));
    let request = client(&url)?.put(&url);
    let known = args.module.to_str().filter(|module| module.starts_with("sha256:"));
    let request = match known {
        Some(digest) => {
            request.header("content-type", "application/json").body(serde_json::json!({ "module": digest }).to_string())
        }
        None => {
            let bytes = read(&args.module)?;
            let signature = match read(&sidecar(&args.module)) {
                Ok(signature) => Some(signature),
                Err(ClientError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            let request = request.header("content-type", "application/wasm").body(bytes);
            match signature {
                Some(signature) => request.header(SIGNATURE_HEADER, header(&signature)),
                None => request,
            }
        }
    };
    tell(ask(request, &url).await, out)
}

/// `sluice rollback`.
///
/// # Errors
///
/// The worker can't be asked, or there is nothing to go back to.
pub async fn roll_back(args: &RollbackArgs, out: &mut impl Write) -> Result<(), ClientError> {
    let url = format!("{}/rollback", transform_url(&args.target.url, &args.connector));
    tell(ask(client(&url)?.post(&url), &url).await, out)
}

fn transform_url(worker: &str, connector: &str) -> String {
    let mut name = String::new();
    for byte in connector.bytes() {
        // Writing into a String cannot fail.
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => write!(name, "{}", char::from(byte)),
            _ => write!(name, "%{byte:02X}"),
        };
    }
    format!("{}/sluice/connectors/{name}/transform", worker.trim_end_matches('/'))
}

fn read(path: &Path) -> Result<Vec<u8>, ClientError> {
    let failed = |source| ClientError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > BYTES_MAX {
        return Err(ClientError::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read(path).map_err(failed)
}

/// The signature beside a module.
fn sidecar(module: &Path) -> PathBuf {
    let mut name = module.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

/// A signature as text: raw bytes in hexadecimal, text as it is.
fn header(signature: &[u8]) -> String {
    match std::str::from_utf8(signature) {
        Ok(text) if text.chars().all(|c| c.is_ascii_graphic() || c.is_ascii_whitespace()) => {
            text.split_whitespace().collect()
        }
        _ => signature.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// No time limit but for being let in: an answer takes as long as the module's compilation, which the worker limits.
fn client(url: &str) -> Result<reqwest::Client, ClientError> {
    // Whoever installed a provider first keeps it; there is no other in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    // Spares reading the system's certificates, and failing on a machine that has none.
    let builder = if url.starts_with("http://") { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|source| ClientError::Ask { url: url.to_owned(), source })
}

async fn ask(request: reqwest::RequestBuilder, url: &str) -> Result<Done, (ClientError, Option<Report>)> {
    let failed = |source| (ClientError::Ask { url: url.to_owned(), source }, None);
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(failed)?;
    let strange = || {
        let body = String::from_utf8_lossy(&body).chars().take(200).collect();
        (ClientError::Strange { url: url.to_owned(), status: status.as_u16(), body }, None)
    };
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| strange());
    }
    let Refusal { message, gate, report } = serde_json::from_slice(&body).map_err(|_| strange())?;
    let gate = gate.map(|gate| format!(" by the gate `{gate}`")).unwrap_or_default();
    Err((ClientError::Refused { gate, message }, report))
}

fn tell(result: Result<Done, (ClientError, Option<Report>)>, out: &mut impl Write) -> Result<(), ClientError> {
    let done = match result {
        Ok(done) => done,
        Err((error, report)) => {
            if let Some(report) = report {
                writeln!(out, "{report}")?;
            }
            return Err(error);
        }
    };
    if let Some(report) = &done.report {
        writeln!(out, "{report}")?;
    }
    match done.outcome.as_str() {
        "unchanged" => writeln!(out, "sha256:{} runs already", done.digest)?,
        "dry_run" => {
            writeln!(out, "sha256:{} would take over from sha256:{}; nothing was changed", done.digest, done.previous)?
        }
        _ => writeln!(out, "sha256:{} has taken over from sha256:{}\n{}", done.digest, done.previous, how(&done))?,
    }
    Ok(())
}

/// How tasks have changed, and what follows.
fn how(done: &Done) -> String {
    let tasks = |number: usize| if number == 1 { "1 task".to_owned() } else { format!("{number} tasks") };
    let mut text = format!("{} changed", tasks(done.tasks_changed));
    if done.pause_us > 0 {
        // Writing into a String cannot fail.
        let _ = write!(text, ", which stopped none for longer than {:.3} ms", done.pause_us as f64 / 1000.0);
    }
    if done.tasks_pending > 0 {
        let _ = write!(
            text,
            "\n{} not yet: busy, or waiting for InfluxDB; each changes before its next batch",
            tasks(done.tasks_pending)
        );
    }
    if done.probation_ms > 0 {
        let _ = write!(
            text,
            "\non probation for {} s from its first record on: if it does worse than the version before, that one comes back by itself",
            done.probation_ms as f64 / 1000.0
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_part_of_the_path_whatever_is_in_them() {
        assert_eq!(transform_url("http://h:1/", "a/b ü.x"), "http://h:1/sluice/connectors/a%2Fb%20%C3%BC.x/transform");
    }

    #[test]
    fn a_signature_fits_into_a_header() {
        assert_eq!(header(&[0, 255]), "00ff");
        assert_eq!(header(b"QUJD\nREVG\n"), "QUJDREVG");
    }
}
