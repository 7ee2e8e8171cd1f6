//! What a system of the fault matrix has to survive, one thing at a time.

use std::thread;
use std::time::Duration;

use super::scene::Scene;
use crate::support::proxy::{Fault, Proxy, Toward};
use crate::support::sluice::Sluice;
use crate::support::wait::until;

/// Kafka's number of a fetch request.
const FETCH: i16 = 1;

/// Something that happens to a system.
#[derive(Debug, Clone, Copy)]
pub(super) enum Blow {
    KillSluice,
    KillKafka,
    KillInflux,
    KillAll,
    DelayInflux,
    CutInflux,
    HalfCloseInflux(Toward),
    /// Requests are taken, nothing is answered.
    SwallowInflux,
    DamageInflux,
    DelayKafka,
    CutKafka,
    HalfCloseKafka(Toward),
    /// Everything but fetching goes on: the member stays in its group.
    SwallowFetches,
}

// === impl Blow ===

impl Blow {
    pub(super) fn strike(self, scene: &Scene, processes: &mut Vec<Sluice>, random: &mut fastrand::Rng) {
        let (kafka, influx) = (&scene.to_kafka, &scene.to_influx);
        match self {
            Self::KillSluice => {
                processes.remove(random.usize(..processes.len())).kill();
                pause(random);
                processes.push(scene.sluice());
            }
            Self::KillKafka => {
                scene.kafka.kill();
                pause(random);
                scene.kafka.restart();
            }
            Self::KillInflux => {
                scene.influx.kill();
                pause(random);
                scene.influx.restart();
            }
            Self::KillAll => {
                scene.influx.kill();
                scene.kafka.kill();
                let count = processes.len();
                processes.drain(..).for_each(Sluice::kill);
                processes.extend((0..count).map(|_| scene.sluice()));
                pause(random);
                scene.kafka.restart();
                scene.influx.restart();
            }
            Self::DelayInflux => delay(influx, random),
            Self::CutInflux => strikes(|| influx.num_cut(), || influx.cut()),
            Self::HalfCloseInflux(toward) => strikes(|| influx.num_cut(), || influx.half_close(toward)),
            Self::SwallowInflux => swallow(influx, Fault::Swallow, random),
            Self::DamageInflux => strikes(|| influx.damaged(), || influx.damage_next(random.u32(..))),
            Self::DelayKafka => delay(kafka, random),
            Self::CutKafka => strikes(|| kafka.num_cut(), || kafka.cut()),
            Self::HalfCloseKafka(toward) => strikes(|| kafka.num_cut(), || kafka.half_close(toward)),
            Self::SwallowFetches => swallow(kafka, Fault::SwallowKafka(&[FETCH]), random),
        }
    }
}

/// For random moments: what is tested is that it does not matter when.
pub(super) fn pause(random: &mut fastrand::Rng) {
    thread::sleep(Duration::from_millis(random.u64(..700)));
}

fn delay(proxy: &Proxy, random: &mut fastrand::Rng) {
    proxy.fault(Fault::Delay(Duration::from_millis(random.u64(50..400))));
    pause(random);
    pause(random);
    proxy.fault(Fault::None);
}

/// Swallows at least one request. The connections are of no use afterwards.
fn swallow(proxy: &Proxy, fault: Fault, random: &mut fastrand::Rng) {
    let before = proxy.swallowed();
    proxy.fault(fault);
    until("a request to be swallowed", || if proxy.swallowed() > before { Ok(()) } else { Err(before) });
    pause(random);
    proxy.fault(Fault::None);
    proxy.cut();
}

/// Does it until it has struck something.
fn strikes(count: impl Fn() -> usize, mut blow: impl FnMut()) {
    let before = count();
    until("the blow to strike", || {
        blow();
        if count() > before { Ok(()) } else { Err(before) }
    });
}
