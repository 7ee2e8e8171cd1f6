//! The account must never call a lost or repeated price a new one, and memory must stay bounded.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::seen::REMEMBERED_TIMESTAMPS;
use super::*;

const SECOND: i64 = 1_000_000_000;

fn point(symbol: &str, price: f64, timestamp_ns: i64) -> Point {
    Point { symbol: symbol.to_owned(), price, timestamp_ns }
}

#[test]
fn repeats_are_counted_and_change_nothing_else() {
    let board = Board::starting_at(0);
    let points = [point("BTC-USD", 1.0, 10), point("BTC-USD", 2.0, 11), point("ETH-USD", 3.0, 10)];
    board.record(&points, SECOND);
    let once = board.account();
    assert_eq!((once.points, once.distinct), (3, 3));
    board.record(&points, SECOND);
    let twice = board.account();
    assert_eq!((twice.points, twice.distinct, twice.fingerprint), (6, 3, once.fingerprint));
    assert_eq!(board.snapshot_at(SECOND).repeats, 3);
}

#[test]
fn a_point_older_than_all_remembered_is_called_a_repeat() {
    let board = Board::starting_at(0);
    let number = 3 * REMEMBERED_TIMESTAMPS as i64;
    let points: Vec<_> = (0..number).map(|timestamp| point("BTC-USD", 1.0, timestamp)).collect();
    board.record(&points, SECOND);
    assert_eq!(board.account().distinct, number as u64);
    board.record(&points, SECOND);
    assert_eq!(board.account().distinct, number as u64);
    assert_eq!(board.account().points, 2 * number as u64);
}

#[test]
fn fingerprint_tells_values_and_symbols_but_not_order() {
    let fingerprint = |points: &[Point]| {
        let board = Board::starting_at(0);
        board.record(points, SECOND);
        board.account().fingerprint
    };
    let (a, b) = (point("BTC-USD", 1.0, 10), point("ETH-USD", 2.0, 11));
    assert_eq!(fingerprint(&[a.clone(), b.clone()]), fingerprint(&[b.clone(), a.clone()]));
    assert_ne!(fingerprint(&[a.clone(), b.clone()]), fingerprint(&[a.clone(), point("ETH-USD", 2.000_000_1, 11)]));
    assert_ne!(fingerprint(&[a, b]), fingerprint(&[point("ETH-USD", 1.0, 10), point("BTC-USD", 2.0, 11)]));
}

#[test]
fn symbols_and_history_are_bounded() {
    let board = Board::starting_at(0);
    let many: Vec<_> = (0..SERIES_MAX + 7).map(|number| point(&format!("S{number}"), 1.0, 1)).collect();
    assert_eq!(board.record(&many, SECOND), 7);
    assert_eq!(board.record(&[point(&"x".repeat(SYMBOL_BYTES_MAX + 1), 1.0, 1)], SECOND), 1);
    assert_eq!(board.account().points, SERIES_MAX as u64);
    for second in 1..200 {
        board.record(&[point("S1", second as f64, second * SECOND)], second * SECOND);
    }
    let snapshot = board.snapshot_at(200 * SECOND);
    let s1 = snapshot.symbols.iter().find(|symbol| symbol.symbol == "S1").unwrap();
    assert_eq!(s1.history.len(), HISTORY_MAX);
    assert_eq!(s1.history.last(), Some(&199.0));
}

#[test]
fn history_has_two_samples_a_second_at_most() {
    let board = Board::starting_at(0);
    for millisecond in 0..2_000 {
        board.record(&[point("BTC-USD", 1.0, millisecond)], SECOND + millisecond * 1_000_000);
    }
    assert_eq!(board.snapshot_at(3 * SECOND).symbols[0].history.len(), 4);
}

#[tokio::test]
async fn arrived_waits_for_distinct_points() {
    let board = std::sync::Arc::new(Board::new());
    let waiting = tokio::spawn({
        let board = std::sync::Arc::clone(&board);
        async move { board.arrived(2).await }
    });
    board.record(&[point("BTC-USD", 1.0, 1), point("BTC-USD", 1.0, 1)], SECOND);
    assert!(!waiting.is_finished());
    board.record(&[point("BTC-USD", 1.0, 2)], SECOND);
    waiting.await.unwrap();
}

#[test]
fn snapshot_has_the_json_that_the_page_reads() {
    let board = Board::starting_at(0);
    board.set_sent(3);
    let empty = serde_json::to_value(board.snapshot_at(2 * SECOND)).unwrap();
    assert_eq!(
        empty,
        serde_json::json!({
            "elapsed_s": 2.0, "sent": 3, "points": 0, "repeats": 0, "points_per_second": 0.0, "freshness": null, "symbols": [],
        })
    );
    // 1 µs after the millisecond: the digits below a millisecond only tell points apart.
    board.record(&[point("ETH-USD", 50.0, SECOND), point("BTC-USD", 100.0, SECOND)], SECOND + 2_000_000);
    board.record(&[point("BTC-USD", 101.0, 2 * SECOND + 1_000)], 2 * SECOND + 2_000_000);
    let full = serde_json::to_value(board.snapshot_at(2 * SECOND + 500_000_000)).unwrap();
    assert_eq!(full["points_per_second"], 2.0);
    assert!((full["freshness"]["p50_ms"].as_f64().unwrap() - 2.0).abs() < 0.05, "{full}");
    assert!((full["freshness"]["p99_ms"].as_f64().unwrap() - 2.0).abs() < 0.05, "{full}");
    let bitcoin = &full["symbols"][0];
    assert_eq!(bitcoin["symbol"], "BTC-USD");
    assert_eq!(bitcoin["price"], 101.0);
    assert!((bitcoin["change_percent"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(bitcoin["points"], 2);
    assert_eq!(bitcoin["history"], serde_json::json!([100.0, 101.0]));
}
