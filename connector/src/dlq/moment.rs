//! Times on the command line and on the screen.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

const DAY_MS: i64 = 86_400_000;

/// What can be shown and read with four digits of the year.
const YEARS: std::ops::RangeInclusive<i64> = 0..=9999;

const FORMS: &str =
    "is no time: give 2026-11-24T20:31:05Z, 2026-11-24, milliseconds since 1970, or how long ago (30s, 15m, 2h, 7d)";

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        parse(text, now).ok_or_else(|| FORMS.to_owned())
    }
}

fn parse(text: &str, now_ms: i64) -> Option<Moment> {
    if let Ok(ms) = text.parse::<i64>() {
        return Some(Moment(ms));
    }
    ago(text).map(|ms| Moment(now_ms.saturating_sub(ms))).or_else(|| rfc3339(text))
}

/// `2h` in milliseconds.
fn ago(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// A date, or a date and time with seconds and a zone.
fn rfc3339(text: &str) -> Option<Moment> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    let Some(time) = time else { return Some(Moment(days * DAY_MS)) };
    let (clock, zone_minutes) = zone(time)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    // A leap second is the first one after.
    if hour > 23 || minute > 59 || second > 60 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    let seconds = (hour * 60 + minute - zone_minutes) * 60 + second;
    (!fraction.is_empty()).then_some(Moment(days * DAY_MS + seconds * 1000 + ms))
}

/// What stands before the zone, and the zone in minutes east of Greenwich.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let (clock, zone) = time.split_at(time.rfind(['+', '-'])?);
    let [hours, minutes] = numbers(&zone[1..], ':', [2, 2])?;
    let east = if zone.starts_with('-') { -1 } else { 1 };
    (hours <= 23 && minutes <= 59).then_some((clock, east * (hours * 60 + minutes)))
}

/// Exactly these many numbers, of so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC, with milliseconds. The number itself where the year has more than four digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        let (year, month, day) = civil_from_days(days);
        if !YEARS.contains(&year) {
            return write!(f, "{}ms", self.0);
        }
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
    }
}

/// Days since 1970 of a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The reverse.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_764_016_265_000;

    fn read(text: &str) -> Option<i64> {
        parse(text, NOW).map(|moment| moment.0)
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        assert_eq!(read("2025-11-24T20:31:05Z"), Some(NOW));
        assert_eq!(read("2025-11-24T21:31:05.25+01:00"), Some(NOW + 250));
        assert_eq!(read("2025-11-24 14:01:05.9999-06:30"), Some(NOW + 999));
        assert_eq!(read("2024-02-29"), Some(1_709_164_800_000));
        assert_eq!(read("1700000000000"), Some(1_700_000_000_000));
        assert_eq!(read("-5"), Some(-5));
        for (text, ms) in [("2h", 7_200_000), ("15m", 900_000), ("7d", 7 * DAY_MS), ("30s", 30_000), ("9ms", 9)] {
            assert_eq!(read(text), Some(NOW - ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "h",
            "2 h",
            "2y",
            "yesterday",
            "2025-13-01",
            "2025-02-29",
            "2025-1-1",
            "2025-11-24T",
            "2025-11-24T20:31Z",
            "2025-11-24T20:31:05",
            "2025-11-24T24:00:00Z",
            "2025-11-24T20:31:05.Z",
            "2025-11-24T20:31:05+1:00",
            "99999999999999999999d",
            "2025-11-24T20:31:05.1é3Z",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn times_are_shown_in_utc_with_milliseconds() {
        assert_eq!(Moment(NOW + 7).to_string(), "2025-11-24T20:31:05.007Z");
        assert_eq!(Moment(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Moment(i64::MAX).to_string(), format!("{}ms", i64::MAX));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(ms in -62_135_596_800_000i64..253_402_300_800_000) {
            prop_assert_eq!(read(&Moment(ms).to_string()), Some(ms));
        }
    }
}
