//! A candidate's way from the file or the request to the order to switch, or to its refusal.

use std::time::Instant;

use super::{ABOUT_FILE, ABOUT_SWAP, Offered, Worker};
use crate::batch::Inputs;
use crate::config::ModuleRef;
use crate::metrics::{SwapOutcome, SwapStep};
use crate::swap::gates::Passed;
use crate::swap::history::Source;
use crate::swap::now_ms;
use crate::swap::service::{Candidate, CandidateModule, Done, Gate, Refused, stopping};
use crate::swap::shadow::Report;
use crate::swap::store::StoreError;
use crate::swap::watch::{self, Found, Seen};
use crate::transform::digest_of;
use crate::transform::engine::Module;

impl Worker {
    /// The file has changed, or is gone.
    pub(super) fn file(&mut self, seen: Seen) {
        match seen {
            Seen::Module(Found { bytes, digest, signature }) => {
                self.board.clear_warning(ABOUT_FILE);
                let name = self.config().transform.module.to_string();
                let signature = signature.as_deref();
                let offered = Offered { name: &name, bytes: &bytes, digest: &digest, signature, source: Source::File };
                // Told in the log, in the history and on the board.
                let _ = self.take_in(&offered, false);
            }
            Seen::Back => self.board.clear_warning(ABOUT_FILE),
            Seen::Gone => self.warn(
                ABOUT_FILE,
                &format!(
                    "the file {} is gone; its version goes on running, put the file back before the next restart",
                    self.config().transform.module
                ),
            ),
            Seen::Unusable(reason) => self.warn(ABOUT_FILE, &format!("{reason}; the running version goes on")),
        }
    }

    /// The file is not watched, and somebody asks to look at it.
    pub(super) fn look(&mut self) {
        let ModuleRef::Path(path) = &self.config().transform.module else { return };
        match watch::read(path) {
            Ok(found) if self.history.seen.as_deref() == Some(&*found.digest) => self.file(Seen::Back),
            Ok(found) => self.file(Seen::Module(found)),
            Err(error) => self.file(Seen::Unusable(crate::trace(&error))),
        }
    }

    pub(super) fn requested(&mut self, candidate: Candidate) -> Result<Done, Refused> {
        let Candidate { module, signature, dry_run } = candidate;
        let (digest, bytes, signature) = match module {
            CandidateModule::Bytes(bytes) => (digest_of(&bytes), bytes, signature),
            CandidateModule::Digest(digest) => {
                let bytes = self.kept(&digest)?;
                let signature =
                    signature.map_or_else(|| self.kept_signature(&digest), |signature| Ok(Some(signature)))?;
                (digest, bytes, signature)
            }
        };
        let (name, signature) = (format!("sha256:{digest}"), signature.as_deref());
        let offered = Offered { name: &name, bytes: &bytes, digest: &digest, signature, source: Source::Upload };
        self.take_in(&offered, dry_run)
    }

    pub(super) fn kept(&self, digest: &str) -> Result<Vec<u8>, Refused> {
        let kept = self.shelf.module(digest).map_err(|error| Refused::new(Gate::State, crate::trace(&error)))?;
        kept.ok_or_else(|| {
            Refused::new(
                Gate::Unknown,
                format!("no module sha256:{digest} is kept: the last ten are, see the history at /sluice/connectors/{}/transform", self.config().name),
            )
        })
    }

    pub(super) fn kept_signature(&self, digest: &str) -> Result<Option<Vec<u8>>, Refused> {
        self.shelf.signature(digest).map_err(|error| Refused::new(Gate::State, crate::trace(&error)))
    }

    /// Takes a module through the gates and, unless it is a dry run, gives the order to switch.
    pub(super) fn take_in(&mut self, offered: &Offered<'_>, dry_run: bool) -> Result<Done, Refused> {
        let started = Instant::now();
        let previous = self.running().digest().to_owned();
        if offered.digest == previous {
            // While it is on probation nothing is decided about the file's bytes: if the process dies, they are to be tried again.
            if !dry_run && offered.source == Source::File && self.trial.is_none() {
                self.history.file_is_good();
                self.save();
            }
            return Ok(Done { outcome: "unchanged".to_owned(), ..self.done(offered.digest, previous) });
        }
        tracing::debug!(
            digest = offered.digest,
            source = offered.source.label(),
            dry_run,
            "looking at a new version of the transform"
        );
        let result = self.pass(offered, dry_run).and_then(|Passed { module, report }| {
            let done = Done {
                warnings: report.warnings(),
                report: Some(report.clone()),
                ..self.done(offered.digest, previous)
            };
            if dry_run {
                return Ok(Done { outcome: "dry_run".to_owned(), ..done });
            }
            self.take_over(offered, module, &report, done, started)
        });
        self.desks.iter().for_each(|desk| desk.widen(Inputs::default()));
        let (digest, source) = (offered.digest, offered.source.label());
        match &result {
            // Ended in the middle, so nothing it failed at says anything. What the history says is done by the end of the controller.
            Err(_) if self.gates.stop.is_set() => return Err(stopping()),
            Err(Refused { gate, reason, .. }) if dry_run => {
                tracing::info!(
                    digest,
                    gate = gate.label(),
                    reason,
                    source,
                    "new version of the transform would be refused"
                );
            }
            Err(refused) => self.refused(offered, refused),
            Ok(_) if dry_run => tracing::info!(digest, source, "new version of the transform would be taken"),
            Ok(_) => {}
        }
        result
    }

    /// What has passed all gates takes over. `done` is filled in.
    fn take_over(
        &mut self,
        offered: &Offered<'_>,
        module: Module,
        report: &Report,
        done: Done,
        started: Instant,
    ) -> Result<Done, Refused> {
        if self.gates.stop.is_set() {
            return Err(stopping());
        }
        let carried = self.switch(module, report)?;
        self.metrics().step(SwapStep::Total, started.elapsed());
        let done = Done {
            outcome: "switched".to_owned(),
            tasks_changed: carried.changed,
            tasks_pending: carried.pending,
            pause_us: carried.pause.as_micros() as u64,
            probation_ms: self.swap().probation.as_millis() as u64,
            ..done
        };
        tracing::info!(
            digest = done.digest,
            before = done.previous,
            source = offered.source.label(),
            probation_ms = done.probation_ms,
            took_ms = started.elapsed().as_millis() as u64,
            pause_us = done.pause_us,
            tasks = done.tasks_changed,
            tasks_pending = done.tasks_pending,
            "transform switched"
        );
        Ok(done)
    }

    /// All gates. Before the first one the history says that there is a candidate: whatever happens to the process then, its next start
    /// knows.
    fn pass(&mut self, offered: &Offered<'_>, dry_run: bool) -> Result<Passed, Refused> {
        if let Some(quarantine) = self.history.quarantined.get(offered.digest) {
            let reason = format!(
                "module sha256:{} was taken back before and is refused until its bytes change: {}",
                offered.digest, quarantine.reason
            );
            return Err(Refused::new(Gate::Quarantine, reason));
        }
        let state = |error: StoreError| Refused::new(Gate::State, crate::trace(&error));
        if !dry_run {
            self.history.begin(offered.digest, offered.source, now_ms());
            self.history.step(Gate::Load.label());
            let kept = self.shelf.keep(offered.digest, offered.bytes);
            kept.and_then(|()| self.shelf.save(&self.history)).map_err(state)?;
        }
        let Offered { name, bytes, digest, signature, .. } = *offered;
        let module = self.gates.load(name, bytes, digest, signature)?;
        if !dry_run {
            // Not before the policy has found it good.
            self.shelf.keep_signature(digest, signature).map_err(state)?;
        }
        // From here on its code runs, and if that brought the process down, whoever looks for the reason is to know where.
        let mut at = |gate: Gate| {
            if dry_run {
                return Ok(());
            }
            self.history.step(gate.label());
            self.shelf.save(&self.history).map_err(state)
        };
        at(Gate::Configure)?;
        self.gates.configure(&module)?;
        at(Gate::WarmUp)?;
        self.gates.warm_up(module, self.running(), &self.desks)
    }

    fn refused(&mut self, offered: &Offered<'_>, refused: &Refused) {
        let report = refused.report.as_ref().and_then(|report| serde_json::to_value(report).ok());
        self.history.refuse(&refused.reason, report, now_ms());
        self.metrics().outcome(SwapOutcome::Refused);
        self.save();
        let (digest, gate, reason) = (offered.digest, refused.gate.label(), &refused.reason);
        tracing::warn!(digest, gate, reason, source = offered.source.label(), "new version of the transform refused");
        self.board.warn(ABOUT_SWAP, &format!("a new version, sha256:{digest}, was refused ({gate}): {reason}"));
    }
}
