//! `docs/METRICS.md`: every metric, and each of Kafka Connect's that is left out, with the reason. The document is written from the code; this compares
//! it, or writes it anew when `SLUICE_WRITE_DOCS` is set.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use prometheus::proto::MetricType;

use super::super::family::Described;
use super::super::{certificates, process, swaps, tables, worker};
use super::*;

/// Kafka Connect's metrics by their group and name in JMX: shown, or the reason for which it is not.
type Reference = (&'static str, &'static [(&'static str, Option<&'static str>)]);

const SHOWN: Option<&str> = None;

/// Why the metrics of converters are left out.
const NO_CONVERTERS: Option<&str> = Some("There are no converters: a transform gets the bytes.");

/// Why strings of tasks are left out.
const NO_STRINGS: Option<&str> =
    Some("Strimzi's rules give it no name; kafka_connect_connector_connector_* say it of the connector.");

/// Why times of rebalances are left out.
const NO_REBALANCES: Option<&str> =
    Some("One worker never shares its connectors out anew; for consumer groups see the broker's metrics.");

const CONNECT: &[Reference] = &[
    (
        "sink-task-metrics",
        &[
            ("sink-record-read-rate", SHOWN),
            ("sink-record-read-total", SHOWN),
            ("sink-record-send-rate", SHOWN),
            ("sink-record-send-total", SHOWN),
            ("sink-record-active-count", SHOWN),
            ("sink-record-active-count-max", SHOWN),
            ("sink-record-active-count-avg", SHOWN),
            ("put-batch-max-time-ms", SHOWN),
            ("put-batch-avg-time-ms", SHOWN),
            ("partition-count", SHOWN),
            ("offset-commit-seq-no", SHOWN),
            ("offset-commit-completion-rate", SHOWN),
            ("offset-commit-completion-total", SHOWN),
            ("offset-commit-skip-rate", Some("No answer to a commit is passed over for being late.")),
            ("offset-commit-skip-total", Some("No answer to a commit is passed over for being late.")),
            (
                "sink-record-lag-max",
                Some("Connect documents it and never sets it; see kafka_consumer_fetch_manager_records_lag."),
            ),
        ],
    ),
    (
        "connector-task-metrics",
        &[
            ("status", SHOWN),
            ("running-ratio", SHOWN),
            ("pause-ratio", SHOWN),
            ("offset-commit-max-time-ms", SHOWN),
            ("offset-commit-avg-time-ms", SHOWN),
            ("batch-size-max", SHOWN),
            ("batch-size-avg", SHOWN),
            ("offset-commit-failure-percentage", SHOWN),
            ("offset-commit-success-percentage", SHOWN),
            ("connector-class", NO_STRINGS),
            ("connector-version", NO_STRINGS),
            ("connector-type", NO_STRINGS),
            ("task-class", NO_STRINGS),
            ("task-version", NO_STRINGS),
            ("key-converter-class", NO_CONVERTERS),
            ("key-converter-version", NO_CONVERTERS),
            ("value-converter-class", NO_CONVERTERS),
            ("value-converter-version", NO_CONVERTERS),
            ("header-converter-class", NO_CONVERTERS),
            ("header-converter-version", NO_CONVERTERS),
        ],
    ),
    (
        "task-error-metrics",
        &[
            ("total-record-failures", SHOWN),
            ("total-record-errors", SHOWN),
            ("total-records-skipped", SHOWN),
            ("total-retries", SHOWN),
            ("total-errors-logged", SHOWN),
            ("deadletterqueue-produce-requests", SHOWN),
            ("deadletterqueue-produce-failures", SHOWN),
            ("last-error-timestamp", SHOWN),
        ],
    ),
    (
        "connector-metrics",
        &[("status", SHOWN), ("connector-type", SHOWN), ("connector-class", SHOWN), ("connector-version", SHOWN)],
    ),
    (
        "connector-transform-metrics",
        &[
            ("transform-class", Some("A connector has one transform, a WebAssembly module: sluice_transform_info.")),
            ("transform-version", Some("A connector has one transform, a WebAssembly module: sluice_transform_info.")),
        ],
    ),
    (
        "connector-predicate-metrics",
        &[
            ("predicate-class", Some("There are no predicates: the transform decides what it filters.")),
            ("predicate-version", Some("There are no predicates: the transform decides what it filters.")),
        ],
    ),
    (
        "connect-worker-metrics",
        &[
            ("connector-count", SHOWN),
            ("task-count", SHOWN),
            ("connector-startup-attempts-total", SHOWN),
            ("connector-startup-success-total", SHOWN),
            ("connector-startup-failure-total", SHOWN),
            ("connector-startup-success-percentage", SHOWN),
            ("connector-startup-failure-percentage", SHOWN),
            ("task-startup-attempts-total", SHOWN),
            ("task-startup-success-total", SHOWN),
            ("task-startup-failure-total", SHOWN),
            ("task-startup-success-percentage", SHOWN),
            ("task-startup-failure-percentage", SHOWN),
            ("connector-total-task-count", SHOWN),
            ("connector-running-task-count", SHOWN),
            ("connector-paused-task-count", SHOWN),
            ("connector-failed-task-count", SHOWN),
            ("connector-unassigned-task-count", SHOWN),
            ("connector-destroyed-task-count", SHOWN),
            ("connector-restarting-task-count", SHOWN),
        ],
    ),
    (
        "connect-worker-rebalance-metrics",
        &[
            ("rebalancing", SHOWN),
            ("completed-rebalances-total", SHOWN),
            ("connect-protocol", Some("A word, which Strimzi's rules do not show either.")),
            ("leader-name", Some("A word, which Strimzi's rules do not show either.")),
            ("epoch", NO_REBALANCES),
            ("rebalance-max-time-ms", NO_REBALANCES),
            ("rebalance-avg-time-ms", NO_REBALANCES),
            ("time-since-last-rebalance-ms", NO_REBALANCES),
        ],
    ),
    ("connect-coordinator-metrics", &[("assigned-connectors", SHOWN), ("assigned-tasks", SHOWN)]),
    ("consumer-fetch-manager-metrics", &[("records-lag", SHOWN)]),
];

const HEAD: &str = "\
# Metrics

`GET /metrics` shows them in Prometheus' text format. This page is written from the code by a test
(`SLUICE_WRITE_DOCS=1 cargo test -p sluice --lib tests::doc` writes it anew), and the same test fails when they differ.

A series is shown as long as what it is about is there: those of a partition until it is revoked, those of a connector and its tasks until it is removed.
A number that is not known yet is not shown, rather than shown as 0.

Metrics that are named `kafka_connect_*` and `kafka_consumer_*` are Kafka Connect's and mean what they mean there. They are spelt as Strimzi's rules for the JMX
exporter spell them, so its dashboard and its alert rules show Sluice. **Of late** means in the last half minute to a minute, in two samples of
thirty seconds as in Kafka (`metrics.sample.window.ms`, `metrics.num.samples`): so are all their rates, averages, maxima and percentages, but for
those of starts. Where Kafka says NaN, for want of values, this says 0.
";

/// The name by which Strimzi's rules for the JMX exporter show a metric.
fn spelt(group: &str, name: &str) -> String {
    let group = group.strip_suffix("-metrics").unwrap();
    let kafka = if group.starts_with("consumer-") { "kafka-" } else { "kafka-connect-" };
    format!("{kafka}{}-{name}", group.strip_prefix("connect-").unwrap_or(group)).replace('-', "_")
}

/// Every metric, by name.
fn families() -> Vec<Described> {
    let mut all = [
        board::families(),
        certificates::families(),
        process::families(),
        swaps::families(),
        tables::families(),
        worker::families(),
    ]
    .concat();
    all.sort_by_key(|described| described.family.name);
    all
}

/// What the numbers count, by the name's end.
fn unit(name: &str) -> &'static str {
    const ENDS: &[(&str, &str)] = &[
        ("_start_time_seconds", "s since 1970"),
        ("_timestamp_seconds", "s since 1970"),
        ("_seconds", "s"),
        ("_seconds_total", "s"),
        ("_bytes", "bytes"),
        ("bytes_written_total", "bytes"),
        ("_timestamp", "ms since 1970"),
        ("_ms", "ms"),
        ("_rate", "per second"),
        ("_ratio", "0 to 1"),
        ("_percentage", "0 to 1"),
        ("_info", ""),
        ("_state", ""),
        ("_status", ""),
        ("_connector_class", ""),
        ("_connector_type", ""),
        ("_connector_version", ""),
        ("_on_probation", "0 or 1"),
        ("_rebalancing", "0 or 1"),
    ];
    ENDS.iter().find(|(end, _)| name.ends_with(end)).map_or("count", |(_, unit)| unit)
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    let (connect, own): (Vec<_>, Vec<_>) =
        families().into_iter().partition(|described| described.family.name.starts_with("kafka_"));
    for (title, families) in [("Sluice's own", own), ("Kafka Connect's", connect)] {
        let _ = write!(
            text,
            "\n## {title}\n\n| name | type | labels | unit | meaning |\n| --- | --- | --- | --- | --- |\n"
        );
        for Described { family, mut labels } in families {
            labels.sort_unstable();
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            let kind = match family.kind {
                MetricType::COUNTER => "counter",
                MetricType::HISTOGRAM => "histogram",
                _ => "gauge",
            };
            let (name, labels, unit) = (family.name, labels.join(", "), unit(family.name));
            let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {unit} | {} |", family.help);
        }
    }
    text.push_str("\n## Kafka Connect's that are left out\n\n| group | name | why |\n| --- | --- | --- |\n");
    for (group, names) in CONNECT {
        for (name, reason) in names.iter().filter_map(|(name, reason)| Some((name, (*reason)?))) {
            let _ = writeln!(text, "| `{group}` | `{name}` | {reason} |");
        }
    }
    text
}

#[test]
fn the_document_lists_every_metric() {
    crate::docs::is_what_the_code_says("METRICS.md", &document());
}

#[test]
fn each_of_connects_metrics_is_shown_or_left_out_for_a_reason() {
    let shown: BTreeSet<String> = families()
        .into_iter()
        .map(|described| described.family.name.to_owned())
        .filter(|name| name.starts_with("kafka_"))
        .collect();
    let names = |is_shown: bool| -> BTreeSet<String> {
        let all = CONNECT.iter().flat_map(|(group, names)| names.iter().map(move |(name, why)| (group, name, why)));
        all.filter(|(_, _, why)| why.is_none() == is_shown).map(|(group, name, _)| spelt(group, name)).collect()
    };
    assert_eq!(shown, names(true));
    assert!(names(false).is_disjoint(&shown));
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_shown_is_what_is_described() {
    let metrics = Metrics::new();
    let board = Board::new();
    let connector = board.connector("prices", 1);
    connector.bound_memory(1);
    metrics.show_board(&board);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sink/influx/tests/localhost.pem");
    let setting = "ssl.ca.location";
    metrics.show_certificates(vec![CertificateFile { setting, path, authorities: true }]);
    let task = metrics.task("prices", 0);
    task.influx_certificate(1);
    task.transform_info("sha256:00", "builtin:split-concat");
    let partition = task.partition("t", 0);
    partition.lag(1, 0.5);
    partition.unread(1);
    let _swaps = metrics.swaps("prices");
    let gathered = metrics.registry.gather();
    let mut described = families();
    let names: Vec<_> = gathered.iter().map(|family| family.name().to_owned()).collect();
    assert_eq!(names, described.iter().map(|described| described.family.name).collect::<Vec<_>>());
    for (family, described) in gathered.iter().zip(&mut described) {
        assert_eq!(family.get_field_type(), described.family.kind, "{}", family.name());
        assert!(!family.help().is_empty() && family.help().ends_with('.'), "{}", family.name());
        described.labels.sort_unstable();
        for metric in family.get_metric() {
            let mut labels: Vec<_> = metric.get_label().iter().map(|pair| pair.name()).collect();
            labels.sort_unstable();
            assert_eq!(labels, described.labels, "{}", family.name());
        }
    }
}
