//! The commands `sluice swap` and `sluice rollback`: they ask a running worker over its REST API, and print what became of it.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use thiserror::Error;

use super::service::Done;
use super::shadow::Report;
use crate::api::SIGNATURE_HEADER;
use crate::cli::swap::{RollbackArgs, SwapArgs};
use crate::client::{self, Worker};
use crate::transform::structure::BYTES_MAX;

/// Why a command did not do what was asked.
#[derive(Debug, Error)]
pub enum SwapClientError {
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
    /// The worker can't be asked, or answers what no worker of ours does.
    #[error(transparent)]
    Worker(#[from] client::ClientError),
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
pub async fn swap(args: &SwapArgs, out: &mut impl Write) -> Result<(), SwapClientError> {
    let worker = Worker::new(&args.target, None)?;
    let query: &[_] = if args.dry_run { &[("dry-run", "true")] } else { &[] };
    let request = worker.request(Method::PUT, &["sluice", "connectors", &args.connector, "transform"], query)?;
    let known = args.module.to_str().filter(|module| module.starts_with("sha256:"));
    let request = match known {
        Some(digest) => {
            request.header("content-type", "application/json").body(serde_json::json!({ "module": digest }).to_string())
        }
        None => {
            let bytes = read(&args.module)?;
            let signature = match read(&sidecar(&args.module)) {
                Ok(signature) => Some(signature),
                Err(SwapClientError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            let request = request.header("content-type", "application/wasm").body(bytes);
            match signature {
                Some(signature) => request.header(SIGNATURE_HEADER, header(&signature)),
                None => request,
            }
        }
    };
    tell(ask(&worker, request).await, out)
}

/// `sluice rollback`.
///
/// # Errors
///
/// The worker can't be asked, or there is nothing to go back to.
pub async fn roll_back(args: &RollbackArgs, out: &mut impl Write) -> Result<(), SwapClientError> {
    let worker = Worker::new(&args.target, None)?;
    let path = ["sluice", "connectors", &args.connector, "transform", "rollback"];
    let request = worker.request(Method::POST, &path, &[])?;
    tell(ask(&worker, request).await, out)
}

fn read(path: &Path) -> Result<Vec<u8>, SwapClientError> {
    let failed = |source| SwapClientError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > BYTES_MAX {
        return Err(SwapClientError::TooLarge { path: path.to_owned(), bytes });
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
async fn ask(worker: &Worker, request: RequestBuilder) -> Result<Done, (SwapClientError, Option<Report>)> {
    let failed = |error: client::ClientError| (error.into(), None);
    let answer = worker.send(request).await.map_err(failed)?;
    if answer.status().is_success() {
        return answer.json().map_err(failed);
    }
    match answer.json() {
        Ok(Refusal { message, gate, report }) if answer.status() != StatusCode::UNAUTHORIZED => {
            let gate = gate.map(|gate| format!(" by the gate `{gate}`")).unwrap_or_default();
            Err((SwapClientError::Refused { gate, message }, report))
        }
        _ => Err(failed(answer.refused())),
    }
}

fn tell(result: Result<Done, (SwapClientError, Option<Report>)>, out: &mut impl Write) -> Result<(), SwapClientError> {
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
    fn a_signature_fits_into_a_header() {
        assert_eq!(header(&[0, 255]), "00ff");
        assert_eq!(header(b"QUJD\nREVG\n"), "QUJDREVG");
    }
}
