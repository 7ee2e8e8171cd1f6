//! The keys of a connector, in the order they are documented in.

use super::Fallback::{Absent, Required, Value};
use super::Kind::{AutoOr, Bool, Choice, Fraction, Int, List, Module, Password, Path, Text, Url};
use super::{Fallback, Key, Kind};

/// The largest time in milliseconds that a setting may ask for: a day. Longer is a slip of the unit, not a wish.
const DAY_MS: i64 = 86_400_000;

/// Each task is a thread and a Kafka consumer, and a topic rarely has more partitions than this: more is a slip of the finger.
const TASKS_MAX: i64 = 1_000;

/// A Rust guest starts with a little more than 1 MiB, so that less could hold none; 4 GiB is all that 32-bit WebAssembly can address.
const MEMORY_BYTES: Kind = Int(1 << 20, 1 << 32);

/// The program itself needs some of it, and wasmtime's compiler of a large module a gigabyte.
const COMPILE_BYTES: Kind = Int(1 << 28, 1 << 40);

/// More partitions than any task has.
const PARTITIONS_MAX: i64 = 100_000;

/// Smaller bodies would be one long line each; larger ones no InfluxDB takes (its limits are 10 to 50 MB), and every lane holds two.
const BATCH_BYTES: Kind = Int(1 << 10, 1 << 28);

/// Above this many requests at once every server measured was slower, and each may hold `batch.max.bytes` of memory.
const IN_FLIGHT_MAX: i64 = 64;

const fn key(name: &'static str, kind: Kind, fallback: Fallback, doc: &'static str) -> Key {
    Key::new(name, kind, fallback, doc)
}

/// Every key a connector may have.
pub const CONNECTOR: &[Key] = &[
    key("name", Text, Required, "The connector's name. Its tasks form the consumer group connect-<name>."),
    key(
        "connector.class",
        Choice(&["InfluxSink", "InfluxSinkConnector", "io.sluice.InfluxSinkConnector"]),
        Value("InfluxSink"),
        "What the connector is; this program has one class. Over REST it has to be given.",
    ),
    key("tasks.max", Int(1, TASKS_MAX), Value("1"), "How many tasks share the partitions; more than there are partitions stay idle."),
    key("topics", List, Absent, "The topics to read, separated by commas. Either this or topics.regex is required."),
    key(
        "topics.regex",
        Text,
        Absent,
        "Reads every topic whose whole name this matches: a POSIX extended regular expression, as Kafka's C client has them.",
    ),
    key(
        "transform.module",
        Module,
        Required,
        "The transform: builtin:<name> for one that is shipped, the path of a WebAssembly module, or sha256:<digest> of one in state.dir.",
    ),
    key("transform.config.*", Text, Absent, "Handed to the transform, which knows its own settings and refuses others."),
    key("transform.memory.max.bytes", MEMORY_BYTES, Value("67108864"), "The memory one instance of the transform may use."),
    key("transform.timeout.ms", Int(1, 300_000), Value("1000"), "The time one call of the transform, which handles one batch, may take."),
    key("transform.watch", Bool, Value("true"), "Whether a new version of the module's file is taken up while running."),
    key(
        "transform.probation.ms",
        Int(0, DAY_MS),
        Value("60000"),
        "How long a new version may still be taken back by itself. 0 for not at all.",
    ),
    key(
        "transform.probation.max.error.rate",
        Fraction,
        Value("0.01"),
        "The share of refused records, above that of the version before, at which a new version is taken back.",
    ),
    key(
        "transform.canary.partitions",
        Int(0, PARTITIONS_MAX),
        Value("0"),
        "On how many partitions of this process a new version runs during its probation, before it runs on all; 0 for all at once.",
    ),
    key(
        "transform.swap.barrier",
        Bool,
        Value("false"),
        "Whether the tasks of this process wait for each other, so that no record of the old version is transformed after one of the new.",
    ),
    key(
        "transform.shadow.require",
        Choice(&["equal", "no-new-rejects", "none"]),
        Value("no-new-rejects"),
        "What a new version's output on the last records must have in common with the running one's, or it is refused.",
    ),
    key("transform.upload.enable", Bool, Value("false"), "Whether modules may be uploaded over REST. Without state.dir a restart forgets them."),
    key("transform.require.digest", List, Value(""), "The sha256 digests of the modules that may run; blank for any. Shipped ones always may."),
    key(
        "transform.require.signature",
        Bool,
        Value("false"),
        "Whether a module needs a signature beside it (<file>.sig) by one of the worker's transform.signature.keys. Shipped ones don't.",
    ),
    key("transform.compile.timeout.ms", Int(100, DAY_MS), Value("60000"), "The time that compiling a module may take."),
    key("transform.compile.memory.max.bytes", COMPILE_BYTES, Value("2147483648"), "The memory that compiling a module may take."),
    key("influx.url", Url, Required, "Where InfluxDB is: scheme, host, port, and a path only if a proxy puts one before it."),
    key(
        "influx.version",
        Choice(&["auto", "1", "2", "3"]),
        Value("auto"),
        "Which InfluxDB it is; auto asks the server. Stores that speak like InfluxDB 1 (VictoriaMetrics) are 1.",
    ),
    key("influx.database", Text, Absent, "The database of InfluxDB 1 and 3."),
    key("influx.retention.policy", Text, Absent, "The retention policy of InfluxDB 1; without it the database's default."),
    key("influx.username", Text, Absent, "The user of InfluxDB 1."),
    key("influx.password", Password, Absent, "The password of InfluxDB 1."),
    key("influx.org", Text, Absent, "The organisation of InfluxDB 2."),
    key("influx.bucket", Text, Absent, "The bucket of InfluxDB 2."),
    key("influx.token", Password, Absent, "The token of InfluxDB 2 and 3."),
    key(
        "influx.compression",
        Choice(&["auto", "none", "gzip"]),
        Value("auto"),
        "Whether request bodies are compressed; auto does so unless the server is on this machine.",
    ),
    key("influx.request.timeout.ms", Int(1, DAY_MS), Value("30000"), "The time a whole request may take."),
    key("influx.connect.timeout.ms", Int(1, DAY_MS), Value("5000"), "The time connecting may take."),
    key("influx.tls.ca.location", Path, Absent, "A PEM file of the authorities to trust instead of the usual ones."),
    key("influx.tls.insecure", Bool, Value("false"), "Leaves the server's certificate unchecked. For trials only."),
    key("batch.max.lines", Int(1, 10_000_000), Value("10000"), "A request body is cut at this many lines."),
    key("batch.max.bytes", BATCH_BYTES, Value("4194304"), "A request body is cut at this many bytes, before compression."),
    key(
        "linger.ms",
        Int(0, 60_000),
        Value("0"),
        "How long a request waits for more lines although it could leave. 0 is best for latency, and bodies grow under load all the same.",
    ),
    key(
        "requests.in.flight",
        AutoOr(1, IN_FLIGHT_MAX),
        Value("auto"),
        "How many requests may be unanswered at once; auto is 1 on InfluxDB 1 and 2, and 8 on 3, which answers once a second.",
    ),
    key(
        "timestamp.tiebreak",
        Choice(&["offset", "none"]),
        Value("offset"),
        "Keeps points of one series and one millisecond apart by their offset, in the digits below the millisecond; none lets the last one win.",
    ),
    key(
        "errors.tolerance",
        Choice(&["none", "all"]),
        Value("none"),
        "Whether refused records are passed over (all) or stop the task (none). Either way they go to the dead-letter topic if there is one.",
    ),
    key("errors.deadletterqueue.topic.name", Text, Value(""), "The topic that refused records go to, byte for byte; blank for none."),
    key("errors.deadletterqueue.topic.replication.factor", Int(-1, 32_767), Value("3"), "Replicas of that topic if it has to be made; -1 is the broker's default."),
    key(
        "errors.deadletterqueue.context.headers.enable",
        Bool,
        Value("false"),
        "Whether headers tell the reason, the stage, the line and the record's position. `sluice dlq replay` needs them.",
    ),
    key(
        "errors.retry.timeout",
        Int(-1, i64::MAX),
        Value("0"),
        "How long in ms the transform is tried again on a record that it fails on; -1 for ever. Writes to InfluxDB are tried for ever in any case.",
    ),
    key("errors.retry.delay.max.ms", Int(1, i64::MAX), Value("60000"), "The longest pause between two tries; writes to InfluxDB pause 30 s at the most."),
    key("errors.log.enable", Bool, Value("false"), "Whether every refused record is logged."),
    key("errors.log.include.messages", Bool, Value("false"), "Whether that log says which record it was: topic, partition, offset, timestamp."),
    key("errors.budget.max", Int(0, i64::MAX), Value("0"), "More refused records than this within errors.budget.window.ms stop the task, whatever the tolerance; 0 is no limit."),
    key("errors.budget.window.ms", Int(1, DAY_MS), Value("60000"), "The time in which errors.budget.max counts."),
    key(
        "errors.restart.backoff.ms",
        Int(0, DAY_MS),
        Value("0"),
        "The pause after which a failed task starts again by itself, doubled each time; 0 for never, as in Connect. Only after what may mend by \
         itself (brokers, topics), not after a refused record or a wrong setting.",
    ),
    key("errors.restart.backoff.max.ms", Int(1, DAY_MS), Value("300000"), "The longest such pause."),
    key("offset.flush.interval.ms", Int(1, DAY_MS), Value("5000"), "How often offsets are committed."),
    key(
        "stall.timeout.ms",
        Int(0, DAY_MS),
        Value("60000"),
        "How long a partition may stand still although it has records to read; then the consumer is replaced. 0 for ever. Not less than a rebalance takes.",
    ),
    key("consumer.override.*", Text, Absent, "A property of this connector's Kafka consumer, by librdkafka's name or Java's where there is a twin."),
    key("producer.override.*", Text, Absent, "The same for the producer of dead letters."),
    Key::framework("connector.plugin.version", "The version of the class."),
    Key::framework("tasks.max.enforce", "Whether tasks.max is a limit; here it always is."),
    Key::framework("config.action.reload", "What to do when a secret changes."),
    Key::framework("key.converter", "How keys are decoded; transforms get the bytes."),
    Key::framework("key.converter.*", "Settings of the key converter."),
    Key::framework("value.converter", "How values are decoded; transforms get the bytes."),
    Key::framework("value.converter.*", "Settings of the value converter."),
    Key::framework("header.converter", "How headers are decoded; transforms get the bytes."),
    Key::framework("header.converter.*", "Settings of the header converter."),
    key("transforms", List, Value(""), "Connect's single message transforms.")
        .only("", "Sluice runs no Connect transformations, and leaving them out would change what is written: put them into transform.module"),
    key("predicates", List, Value(""), "Connect's predicates for transforms.").only("", "Sluice runs no Connect transformations"),
];
