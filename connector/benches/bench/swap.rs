//! Hot swap under full load: records per second with and without swaps, in turns on one topic; how long a swap takes from the rename of the
//! file to the first request under the new version; and how long the data path stands for it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice::config::ModuleRef;
use sluice::transform::loader;

use crate::Options;
use crate::broker::Broker;
use crate::figures::{median, quantile};
use crate::server::Server;
use crate::{rest, sluice_process};

/// After this without the last line the bench gives up.
const PATIENCE: Duration = Duration::from_secs(600);

/// Between a version's first request and the next swap.
const PAUSE: Duration = Duration::from_millis(200);

/// How often the server is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// The measurement that split-concat writes by default, eight bytes with what follows it: each version has another in its place.
const MEASUREMENT: &[u8] = b"cryptos";

/// One run over the whole topic.
struct Run {
    records_per_s: f64,
    /// From each rename to the first request that begins with a line of the new version.
    latencies: Vec<Duration>,
    metrics: String,
}

pub(crate) fn run(options: &Options) -> Value {
    let broker = Broker::start();
    println!("filling a topic with {} records of 18 bytes in {} partitions", options.records, options.partitions);
    broker.fill("swap", options.partitions, options.records);
    let (_, module) = loader::read(&ModuleRef::Builtin("split-concat".to_owned())).unwrap();
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        without.push(measure(&broker, options, &module, &format!("without-{round}"), false));
        with.push(measure(&broker, options, &module, &format!("with-{round}"), true));
    }
    let rates = |runs: &[Run]| runs.iter().map(|run| run.records_per_s / 1e6).collect::<Vec<_>>();
    let (without_rate, with_rate) = (median(rates(&without)), median(rates(&with)));
    let mut latencies: Vec<_> = with.iter().flat_map(|run| &run.latencies).map(Duration::as_secs_f64).collect();
    latencies.sort_by(f64::total_cmp);
    println!("\nrecords/s, M, each round: without swaps {:.2?}, with {:.2?}", rates(&without), rates(&with));
    println!("median with / without: {:.2} ({} swaps)", with_rate / without_rate, latencies.len());
    let at = |share: f64| quantile(&latencies, share) * 1e3;
    println!(
        "rename to first request under the new version, ms: p50 {:.0}, p90 {:.0}, max {:.0}",
        at(0.5),
        at(0.9),
        at(1.0)
    );
    println!("of that (mean of each step, ms):");
    for step in ["structure", "compile", "world", "configure", "warm_up", "total"] {
        println!("  {step:<10} {:>8.2}", mean(&with, step) * 1e3);
    }
    println!(
        "data path stands for a switch, µs: mean {:.0}, none longer than {:.0}",
        mean(&with, "switch") * 1e6,
        longest(&with) * 1e6
    );
    json!({
        "records_per_s": { "without": without_rate * 1e6, "with": with_rate * 1e6 },
        "swap_ms": { "p50": at(0.5), "p90": at(0.9), "max": at(1.0) },
        "switch_us": { "mean": mean(&with, "switch") * 1e6, "below": longest(&with) * 1e6 },
    })
}

fn measure(broker: &Broker, options: &Options, module: &[u8], name: &str, swaps: bool) -> Run {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let (file, port) = (folder.path().join("transform.wasm"), rest::free_port());
    fs::write(&file, module).unwrap();
    let settings =
        sluice_process::settings("swap", server.address.port(), &[("transform.module", file.to_str().unwrap())]);
    let state = folder.path().join("state");
    let more = ["--state-dir", state.to_str().unwrap()];
    let child = sluice_process::start(broker, (name, &settings), folder.path(), (port, &more));
    let (started, mut latencies, mut seen) = (Instant::now(), Vec::new(), server.seen());
    let (mut renamed, mut due) = (None, Instant::now());
    while seen.lines < options.records {
        assert!(started.elapsed() < PATIENCE, "only {} of {} lines came", seen.lines, options.records);
        std::thread::sleep(LOOK);
        seen = server.seen();
        match renamed {
            Some((at_us, changes)) if seen.changes > changes => {
                latencies.push(Duration::from_micros(seen.changed_us - at_us));
                (renamed, due) = (None, Instant::now() + PAUSE);
            }
            None if swaps && seen.lines > 0 && Instant::now() >= due => {
                replace(&file, &version(module, latencies.len()));
                renamed = Some((server.seen().now_us, seen.changes));
            }
            _ => {}
        }
    }
    let metrics = rest::ask(port, "GET", "/metrics", None).1;
    child.terminate();
    assert_eq!(seen.lines, options.records, "every record is one line, once");
    let records_per_s = options.records as f64 / ((seen.last_us - seen.first_us) as f64 / 1e6);
    Run { records_per_s, latencies, metrics }
}

/// The module with another measurement, and so another digest.
fn version(module: &[u8], number: usize) -> Vec<u8> {
    let mut module = module.to_vec();
    let measurement = format!("c{number:06}");
    let places: Vec<_> = module
        .windows(MEASUREMENT.len())
        .enumerate()
        .filter(|(_, text)| *text == MEASUREMENT)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "the shipped transform has no measurement in its data");
    places.iter().for_each(|&at| module[at..at + MEASUREMENT.len()].copy_from_slice(measurement.as_bytes()));
    module
}

fn replace(file: &Path, module: &[u8]) {
    let next = file.with_extension("next");
    fs::write(&next, module).unwrap();
    fs::rename(next, file).unwrap();
}

/// The values of a step's series of `sluice_swap_seconds`, by what stands behind the name.
fn series<'a>(run: &'a Run, kind: &str, step: &str) -> impl Iterator<Item = (&'a str, f64)> {
    let (name, step) = (format!("sluice_swap_seconds_{kind}{{"), format!("step=\"{step}\""));
    let lines = run.metrics.lines().filter(move |line| line.starts_with(&name) && line.contains(&step));
    lines.filter_map(|line| line.rsplit_once(' ').and_then(|(labels, value)| Some((labels, value.parse().ok()?))))
}

fn mean(runs: &[Run], step: &str) -> f64 {
    let sum = |kind| runs.iter().flat_map(|run| series(run, kind, step)).map(|(_, value)| value).sum::<f64>();
    sum("sum") / sum("count")
}

/// The bound of the highest bucket of switches that has one.
fn longest(runs: &[Run]) -> f64 {
    let mut longest: f64 = 0.0;
    for run in runs {
        let mut below = 0.0;
        for (labels, count) in series(run, "bucket", "switch") {
            let bound = labels.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
            if count > below {
                longest = longest.max(bound.unwrap_or(f64::INFINITY));
            }
            below = count;
        }
    }
    longest
}
