//! `sluice offsets`: where a connector's group stands, and putting it somewhere else.

use std::str::FromStr;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::table::{Cell, Table};
use super::worker::ANSWER_TIMEOUT;
use super::{ClientError, Screen, Worker};
use crate::cli::rest::{Form, OffsetsArgs};
use crate::dlq::text::escaped;

/// A partition on the command line: `topic:partition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    topic: String,
    partition: i32,
}

/// An offset on the command line: `topic:partition=offset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    place: Place,
    offset: i64,
}

/// ConnectorOffsets, be it a sink's or a source's.
#[derive(Debug, Deserialize)]
struct Offsets {
    offsets: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    partition: Value,
    offset: Value,
}

#[derive(Debug, Deserialize)]
struct Message {
    message: String,
}

/// Prints or changes them.
pub(super) async fn run(args: &OffsetsArgs, screen: &mut Screen<'_>) -> Result<(), ClientError> {
    let worker = Worker::new(&args.ask.target, Some(ANSWER_TIMEOUT))?;
    let path = ["connectors", &args.name, "offsets"];
    let changed = match body(args) {
        _ if args.reset => worker.change(Method::DELETE, &path, None).await?,
        Some(body) => worker.change(Method::PATCH, &path, Some(&body)).await?,
        None => return show(&worker, &path, args.ask.output, screen).await,
    };
    match args.ask.output {
        Form::Json => screen.json(&changed.json::<Value>()?)?,
        Form::Text => screen.line(&escaped(&changed.json::<Message>()?.message))?,
    }
    Ok(())
}

async fn show(worker: &Worker, path: &[&str], output: Form, screen: &mut Screen<'_>) -> Result<(), ClientError> {
    let body: Value = worker.get(path).await?;
    if output == Form::Json {
        return Ok(screen.json(&body)?);
    }
    let offsets = Offsets::deserialize(&body).map_err(|_| ClientError::Strange {
        asked: format!("GET {}/{}", worker.url(), path.join("/")),
        status: 200,
        body: body.to_string().chars().take(200).collect(),
    })?;
    if offsets.offsets.is_empty() {
        return Ok(screen.line("nothing is committed yet")?);
    }
    for line in table(offsets).lines(screen) {
        screen.line(&line)?;
    }
    Ok(())
}

/// A sink's by topic and partition; a source's, which may be anything, as JSON.
fn table(Offsets { mut offsets }: Offsets) -> Table {
    let of_sink = |entry: &Entry| {
        let topic = entry.partition.get("kafka_topic")?.as_str()?.to_owned();
        let partition = entry.partition.get("kafka_partition")?.as_i64()?;
        Some((topic, partition, entry.offset.get("kafka_offset")?.as_i64()?))
    };
    if let Some(mut rows) = offsets.iter().map(of_sink).collect::<Option<Vec<_>>>() {
        rows.sort();
        let mut table = Table::new(&["TOPIC", "PARTITION", "OFFSET"]);
        for (topic, partition, offset) in rows {
            table.row(vec![Cell::text(&topic), Cell::number(partition), Cell::number(offset)]);
        }
        return table;
    }
    offsets.sort_by_key(|entry| entry.partition.to_string());
    let mut table = Table::new(&["PARTITION", "OFFSET"]);
    for Entry { partition, offset } in offsets {
        table.row(vec![Cell::text(&partition.to_string()), Cell::text(&offset.to_string())]);
    }
    table
}

/// What is to be changed; nothing if nothing was said.
fn body(args: &OffsetsArgs) -> Option<Value> {
    let entry = |place: &Place, offset: Value| json!({ "partition": { "kafka_topic": place.topic, "kafka_partition": place.partition }, "offset": offset });
    let set = args.set.iter().map(|position| entry(&position.place, json!({ "kafka_offset": position.offset })));
    let entries: Vec<Value> = set.chain(args.delete.iter().map(|place| entry(place, Value::Null))).collect();
    (!entries.is_empty()).then(|| json!({ "offsets": entries }))
}

// === impl Place ===

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.rsplit_once(':').and_then(|(topic, partition)| {
            let partition = partition.parse().ok().filter(|partition| *partition >= 0)?;
            (!topic.is_empty()).then(|| Self { topic: topic.to_owned(), partition })
        });
        parsed.ok_or_else(|| "needs the form TOPIC:PARTITION, as in prices:0".to_owned())
    }
}

// === impl Position ===

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.rsplit_once('=').and_then(|(place, offset)| {
            let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
            Some(Self { place: place.parse().ok()?, offset })
        });
        parsed.ok_or_else(|| "needs the form TOPIC:PARTITION=OFFSET, as in prices:0=1200".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::rest::RestCommand;
    use crate::cli::{Cli, Command};

    fn args(line: &[&str]) -> OffsetsArgs {
        let cli = Cli::parse_from([&["sluice", "offsets", "c"], line].concat());
        let Command::Rest(RestCommand::Offsets(args)) = cli.command else { panic!("not offsets") };
        args
    }

    #[test]
    fn places_and_positions_are_read_or_refused() {
        assert_eq!("a:b:3".parse(), Ok(Place { topic: "a:b".into(), partition: 3 }));
        let place = Place { topic: "p".into(), partition: 0 };
        assert_eq!("p:0=12".parse(), Ok(Position { place, offset: 12 }));
        for wrong in ["p", ":0", "p:", "p:-1", "p:x", "p:99999999999"] {
            assert!(wrong.parse::<Place>().unwrap_err().contains("TOPIC:PARTITION"), "{wrong}");
        }
        for wrong in ["p:0", "p:0=", "p:0=-1", "p=1", "p:0=1.5", "p:0=99999999999999999999"] {
            assert!(wrong.parse::<Position>().unwrap_err().contains("TOPIC:PARTITION=OFFSET"), "{wrong}");
        }
    }

    #[test]
    fn sets_and_deletes_go_in_one_request() {
        assert_eq!(body(&args(&[])), None);
        let both = args(&["--set", "p:0=5", "--delete", "p:1", "--set", "q:2=7"]);
        let entry = |topic, partition, offset| json!({"partition": {"kafka_topic": topic, "kafka_partition": partition}, "offset": offset});
        let expected = [
            entry("p", 0, json!({"kafka_offset": 5})),
            entry("q", 2, json!({"kafka_offset": 7})),
            entry("p", 1, Value::Null),
        ];
        assert_eq!(body(&both), Some(json!({ "offsets": expected })));
        assert!(Cli::try_parse_from(["sluice", "offsets", "c", "--reset", "--delete", "p:1"]).is_err());
    }

    #[test]
    fn a_sinks_offsets_are_in_order_and_a_sources_as_they_are() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let screen = Screen::test(&mut out, &mut err, false);
        let lines = |body: Value| table(serde_json::from_value(body).unwrap()).lines(&screen);
        let entry = |topic, partition, offset| json!({"partition": {"kafka_topic": topic, "kafka_partition": partition}, "offset": {"kafka_offset": offset}});
        let sink = json!({"offsets": [entry("p", 10, 1), entry("p", 2, 12345), entry("o", 0, 0)]});
        let expected = [
            "TOPIC  PARTITION  OFFSET",
            "o              0       0",
            "p              2   12345",
            "p             10       1",
        ];
        assert_eq!(lines(sink), expected);
        let source = json!({"offsets": [{"partition": {"file": "f"}, "offset": {"line": 3}}]});
        assert_eq!(lines(source), ["PARTITION     OFFSET", r#"{"file":"f"}  {"line":3}"#]);
    }
}
