"""The dashboard "Sluice pipeline": what docs/METRICS.md lists, in the order in which one asks when something is wrong."""

from grafana_foundation_sdk.builders import dashboard

from panels import BAD_IF_ANY, PROMETHEUS, a_dashboard, alerts, buckets, events, grid, heat, lines, many, now, number
from panels import organized, over_time, rows, transformation, variable

CHOSEN = 'connector=~"$connector"'
PLACE = "{{connector}} {{topic}}-{{partition}}"
CONNECTOR = "{{connector}}"
TASK = "{{connector}} {{task}}"
HALF, THIRD, QUARTER = (12, 8), (8, 8), (6, 8)


# === PromQL ===


def aggregated(function, of, by):
    return f"{function} by ({by}) ({of})" if by else f"{function}({of})"


def per(function, metric, by, only):
    return aggregated("sum", f"{function}({metric}{{{CHOSEN}{only}}}[$__rate_interval])", by)


def rate(metric, by="", only=""):
    return per("rate", metric, by, only)


def increase(metric, by="", only=""):
    return per("increase", metric, by, only)


def gauge(function, metric, by="", only=""):
    return aggregated(function, f"{metric}{{{CHOSEN}{only}}}", by)


def quantile(share, metric, by=""):
    return f"histogram_quantile({share}, {rate(metric + '_bucket', f'{by}, le' if by else 'le')})"


def series(*pairs):
    """Queries over time, each as what its series are called and the expression."""
    return [over_time("ABCDEFGH"[place], legend, expr) for place, (legend, expr) in enumerate(pairs)]


def of_sluice(metric):
    """Other programs that Prometheus asks have metrics of these names too."""
    return f"{metric} and on (job, instance) sluice_build_info"


# === rows ===


def overview():
    fresh = "sluice_freshness_seconds"
    failed = ', state="failed"'
    return [
        number("Freshness, half", "Half of the records of late were stored within this time after they were made. Bad: more than "
               "the readers of the prices can wait.", "s", [now(quantile(0.5, fresh))], colours=[(None, "green"), (1, "orange"), (10, "red")]),
        number("Freshness, 99 %", "All but one in a hundred records of late were stored within this time after they were made. "
               "Bad: far above the half, or growing.", "s", [now(quantile(0.99, fresh))],
               colours=[(None, "green"), (5, "orange"), (30, "red")]),
        number("Records", "Records taken from Kafka each second. Bad: 0 with a lag.", "recps", [now(rate("sluice_records_consumed_total"))]),
        number("Lag", "Records in Kafka without a fate yet. Bad: growing.", "short", [now(gauge("sum", "sluice_lag_records"))]),
        number("Lag in time", "Age of what was done last, in the partition where that is oldest while more waits. Bad: growing.", "s",
               [now(gauge("max", "sluice_lag_seconds"))], colours=[(None, "green"), (30, "orange"), (120, "red")]),
        # Only the state that a task is in has a series. What follows `or` makes it 0 while there are tasks, and nothing without Sluice.
        number("Failed tasks", "Tasks that gave up and wait for somebody. Bad: any.", "short",
               [now(f"{gauge('sum', 'sluice_task_state', only=failed)} or 0 * {gauge('sum', 'sluice_task_state')}")], colours=BAD_IF_ANY),
        alerts("Alerts firing", "Rules of Prometheus that fire now. Bad: any; each says what to do.", (6, 4)),
    ]


def freshness():
    fresh = "sluice_freshness_seconds"
    return [
        lines("From record to answer", "Within which time after it was made a record was in InfluxDB, for parts of the records. Bad: a step "
              "up that stays.", "s", series(("half", quantile(0.5, fresh)), ("90 %", quantile(0.9, fresh)), ("99 %", quantile(0.99, fresh)),
                                            ("99.9 %", quantile(0.999, fresh))), HALF),
        heat("Where the records fall", "How many records took how long from being made to being stored. Bad: a second band above the first, "
             "which is a part of the partitions that falls behind.", "s", [buckets(increase(f"{fresh}_bucket", "le"))]),
    ]


def throughput():
    def flow(title, description, unit, metric):
        return lines(title, description, unit, series((CONNECTOR, rate(metric, "connector"))), QUARTER)

    return [
        flow("Records taken", "Records from Kafka each second. Bad: 0 with a lag.", "recps", "sluice_records_consumed_total"),
        flow("Points stored", "Points that InfluxDB acknowledged each second. Bad: less than the records taken, and neither filtered nor "
             "refused ones make up for it.", "cps", "sluice_points_written_total"),
        flow("Bytes stored", "Line protocol that InfluxDB acknowledged each second, before compression. Bad: near what the network carries.",
             "binBps", "sluice_bytes_written_total"),
        flow("Records filtered", "Records for which the transform gave no line on purpose, each second. Bad: a step where a new version came.",
             "recps", "sluice_records_filtered_total"),
    ]


def lag():
    def top(function, metric):
        return series((PLACE, f"topk(20, {gauge(function, metric, 'connector, topic, partition')})"))

    return [
        lines("Records behind", "Records without a fate yet, in the 20 partitions that have most of them. Bad: one that grows alone.", "short",
              top("sum", "sluice_lag_records"), HALF),
        lines("Time behind", "Age of what was done last while more waits, in the 20 partitions where it is oldest. Bad: as fast as the clock, "
              "which is a partition that stands still.", "s", top("max", "sluice_lag_seconds"), HALF),
    ]


def stages():
    mean = f"{rate('sluice_stage_seconds_sum', 'stage')} / {rate('sluice_stage_seconds_count', 'stage')}"
    return [
        lines("Time in a stage, on average", "How long a batch (in sink: a request) takes to come from Kafka, through the transform, to become "
              "points, to be stored. Bad: one that grows alone, as it is what makes the others wait.", "s", series(("{{stage}}", mean)), HALF),
        lines("Time in a stage, 99 %", "All but one in a hundred batches or requests were through within this time. Bad: far above the average.",
              "s", series(("{{stage}}", quantile(0.99, "sluice_stage_seconds", "stage"))), HALF),
    ]


def requests():
    stored = ', outcome=~"done|rejected_lines"'
    size = f"{rate('sluice_bytes_written_total', 'connector')} / {rate('sluice_write_requests_total', 'connector', stored)}"
    return [
        lines("Why a request was closed", "Requests each second by what closed them; idle is that Sluice had nothing to wait for. Bad: lines or "
              "bytes all the time, as full requests are a sign that InfluxDB is the slower one.", "reqps",
              series(("{{cut_by}}", rate("sluice_batches_total", "cut_by")))),
        lines("What became of requests", "Write requests each second by how they ended. Bad: anything but done.", "reqps",
              series(("{{outcome}}", rate("sluice_write_requests_total", "outcome")))),
        lines("Requests under way", "Write requests sent and not answered yet. Bad: as many as are allowed, all the time.", "short",
              series((CONNECTOR, gauge("sum", "sluice_write_requests_in_flight", "connector")))),
        lines("Requests sent again", "Write requests each second that were sent once more after a failure, or to find lines that are refused. "
              "Bad: any for long.", "reqps", series((f"{CONNECTOR} again", rate("sluice_retries_total", "connector")),
                                                    (f"{CONNECTOR} search", rate("sluice_bisect_requests_total", "connector"))), HALF),
        lines("Size of a request", "Line protocol in a stored request on average, before compression. Bad: small with a lag, as each "
              "request costs InfluxDB a fixed part.", "bytes", series((CONNECTOR, size)), HALF),
    ]


def errors():
    def count(title, description, metric, by, legend):
        return events(title, description, series((legend, increase(metric, by))))

    return [
        count("To the dead-letter topic", "Refused records that the dead-letter topic now has. Bad: any; `sluice dlq list` has the reasons.",
              "sluice_records_dead_lettered_total", "connector", CONNECTOR),
        count("Discarded", "Refused records that are nowhere, as no dead-letter topic is set. Bad: any; they are lost.",
              "sluice_records_discarded_total", "connector", CONNECTOR),
        # By its type, which is Kafka Connect's, it is a gauge; it only ever grows.
        count("Record errors", "Records that could not be written, whatever became of them. Bad: any.",
              "kafka_connect_task_error_total_record_errors", "connector, task", TASK),
        count("Offsets reset", "Kafka no longer had the offset to read on from. Bad: any, as records may be missing.",
              "sluice_offset_resets_total", "connector, topic, partition", PLACE),
        count("Stalls", "A partition stood still although it had records, and its consumer was replaced. Bad: several, as the brokers may be "
              "in trouble.", "sluice_stalls_total", "connector, task", TASK),
        lines("Tasks by state", "How many tasks are in each state. Bad: failed; held, as a setting or a right is wrong; retrying for long.",
              "short", series(("{{state}}", gauge("sum", "sluice_task_state", "state")))),
    ]


def transform():
    names = ["connector", "task", "module", "digest"]
    return [
        grid("What runs", "The version of the transform in each task: the sha256 of the module. Bad: tasks of one connector that differ for "
             "longer than a probation takes.", [rows(f"sluice_transform_info{{{CHOSEN}}}")], {name: (name.capitalize(), "none") for name in names},
             [transformation("filterFieldsByName", include={"names": names}), organized(names)]),
        lines("Memory of the transform", "Linear memory of each task's instance. Bad: near `transform.memory.max.bytes`.", "bytes",
              series((TASK, gauge("sum", "sluice_transform_memory_bytes", "connector, task")))),
        events("Swaps", "New versions by what became of them. Bad: refused and rolled_back; the transform's status says why.",
               series((f"{CONNECTOR} {{{{outcome}}}}", increase("sluice_swaps_total", "connector, outcome")))),
        number("On probation", "Connectors whose new version is still watched. Bad: one that never ends, as versions follow each other.",
               "short", [now(gauge("sum", "sluice_transform_on_probation"))], (4, 8)),
        number("Quarantined", "Modules that were taken back, and are refused until their bytes change. Bad: any.", "short",
               [now(gauge("sum", "sluice_transform_quarantined"))], (4, 8), BAD_IF_ANY),
    ]


def process():
    return [
        lines("Memory", "What each process has in RAM, and what its connectors take at the most by their settings. Bad: the bound above what "
              "the machine has.", "bytes", series(("{{instance}} in RAM", of_sluice("process_resident_memory_bytes")),
                                                  ("{{instance}} bound", "sum by (instance) (sluice_memory_bound_bytes)")), QUARTER),
        lines("CPU", "Cores in use. Bad: all that there are.", "short",
              series(("{{instance}}", of_sluice("rate(process_cpu_seconds_total[$__rate_interval])"))), QUARTER),
        lines("File descriptors", "Open ones, and how many may be. Bad: near each other.", "short",
              series(("{{instance}} open", of_sluice("process_open_fds")), ("{{instance}} limit", of_sluice("process_max_fds"))), QUARTER),
        lines("Threads", "Threads of each process. Bad: growing while the number of connectors does not.", "short",
              series(("{{instance}}", of_sluice("process_threads"))), QUARTER),
    ]


def swaps():
    """Marks where a version of a transform was promoted, refused or taken back. Each step looks back over a little more than a step, however
    long Grafana makes it, so it misses none."""
    query = over_time("Swaps", "", f"{increase('sluice_swaps_total', 'connector, outcome')} > 0").interval("1m")
    marks = dashboard.AnnotationQuery().name("Swaps").datasource(PROMETHEUS).enable(True).hide(False).icon_color("purple").target(query)
    return marks.title_format("New transform in {{connector}}").text_format("{{outcome}}").tag_keys("connector,outcome")


def dashboards():
    query = {"refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 1, "query": "label_values(sluice_task_state, connector)"}
    board = a_dashboard("sluice-pipeline", "Sluice pipeline", "How fresh, how much, how far behind, and why.", "10s", "now-1h")
    board.with_variable(many(variable("connector", "Connector", "Whose metrics are shown", PROMETHEUS, query)).all_value(".+"))
    board.annotation(swaps())
    for row in (overview, freshness, throughput, lag, stages, requests, errors, transform, process):
        board.with_row(dashboard.Row(row.__name__.capitalize()))
        for panel in row():
            board.with_panel(panel)
    return {"sluice-pipeline": board}
