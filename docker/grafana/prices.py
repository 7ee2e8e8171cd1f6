"""The dashboards "Crypto prices": the same panels over each way in which the prices can be stored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from panels import FALLING_OR_RISING, INFLUXDB1, INFLUXDB2, INFLUXDB3, Influx
from panels import a_dashboard, candles, choice, grid, lines, many, number, organized, transformation, variable

INTERVALS = ["1s", "5s", "10s", "30s", "1m", "5m", "15m", "1h"]

# No currency is known, and a price of DOGE needs more decimals than one of BTC: Grafana chooses them.
PRICE = "none"

# Columns of the table in the answers, and as they are shown.
COLUMNS = {
    "symbol": ("Symbol", "none"), "price": ("Last price", PRICE), "change_1m": ("Change 1 m", "percent"),
    "change_1h": ("Change 1 h", "percent"), "time": ("Time of the last price", "dateTimeAsIso"),
}
FROM_FIRST = "A change is counted from the first price within that time. "
BAD_TIME = "Bad: a time that stands still while others go on."


@dataclass
class Store:
    """What differs between them."""

    source: Any
    about: str
    symbols: str
    candles: Influx
    lines: Influx
    # Within a span of time, such as "1m".
    change: Callable[[str], Influx]
    table: list[Influx]
    table_about: str = FROM_FIRST + BAD_TIME
    columns: Any = None
    transformations: Any = ()
    # What the lines need to be called by their symbols.
    line_transformations: Any = ()
    line_name: str = ""
    # An interval in this language.
    spelt: Callable[[str], str] = lambda interval: interval


def the_dashboard(uid, name, store):
    query = {"refId": "InfluxVariableQueryEditor-VariableQuery", "query": store.symbols}

    def changed(span, words):
        about = f"From the first price of the last {words}, or the first of all, to the last price. Bad: no price."
        return number(f"Change over {words}", about, "percent", [store.change(span)], (8, 4), FALLING_OR_RISING, 2, f"no price in {words}")

    chart = lines("Prices", "The last price of each chosen symbol in each interval. Bad: a line that ends before the right edge.",
                  PRICE, [store.lines], (24, 9), from_zero=False).span_nulls(True).transformations(list(store.line_transformations))
    if store.line_name:
        chart.display_name(store.line_name)
    board = a_dashboard(uid, f"Crypto prices ({name})", store.about, "5s", "now-15m")
    board.with_variable(variable("symbol", "Symbol", "Whose candles and changes are shown", store.source, query))
    board.with_variable(many(variable("symbols", "Lines", "Whose prices are drawn as lines", store.source, query)))
    board.with_variable(choice("interval", "Interval", "How much time a candle, or a point of a line, stands for",
                               {interval: store.spelt(interval) for interval in INTERVALS}, "10s"))
    for panel in (
        changed("1m", "1 m"), changed("1h", "1 h"), changed("24h", "24 h"),
        candles("Candles of $symbol", "First, highest, lowest and last price of each interval; green if it rose. Bad: a gap, in which no "
                "price was stored.", PRICE, [store.candles]),
        chart,
        grid("All symbols", "Each symbol that had a price within a day. " + store.table_about, store.table, store.columns or COLUMNS,
             list(store.transformations)),
    ):
        board.with_panel(panel)
    return board


# === InfluxQL ===


def influxql(query, ref_id="A", **more):
    return Influx(INFLUXDB1, ref_id, rawQuery=True, query=query, **{"resultFormat": "table", **more})


def candle(price, where):
    return influxql(f'SELECT first({price}) AS "open", max({price}) AS "high", min({price}) AS "low", last({price}) AS "close" '
                    f'FROM "cryptos" WHERE {where}$timeFilter GROUP BY time(${{interval:raw}}) fill(none)')


def relative(price, name, where):
    return f'SELECT (last({price}) - first({price})) / first({price}) * 100 AS "{name}" FROM "cryptos" WHERE {where}'


def tagged():
    """`cryptos,symbol=BTC-USD price=67412.35`"""
    chosen = "\"symbol\" = '${symbol:raw}' AND "

    def all_changes(span, ref_id):
        return influxql(relative('"price"', f"change_{span}", f'time > now() - {span} GROUP BY "symbol"'), ref_id)

    # Once answers are joined, Grafana adds to a column's name that of its answer, which is the measurement.
    order = [name + suffix for name in ("symbol", "price", "change_1m", "change_1h", "Time") for suffix in ("", " cryptos")]
    return Store(
        source=INFLUXDB1,
        about="Prices that a transform wrote with the symbol as a tag, in InfluxDB 1.",
        symbols='SHOW TAG VALUES FROM "cryptos" WITH KEY = "symbol"',
        candles=candle('"price"', chosen),
        lines=influxql('SELECT last("price") FROM "cryptos" WHERE "symbol" =~ /^${symbols:regex}$/ AND $timeFilter '
                       'GROUP BY time(${interval:raw}), "symbol" fill(none)', resultFormat="time_series", alias="$tag_symbol"),
        change=lambda span: influxql(relative('"price"', "change", f"{chosen}time > now() - {span}")),
        # Only where nothing else is selected has a last price the time that it was stored with.
        table=[influxql('SELECT last("price") AS "price" FROM "cryptos" WHERE time > now() - 1d GROUP BY "symbol"', "A"),
               all_changes("1m", "B"), all_changes("1h", "C")],
        columns=COLUMNS | {"Time": COLUMNS["time"]},
        transformations=[organized([], without=["Time"], only="B"), organized([], without=["Time"], only="C"),
                         transformation("joinByField", byField="symbol", mode="outer"), organized(order)],
    )


def fielded():
    """`cryptos BTC-USD=67412.35`: each symbol is a field. A query names it, or finds many by a pattern and calls each `last_BTC-USD`."""
    plain = transformation("renameByRegex", regex="^(?:first|last|count)_(.*)$", renamePattern="$1")

    def every(function, span, ref_id):
        return influxql(f'SELECT {function}(/.*/) FROM "cryptos" WHERE time > now() - {span}', ref_id)

    def turned(ref_id, reducer):
        """From a column for each symbol to a row for each. There is one value of each, so any reducer gives it: they differ in the name that
        they give to the column."""
        return transformation("reduce", ref_id, mode="seriesToRows", reducers=[reducer])

    def computed(name, left, operator, right):
        binary = {"left": named(left), "operator": operator, "right": right}
        return transformation("calculateField", mode="binary", alias=name, replaceFields=False, binary=binary)

    def named(column):
        return {"matcher": {"id": "byName", "options": column}}

    return Store(
        source=INFLUXDB1,
        about="Prices as Sluice's own transform writes them unless told otherwise: a field for each symbol, in InfluxDB 1.",
        symbols='SHOW FIELD KEYS FROM "cryptos"',
        candles=candle('"${symbol:raw}"', ""),
        lines=influxql('SELECT last(/^${symbols:regex}$/) FROM "cryptos" WHERE $timeFilter GROUP BY time(${interval:raw}) fill(none)',
                       resultFormat="time_series", alias="$col"),
        line_transformations=[plain],
        change=lambda span: influxql(relative('"${symbol:raw}"', "change", f"time > now() - {span}")),
        table=[every("last", "1d", "A"), every("first", "1m", "B"), every("first", "1h", "C"), every("count", "1m", "D")],
        table_about=FROM_FIRST + "It is 0 or empty if there was none. InfluxQL has no time for each of several fields: instead, this counts the "
        "prices of the last minute. Bad: none.",
        columns={"Field": COLUMNS["symbol"], "Last *": COLUMNS["price"], "change_1m": ("Change 1 m", "percentunit"),
                 "change_1h": ("Change 1 h", "percentunit"), "Total": ("Prices in the last minute", "short")},
        transformations=[
            plain, turned("A", "lastNotNull"), turned("B", "firstNotNull"), turned("C", "max"), turned("D", "sum"),
            transformation("joinByField", byField="Field", mode="outer"),
            computed("1 m", "Last *", "/", named("First *")), computed("change_1m", "1 m", "-", {"fixed": "1"}),
            computed("1 h", "Last *", "/", named("Max")), computed("change_1h", "1 h", "-", {"fixed": "1"}),
            organized(["Field", "Last *", "change_1m", "change_1h", "Total"], without=["1 m", "1 h", "First *", "Max"]),
        ],
    )


# === Flux ===


def flux(*parts):
    return Influx(INFLUXDB2, "A", query="\n".join(parts))


def fluxed():
    """The tag form in InfluxDB 2."""

    def prices(start, where=""):
        return ('from(bucket: v.defaultBucket) '
                f'|> range({start}) |> filter(fn: (r) => r._measurement == "cryptos" and r._field == "price"{where})')

    def union(*tables):
        return "union(tables: [\n" + "".join(f"  {each},\n" for each in tables) + "])\n  |> group()"

    def window(function):
        return f'aggregateWindow(every: ${{interval:raw}}, fn: {function}, createEmpty: false, timeSrc: "_start")'

    def part(source, name):
        return f'prices |> {source} |> set(key: "_field", value: "{name}")'

    def of_each(start, function, name, value="r._value"):
        """One value of each symbol, in a column of that name once it is pivoted."""
        return f'{prices(f"start: {start}")} |> {function}() |> map(fn: (r) => ({{symbol: r.symbol, column: "{name}", value: {value}}}))'

    def percent(since):
        return f"if exists r.{since} then (r.price / r.{since} - 1.0) * 100.0 else 0.0"

    shown = "start: v.timeRangeStart, stop: v.timeRangeStop"
    chosen = " and r.symbol == ${symbol:doublequote}"
    return Store(
        source=INFLUXDB2,
        about="Prices that a transform wrote with the symbol as a tag, in InfluxDB 2.",
        symbols='import "influxdata/influxdb/schema"\n'
                'schema.tagValues(bucket: v.defaultBucket, tag: "symbol", predicate: (r) => r._measurement == "cryptos", start: -1d)',
        candles=flux(
            "prices = " + prices(shown, chosen),
            union(part(window("first"), "open"), part(window("max"), "high"), part(window("min"), "low"), part(window("last"), "close")),
            '  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
            '  |> keep(columns: ["_time", "open", "high", "low", "close"])',
            '  |> sort(columns: ["_time"])',
        ),
        lines=flux(prices(shown, " and r.symbol =~ /^${symbols:regex}$/"), f"  |> {window('last')}",
                   '  |> keep(columns: ["_time", "_value", "symbol"])'),
        line_name="${__field.labels.symbol}",
        change=lambda span: flux(
            "prices = " + prices(f"start: -{span}", chosen),
            union(part("first()", "first"), part("last()", "last")),
            '  |> pivot(rowKey: ["symbol"], columnKey: ["_field"], valueColumn: "_value")',
            "  |> map(fn: (r) => ({change: (r.last / r.first - 1.0) * 100.0}))",
        ),
        table=[flux(
            union(of_each("-1d", "last", "price"), of_each("-1d", "last", "time", "float(v: int(v: r._time))"),
                  of_each("-1m", "first", "minute"), of_each("-1h", "first", "hour")),
            '  |> pivot(rowKey: ["symbol"], columnKey: ["column"], valueColumn: "value")',
            f"  |> map(fn: (r) => ({{symbol: r.symbol, price: r.price, change_1m: {percent('minute')}, change_1h: {percent('hour')}, "
            "time: time(v: int(v: r.time))}))",
            '  |> sort(columns: ["symbol"])',
        )],
        table_about=FROM_FIRST + "It is 0 if there was none. " + BAD_TIME,
        transformations=[organized(COLUMNS)],
    )


# === SQL ===


def sql(query, form="table"):
    return Influx(INFLUXDB3, "A", rawQuery=True, editorMode="code", rawSql=query, format=form)


def spelt(span):
    """`15m` as SQL has it."""
    return span[:-1] + {"s": " second", "m": " minute", "h": " hour"}[span[-1]]


def sequel():
    """The tag form in InfluxDB 3."""
    first, last = "first_value(price ORDER BY time)", "last_value(price ORDER BY time)"
    start = "date_bin(INTERVAL '${interval:raw}', time) AS time"

    def since(span):
        return f"time >= now() - INTERVAL '{spelt(span)}'"

    def of_each(values, span, name):
        return f"(SELECT symbol, {values} FROM cryptos WHERE {since(span)} GROUP BY symbol) AS {name}"

    return Store(
        source=INFLUXDB3,
        about="Prices that a transform wrote with the symbol as a tag, in InfluxDB 3.",
        symbols=f"SELECT DISTINCT symbol FROM cryptos WHERE {since('24h')} ORDER BY symbol",
        candles=sql(f"SELECT {start}, {first} AS open, max(price) AS high, min(price) AS low, {last} AS close "
                    "FROM cryptos WHERE symbol = ${symbol:sqlstring} AND $__timeFilter(time) GROUP BY 1 ORDER BY 1"),
        lines=sql(f"SELECT {start}, symbol, {last} AS price "
                  "FROM cryptos WHERE symbol IN (${symbols:sqlstring}) AND $__timeFilter(time) GROUP BY 1, 2 ORDER BY 1, 2", "time_series"),
        line_name="${__field.labels.symbol}",
        change=lambda span: sql(f"SELECT ({last} / {first} - 1) * 100 AS change "
                                f"FROM cryptos WHERE symbol = ${{symbol:sqlstring}} AND {since(span)}"),
        table=[sql("SELECT d.symbol, d.price, (d.price / m.price - 1) * 100 AS change_1m, (d.price / h.price - 1) * 100 AS change_1h, d.time "
                   f"FROM {of_each(f'{last} AS price, max(time) AS time', '24h', 'd')} "
                   f"LEFT JOIN {of_each(f'{first} AS price', '1m', 'm')} ON m.symbol = d.symbol "
                   f"LEFT JOIN {of_each(f'{first} AS price', '1h', 'h')} ON h.symbol = d.symbol ORDER BY d.symbol")],
        spelt=spelt,
    )


def dashboards():
    return {
        "crypto-prices": the_dashboard("sluice-crypto-prices", "InfluxQL", tagged()),
        "crypto-prices-fields": the_dashboard("sluice-crypto-prices-fields", "InfluxQL, fields", fielded()),
        "crypto-prices-flux": the_dashboard("sluice-crypto-prices-flux", "Flux", fluxed()),
        "crypto-prices-sql": the_dashboard("sluice-crypto-prices-sql", "SQL", sequel()),
    }
