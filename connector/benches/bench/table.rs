//! Rows of figures: rounds of each kind of run, their medians and their ratios.

use serde_json::{Map, Value, json};

use crate::figures::median;
use crate::measure::Figures;

/// A kind of run with its rounds.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Figures>,
}

// === impl Row ===

impl Row {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), rounds: Vec::new() }
    }

    /// Adds a round, and says so: a bench takes long.
    pub(crate) fn add(&mut self, round: Figures) {
        println!("{}: {:.2} M records/s", self.name, round.records_per_s / 1e6);
        self.rounds.push(round);
    }

    /// The median of its rounds.
    pub(crate) fn median(&self, of: fn(&Figures) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }
}

/// A column: its title, digits after the point, and what it shows.
type Column = (&'static str, usize, fn(&Figures) -> Option<f64>);

const COLUMNS: [Column; 4] = [
    ("M records/s", 2, |f| Some(f.records_per_s / 1e6)),
    ("CPU-s per million", 3, |f| Some(f.cpu_s_per_million)),
    ("peak MB", 0, |f| Some(f.peak_mb)),
    ("first write, s", 2, |f| f.first_write_s),
];

/// Prints the rows as a Markdown table: median (min-max).
pub(crate) fn print(rows: &[Row]) {
    let titles: Vec<_> = COLUMNS.iter().map(|(title, ..)| *title).collect();
    println!("\n| median (min-max) | {} |\n|{}", titles.join(" | "), " --- |".repeat(COLUMNS.len() + 1));
    for row in rows {
        let cells: Vec<_> = COLUMNS.iter().map(|column| cell(&row.rounds, column)).collect();
        println!("| {} | {} |", row.name, cells.join(" | "));
    }
}

/// Prints a line of ratios of the medians of a row to those of another.
pub(crate) fn print_ratio(row: &Row, other: &Row) {
    let ratio = |(_, _, of): &Column| {
        let of = |row: &Row| row.rounds.iter().map(of).collect::<Option<Vec<_>>>().map(median);
        Some(format!("{:.2}", of(row)? / of(other)?))
    };
    let cells: Vec<_> = COLUMNS.iter().map(|column| ratio(column).unwrap_or_default()).collect();
    println!("| {} to {} | {} |", row.name, other.name, cells.join(" | "));
}

fn cell(rounds: &[Figures], (_, digits, of): &Column) -> String {
    let Some(values) = rounds.iter().map(of).collect::<Option<Vec<_>>>() else { return "-".to_owned() };
    let (min, max) = values.iter().fold((f64::MAX, f64::MIN), |(min, max), &value| (min.min(value), max.max(value)));
    let median = median(values);
    // What is small shows two digits that say something.
    let digits = if median > 0.0 { (*digits).max((1.0 - median.log10().floor()) as usize) } else { *digits };
    format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
}

/// Every round of every row.
pub(crate) fn json(rows: &[Row]) -> Value {
    rows.iter().map(|row| (row.name.clone(), json!(row.rounds))).collect::<Map<_, _>>().into()
}
