//! What a guest gives back: the check says yes to all that obeys the rules, and to nothing else.

use std::collections::BTreeSet;

use crate::transform::{RawColumn, RawOutput, RawRejects, check};

/// The most records of a batch, and the most numbers in a list: small, so that indexes meet.
const COUNT_MAX: u8 = 16;

/// The bytes are a recipe for a result: see [`Recipe`].
pub fn output(data: &[u8]) {
    let (raw, num_records) = Recipe::read(data);
    let is_sound = is_sound(&raw, num_records);
    let (again, _) = Recipe::read(data);
    let checked = match check(again, num_records) {
        Ok(checked) => checked,
        Err(reason) => {
            assert!(!is_sound, "a result that obeys the rules is refused: {reason}");
            return;
        }
    };
    assert!(is_sound, "a result that breaks the rules passes");

    let walked: Vec<u8> = (0..checked.records.len()).flat_map(|line| checked.lines.get(line).to_vec()).collect();
    assert_eq!(walked, raw.lines.bytes, "the lines are the bytes");
    assert_eq!(checked.records, raw.records, "every line keeps its record");
    let with_lines: BTreeSet<u32> = raw.records.into_iter().collect();
    assert_eq!(checked.num_with_lines, with_lines.len(), "the records with lines are counted");
    let rejected: Vec<u32> = checked.rejects.iter().map(|reject| reject.record).collect();
    assert_eq!(rejected, raw.rejects.records, "every reject keeps its record");
    let fit_for_a_log = |reason: &str| !reason.contains(char::is_control);
    assert!(checked.rejects.iter().all(|reject| fit_for_a_log(&reject.reason)), "a reason is fit for a log");
}

/// The rules of `wit/transform.wit`, said as slowly and plainly as can be.
fn is_sound(raw: &RawOutput, num_records: usize) -> bool {
    let RawOutput { lines, records, rejects } = raw;
    let exists = |record: &u32| (*record as usize) < num_records;
    let both = records.iter().any(|record| rejects.records.contains(record));
    is_column(lines)
        && is_column(&rejects.reasons)
        && records.len() == lines.ends.len()
        && rejects.records.len() == rejects.reasons.ends.len()
        && records.iter().all(exists)
        && rejects.records.iter().all(exists)
        && records.is_sorted()
        && rejects.records.is_sorted_by(|left, right| left < right)
        && !both
}

fn is_column(column: &RawColumn) -> bool {
    let mut start = 0;
    for &end in &column.ends {
        if (end as usize) < start {
            return false;
        }
        start = end as usize;
    }
    start == column.bytes.len()
}

/// Reads a result out of bytes; past their end everything is 0. A leading byte says whether ends and indexes are given as steps from
/// the one before (so that they ascend, and most results are sound) or as they are.
struct Recipe<'a> {
    rest: &'a [u8],
    ends_are_steps: bool,
    records_are_steps: bool,
}

impl<'a> Recipe<'a> {
    fn read(data: &'a [u8]) -> (RawOutput, usize) {
        let mut recipe = Recipe { rest: data, ends_are_steps: false, records_are_steps: false };
        let style = recipe.byte();
        recipe.ends_are_steps = style & 1 == 0;
        recipe.records_are_steps = style & 2 == 0;
        let num_records = usize::from(recipe.byte() % (COUNT_MAX + 1));
        let lines = recipe.column();
        let records = recipe.numbers(recipe.records_are_steps);
        let reasons = recipe.column();
        let rejected = recipe.numbers(recipe.records_are_steps);
        (RawOutput { lines, records, rejects: RawRejects { records: rejected, reasons } }, num_records)
    }

    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    fn numbers(&mut self, are_steps: bool) -> Vec<u32> {
        let count = self.byte() % (COUNT_MAX + 1);
        let mut last = 0_u32;
        let number = |_| match (self.byte(), are_steps) {
            // What a hostile guest would try: the largest, and what is negative to a signed reader.
            (255, _) => u32::MAX,
            (254, _) => 1 << 31,
            (step, true) => {
                last = last.saturating_add(u32::from(step));
                last
            }
            (number, false) => u32::from(number),
        };
        (0..count).map(number).collect()
    }

    fn column(&mut self) -> RawColumn {
        let ends = self.numbers(self.ends_are_steps);
        let fitting = ends.last().map_or(0, |&end| usize::try_from(end).unwrap_or(0));
        let len = if self.ends_are_steps && fitting < 1 << 12 { fitting } else { usize::from(self.byte()) };
        let bytes = (0..len).map(|_| self.byte()).collect();
        RawColumn { bytes, ends }
    }
}
