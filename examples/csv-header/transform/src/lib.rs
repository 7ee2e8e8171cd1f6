//! CSV whose columns have names and types: with `columns=station:tag,time:time,celsius,note:text`
//! `north,1668902400000,-3.5,"thick ""fog"""` becomes
//! `weather,station=north celsius=-3.5,note="thick \"fog\"" 1668902400000000000`.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `columns` | required | the columns in their order, separated by commas, each `name` or `name:type` |
//! | `measurement` | `weather` | where the points go |
//! | `separator` | `,` | what stands between two cells |
//!
//! Types: `number` (default; a float whose digits are kept), `text` (a string), `tag`, `time` (milliseconds since 1970;
//! without such a column a point has its record's time), `skip`. An empty cell is no value.
//!
//! A record that is the header line, the names of all columns, is filtered. The names do not come from there, because a
//! transform keeps nothing from one record to the next: after a restart, or in another task, the header would be unknown.

use std::iter;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use sluice_transform::{Emitter, Key, Measurement, Record, Refused, Reject, Settings, Transform, trim};

/// The transform, configured.
#[derive(Debug)]
pub struct CsvHeader {
    measurement: Measurement,
    columns: Vec<Column>,
    reader: Reader,
    /// The cells of a record end to end, and where each ends: reused.
    cells: Vec<u8>,
    ends: Vec<usize>,
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Text,
    Tag,
    Time,
    Skip,
}

const KINDS: [(&str, Kind); 5] =
    [("number", Kind::Number), ("text", Kind::Text), ("tag", Kind::Tag), ("time", Kind::Time), ("skip", Kind::Skip)];

/// Adds a field. A macro, because a line before its first field has another type than one after it.
macro_rules! field {
    ($line:expr, $column:expr, $cell:expr) => {{
        let (line, name) = ($line, $column.name.as_str());
        match $column.kind {
            Kind::Text => std::str::from_utf8($cell)
                .map_err(|_| Reject::from(format!("column {name:?} is not UTF-8")))
                .and_then(|text| line.field_str(name, text).map_err(|refused| $column.refuse(refused))),
            _ => line.field_float_text(name, $cell).map_err(|refused| $column.refuse(refused)),
        }
    }};
}

impl Transform for CsvHeader {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let measurement = settings.measurement("measurement", "weather");
        let separator = settings.ascii("separator", b',');
        let text = settings.text("columns", "");
        let columns: Vec<_> = text.split(',').map(|column| Column::parse(column.trim(), settings)).collect();
        let reader = ReaderBuilder::new().delimiter(separator).build();
        Ok(Self { measurement, ends: vec![0; columns.len() + 1], columns, reader, cells: Vec::new() })
    }

    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
        let Some(value) = record.value() else { return Ok(()) };
        let count = self.read(value)?;
        let spans = || iter::once(&0).chain(&self.ends).zip(&self.ends[..count]);
        let row = || self.columns.iter().zip(spans().map(|(&start, &end)| &self.cells[start..end]));
        if count == 0 || row().all(|(column, cell)| column.name.as_bytes() == cell) {
            return Ok(());
        }
        let filled = || row().filter(|(_, cell)| !cell.is_empty());

        let mut line = out.line(&self.measurement)?;
        for (column, cell) in filled().filter(|(column, _)| column.kind == Kind::Tag) {
            line = line.tag(column.name.as_str(), cell).map_err(|refused| column.refuse(refused))?;
        }
        let mut fields = filled().filter(|(column, _)| matches!(column.kind, Kind::Number | Kind::Text));
        let (column, cell) = fields.next().ok_or("no column for a field has a value")?;
        let mut line = field!(line, column, cell)?;
        for (column, cell) in fields {
            line = field!(line, column, cell)?;
        }
        match filled().find(|(column, _)| column.kind == Kind::Time) {
            Some((column, cell)) => line.end_at_ns(column.nanoseconds(cell)?)?,
            None => line.end(),
        }
        Ok(())
    }
}

impl CsvHeader {
    /// Reads the cells of a value and gives back their number: that of the columns, or none of an empty line.
    fn read(&mut self, value: &[u8]) -> Result<usize, Reject> {
        // Cells are never longer than the text that they stand in.
        self.cells.resize(value.len() + 1, 0);
        self.reader.reset();
        let (mut result, read, written, mut ended) = self.reader.read_record(value, &mut self.cells, &mut self.ends);
        if result == ReadRecordResult::InputEmpty {
            // The value has no line end, which is said by an empty input.
            let rest = self.reader.read_record(&[], &mut self.cells[written..], &mut self.ends[ended..]);
            (result, ended) = (rest.0, ended + rest.3);
        }
        match result {
            ReadRecordResult::End => Ok(0),
            ReadRecordResult::Record if !trim(&value[read..]).is_empty() => Err("value has more than one line".into()),
            ReadRecordResult::Record if ended == self.columns.len() => Ok(ended),
            ReadRecordResult::Record => Err(format!("value has {ended} columns, not {}", self.columns.len()).into()),
            _ => Err(format!("value has more than {} columns", self.columns.len()).into()),
        }
    }
}

impl Column {
    fn parse(text: &str, settings: &mut Settings) -> Self {
        let (name, kind) = text.split_once(':').unwrap_or((text, "number"));
        let kind = KINDS.iter().find(|(word, _)| *word == kind).map(|&(_, kind)| kind).unwrap_or_else(|| {
            settings.problem("columns", format_args!("{text:?}: a type is number, text, tag, time or skip"));
            Kind::Skip
        });
        if !matches!(kind, Kind::Time | Kind::Skip)
            && let Err(refused) = Key::try_field(name)
        {
            settings.problem("columns", format_args!("{text:?}: {refused}"));
        }
        Self { name: name.to_owned(), kind }
    }

    fn nanoseconds(&self, cell: &[u8]) -> Result<i64, Reject> {
        let text = std::str::from_utf8(cell).ok();
        let time = text.and_then(|text| text.parse::<i64>().ok()?.checked_mul(1_000_000));
        time.ok_or_else(|| format!("column {:?} is not a time in milliseconds", self.name).into())
    }

    fn refuse(&self, refused: Refused) -> Reject {
        format!("column {:?}: {refused}", self.name).into()
    }
}

sluice_transform::export!(CsvHeader);
