//! Whatever is killed, cut off or damaged, every record is stored or a dead letter, and nothing is committed before it is.
//!
//! docs/FAULTS.md has the matrix as a table. Each test says its seed when it fails, and the command that replays it. What a seed decides is
//! which blow comes when; what the machine decides, such as which record is under way at that moment, it can't repeat.

mod blow;
mod scene;

use std::env;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use self::blow::{Blow, pause};
use self::scene::Scene;
use crate::support::proxy::Toward;

/// Rounds of a soak test, without `SLUICE_SOAK_ROUNDS`.
const SOAK_ROUNDS: usize = 30;

const KILLS: [Blow; 3] = [Blow::KillSluice, Blow::KillKafka, Blow::KillInflux];

const NETWORK_TO_INFLUX: [Blow; 6] = [
    Blow::DelayInflux,
    Blow::CutInflux,
    Blow::HalfCloseInflux(Toward::Client),
    Blow::HalfCloseInflux(Toward::Server),
    Blow::SwallowInflux,
    Blow::DamageInflux,
];

const NETWORK_TO_KAFKA: [Blow; 5] = [
    Blow::DelayKafka,
    Blow::CutKafka,
    Blow::HalfCloseKafka(Toward::Client),
    Blow::HalfCloseKafka(Toward::Server),
    Blow::SwallowFetches,
];

#[test]
fn kill_9_of_sluice_kafka_and_influxdb_under_load_loses_nothing() {
    survives("kills", 1, &mut [KILLS, KILLS].concat());
}

#[test]
fn two_processes_of_a_group_killed_in_turn_lose_nothing() {
    survives("two", 2, &mut [Blow::KillSluice; 3]);
}

#[test]
fn a_network_to_influxdb_that_delays_cuts_swallows_and_damages_loses_nothing() {
    survives("netinflux", 1, &mut NETWORK_TO_INFLUX.to_vec());
}

#[test]
fn a_network_to_kafka_that_delays_cuts_and_swallows_fetches_loses_nothing() {
    survives("netkafka", 1, &mut NETWORK_TO_KAFKA.to_vec());
}

#[test]
#[ignore = "minutes; it is run by `make soak`"]
fn soak_of_kills_loses_nothing() {
    soak("soakkills", 1, &[&KILLS[..], &[Blow::KillAll]].concat());
}

#[test]
#[ignore = "minutes; it is run by `make soak`"]
fn soak_of_two_processes_and_every_fault_loses_nothing() {
    soak("soakall", 2, &[&KILLS[..], &NETWORK_TO_INFLUX, &NETWORK_TO_KAFKA].concat());
}

/// Each of `blows` in turn, as often as there are rounds.
fn soak(test: &str, processes: usize, blows: &[Blow]) {
    let rounds = number("SLUICE_SOAK_ROUNDS").map_or(SOAK_ROUNDS, |rounds| rounds as usize);
    let mut blows: Vec<_> = blows.iter().copied().cycle().take(rounds).collect();
    survives(test, processes, &mut blows);
}

/// Strikes so many processes under load with `blows`, in random order at random moments. After each, every partition goes on, and what is
/// committed is acknowledged; at the end everything has arrived.
fn survives(test: &str, num_processes: usize, blows: &mut [Blow]) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("SLUICE_SOAK_SEED").unwrap_or(since.as_micros() as u64);
    // Shown only if the test fails.
    let (rounds, test_name) = (blows.len(), thread::current().name().unwrap_or_default().to_owned());
    eprintln!(
        "seed {seed}; again: SLUICE_SOAK_SEED={seed} SLUICE_SOAK_ROUNDS={rounds} cargo test -p sluice --test it {test_name} -- \
         --include-ignored --nocapture"
    );
    let mut random = fastrand::Rng::with_seed(seed);
    random.shuffle(blows);
    let scene = Scene::start(test);
    let mut processes: Vec<_> = (0..num_processes).map(|_| scene.sluice()).collect();
    scene.under_load(|| {
        scene.progress(&mut processes);
        for (round, blow) in blows.iter().enumerate() {
            pause(&mut random);
            eprintln!("round {round}: {blow:?}");
            blow.strike(&scene, &mut processes, &mut random);
            scene.committed_is_acknowledged();
            scene.progress(&mut processes);
            scene.committed_is_acknowledged();
        }
    });
    scene.arrives(processes);
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}
