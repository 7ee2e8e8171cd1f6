//! What happens to records that cannot be written: Kafka Connect's `errors.*` (KIP-298), and our own budget.

use std::num::NonZeroU64;
use std::time::Duration;

use super::read::Reader;

/// What becomes of refused records (`errors.*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorsConfig {
    /// Whether a refused record is passed over (`errors.tolerance=all`) or stops its task.
    pub tolerate: bool,
    /// Where refused records go; with `tolerate` and without this they are discarded.
    pub dead_letters: Option<DeadLettersConfig>,
    /// How long the transform is tried again on a record that it fails on; `None` for ever.
    pub retry_timeout: Option<Duration>,
    /// The longest pause between two tries.
    pub retry_delay_max: Duration,
    /// Whether every refused record is logged.
    pub log: bool,
    /// Whether that log names the record.
    pub log_messages: bool,
    /// How many refused records are too many.
    pub budget: Option<BudgetConfig>,
    /// When failed tasks start again by themselves; `None` for not at all.
    pub restart: Option<RestartConfig>,
}

/// The topic of refused records (`errors.deadletterqueue.*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLettersConfig {
    /// Its name.
    pub topic: String,
    /// Replicas of it if it has to be made; -1 is the broker's default.
    pub replication_factor: i32,
    /// Whether the reason and the record's position are told in headers.
    pub context_headers: bool,
}

/// More than `max` refused records within `window` stop the task (`errors.budget.*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetConfig {
    /// How many are borne.
    pub max: NonZeroU64,
    /// Within which time.
    pub window: Duration,
}

/// Failed tasks start again after a pause that grows from `backoff` to `max` (`errors.restart.*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartConfig {
    /// The shortest pause.
    pub backoff: Duration,
    /// The longest.
    pub max: Duration,
}

// === impl ErrorsConfig ===

impl ErrorsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let topic = reader.parsed("errors.deadletterqueue.topic.name", |name| {
            super::connector::check_topic(name).map(|()| name.to_owned())
        });
        let dead_letters = topic.map(|topic| DeadLettersConfig {
            topic,
            replication_factor: i32::try_from(reader.int("errors.deadletterqueue.topic.replication.factor"))
                .unwrap_or(-1),
            context_headers: reader.bool("errors.deadletterqueue.context.headers.enable"),
        });
        let timeout = reader.int("errors.retry.timeout");
        let backoff = reader.millis("errors.restart.backoff.ms");
        let restart = RestartConfig { backoff, max: reader.millis("errors.restart.backoff.max.ms") };
        let max = NonZeroU64::new(reader.int("errors.budget.max").unsigned_abs());
        Self {
            tolerate: reader.word("errors.tolerance") == "all",
            dead_letters,
            retry_timeout: (timeout >= 0).then(|| Duration::from_millis(timeout.unsigned_abs())),
            retry_delay_max: reader.millis("errors.retry.delay.max.ms"),
            log: reader.bool("errors.log.enable"),
            log_messages: reader.bool("errors.log.include.messages"),
            budget: max.map(|max| BudgetConfig { max, window: reader.millis("errors.budget.window.ms") }),
            restart: (!backoff.is_zero()).then_some(restart),
        }
    }

    /// Whether refused records are gone for good: what somebody has to be told of.
    pub fn discards(&self) -> bool {
        self.tolerate && self.dead_letters.is_none()
    }
}

/// What `validate` and the status say of a connector that discards.
pub const DISCARDS: &str = "errors.tolerance=all without errors.deadletterqueue.topic.name: refused records are discarded; \
     sluice_records_discarded_total counts them";

/// Combinations of the keys that do less than they look like, or harm.
pub(super) fn check(reader: &mut Reader) {
    const TOPIC: &str = "errors.deadletterqueue.topic.name";
    let tolerant = reader.word("errors.tolerance") == "all";
    let Some(topic) = reader.text(TOPIC) else {
        if tolerant {
            reader.warn("errors.tolerance", DISCARDS.trim_start_matches("errors.tolerance="));
        }
        let idle = ["errors.deadletterqueue.topic.replication.factor", "errors.deadletterqueue.context.headers.enable"];
        for key in idle.into_iter().filter(|key| reader.is_given(key)).collect::<Vec<_>>() {
            reader.warn(key, format!("has no effect without {TOPIC}"));
        }
        if !reader.below("producer.override.").is_empty() {
            reader.warn("producer.override.*", format!("has no effect without {TOPIC}"));
        }
        return;
    };
    let is_source = |list: String| list.split(',').any(|name| name.trim() == topic);
    if reader.text("topics").is_some_and(is_source) {
        reader.problem(TOPIC, "is one of the topics that are read: every refused record would come back for ever");
    }
    if reader.text("topics.regex").is_some_and(|regex| super::connector::subscribes(&regex, &topic)) {
        reader.problem(TOPIC, "is matched by topics.regex: every refused record would come back for ever");
    }
    if !reader.bool("errors.deadletterqueue.context.headers.enable") {
        reader.warn(
            TOPIC,
            "its records will not say why they are there nor where they come from, and `sluice dlq replay` needs that: set errors.deadletterqueue.context.headers.enable=true",
        );
    }
    if !reader.bool("errors.log.enable") && reader.is_given("errors.log.include.messages") {
        reader.warn("errors.log.include.messages", "has no effect without errors.log.enable=true");
    }
}
