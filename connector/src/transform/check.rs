//! What a guest gives back is input from a stranger: every index, position and count is checked here, once per batch,
//! before anybody uses it.

use super::host::{self, RawColumn, RawOutput};
use crate::batch::Column;

/// A checked result. Lines and rejects refer to records by index into the batch, ascending.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The lines, without line ends; nothing is known yet about what is in them.
    pub lines: Column,
    /// For each line the index of its record, ascending.
    pub records: Vec<u32>,
    /// Rejected records with their reasons, strictly ascending.
    pub rejects: Vec<Reject>,
    /// How many records have a line.
    pub num_with_lines: usize,
}

/// One record that the transform did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Index into the batch.
    pub record: u32,
    /// The transform's reason, cut and with control characters escaped.
    pub reason: String,
}

/// Checks a result for a batch of `num_records`.
///
/// # Errors
///
/// The first broken rule, in words.
pub(crate) fn check(raw: RawOutput, num_records: usize) -> Result<Output, String> {
    let RawOutput { lines, records, rejects } = raw;
    check_column("lines", &lines)?;
    check_column("reasons", &rejects.reasons)?;
    if lines.ends.len() != records.len() {
        return Err(format!("{} lines, but {} record indexes for them", lines.ends.len(), records.len()));
    }
    if rejects.records.len() != rejects.reasons.ends.len() {
        return Err(format!("{} rejects, but {} reasons", rejects.records.len(), rejects.reasons.ends.len()));
    }
    let num_with_lines = check_line_records(&records, num_records)?;
    check_reject_records(&rejects.records, &records, num_records)?;
    let rejects = reasons(&rejects.records, rejects.reasons);
    Ok(Output { lines: Column { bytes: lines.bytes, ends: lines.ends }, records, rejects, num_with_lines })
}

/// Ends ascend and cover the bytes exactly.
fn check_column(name: &str, column: &RawColumn) -> Result<(), String> {
    // No branch per element, so that the loop is vectorised: this runs once per record.
    let ascending = column.ends.windows(2).fold(true, |ok, pair| ok & (pair[0] <= pair[1]));
    if !ascending {
        return Err(format!("the ends of `{name}` do not ascend"));
    }
    let last = column.ends.last().map_or(0, |&end| end as usize);
    if last != column.bytes.len() {
        return Err(format!("the ends of `{name}` stop at {last}, but there are {} bytes", column.bytes.len()));
    }
    Ok(())
}

/// Indexes ascend and exist. Gives back how many different ones there are.
fn check_line_records(records: &[u32], num_records: usize) -> Result<usize, String> {
    let Some(&last) = records.last() else { return Ok(0) };
    let (ascending, steps) = records
        .windows(2)
        .fold((true, 0), |(ok, n), pair| (ok & (pair[0] <= pair[1]), n + usize::from(pair[0] != pair[1])));
    if !ascending {
        return Err("the record indexes of the lines do not ascend".to_owned());
    }
    if last as usize >= num_records {
        return Err(format!("a line of record {last}, but the batch has {num_records} records"));
    }
    Ok(steps + 1)
}

fn check_reject_records(rejected: &[u32], lines: &[u32], num_records: usize) -> Result<(), String> {
    if rejected.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err("the record indexes of the rejects do not ascend".to_owned());
    }
    match rejected.last() {
        Some(&last) if last as usize >= num_records => {
            return Err(format!("a reject of record {last}, but the batch has {num_records} records"));
        }
        _ => {}
    }
    match rejected.iter().find(|record| lines.binary_search(record).is_ok()) {
        Some(both) => Err(format!("record {both} has both a line and a reject")),
        None => Ok(()),
    }
}

/// A reason that is not UTF-8 is no ground to lose the reject: it is shown with replacement characters.
fn reasons(records: &[u32], column: RawColumn) -> Vec<Reject> {
    let column = Column { bytes: column.bytes, ends: column.ends };
    let reason = |index| host::printable(&String::from_utf8_lossy(column.get(index)));
    records.iter().enumerate().map(|(index, &record)| Reject { record, reason: reason(index) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::host::RawRejects;
    use super::*;

    fn column(strings: &[&str]) -> RawColumn {
        let mut column = RawColumn::default();
        for string in strings {
            column.bytes.extend_from_slice(string.as_bytes());
            column.ends.push(column.bytes.len() as u32);
        }
        column
    }

    fn raw(lines: &[&str], records: &[u32], rejected: &[u32], reasons: &[&str]) -> RawOutput {
        let rejects = RawRejects { records: rejected.to_vec(), reasons: column(reasons) };
        RawOutput { lines: column(lines), records: records.to_vec(), rejects }
    }

    #[test]
    fn a_sound_result_passes() {
        let output = check(raw(&["a", "b", "c"], &[0, 0, 2], &[1], &["why"]), 4).unwrap();
        assert_eq!(output.lines.get(2), b"c");
        assert_eq!(output.num_with_lines, 2);
        assert_eq!(output.rejects, [Reject { record: 1, reason: "why".to_owned() }]);
    }

    #[test]
    fn every_broken_rule_is_named() {
        let mut descending = raw(&["a", "b"], &[0, 1], &[], &[]);
        descending.lines.ends = vec![2, 1];
        let mut past = raw(&["a"], &[0], &[], &[]);
        past.lines.ends = vec![9];
        let cases = [
            (descending, "the ends of `lines` do not ascend"),
            (past, "the ends of `lines` stop at 9, but there are 1 bytes"),
            (raw(&["a"], &[], &[], &[]), "1 lines, but 0 record indexes"),
            (raw(&["a"], &[4], &[], &[]), "a line of record 4, but the batch has 4 records"),
            (raw(&["a", "b"], &[1, 0], &[], &[]), "do not ascend"),
            (raw(&[], &[], &[1], &[]), "1 rejects, but 0 reasons"),
            (raw(&[], &[], &[4], &["x"]), "a reject of record 4"),
            (raw(&[], &[], &[1, 1], &["x", "y"]), "rejects do not ascend"),
            (raw(&["a"], &[1], &[1], &["x"]), "record 1 has both a line and a reject"),
        ];
        for (raw, expected) in cases {
            let error = check(raw, 4).unwrap_err();
            assert!(error.contains(expected), "{error} should say {expected}");
        }
    }

    #[test]
    fn a_reason_is_cut_and_escaped() {
        let mut output = raw(&[], &[], &[0], &["\u{1b}[2J"]);
        assert_eq!(check(output, 1).unwrap().rejects[0].reason, "\\u{1b}[2J");
        output = raw(&[], &[], &[0], &[&"ä".repeat(2000)]);
        assert!(check(output, 1).unwrap().rejects[0].reason.len() <= 1024);
    }

    proptest! {
        /// Whatever a guest says, an accepted result can be walked without a panic.
        #[test]
        fn nothing_accepted_is_out_of_range(
            bytes in proptest::collection::vec(any::<u8>(), 0..20), ends in proptest::collection::vec(0u32..24, 0..5),
            records in proptest::collection::vec(0u32..6, 0..5), rejected in proptest::collection::vec(0u32..6, 0..3),
        ) {
            let reasons = RawColumn { bytes: vec![b'x'; rejected.len()], ends: (1..=rejected.len() as u32).collect() };
            let raw = RawOutput { lines: RawColumn { bytes, ends }, records, rejects: RawRejects { records: rejected, reasons } };
            if let Ok(output) = check(raw, 4) {
                for (index, &record) in output.records.iter().enumerate() {
                    let _ = output.lines.get(index);
                    prop_assert!(record < 4 && output.rejects.iter().all(|reject| reject.record != record));
                }
            }
        }
    }
}
