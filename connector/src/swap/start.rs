//! What a connector begins with: the version that ran last, unless its file has changed.

use std::fmt::Write as _;

use thiserror::Error;

use super::gates::Gates;
use super::history::{History, Source, Start};
use super::now_ms;
use super::service::{Gate, Refused};
use super::shelf::Shelf;
use super::store::StoreError;
use super::watch::{self, Found};
use crate::config::{ConnectorConfig, ModuleRef};
use crate::metrics::SwapOutcome;
use crate::transform::engine::Module;
use crate::transform::{builtin, digest_of};

/// Why there is nothing to begin with.
#[derive(Debug, Error)]
pub enum StartError {
    /// The module that is configured can't be had.
    #[error("could not get transform module {module}; check transform.module: {reason}")]
    Missing {
        /// The module.
        module: String,
        /// Why.
        reason: String,
    },
    /// A gate refused the module.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The state folder can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a connector begins with.
#[derive(Debug)]
pub struct First {
    /// The version that runs, or that the other falls back on.
    pub stable: Module,
    /// The file's version, if that has changed since the last time: it runs from the first record on, and is on probation.
    pub trial: Option<Module>,
    /// What has run before.
    pub history: History,
    /// Where modules are kept.
    pub shelf: Shelf,
    /// The digest of the file's bytes that are not to be taken in again.
    pub known: Option<String>,
}

/// Finds out what is to run, and loads it.
///
/// # Errors
///
/// If there is neither a module to begin with nor one that ran before, or the state folder can't be used.
pub fn first(gates: &Gates, mut shelf: Shelf) -> Result<First, StartError> {
    let mut history = shelf.load()?;
    let configured = gates.config.transform.module.to_string();
    let found = find(&gates.config.transform.module, &shelf);
    let digest = found.as_ref().ok().map(|found| found.digest.to_string());
    let settings = fingerprint(&gates.config, found.as_ref().ok().and_then(|found| found.signature.as_deref()));
    let start = history.at_start(&configured, &settings, digest.as_deref(), now_ms());
    shelf.save(&history)?;
    let mut first = match start {
        Start::Configured => {
            let found = found.map_err(|reason| StartError::Missing { module: configured.clone(), reason })?;
            let stable = load(gates, &configured, &found)?;
            shelf.keep(&found.digest, &found.bytes)?;
            history.started(&configured, &found.digest, now_ms());
            First { stable, trial: None, history, shelf, known: digest }
        }
        Start::Good(_) => {
            if let Err(reason) = &found {
                tracing::warn!(module = configured, reason, "the module can't be had, the version that ran last runs");
            }
            First { stable: last_good(gates, &shelf, &history)?, trial: None, history, shelf, known: digest }
        }
        Start::Changed { .. } => {
            let stable = last_good(gates, &shelf, &history)?;
            let changed = found.map_err(|reason| Refused::new(Gate::Unknown, reason));
            let trial = match changed.and_then(|found| changed_module(gates, &mut shelf, &mut history, &found)) {
                Ok(module) => Some(module),
                Err(refused) => {
                    tracing::warn!(
                        module = configured,
                        reason = refused.reason,
                        "the module's file has changed and was refused, the version that ran last runs"
                    );
                    None
                }
            };
            First { stable, trial, history, shelf, known: digest }
        }
        Start::Interrupted { retry, .. } => {
            tracing::warn!(
                retry,
                "the process ended while a new version of the transform was tried, the last good one runs"
            );
            // Told by the watch as if it were new.
            let known = digest.filter(|_| !retry);
            First { stable: last_good(gates, &shelf, &history)?, trial: None, history, shelf, known }
        }
    };
    first.shelf.save(&first.history)?;
    Ok(first)
}

/// The bytes that `transform.module` names.
fn find(module: &ModuleRef, shelf: &Shelf) -> Result<Found, String> {
    let whole = |digest: String, bytes: Vec<u8>| Found { bytes: bytes.into(), digest: digest.into(), signature: None };
    match module {
        ModuleRef::Builtin(name) => match builtin::find(name) {
            Some(bytes) => Ok(whole(digest_of(bytes), bytes.to_owned())),
            None => Err(format!("there is no built-in transform `{name}`; this version has: {}", builtin::names())),
        },
        ModuleRef::Path(path) => watch::read(path).map_err(|error| crate::trace(&error)),
        ModuleRef::Digest(digest) => match shelf.module(digest) {
            Ok(Some(bytes)) => Ok(whole(digest.clone(), bytes)),
            Ok(None) => Err("it is not kept in state.dir: upload it, or name its file".to_owned()),
            Err(error) => Err(crate::trace(&error)),
        },
    }
}

fn load(gates: &Gates, name: &str, found: &Found) -> Result<Module, Refused> {
    match &gates.config.transform.module {
        ModuleRef::Builtin(_) => gates.load_shipped(name, &found.bytes),
        ModuleRef::Path(_) | ModuleRef::Digest(_) => {
            gates.load(name, &found.bytes, &found.digest, found.signature.as_deref())
        }
    }
}

/// The newest good version whose bytes are there. It was looked at by every gate; of what can have changed since, the list of digests and the
/// connector's settings are asked again.
fn last_good(gates: &Gates, shelf: &Shelf, history: &History) -> Result<Module, StartError> {
    let Some((digest, bytes)) = shelf.last_good(history) else {
        return Err(StartError::Missing {
            module: gates.config.transform.module.to_string(),
            reason: "its history names versions that are not in the state folder any more; remove that connector's folder there to begin anew".to_owned(),
        });
    };
    Ok(gates.load_kept(&format!("sha256:{digest}"), &bytes, &digest)?)
}

/// What refusals depend on besides the bytes.
fn fingerprint(config: &ConnectorConfig, signature: Option<&[u8]>) -> String {
    let mut text = String::new();
    for (key, value) in config.raw.iter().filter(|(key, _)| key.starts_with("transform.")) {
        // Writing into a String cannot fail. As written: what a placeholder stands for may be a secret.
        let _ = writeln!(text, "{key}={value}");
    }
    let _ = writeln!(text, "{signature:?}");
    digest_of(text.as_bytes())
}

/// The file has changed while nothing ran: its version passes the gates that need no records.
fn changed_module(gates: &Gates, shelf: &mut Shelf, history: &mut History, found: &Found) -> Result<Module, Refused> {
    let state = |error: StoreError| Refused::new(Gate::State, crate::trace(&error));
    history.begin(&found.digest, Source::File, now_ms());
    shelf.keep(&found.digest, &found.bytes).and_then(|()| shelf.save(history)).map_err(state)?;
    match load(gates, &gates.config.transform.module.to_string(), found) {
        Ok(module) => {
            history.switch(None, now_ms());
            Ok(module)
        }
        Err(refused) => {
            gates.metrics.outcome(SwapOutcome::Refused);
            history.refuse(&refused.reason, None, now_ms());
            Err(refused)
        }
    }
}
