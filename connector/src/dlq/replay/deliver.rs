//! Request bodies of letters, written until every line is decided.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::gather::Ticket;
use crate::config::{Product, VersionSetting};
use crate::retry::Backoff;
use crate::sink::hunt::Hunt;
use crate::sink::influx::InfluxClient;
use crate::sink::verdict::Verdict;

/// How often a wrong configuration is tried again at the least: soon enough for who has just mended it.
const HELD_MAX: Duration = Duration::from_secs(5);

/// A letter whose lines are in a body.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) ticket: Ticket,
    /// How many lines it has.
    pub(super) lines: usize,
}

/// One request body.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: usize,
    /// The letters, in the order of their lines.
    pub(super) parts: Vec<Part>,
}

/// Writes bodies to InfluxDB.
#[derive(Debug)]
pub(super) struct Deliverer {
    client: InfluxClient,
    product: Option<Product>,
    backoff: Backoff,
}

// === impl Body ===

impl Body {
    pub(super) fn push(&mut self, part: Part, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
        self.lines += part.lines;
        self.parts.push(part);
    }
}

// === impl Deliverer ===

impl Deliverer {
    pub(super) fn new(client: InfluxClient, version: VersionSetting) -> Self {
        let product = match version {
            VersionSetting::Fixed(product) => Some(product),
            VersionSetting::Auto => None,
        };
        Self { client, product, backoff: Backoff::default() }
    }

    /// Tries until every line is stored or refused. Gives back each letter, with the reason if a line of it was refused.
    pub(super) async fn deliver(&mut self, body: Body) -> Vec<(Part, Option<String>)> {
        let mut hunt = Hunt::new(Bytes::from(body.bytes));
        while let Some(piece) = hunt.next(usize::MAX) {
            let verdict = self.write(piece).await;
            match hunt.judge(verdict) {
                Some(wait) => self.pause(wait).await,
                None => self.backoff.reset(),
            }
        }
        let refused: BTreeMap<usize, String> =
            hunt.into_refused().into_iter().map(|refused| (refused.line, refused.reason)).collect();
        let mut first = 0;
        let decide = |part: Part| {
            let lines = first..first + part.lines;
            first = lines.end;
            let reason = refused.range(lines).next().map(|(_, reason)| reason.clone());
            (part, reason)
        };
        body.parts.into_iter().map(decide).collect()
    }

    async fn write(&mut self, body: Bytes) -> Verdict {
        let product = match self.product {
            Some(product) => product,
            None => match self.client.detect().await {
                Ok(detected) => *self.product.insert(detected.product),
                Err(error) => return error.into(),
            },
        };
        self.client.write(product, body).await
    }

    async fn pause(&mut self, verdict: Verdict) {
        let (reason, pause) = match verdict {
            Verdict::Configuration { reason } => (reason, self.backoff.next(None).min(HELD_MAX)),
            Verdict::Transient { reason, retry_after, .. } => (reason, self.backoff.next(retry_after)),
            _ => return,
        };
        tracing::warn!(reason, pause_ms = pause.as_millis() as u64, "could not write, trying again");
        tokio::time::sleep(pause).await;
    }
}
