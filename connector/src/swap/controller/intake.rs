//! A candidate's way from its bytes to the order to switch, or to its refusal.

use std::time::Instant;

use super::{ABOUT_SWAP, Offered, Worker};
use crate::batch::Inputs;
use crate::metrics::{SwapOutcome, SwapStep};
use crate::swap::gates::Passed;
use crate::swap::history::Source;
use crate::swap::now_ms;
use crate::swap::service::{Done, Gate, Refused};
use crate::transform::builtin;

impl Worker {
    /// Takes a module through the gates and, unless it is a dry run, gives the order to switch.
    pub(super) fn take_in(&mut self, offered: &Offered<'_>, dry_run: bool) -> Result<Done, Refused> {
        let started = Instant::now();
        let previous = self.running().digest().to_owned();
        if offered.digest == previous {
            if !dry_run && offered.source == Source::File {
                self.history.file_is_good();
                self.save();
            }
            return Ok(Done { outcome: "unchanged".to_owned(), ..self.done(offered.digest, previous) });
        }
        tracing::info!(digest = offered.digest, source = ?offered.source, dry_run, "looking at a new version of the transform");
        let passed = self.pass(offered, dry_run);
        let result = passed.and_then(|passed| {
            let Passed { module, report } = passed;
            let done = Done {
                warnings: report.warnings(),
                report: Some(report.clone()),
                ..self.done(offered.digest, previous)
            };
            if dry_run {
                return Ok(Done { outcome: "dry_run".to_owned(), ..done });
            }
            let probation_ms = self.swap().probation.as_millis() as u64;
            let carried = self.switch(module, &report)?;
            self.metrics().step(SwapStep::Total, started.elapsed());
            tracing::info!(
                digest = offered.digest,
                took_ms = started.elapsed().as_millis() as u64,
                "transform switched"
            );
            Ok(Done {
                outcome: "switched".to_owned(),
                tasks_changed: carried.changed,
                tasks_pending: carried.pending,
                pause_us: carried.pause.as_micros() as u64,
                probation_ms,
                ..done
            })
        });
        self.desks.iter().for_each(|desk| desk.widen(Inputs::default()));
        if let Err(refused) = &result
            && !dry_run
        {
            self.refused(offered, refused);
        }
        result
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
        if !dry_run {
            self.history.begin(offered.digest, offered.source, now_ms());
            self.shelf
                .keep(offered.digest, offered.bytes)
                .and_then(|()| self.shelf.save(&self.history))
                .map_err(|error| Refused::new(Gate::State, crate::trace(&error)))?;
        }
        let Offered { name, bytes, digest, signature, .. } = *offered;
        let module = if offered.is_kept {
            self.gates.load_kept(name, bytes, digest)?
        } else if builtin::is_shipped(bytes) {
            self.gates.load_shipped(name, bytes)?
        } else {
            self.gates.load(name, bytes, digest, signature)?
        };
        self.gates.warm_up(module, self.running(), &self.desks)
    }

    fn refused(&mut self, offered: &Offered<'_>, refused: &Refused) {
        let report = refused.report.as_ref().and_then(|report| serde_json::to_value(report).ok());
        self.history.refuse(&refused.reason, report, now_ms());
        self.metrics().outcome(SwapOutcome::Refused);
        self.save();
        let gate = refused.gate.label();
        self.warn(
            ABOUT_SWAP,
            &format!("a new version, sha256:{}, was refused ({gate}): {}", offered.digest, refused.reason),
        );
    }
}
