//! What a connector begins with: the version that ran last, unless its file has changed.

use std::fmt::Write as _;

use thiserror::Error;

use super::controller::{ABOUT_FILE, ABOUT_SWAP};
use super::gates::Gates;
use super::history::{History, Outcome, Source, Start};
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
    #[error("could not get the module that transform.module names, {module}: {reason}")]
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
    /// Whether the file has other bytes than those, and is to be looked at as soon as the connector runs.
    pub retry: bool,
    /// What the operator should know, and what it is about.
    pub warning: Option<(&'static str, String)>,
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
    let (mut trial, mut known, mut retry, mut warning) = (None, None, false, None);
    let stable = match start {
        Start::Configured => {
            let found = found.map_err(|reason| StartError::Missing { module: configured.clone(), reason })?;
            begin(gates, &mut shelf, &mut history, &found)?
        }
        start => match last_good(gates, &shelf, &history, found.as_ref().ok()) {
            Ok(stable) => {
                let unknown = |reason| Refused::new(Gate::Unknown, reason);
                match start {
                    Start::Changed { .. } => {
                        let changed = found.map_err(unknown);
                        let changed = changed
                            .and_then(|found| candidate(gates, &mut shelf, &mut history, (&found, Source::File)));
                        let told = |refused| (ABOUT_SWAP, changed_in_vain(&configured, digest.as_deref(), &refused));
                        trial = changed.map_err(|refused| warning = Some(told(refused))).ok();
                        known = digest.clone().filter(|_| trial.is_some());
                    }
                    Start::Resumed { digest, .. } => {
                        let kept = kept(&shelf, &digest).map_err(unknown);
                        let resumed =
                            kept.and_then(|found| candidate(gates, &mut shelf, &mut history, (&found, Source::Upload)));
                        let told = |refused| (ABOUT_SWAP, resumed_in_vain(&digest, &refused));
                        trial = resumed.map_err(|refused| warning = Some(told(refused))).ok();
                    }
                    Start::Interrupted { retry: is_undecided, .. } => {
                        retry = is_undecided;
                        warning = Some((ABOUT_SWAP, died(&history, retry)));
                    }
                    Start::Configured | Start::Good(_) => warning = unfit(gates, &found, &history),
                }
                stable
            }
            // Module and settings may have changed together, so that the version before does not take the settings of the new one.
            Err(StartError::Refused(refused)) => {
                let other = |found: &Found| {
                    history.last_good() != Some(&*found.digest) && !history.is_quarantined(&found.digest)
                };
                let Some(found) = found.ok().filter(other) else { return Err(refused.into()) };
                warning = Some((ABOUT_SWAP, no_way_back(&configured, &history, &refused)));
                begin(gates, &mut shelf, &mut history, &found)?
            }
            Err(error) => return Err(error),
        },
    };
    // What a new version is measured against.
    if let Some(fared) = history.fared.as_ref().filter(|fared| fared.digest == stable.digest()) {
        stable.version().note(fared.records, fared.errors);
    }
    shelf.save(&history)?;
    if let Some((about, warning)) = &warning {
        tracing::warn!(
            about,
            warning,
            runs = stable.digest(),
            "transform needs attention, the version that ran last runs"
        );
    }
    // Of a file that is not there, too: its old bytes are nothing new when they are back.
    let known = known.or_else(|| history.seen.clone());
    Ok(First { stable, trial, history, shelf, known, retry, warning })
}

/// Begins with what is configured: it is the first version, and there is none to fall back on.
fn begin(gates: &Gates, shelf: &mut Shelf, history: &mut History, found: &Found) -> Result<Module, StartError> {
    let configured = gates.config.transform.module.to_string();
    let module = load(gates, &configured, found)?;
    gates.configure(&module)?;
    shelf.keep(&found.digest, &found.bytes)?;
    shelf.keep_signature(&found.digest, found.signature.as_deref())?;
    history.started(&configured, &found.digest, now_ms());
    Ok(module)
}

fn no_way_back(configured: &str, history: &History, refused: &Refused) -> String {
    let (digest, gate, reason) = (history.last_good().unwrap_or("unknown"), refused.gate.label(), &refused.reason);
    format!(
        "the version that ran last, sha256:{digest}, can't run any more ({gate}), so {configured} runs without one to fall back on: {reason}"
    )
}

/// Why what is configured does not run, if it could not be had or may not be tried.
fn unfit(gates: &Gates, found: &Result<Found, String>, history: &History) -> Option<(&'static str, String)> {
    let configured = &gates.config.transform.module;
    match found {
        // Whoever watches the file tells what is wrong with it, and when it is back.
        Err(_) if gates.watched().is_some() => None,
        Err(reason) => Some((ABOUT_FILE, format!("{configured} can't be had, its last version runs: {reason}"))),
        Ok(found) => history.quarantined.get(&*found.digest).map(|quarantine| {
            let (digest, reason) = (&found.digest, &quarantine.reason);
            let text = format!("{configured} has version sha256:{digest}, which was taken back before and is refused until its bytes change: {reason}");
            (ABOUT_SWAP, text)
        }),
    }
}

fn changed_in_vain(configured: &str, digest: Option<&str>, refused: &Refused) -> String {
    let (digest, gate, reason) = (digest.unwrap_or("unknown"), refused.gate.label(), &refused.reason);
    format!(
        "{configured} has changed while nothing ran; its new version, sha256:{digest}, was refused ({gate}), so the one before runs: {reason}"
    )
}

fn resumed_in_vain(digest: &str, refused: &Refused) -> String {
    let (gate, reason) = (refused.gate.label(), &refused.reason);
    format!(
        "version sha256:{digest} was on probation when the program was stopped, and is refused now ({gate}), so the one before runs: {reason}"
    )
}

/// The process died while a candidate was tried.
fn died(history: &History, retry: bool) -> String {
    let Some(entry) = history.entries.iter().rfind(|entry| entry.outcome == Outcome::Interrupted) else {
        return String::new();
    };
    let next = if history.is_quarantined(&entry.digest) {
        "; it is refused until its bytes change"
    } else if retry {
        "; the file is tried again now"
    } else {
        "; offer it again to have it tried again"
    };
    let reason = entry.reason.as_deref().unwrap_or_default();
    format!("version sha256:{} was not decided upon, {reason}, so the last good one runs{next}", entry.digest)
}

/// The bytes that `transform.module` names.
fn find(module: &ModuleRef, shelf: &Shelf) -> Result<Found, String> {
    match module {
        ModuleRef::Builtin(name) => match builtin::find(name) {
            Some(bytes) => Ok(Found { bytes: bytes.into(), digest: digest_of(bytes).into(), signature: None }),
            None => Err(format!("there is no built-in transform `{name}`; this version has: {}", builtin::names())),
        },
        ModuleRef::Path(path) => watch::read(path).map_err(|error| crate::trace(&error)),
        ModuleRef::Digest(digest) => kept(shelf, digest),
    }
}

/// A module that is kept, with its signature.
fn kept(shelf: &Shelf, digest: &str) -> Result<Found, String> {
    let bytes = shelf.module(digest).map_err(|error| crate::trace(&error))?;
    let bytes = bytes.ok_or("it is not kept in state.dir: upload it, or name its file")?;
    let signature = shelf.signature(digest).map_err(|error| crate::trace(&error))?;
    Ok(Found { bytes: bytes.into(), digest: digest.into(), signature })
}

fn load(gates: &Gates, name: &str, found: &Found) -> Result<Module, Refused> {
    gates.load(name, &found.bytes, &found.digest, found.signature.as_deref())
}

/// The newest good version whose bytes are there. It passed every gate, and policy and settings may have changed since, so it passes again
/// those that need no records. If it is what the file has, the signature beside that counts, too.
fn last_good(gates: &Gates, shelf: &Shelf, history: &History, found: Option<&Found>) -> Result<Module, StartError> {
    let Some((digest, bytes)) = shelf.last_good(history) else {
        return Err(StartError::Missing {
            module: gates.config.transform.module.to_string(),
            reason: "its history names versions that are not in the state folder any more; remove that connector's folder there to begin anew".to_owned(),
        });
    };
    let beside = found.filter(|found| *found.digest == *digest).and_then(|found| found.signature.clone());
    let signature = match beside {
        Some(signature) => Some(signature),
        None => shelf.signature(&digest)?,
    };
    let module = gates.load(&format!("sha256:{digest}"), &bytes, &digest, signature.as_deref())?;
    gates.configure(&module)?;
    Ok(module)
}

/// What refusals depend on besides the bytes.
fn fingerprint(config: &ConnectorConfig, signature: Option<&[u8]>) -> String {
    let mut text = String::new();
    for (key, value) in config.raw.iter().filter(|(key, _)| key.starts_with("transform.")) {
        // Writing into a String cannot fail. As written: what a placeholder stands for may be a secret.
        let _ = writeln!(text, "{key}={value}");
    }
    let _ = writeln!(text, "{signature:?} {}", crate::status::VERSION);
    digest_of(text.as_bytes())
}

/// A version that is to run from the first record on, on probation, passes the gates that need no records.
fn candidate(
    gates: &Gates,
    shelf: &mut Shelf,
    history: &mut History,
    (found, source): (&Found, Source),
) -> Result<Module, Refused> {
    let state = |error: StoreError| Refused::new(Gate::State, crate::trace(&error));
    history.begin(&found.digest, source, now_ms());
    history.step(Gate::Load.label());
    shelf.keep(&found.digest, &found.bytes).and_then(|()| shelf.save(history)).map_err(state)?;
    let name = match source {
        Source::File => gates.config.transform.module.to_string(),
        _ => format!("sha256:{}", found.digest),
    };
    let configured = load(gates, &name, found).and_then(|module| {
        shelf.keep_signature(&found.digest, found.signature.as_deref()).map_err(state)?;
        // From here on its code runs.
        history.step(Gate::Configure.label());
        shelf.save(history).map_err(state)?;
        gates.configure(&module)?;
        Ok(module)
    });
    match configured {
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
