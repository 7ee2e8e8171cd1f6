//! The points stage: per line, from the transform's bytes to the request body.
#![allow(clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use sluice::config::Tiebreak;
use sluice::points::{Stamper, append_line};

/// Lines of one batch: what the stage sees at full speed.
const LINES: usize = 10_000;

/// Adds the stage's benches to `c`. Read "elements" as lines.
pub(crate) fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("points");
    group.throughput(Throughput::Elements(LINES as u64));
    for (name, line) in shapes() {
        let lines: Vec<String> = (0..LINES).map(line).collect();
        let mut stamper = Stamper::new("prices", 3, Tiebreak::Offset);
        let mut body = Vec::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                body.clear();
                for (offset, line) in (0..).zip(&lines) {
                    append_line(&mut body, black_box(line.as_bytes()), &mut stamper, 1_785_000_000_000, offset)
                        .unwrap();
                }
                black_box(body.len())
            });
        });
    }
    group.finish();
}

/// A shape that lines come in: its name, and the line of a number.
type Shape = (&'static str, fn(usize) -> String);

fn shapes() -> [Shape; 6] {
    [
        ("field", |n| format!("cryptos {}-USD=1989{}.{}", symbol(n), n % 10, 1000 + n % 9000)),
        ("tag", |n| format!("cryptos,symbol={}-USD price=1989{}.{}", symbol(n), n % 10, 1000 + n % 9000)),
        ("exponent", |n| format!("cryptos {}-USD=1.{}e-7", symbol(n), 1000 + n % 9000)),
        ("stamped", |n| format!("cryptos {}-USD=1989{}.1212 1785000000000{:06}", symbol(n), n % 10, n)),
        ("telegraf", |n| {
            format!(
                "cpu,cpu=cpu{},host=server-{n},region=eu-west usage_user={}.5,usage_system=2.25,usage_idle=91.1,n={n}i,up=true",
                n % 8,
                n % 50
            )
        }),
        ("quoted", |n| format!("log,host=a text=\"line {n} of it\"")),
    ]
}

fn symbol(n: usize) -> &'static str {
    ["BTC", "ETH", "DOGE", "SOL", "XRP", "ADA", "AVAX", "DOT"][n * 7 % 8]
}
