//! Dead letters: records that can't be written go to a topic of their own, byte for byte, with the reason in headers (KIP-298).
//!
//! The task's thread hands letters in and takes acknowledgements back; it never waits. An offset is decided only when the topic
//! has acknowledged the letter (I1): what it does not take is sent again for ever, and while nothing arrives the task is held. A letter
//! that is too large even alone goes without its value, and says so.
//!
//! - `letter` is what a letter is made of, `outbox` the producer with its acknowledgements, `topic` makes the topic.

pub(crate) mod claims;
pub mod headers;
mod letter;
mod outbox;
mod topic;

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

use crate::config::{ConnectorConfig, DeadLettersConfig, WorkerConfig};
use crate::metrics::TaskMetrics;
use crate::record::OffsetRange;
use crate::retry::Backoff;
use crate::status::{TaskBoard, TaskState};
use claims::Claims;
use letter::Sender;
use outbox::{Delivered, Outbox, SendError};

pub use letter::{Letter, RejectStage};
pub(crate) use outbox::kbytes_max;
pub use topic::{TopicError, ensure};

/// Letters on their way at once. More would only wait inside the producer; fewer would show the way to the broker and back.
const IN_FLIGHT_MAX: usize = 4096;

/// Letters at which no more records are taken. A batch or a body may add its own on top: 4,096 and `batch.max.lines`.
const LETTERS_MAX: usize = 4096;

/// Likewise, the bytes of their records.
pub(crate) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The pause between two tries, at first and at most: soon enough for who has just mended an access right.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The records whose fate a group of letters decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The pipeline's slot of their partition.
    pub slot: usize,
    /// Its assignment generation.
    pub generation: u64,
    /// What is decided, as the ledger knows it, once every letter is acknowledged.
    pub range: OffsetRange,
}

/// The topic has a letter.
#[derive(Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// What the letter belongs to.
    pub claim: Claim,
    /// Whether it was the last one of its claim.
    pub decided: bool,
}

/// The dead letters of one task.
#[derive(Debug)]
pub struct DeadLetters {
    config: DeadLettersConfig,
    sender: Sender,
    outbox: Outbox,
    claims: Claims,
    waiting: VecDeque<Letter>,
    /// Letters of a batch that was too large: each is sent once more, alone, to find out whether it is itself.
    suspects: VecDeque<Letter>,
    /// What all of them take, those under way too.
    bytes: usize,
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// Whether the last delivery failed, and how often that began.
    failing: (bool, u64),
    metrics: TaskMetrics,
    board: TaskBoard,
}

// === impl DeadLetters ===

impl DeadLetters {
    /// Starts the producer of task `task`; `None` if the connector has no dead-letter topic. `wake` is unparked when there is an
    /// acknowledgement.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses a setting.
    pub fn open(
        worker: &WorkerConfig,
        connector: &ConnectorConfig,
        task: u32,
        wake: Thread,
        (metrics, board): (TaskMetrics, TaskBoard),
    ) -> KafkaResult<Option<Self>> {
        let Some(config) = connector.errors.dead_letters.clone() else { return Ok(None) };
        let outbox = Outbox::open(worker, connector, task, wake)?;
        let sender = Sender { connector: connector.name.as_str().into(), task };
        Ok(Some(Self {
            config,
            sender,
            outbox,
            claims: Claims::default(),
            waiting: VecDeque::new(),
            suspects: VecDeque::new(),
            bytes: 0,
            backoff: Backoff::new(RETRY_MIN, RETRY_MAX),
            retry_at: None,
            failing: (false, 0),
            metrics,
            board,
        }))
    }

    /// Takes letters over; `claim` is decided when all of them are acknowledged. Without one they decide nothing: the task fails.
    pub fn submit(&mut self, claim: Option<Claim>, letters: Vec<Letter>) {
        let id = claim.map_or(claims::NONE, |claim| self.claims.open(claim, letters.len()));
        self.bytes += letters.iter().map(Letter::bytes).sum::<usize>();
        self.waiting.extend(letters.into_iter().map(|letter| letter.of_claim(id)));
    }

    /// Sends what may leave and gives back what has arrived. To be called often; never waits.
    pub fn pump(&mut self, now: Instant) -> Vec<Acknowledged> {
        let mut acknowledged = Vec::new();
        while let Some(delivered) = self.outbox.next_delivered() {
            self.take(delivered, now, &mut acknowledged);
        }
        if self.retry_at.is_none_or(|at| now >= at) {
            self.retry_at = None;
            self.send(now);
        }
        acknowledged
    }

    /// Whether no more letters should be made for now.
    pub fn is_full(&self) -> bool {
        self.len() >= LETTERS_MAX || self.bytes >= BYTES_MAX
    }

    /// Whether every letter is acknowledged.
    pub fn is_idle(&self) -> bool {
        self.len() == 0
    }

    /// Whether letters fail to arrive at the moment, and how often that has begun.
    pub fn trouble(&self) -> (bool, u64) {
        self.failing
    }

    /// When there is something to send again.
    pub fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Gives up letters of assignments that are over: their next owner decides their records.
    pub fn forget(&mut self, is_over: impl Fn(&Claim) -> bool) {
        self.claims.forget(is_over);
        let claims = &self.claims;
        for letters in [&mut self.waiting, &mut self.suspects] {
            letters.retain(|letter| {
                let stays = letter.claim() == claims::NONE || claims.is_open(letter.claim());
                self.bytes -= if stays { 0 } else { letter.bytes() };
                stays
            });
        }
    }

    fn len(&self) -> usize {
        self.waiting.len() + self.suspects.len() + self.outbox.in_flight()
    }

    fn take(&mut self, Delivered { letter, error, alone }: Delivered, now: Instant, into: &mut Vec<Acknowledged>) {
        let Some(code) = error else {
            self.failing.0 = false;
            self.backoff.reset();
            self.bytes -= letter.bytes();
            into.extend(self.claims.settle(letter.claim()));
            return;
        };
        self.metrics.letter_failed();
        match code {
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize if !alone => {
                self.suspects.push_back(letter);
            }
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize => self.shrink(letter, now),
            code => self.fail(letter, code, now),
        }
    }

    /// A letter that is too large even alone is sent with less in it.
    fn shrink(&mut self, mut letter: Letter, now: Instant) {
        if !letter.leave_out() {
            return self.fail(letter, RDKafkaErrorCode::MessageSizeTooLarge, now);
        }
        tracing::warn!(
            topic = self.config.topic,
            letter = %letter.place(),
            omitted = letter.omitted(),
            "dead letter is too large for its topic, sending it with less; raise max.message.bytes"
        );
        self.suspects.push_front(letter);
    }

    /// The letter is sent again after a pause; the status says why.
    fn fail(&mut self, letter: Letter, code: RDKafkaErrorCode, now: Instant) {
        let topic = &self.config.topic;
        let reason = format!("could not write dead letter of {} to topic `{topic}`: {code}", letter.place());
        self.board.set(match outbox::advice(code) {
            Some(advice) => TaskState::held(format!("{reason}; {advice}")),
            None => TaskState::retrying(reason),
        });
        self.waiting.push_front(letter);
        if !self.failing.0 {
            self.failing = (true, self.failing.1 + 1);
        }
        if self.retry_at.is_none() {
            self.retry_at = Some(now + self.backoff.next(None));
        }
    }

    /// Suspects go first, one by one with nothing beside them; then everything else.
    fn send(&mut self, now: Instant) {
        if let Some(letter) = self.suspects.pop_front() {
            if self.outbox.in_flight() > 0 {
                return self.suspects.push_front(letter);
            }
            return self.send_one(letter, true, now);
        }
        while self.outbox.in_flight() < IN_FLIGHT_MAX && self.retry_at.is_none() && self.suspects.is_empty() {
            let Some(letter) = self.waiting.pop_front() else { return };
            let before = self.outbox.in_flight();
            self.send_one(letter, false, now);
            if self.outbox.in_flight() == before {
                return;
            }
        }
    }

    fn send_one(&mut self, letter: Letter, alone: bool, now: Instant) {
        let nothing_under_way = self.outbox.in_flight() == 0;
        match self.outbox.send(letter, alone, &self.config, &self.sender) {
            Ok(()) => self.metrics.letter_sent(),
            // The producer's memory: with nothing in it this letter is too large for it.
            Err((letter, SendError::Full)) if nothing_under_way => self.shrink(*letter, now),
            Err((letter, SendError::Full)) => self.waiting.push_front(*letter),
            Err((letter, SendError::TooLarge)) => self.shrink(*letter, now),
            Err((letter, SendError::Other(code))) => self.fail(*letter, code, now),
        }
    }
}

/// The batch of a letter's record.
pub type Records = Arc<crate::batch::Batch>;

#[cfg(test)]
mod tests;
