//! The dashboards that ship: every query of theirs that a server can be had for gives data, by a real InfluxDB 1 and a real Prometheus that reads Sluice.
//! Flux and SQL have no server here; their queries are looked at only for variables that nobody fills in.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::http;
use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::letters::LetterTopic;
use crate::support::points::Record;
use crate::support::prometheus::Prometheus;
use crate::support::root;
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};
use crate::support::swap::{Stage, variant};

const SYMBOLS: [&str; 3] = ["BTC-USD", "ETH-USD", "SOL-USD"];

/// A query with the place that it has in its dashboard.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) place: String,
    datasource: String,
    text: String,
}

fn dashboard(name: &str) -> Value {
    let file = format!("docker/grafana/dashboards/{name}.json");
    serde_json::from_str(&fs::read_to_string(root().join(file)).unwrap()).unwrap()
}

/// Every query of panels, variables and annotations.
pub(crate) fn queries(name: &str) -> Vec<Query> {
    let dashboard = dashboard(name);
    let mut all = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let uid = |value: &Value| value["datasource"]["uid"].as_str().unwrap_or_default().to_owned();
    let mut panels = list(&dashboard["panels"]);
    panels.extend(panels.clone().iter().flat_map(|panel| list(&panel["panels"])));
    for panel in &panels {
        for target in list(&panel["targets"]) {
            let text = ["query", "rawSql", "expr"].iter().find_map(|key| target[key].as_str()).unwrap_or_default();
            let datasource = [uid(&target), uid(panel)].into_iter().find(|uid| !uid.is_empty()).unwrap_or_default();
            let place = format!("{name}: {}: {}", panel["title"], target["refId"]);
            all.push(Query { place, datasource, text: text.to_owned() });
        }
    }
    for variable in list(&dashboard["templating"]["list"]).iter().filter(|variable| variable["type"] == "query") {
        let text = variable["query"]["query"].as_str().or(variable["query"].as_str()).unwrap_or_default().to_owned();
        all.push(Query { place: format!("{name}: variable {}", variable["name"]), datasource: uid(variable), text });
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        if let Some(text) = annotation["target"]["expr"].as_str().or(annotation["expr"].as_str()) {
            let place = format!("{name}: annotation {}", annotation["name"]);
            all.push(Query { place, datasource: uid(&annotation), text: text.to_owned() });
        }
    }
    assert!(all.len() > 5, "{all:?}");
    all
}

/// The query as Grafana sends it.
pub(crate) fn filled_in(query: &Query) -> String {
    let filled = [
        ("${symbol:raw}", "BTC-USD"),
        ("${symbol:regex}", "BTC-USD"),
        ("${symbols:regex}", "(BTC-USD|ETH-USD)"),
        ("${interval:raw}", "10s"),
        ("$timeFilter", "time > now() - 15m"),
        ("$connector", ".+"),
        ("$__rate_interval", "20s"),
        ("${symbol:doublequote}", "\"BTC-USD\""),
        ("${symbol:sqlstring}", "'BTC-USD'"),
        ("${symbols:sqlstring}", "'BTC-USD','ETH-USD'"),
        ("$__timeFilter(time)", "time > now() - interval '15 minutes'"),
    ]
    .iter()
    .fold(query.text.clone(), |text, (variable, value)| text.replace(variable, value));
    // `$` before a word is a variable; at the end of a regular expression it is none.
    let left =
        filled.match_indices('$').any(|(at, _)| filled[at + 1..].starts_with(|c: char| c == '{' || c.is_alphabetic()));
    assert!(!left, "{}: nobody fills in a variable of {filled}", query.place);
    filled
}

/// The last two hours of prices, a price each half minute, and the last minute's each second.
fn prices() -> Vec<Record> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let ages = (1..60).map(|s| s * 1_000).chain((2..240).map(|half| half * 30_000));
    let mut times: Vec<_> = ages.map(|age| now - age).chain((1..4).map(|hours| now - hours * 8 * 3_600_000)).collect();
    times.sort_unstable();
    let price = |(number, time): (usize, i64)| {
        SYMBOLS.iter().map(move |symbol| Record::price(0, time, symbol, &format!("{}.5", 100 + number % 7)))
    };
    times.into_iter().enumerate().flat_map(price).collect()
}

/// How many rows an InfluxDB answers, if there are any; otherwise what it says.
pub(crate) fn rows(influx: &str, database: &str, query: &str) -> Result<usize, String> {
    let url = format!("{influx}/query?db={}&q={}", http::encode(database), http::encode(query));
    let answer: Value = serde_json::from_str(&http::get(&url).unwrap().body).unwrap();
    let result = &answer["results"][0];
    match result["error"].as_str().or(answer["error"].as_str()) {
        Some(error) => Err(error.to_owned()),
        None => {
            let series = result["series"].as_array().cloned().unwrap_or_default();
            match series.iter().filter_map(|series| series["values"].as_array()).map(Vec::len).sum() {
                0 => Err("no rows".to_owned()),
                rows => Ok(rows),
            }
        }
    }
}

#[test]
fn every_query_of_the_dashboards_gives_data() {
    let topic = Topic::create("dashboards", 1);
    let (fields, tags) = (Database::create("dashboards-fields"), Database::create("dashboards-tags"));
    let letters = LetterTopic::unmade("dashboards");
    let of_fields = Connector::new(&topic, "fields").into_database(&fields).with_letters(&letters);
    let of_tags = Connector::new(&topic, "tags").into_database(&tags).set("errors.tolerance", "all");
    let of_tags = of_tags.set("transform.config.symbol.as", "tag");
    let swapped = Stage::new("dashboards", 1);
    let state = swapped.state();
    let arguments = ["--bootstrap-servers", services::kafka(), "--state-dir", state.to_str().unwrap()];
    let mut sluice = Sluice::start_with(&[&of_fields, &of_tags, &swapped.connector], &arguments);
    let prometheus = Prometheus::start();
    prometheus.read(sluice.url("").trim_start_matches("http://"));

    topic.produce(&prices());
    topic.produce(&[Record::other(0, 1_668_902_400_000, Some("bad"))]);
    for connector in [&of_fields, &of_tags] {
        sluice.until("everything to be committed", |_| topic.group(&connector.name).at_end());
    }
    for (name, database) in [("crypto-prices", &tags), ("crypto-prices-fields", &fields)] {
        for query in queries(name) {
            assert_eq!(query.datasource, "influxdb1", "{}", query.place);
            let text = filled_in(&query);
            let found = rows(&database.url, &database.name, &text);
            assert!(found.is_ok(), "{}: {text}: {found:?}", query.place);
        }
    }

    // A counter moves for Prometheus only if it has seen it before.
    sluice.until("a first look", |_| some(prometheus.query("sluice_swaps_total")));
    swapped.under_load(|| {
        sluice.until("version 1 to write", |_| swapped.has_written(1));
        swapped.replace(&variant(2, "stamp"));
        sluice.until("version 2 to write", |_| swapped.has_written(2));
        // Rolled back by hand: the outcome is what the annotation shows.
        assert_eq!(swapped.roll_back(&sluice).status, 200);
        let mut queries = queries("sluice-pipeline");
        // It shows the last 20 s.
        queries.sort_by_key(|query| !query.place.contains("annotation"));
        for query in queries {
            assert_eq!(query.datasource, "prometheus", "{}", query.place);
            if query.text.starts_with("label_values(") {
                let (metric, label) =
                    query.text["label_values(".len()..].trim_end_matches(')').rsplit_once(',').unwrap();
                let grouped = format!("group by ({}) ({metric})", label.trim());
                sluice.until(&query.place, |_| some(prometheus.query(&grouped)));
                continue;
            }
            let text = filled_in(&query);
            sluice.until(&format!("{}: {text}", query.place), |_| some(prometheus.query(&text)));
        }
    });
    for name in ["crypto-prices-flux", "crypto-prices-sql"] {
        for query in queries(name) {
            let text = filled_in(&query);
            assert!(text.contains("cryptos"), "{}: {text}", query.place);
        }
    }
    sluice.stop();
}

fn some(found: Result<Vec<Value>, String>) -> Result<(), String> {
    match found {
        Ok(series) if series.is_empty() => Err("no series".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}
