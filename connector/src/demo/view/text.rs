//! Numbers and lines as text.

use std::time::Duration;

/// Heights of a bar, lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A whole number with commas between thousands: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A price with as many decimals as its size needs: `67,412.35`, `151.284`, `0.52714`, `0.00002481`.
pub(crate) fn price(price: f64) -> String {
    if !price.is_finite() || price.abs() >= 1e15 {
        return format!("{price}");
    }
    let decimals = match price.abs() {
        size if size >= 1_000.0 => 2,
        size if size >= 1.0 => 3,
        size if size >= 0.01 => 5,
        _ => 8,
    };
    let text = format!("{:.decimals$}", price.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let sign = if price < 0.0 { "-" } else { "" };
    format!("{sign}{whole}.{fraction}")
}

/// A change in per cent, always with its sign: `+0.42 %`.
pub(crate) fn change(percent: f64) -> String {
    format!("{percent:+.2} %")
}

/// Milliseconds with as many digits as matter: `0.85 ms`, `12.3 ms`, `1,234 ms`.
pub(crate) fn milliseconds(milliseconds: f64) -> String {
    match milliseconds {
        small if small < 10.0 => format!("{small:.2} ms"),
        small if small < 100.0 => format!("{small:.1} ms"),
        large => format!("{} ms", grouped(large.round() as u64)),
    }
}

/// Minutes and seconds, and hours if there are any: `01:07`, `2:00:00`.
pub(crate) fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// The last `width` values as bars from the lowest to the highest of them.
pub(crate) fn sparkline(values: &[f64], width: usize) -> String {
    let values = &values[values.len().saturating_sub(width)..];
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = highest - lowest;
    let bar = |value: &f64| {
        let height = if range > 0.0 { (value - lowest) / range * 7.0 } else { 3.0 };
        BARS[(height.round() as usize).min(7)]
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let prices = [67_412.35, 151.284, 0.52714, 0.000_024_81, -3.5, 0.0, f64::NAN];
        let texts = ["67,412.35", "151.284", "0.52714", "0.00002481", "-3.500", "0.00000000", "NaN"];
        assert_eq!(prices.map(price), texts);
        assert_eq!([0.4249, -12.0, 0.0].map(change), ["+0.42 %", "-12.00 %", "+0.00 %"]);
        assert_eq!([0.849, 12.34, 1_234.5].map(milliseconds), ["0.85 ms", "12.3 ms", "1,235 ms"]);
        assert_eq!([67, 7_200].map(|seconds| clock(Duration::from_secs(seconds))), ["01:07", "2:00:00"]);
    }

    #[test]
    fn sparkline_spans_lowest_to_highest_of_what_it_shows() {
        assert_eq!(sparkline(&[1.0, 2.0, 3.0], 10), "▁▅█");
        assert_eq!(sparkline(&[100.0, 1.0, 2.0], 2), "▁█");
        assert_eq!(sparkline(&[5.0, 5.0], 2), "▄▄");
        assert_eq!(sparkline(&[], 5), "");
    }
}
