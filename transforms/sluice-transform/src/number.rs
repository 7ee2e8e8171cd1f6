//! Decimal numbers as text.

use crate::Fault;

/// With no more digits than this before the point, and an exponent of no more than two digits, a number is finite: it
/// is less than 10^(200 + 99), and the largest has 309 digits.
const INTEGER_DIGITS_FINITE: usize = 200;

/// Checks that every InfluxDB reads `text` as the same finite float: `-`? digits (`.` digits)? (`e` sign? digits)?
///
/// `.5` and `1.` are refused because InfluxDB 3 refuses them, `+1` because all do.
#[inline]
pub(crate) fn check_decimal(text: &[u8]) -> Result<(), Fault> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let integer = count_digits(digits);
    let mut rest = &digits[integer..];
    let mut fraction_is_missing = false;
    if let [b'.', fraction @ ..] = rest {
        let count = count_digits(fraction);
        fraction_is_missing = count == 0;
        rest = &fraction[count..];
    }
    if integer == 0 || fraction_is_missing {
        return Err(not_decimal(text));
    }
    if rest.is_empty() && integer <= INTEGER_DIGITS_FINITE { Ok(()) } else { check_rest(text, integer, rest) }
}

#[inline]
fn count_digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

/// The exponent, and a number so long that it may be too large.
#[cold]
#[inline(never)]
fn check_rest(text: &[u8], integer_digits: usize, rest: &[u8]) -> Result<(), Fault> {
    let mut exponent = 0;
    if let [b'e' | b'E', signed @ ..] = rest {
        let digits = signed.strip_prefix(b"-").or(signed.strip_prefix(b"+")).unwrap_or(signed);
        exponent = digits.len();
        if digits.is_empty() || count_digits(digits) != digits.len() {
            return Err(not_decimal(text));
        }
    } else if !rest.is_empty() {
        return Err(not_decimal(text));
    }
    if integer_digits <= INTEGER_DIGITS_FINITE && exponent <= 2 {
        return Ok(());
    }
    let number: Option<f64> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    if number.is_some_and(f64::is_finite) { Ok(()) } else { Err(Fault::NotFinite) }
}

#[cold]
#[inline(never)]
fn not_decimal(text: &[u8]) -> Fault {
    match std::str::from_utf8(text) {
        Ok("") => Fault::Empty,
        Ok(_) => Fault::NotDecimal,
        Err(_) => Fault::NotUtf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_influxdb_reads_is_taken() {
        for text in
            ["0", "100", "-0.5", "19890.1212", "1e5", "1E5", "1.5e-7", "1e+5", "007", "1e308", "1e0000000000001"]
        {
            assert_eq!(check_decimal(text.as_bytes()), Ok(()), "{text}");
        }
        assert_eq!(check_decimal("9".repeat(308).as_bytes()), Ok(()));
    }

    #[test]
    fn what_one_influxdb_refuses_is_refused() {
        for text in [
            ".5", "1.", "+1", "-", "-.5", "1e", "1e+", "e5", "1.e5", "0x10", "abc", "NaN", "inf", "1i", "1 ", "1e5.0",
            "--1", "1_0",
        ] {
            assert_eq!(check_decimal(text.as_bytes()), Err(Fault::NotDecimal), "{text}");
        }
        assert_eq!(check_decimal(b""), Err(Fault::Empty));
    }

    #[test]
    fn what_is_too_large_is_refused() {
        for text in
            ["1e999".to_owned(), "-1e309".to_owned(), "1.8e308".to_owned(), "9".repeat(309), "1e99999999999".to_owned()]
        {
            assert_eq!(check_decimal(text.as_bytes()), Err(Fault::NotFinite), "{text}");
        }
    }
}
