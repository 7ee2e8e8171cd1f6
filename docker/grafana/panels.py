"""What the dashboards are put together from: a function for each kind of panel, so that all of one kind look and behave alike."""

from grafana_foundation_sdk.builders import candlestick, common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.candlestick import CandleStyle, ColorStrategy, VizDisplayMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

# Data sources, by the uids that they are provisioned under.
PROMETHEUS = shapes.DataSourceRef(type_val="prometheus", uid="prometheus")
INFLUXDB1 = shapes.DataSourceRef(type_val="influxdb", uid="influxdb1")
INFLUXDB2 = shapes.DataSourceRef(type_val="influxdb", uid="influxdb2")
INFLUXDB3 = shapes.DataSourceRef(type_val="influxdb", uid="influxdb3")

# Colours from a value on.
NEUTRAL = [(None, "text")]
BAD_IF_ANY = [(None, "green"), (1, "red")]
FALLING_OR_RISING = [(None, "red"), (0, "green")]


def a_dashboard(uid, title, description, refresh, since):
    """Without its panels. All have the same tag, and the link on top lists what has it."""
    link = dashboard.DashboardLink("Sluice").type(model.DashboardLinkType.DASHBOARDS).tags(["sluice"]).as_dropdown(True).keep_time(True)
    board = dashboard.Dashboard(title).uid(uid).description(description).tags(["sluice"]).editable().timezone("browser").link(link)
    return board.refresh(refresh).time(since, "now").tooltip(model.DashboardCursorSync.CROSSHAIR)


def variable(name, label, description, source, query):
    """A query's answers to choose from. It is asked anew whenever the panels are, so that what comes later shows up by itself."""
    made = dashboard.QueryVariable(name).label(label).description(description).datasource(source).query(query).definition(query["query"])
    return made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)


def many(made):
    """Makes it a variable of which one may choose several values; all at first."""
    return made.multi(True).include_all(True).current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))


def choice(name, label, description, values, first):
    """Some fixed values, each as what it is shown as and what it stands for."""
    options = [model.VariableOption(selected=text == first, text=text, value=value) for text, value in values.items()]
    listed = ",".join(text if text == value else f"{text} : {value}" for text, value in values.items())
    chosen = next(option for option in options if option.selected)
    return dashboard.CustomVariable(name).label(label).description(description).values(listed).options(options).current(chosen)


# === queries ===


class Influx(Builder, Dataquery):
    """A query for InfluxDB, in any of its languages. The library has no type for it."""

    def __init__(self, source, ref_id, **fields):
        self.datasource = source
        self.fields = {"refId": ref_id, "datasource": source, **fields}

    def build(self):
        return self

    def to_json(self):
        return self.fields


def over_time(ref_id, legend, expr):
    return prometheus.Dataquery().ref_id(ref_id).datasource(PROMETHEUS).expr(expr).legend_format(legend).range()


def now(expr):
    return prometheus.Dataquery().ref_id("A").datasource(PROMETHEUS).expr(expr).instant()


def rows(expr):
    return now(expr).format(PromQueryFormat.TABLE)


def buckets(expr):
    return over_time("A", "{{le}}", expr).format(PromQueryFormat.HEATMAP)


# === panels ===


def finish(panel, title, description, size, queries):
    """What every panel has."""
    for query in queries:
        panel.with_target(query).datasource(query.build().datasource)
    width, height = size
    return panel.title(title).description(description).span(width).height(height)


def number(title, description, unit, queries, size=(3, 4), colours=NEUTRAL, decimals=None, empty="no data"):
    """One value, big."""
    panel = stat.Panel().unit(unit).no_value(empty).thresholds(thresholds(colours)).color_mode(shapes.BigValueColorMode.VALUE)
    panel.graph_mode(shapes.BigValueGraphMode.NONE).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if decimals is not None:
        panel.decimals(decimals)
    return finish(panel, title, description, size, queries)


def lines(title, description, unit, queries, size=(8, 8), from_zero=True):
    """Values over time, with the last and the greatest beside each name."""
    legend = common.VizLegendOptions().show_legend(True).display_mode(shapes.LegendDisplayMode.TABLE)
    legend.placement(shapes.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    tooltip = common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING)
    panel = timeseries.Panel().unit(unit).line_width(1).show_points(shapes.VisibilityMode.AUTO).legend(legend).tooltip(tooltip)
    if from_zero:
        panel.min(0).fill_opacity(10)
    return finish(panel, title, description, size, queries)


def events(title, description, queries, size=(8, 8)):
    """How often something happened that should be rare: bars, as a line would hide a single one."""
    return lines(title, description, "short", queries, size).draw_style(shapes.GraphDrawStyle.BARS).fill_opacity(60).decimals(0)


def heat(title, description, unit, queries, size=(12, 8)):
    """Which part of the values fell where, from buckets that the store has counted."""
    colours = heatmap.HeatmapColorOptions().mode("scheme").scheme("Oranges").steps(64).exponent(0.5).fill("dark-orange")
    panel = heatmap.Panel().calculate(False).y_axis(heatmap.YAxisConfig().unit(unit)).unit(unit).cell_gap(1).color(colours)
    panel.cell_values(heatmap.CellValues().unit("short")).filter_values(heatmap.FilterValueRange().le(1e-9))
    return finish(panel, title, description, size, queries)


def candles(title, description, unit, queries, size=(24, 11)):
    """From an answer with the columns open, high, low and close."""
    fields = candlestick.CandlestickFieldMap().open("open").high("high").low("low").close("close")
    panel = candlestick.Panel().unit(unit).fields(fields).mode(VizDisplayMode.CANDLES).candle_style(CandleStyle.CANDLES)
    panel.color_strategy(ColorStrategy.OPEN_CLOSE).colors(candlestick.CandlestickColors().up("green").down("red").flat("gray"))
    panel.include_all_fields(False).legend(common.VizLegendOptions().show_legend(False).calcs([]))
    return finish(panel, title, description, size, queries)


def grid(title, description, queries, columns, transformations, size=(24, 8)):
    """A table. `columns` has for each column of the answer what it is shown as: heading and unit."""
    panel = table.Panel().unit("none").transformations(transformations)
    for name, (heading, unit) in columns.items():
        shown = {"displayName": heading, "unit": unit}
        if unit in ("percent", "percentunit"):
            shown |= {"decimals": 2, "thresholds": thresholds(FALLING_OR_RISING).build(), "color": {"mode": "thresholds"}}
            shown |= {"custom.cellOptions": {"type": "color-text"}}
        panel.override_by_name(name, [model.DynamicConfigValue(id_val=key, value=value) for key, value in shown.items()])
    return finish(panel, title, description, size, queries)


def alerts(title, description, size):
    """What fires now, of the rules that Prometheus has. The library has no type for this panel."""
    panel = dashboard.Panel().type("alertlist").datasource(PROMETHEUS).options({
        "viewMode": "list", "groupMode": "default", "groupBy": [], "maxItems": 20, "sortOrder": 3, "dashboardAlerts": False,
        "alertName": "", "alertInstanceLabelFilter": "", "showInstances": False, "datasource": "Prometheus",
        "stateFilter": {"firing": True, "pending": False, "noData": False, "normal": False, "error": True},
    })
    return finish(panel, title, description, size, [])


# === parts ===


def thresholds(colours):
    steps = [model.Threshold(value=value, color=colour) for value, colour in colours]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def transformation(kind, only=None, **options):
    """What Grafana does with the answers before it shows them; with `only` to the one to that query."""
    matcher = model.MatcherConfig(id_val="byRefId", options=only) if only else None
    return model.DataTransformerConfig(id_val=kind, options=options, filter_val=matcher)


def organized(order, without=(), only=None):
    """Puts the columns into this order, and leaves some out."""
    places = {name: place for place, name in enumerate(order)}
    return transformation("organize", only, indexByName=places, excludeByName={name: True for name in without}, renameByName={})
