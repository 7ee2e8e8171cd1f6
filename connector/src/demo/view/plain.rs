//! The view for files, pipes and CI logs: one line a second.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::board::{Board, Snapshot};
use super::{Facts, text};

/// Symbols whose price a line has; the feed's order begins with the best known.
const PRICES_SHOWN: usize = 4;

/// Prints what runs where, then a line a second until `stop`.
///
/// # Errors
/// `out` takes no more, for instance because the reader of a pipe is gone.
pub(super) fn show(out: &mut impl Write, board: &Board, facts: &Facts, stop: &AtomicBool) -> io::Result<()> {
    writeln!(out, "{}", heading(facts))?;
    out.flush()?;
    let mut next = Instant::now() + Duration::from_secs(1);
    while !stop.load(Ordering::Relaxed) {
        let wait = next.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            writeln!(out, "{}", line(&board.snapshot()))?;
            out.flush()?;
            next += Duration::from_secs(1);
        } else {
            std::thread::park_timeout(wait);
        }
    }
    Ok(())
}

fn heading(facts: &Facts) -> String {
    let Facts { kafka, influx, page, duration } = facts;
    let page = page.as_ref().map(|page| format!("; page {page}")).unwrap_or_default();
    let end = duration.map_or("Ctrl-C ends it".to_owned(), |duration| format!("for {} s", duration.as_secs()));
    format!(
        "demo: prices -> Kafka {kafka} -> split-concat in WebAssembly -> InfluxDB {influx}, both in this process{page}; {end}"
    )
}

/// One second's line, such as
/// `   3 s  2,000 points/s     6,012 points  freshness p50 0.85 ms  p99 3.40 ms  BTC-USD 67,412.35  ETH-USD 3,518.42`.
fn line(snapshot: &Snapshot) -> String {
    let seconds = snapshot.elapsed_s.round() as u64;
    let rate = text::grouped(snapshot.points_per_second.round() as u64);
    let points = text::grouped(snapshot.points);
    let freshness = snapshot.freshness.map_or("freshness not known yet".to_owned(), |freshness| {
        let (p50, p99) = (text::milliseconds(freshness.p50_ms), text::milliseconds(freshness.p99_ms));
        format!("freshness p50 {p50}  p99 {p99}")
    });
    let prices = snapshot.symbols.iter().take(PRICES_SHOWN);
    let prices: String = prices.map(|symbol| format!("  {} {}", symbol.symbol, text::price(symbol.price))).collect();
    format!("{seconds:>4} s  {rate:>7} points/s  {points:>9} points  {freshness}{prices}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::super::board::Point;
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn facts() -> Facts {
        Facts { kafka: "127.0.0.1:9".into(), influx: "http://127.0.0.1:8".into(), page: None, duration: None }
    }

    /// A writer that is closed after `lines` lines.
    struct Pipe {
        lines: usize,
        text: String,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.text.lines().count() >= self.lines && self.text.ends_with('\n') {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.text.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn line_has_rate_freshness_and_prices() {
        let board = Board::starting_at(0);
        assert_eq!(
            line(&board.snapshot_at(SECOND)),
            "   1 s        0 points/s          0 points  freshness not known yet"
        );
        let symbols = [("SOL-USD", 151.284), ("BTC-USD", 67_412.35), ("ETH-USD", 3_518.42)];
        let points: Vec<_> =
            symbols.map(|(symbol, price)| Point { symbol: symbol.to_owned(), price, timestamp_ns: 2 * SECOND }).into();
        board.record(&points, 2 * SECOND + 4_000_000);
        assert_eq!(
            line(&board.snapshot_at(3 * SECOND + 4_000_000)),
            "   3 s        3 points/s          3 points  freshness p50 4.01 ms  p99 4.01 ms  \
             BTC-USD 67,412.35  ETH-USD 3,518.42  SOL-USD 151.284"
        );
    }

    #[test]
    fn heading_says_what_runs_where_and_how_it_ends() {
        let open_ended = heading(&facts());
        assert!(open_ended.contains("127.0.0.1:9") && open_ended.ends_with("Ctrl-C ends it"), "{open_ended}");
        let page = Some("http://127.0.0.1:8083/demo".to_owned());
        let limited = heading(&Facts { page, duration: Some(Duration::from_secs(5)), ..facts() });
        assert!(limited.ends_with("; page http://127.0.0.1:8083/demo; for 5 s"), "{limited}");
    }

    #[test]
    fn a_closed_pipe_ends_the_view() {
        let mut pipe = Pipe { lines: 1, text: String::new() };
        let error = show(&mut pipe, &Board::new(), &facts(), &AtomicBool::new(false)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(pipe.text.starts_with("demo: prices -> Kafka"), "{}", pipe.text);
    }
}
