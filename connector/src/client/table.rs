//! Tables for people: columns aligned, strangers' text escaped.

use super::screen::{Screen, Tone};
use crate::dlq::text::{escaped, excerpt};

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

/// What stands in one place of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
    is_number: bool,
}

// === impl Cell ===

impl Cell {
    /// Text of whoever; nothing in it reaches the terminal as it is. Nothing at all is shown as `-`.
    pub(super) fn text(text: &str) -> Self {
        let text = if text.is_empty() { "-".to_owned() } else { escaped(text) };
        Self { text, tone: Tone::Plain, is_number: false }
    }

    /// The beginning of such text, at most so many characters.
    pub(super) fn excerpt(text: &str, chars_max: usize) -> Self {
        let text = if text.is_empty() { "-".to_owned() } else { excerpt(text, chars_max) };
        Self { text, tone: Tone::Plain, is_number: false }
    }

    /// A number, which stands to the right.
    pub(super) fn number(number: impl ToString) -> Self {
        Self { text: number.to_string(), tone: Tone::Plain, is_number: true }
    }

    /// A state in Connect's words, in its colour.
    pub(super) fn state(state: &str) -> Self {
        Self { tone: Tone::of_state(state), ..Self::text(state) }
    }
}

// === impl Table ===

impl Table {
    /// A table with these heads of columns.
    pub(super) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|head| Cell::text(head)).collect(), rows: Vec::new() }
    }

    /// One more row, with a cell for each column.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.head.len(), "a cell for each column");
        self.rows.push(cells);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Its lines. No line ends in blanks.
    pub(super) fn lines(&self, screen: &Screen<'_>) -> Vec<String> {
        let rows = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| rows().map(|row| row[column].text.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let is_number: Vec<bool> =
            (0..self.head.len()).map(|column| self.rows.first().is_some_and(|row| row[column].is_number)).collect();
        let line = |row: &Vec<Cell>| {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let blanks = " ".repeat(widths[column] - cell.text.chars().count());
                let text = screen.paint(cell.tone, &cell.text);
                let gap = if column == 0 { "" } else { "  " };
                line.push_str(gap);
                match is_number[column] {
                    true => line.extend([blanks, text]),
                    false => line.extend([text, blanks]),
                }
            }
            line.trim_end().to_owned()
        };
        rows().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(table: &Table, terminal: bool) -> Vec<String> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        table.lines(&Screen::test(&mut out, &mut err, terminal))
    }

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "STATE", "OFFSET"]);
        table.row(vec![Cell::text("größe"), Cell::state("RUNNING"), Cell::number(7)]);
        table.row(vec![Cell::text("a\u{1b}[31m\nb"), Cell::state("FAILED"), Cell::number(1234567)]);
        table.row(vec![Cell::text(""), Cell::state("PAUSED"), Cell::number(0)]);
        table
    }

    #[test]
    fn columns_are_aligned_and_hostile_names_are_escaped() {
        let expected = [
            r"NAME            STATE     OFFSET",
            r"größe           RUNNING        7",
            r"a\u{1b}[31m\nb  FAILED   1234567",
            r"-               PAUSED         0",
        ];
        assert_eq!(lines(&table(), false), expected);
        let mut short = Table::new(&["NAME", "TOPICS"]);
        short.row(vec![Cell::text("x"), Cell::text("a,b")]);
        assert_eq!(lines(&short, false), ["NAME  TOPICS", "x     a,b"]);
    }

    #[test]
    fn colours_are_for_terminals_and_move_no_column() {
        let plain = lines(&table(), false);
        assert!(!plain.concat().contains('\u{1b}'));
        let coloured = lines(&table(), true);
        assert!(coloured[1].contains("\u{1b}[32mRUNNING\u{1b}[0m") && coloured[2].contains("\u{1b}[31mFAILED"));
        let bare = |line: &String| {
            ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"]
                .iter()
                .fold(line.clone(), |line, code| line.replace(code, ""))
        };
        assert_eq!(coloured.iter().map(bare).collect::<Vec<_>>(), plain);
    }
}
