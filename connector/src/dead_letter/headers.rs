//! Names of the headers that a dead letter carries: Kafka Connect's (KIP-298) and our own. Values are UTF-8, numbers decimal.
//! They are appended after the record's own headers; readers take the last of a name.

/// The record's topic.
pub const TOPIC: &str = "__connect.errors.topic";
/// Its partition.
pub const PARTITION: &str = "__connect.errors.partition";
/// Its offset.
pub const OFFSET: &str = "__connect.errors.offset";
/// The connector.
pub const CONNECTOR: &str = "__connect.errors.connector.name";
/// The number of the task.
pub const TASK: &str = "__connect.errors.task.id";
/// The stage, in Connect's words.
pub const CONNECT_STAGE: &str = "__connect.errors.stage";
/// What executed it.
pub const CLASS: &str = "__connect.errors.class.name";
/// The kind of failure.
pub const EXCEPTION: &str = "__connect.errors.exception.class.name";
/// The reason.
pub const MESSAGE: &str = "__connect.errors.exception.message";
/// The reason with its causes.
pub const STACKTRACE: &str = "__connect.errors.exception.stacktrace";
/// The stage: `transform`, `points` or `sink`.
pub const STAGE: &str = "sluice.stage";
/// The sha256 of the module that ran, in hexadecimal.
pub const DIGEST: &str = "sluice.module.digest";
/// The line that was refused, if there is one, cut to 16 KiB.
pub const LINE: &str = "sluice.line";
/// The reason.
pub const REASON: &str = "sluice.reason";
/// What was left out because the letter was too large: `value`, or `key,value,headers`.
pub const OMITTED: &str = "sluice.omitted";
