//! A report on a terminal.

use std::fmt;

use super::report::{Case, Difference, FateKind, Made, New, Report, Side, Stopped};

impl fmt::Display for Report {
    /// A few aligned lines, the warnings, then the first differences. Ends without a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.records_in_sample == 0 {
            return f.write_str("no records to compare the versions on: none have been read yet");
        }
        let early = match self.stopped {
            None => "",
            Some(Stopped::Budget) => " (the time for it was over)",
            Some(Stopped::Failures) => " (the candidate failed too often)",
        };
        write!(f, "records    {} of {} compared{early}", self.records, self.records_in_sample)?;
        write!(f, ", {} differ", self.records_differing)?;
        let lines = self.lines;
        let (equal, differing, added, gone) = (lines.equal, lines.differing, lines.added, lines.gone);
        write!(f, "\nlines      {equal} equal, {differing} differing, {added} added, {gone} gone")?;
        write!(f, "\n{:11}{:>10}{:>12}{:>10}{:>15}", "", "rejected", "unwritable", "failed", "ns per record")?;
        side(f, "running", &self.old)?;
        side(f, "candidate", &self.new)?;
        new(f, "newly rejected", &self.newly_rejected)?;
        new(f, "newly failed", &self.newly_failed)?;
        for warning in self.warnings() {
            write!(f, "\nwarning: {warning}")?;
        }
        match (self.differences.len() as u64, self.records_differing) {
            (0, _) => return Ok(()),
            (shown, all) if shown < all => write!(f, "\nthe first {shown} of {all} differences:")?,
            _ => f.write_str("\ndifferences:")?,
        }
        for Difference { record, old, new } in &self.differences {
            write!(f, "\n{record}")?;
            made(f, '-', old)?;
            made(f, '+', new)?;
        }
        Ok(())
    }
}

fn side(f: &mut fmt::Formatter<'_>, name: &str, side: &Side) -> fmt::Result {
    let Side { rejected, unwritable, failed, failed_together, ns_per_record } = side;
    let ns = ns_per_record.map_or_else(|| "-".to_owned(), |ns| ns.to_string());
    write!(f, "\n{name:11}{rejected:>10}{unwritable:>12}{failed:>10}{ns:>15}")?;
    if *failed_together > 0 {
        write!(f, "  (and failed on {failed_together} chunks as a whole)")?;
    }
    Ok(())
}

fn new(f: &mut fmt::Formatter<'_>, what: &str, new: &New) -> fmt::Result {
    match &new.first {
        Some(first) => write!(f, "\n{what}: {}, the first is {first}", new.count),
        None => Ok(()),
    }
}

fn made(f: &mut fmt::Formatter<'_>, sign: char, made: &Made) -> fmt::Result {
    match made.fate {
        FateKind::Filtered => return write!(f, "\n  {sign} (filtered)"),
        FateKind::Lines => {}
        FateKind::Rejected => return write!(f, "\n  {sign} (rejected) {}", made.texts.concat()),
        FateKind::Failed => return write!(f, "\n  {sign} (failed) {}", made.texts.concat()),
    }
    made.texts.iter().try_for_each(|line| write!(f, "\n  {sign} {line}"))?;
    if made.more > 0 { write!(f, "\n  {sign} (and {} more lines)", made.more) } else { Ok(()) }
}

// === impl Case ===

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.record, self.reason)
    }
}

// === impl Difference ===

impl fmt::Display for Difference {
    /// On one line: `prices-0@7 ("m f=1" before, "m f=2" now)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} before, {} now)", self.record, InWords(&self.old), InWords(&self.new))
    }
}

/// What a version makes of a record, within a sentence.
struct InWords<'a>(&'a Made);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Made { fate, texts, more } = self.0;
        let text = texts.first().map_or("", String::as_str);
        match fate {
            FateKind::Filtered => f.write_str("filtered"),
            FateKind::Rejected => write!(f, "rejected: {text}"),
            FateKind::Failed => write!(f, "failed: {text}"),
            FateKind::Lines if texts.is_empty() => f.write_str("no line more"),
            FateKind::Lines => {
                write!(f, "`{text}`")?;
                let others = texts.len() as u64 - 1 + more;
                if others > 0 { write!(f, " and {others} more lines") } else { Ok(()) }
            }
        }
    }
}
