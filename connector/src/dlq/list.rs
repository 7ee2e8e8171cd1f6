//! `sluice dlq list`.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use serde::Serialize;
use serde_json::json;

use super::filter::Filter;
use super::letter::{Letter, Position};
use super::moment::Moment;
use super::text::{escaped, excerpt, without_particulars};
use super::{DlqError, Source};
use crate::cli::dlq::{ListArgs, ListFormat};

/// How much of a reason a line shows: enough to tell one from the other, short enough for most windows.
const REASON_SHOWN: usize = 120;

/// How many of the most frequent reasons are told.
const REASONS_TOLD: usize = 10;

/// How many reasons are told apart. More would only take memory: what differs by record is taken out of them before.
const REASONS_MAX: usize = 10_000;

/// One letter of the list.
#[derive(Debug, Serialize)]
struct Row {
    partition: i32,
    offset: i64,
    timestamp: i64,
    time: String,
    original_topic: Option<String>,
    original_partition: Option<i32>,
    original_offset: Option<i64>,
    stage: Option<String>,
    exception: Option<String>,
    reason: Option<String>,
    module_digest: Option<String>,
    connector: Option<String>,
    task: Option<String>,
    omitted: Option<String>,
}

/// What all letters are counted by.
#[derive(Debug, Default)]
struct Summary {
    letters: u64,
    passed_over: u64,
    stages: BTreeMap<String, u64>,
    reasons: HashMap<String, u64>,
    other_reasons: u64,
}

/// Prints the newest letters that fit, the newest last, and counts all that do.
pub(super) fn run(args: &ListArgs, out: &mut impl Write) -> Result<(), DlqError> {
    let source = Source::open(&args.topic, &args.worker)?;
    let filter = Filter::new(&args.filter, source.connector.as_deref());
    let reader = source.reader("sluice-dlq-list")?;
    let mut newest = BTreeMap::new();
    let mut summary = Summary::default();
    let mut reading = reader.read(&reader.spans()?)?;
    while let Some(message) = reading.next()? {
        let letter = Letter::parse(&message);
        if !filter.takes(&letter) {
            summary.passed_over += 1;
            continue;
        }
        summary.count(&letter);
        newest.insert((letter.timestamp(), letter.position), Row::new(letter));
        if newest.len() > args.limit as usize {
            newest.pop_first();
        }
    }
    let rows: Vec<Row> = newest.into_values().collect();
    match args.format {
        ListFormat::Text => print_text(out, reader.topic(), &rows, &summary)?,
        ListFormat::Json => {
            for row in &rows {
                writeln!(out, "{}", json!(row))?;
            }
            writeln!(out, "{}", json!({ "summary": summary.json(reader.topic()) }))?;
        }
    }
    Ok(())
}

fn print_text(out: &mut impl Write, topic: &str, rows: &[Row], summary: &Summary) -> std::io::Result<()> {
    let cells: Vec<[String; 5]> = rows.iter().map(Row::cells).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    for [position, time, origin, stage, reason] in &cells {
        let [a, b, c, d] = widths;
        writeln!(out, "{position:a$}  {time:b$}  {origin:c$}  {stage:d$}  {reason}")?;
    }
    let stages: Vec<String> = summary.stages.iter().map(|(stage, count)| format!("{count} {stage}")).collect();
    let by_stage = if stages.is_empty() { String::new() } else { format!(": {}", stages.join(", ")) };
    writeln!(out, "{} letters in {topic}{by_stage}", summary.letters)?;
    for (reason, count) in summary.most_frequent() {
        writeln!(out, "{count:>8} × {}", excerpt(reason, REASON_SHOWN))?;
    }
    if (rows.len() as u64) < summary.letters {
        writeln!(out, "the newest {} are shown, see --limit", rows.len())?;
    }
    if summary.passed_over > 0 {
        writeln!(out, "{} others do not fit the filters or are another connector's", summary.passed_over)?;
    }
    Ok(())
}

// === impl Row ===

impl Row {
    fn new(letter: Letter) -> Self {
        let timestamp = letter.timestamp();
        let (topic, partition, offset) = match letter.origin {
            Some(origin) => {
                (Some(origin.partition.topic.to_string()), Some(origin.partition.partition), Some(origin.offset))
            }
            None => (None, None, None),
        };
        Self {
            partition: letter.position.partition,
            offset: letter.position.offset,
            timestamp,
            time: Moment(timestamp).to_string(),
            original_topic: topic,
            original_partition: partition,
            original_offset: offset,
            stage: letter.stage,
            exception: letter.exception,
            reason: letter.reason,
            module_digest: letter.digest,
            connector: letter.connector,
            task: letter.task,
            omitted: letter.omitted,
        }
    }

    fn cells(&self) -> [String; 5] {
        let position = Position { partition: self.partition, offset: self.offset };
        let origin = match (&self.original_topic, self.original_partition, self.original_offset) {
            (Some(topic), Some(partition), Some(offset)) => format!("{}-{partition}@{offset}", escaped(topic)),
            _ => "?".to_owned(),
        };
        let time = if self.timestamp == -1 { "?".to_owned() } else { self.time.clone() };
        let stage = excerpt(self.stage.as_deref().unwrap_or("?"), REASON_SHOWN);
        let omitted = self.omitted.as_ref().map_or_else(String::new, |what| format!("[without {}] ", escaped(what)));
        let reason = excerpt(self.reason.as_deref().unwrap_or("?"), REASON_SHOWN);
        [position.to_string(), time, origin, stage, format!("{omitted}{reason}")]
    }
}

// === impl Summary ===

impl Summary {
    fn count(&mut self, letter: &Letter) {
        self.letters += 1;
        let stage = excerpt(letter.stage.as_deref().unwrap_or("of unknown stage"), REASON_SHOWN);
        if self.stages.len() < REASONS_MAX || self.stages.contains_key(&stage) {
            *self.stages.entry(stage).or_default() += 1;
        }
        let reason = without_particulars(letter.reason.as_deref().unwrap_or("reason unknown"));
        if self.reasons.len() < REASONS_MAX || self.reasons.contains_key(&reason) {
            *self.reasons.entry(reason).or_default() += 1;
        } else {
            self.other_reasons += 1;
        }
    }

    fn most_frequent(&self) -> Vec<(&str, u64)> {
        let mut reasons: Vec<_> = self.reasons.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let rest = reasons.iter().skip(REASONS_TOLD).map(|(_, count)| count).sum::<u64>() + self.other_reasons;
        reasons.truncate(REASONS_TOLD);
        reasons.extend((rest > 0).then_some(("other reasons", rest)));
        reasons
    }

    fn json(&self, topic: &str) -> serde_json::Value {
        let reason = |(reason, count): (&str, u64)| json!({ "reason": reason, "letters": count });
        let reasons: Vec<_> = self.most_frequent().into_iter().map(reason).collect();
        json!({
            "topic": topic, "letters": self.letters, "passed_over": self.passed_over, "stages": self.stages, "reasons": reasons,
        })
    }
}
