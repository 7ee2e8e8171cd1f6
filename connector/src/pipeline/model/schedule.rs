//! One schedule: a world, a task, and what happens to them, all of it drawn from a seed.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::influx::Influx;
use super::task::{BATCH_MAX, Settings, Task};
use super::world::World;
use crate::metrics::{Metrics, TaskMetrics};

/// How much of a schedule there is before everything works again. Longer ones meet few states that these don't.
const STEPS: std::ops::RangeInclusive<usize> = 10..=60;

/// Rounds in which everything works until all has to be decided: far more than any hunt needs, so that only one that is stuck needs more.
const CALM_ROUNDS: usize = 500;

thread_local! {
    /// One for all schedules: making metrics costs more than a schedule.
    static METRICS: RefCell<Option<TaskMetrics>> = const { RefCell::new(None) };
}

pub(super) struct Schedule {
    rng: Rng,
    world: World,
    influx: Influx,
    settings: Settings,
    task: Task,
    metrics: TaskMetrics,
    now: Instant,
    tells: bool,
}

impl Schedule {
    /// `tells`: every step is printed.
    pub(super) fn new(seed: u64, letters: bool, tells: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let settings = Settings::random(&mut rng, letters);
        let world = World::new(&mut rng, settings.sizes);
        let influx = Influx::new(&mut rng, settings.sizes);
        let task = Task::new(&settings, world.partitions.len());
        let metrics =
            METRICS.with_borrow_mut(|kept| kept.get_or_insert_with(|| Metrics::new().task("model", 0)).clone());
        if tells {
            eprintln!("{settings:?}\n{influx:?}");
            for (partition, model) in world.partitions.iter().enumerate() {
                model.log.iter().for_each(|record| eprintln!("{partition}: {record:?}"));
            }
        }
        Self { rng, world, influx, settings, task, metrics, now: Instant::now(), tells }
    }

    pub(super) fn run(mut self) {
        let steps = self.rng.usize(STEPS);
        for step in 0..steps {
            self.step(step);
            self.now += Duration::from_secs(1);
            self.task.finish_revoke(&mut self.world, self.now, &mut self.rng);
        }
        self.recover();
    }

    /// One thing that happens.
    fn step(&mut self, step: usize) {
        let partition = self.rng.usize(..self.world.partitions.len());
        let (what, count) = (self.rng.u8(..100), self.rng.usize(1..=BATCH_MAX));
        let is_owned = self.world.partitions[partition].owned;
        let is_settled = is_owned && !self.task.is_revoking(partition);
        let Self { rng, world, influx, task, now, metrics, tells, .. } = self;
        // Only when it is read: making the words takes longer than the step.
        macro_rules! tell {
            ($($words:tt)*) => { if *tells { eprintln!("{step}: {}", format_args!($($words)*)) } };
        }
        match what {
            0..40 if !is_owned && rng.u8(..5) == 0 => {
                world.work_elsewhere(partition, count);
                tell!("somebody else does {count} records of {partition}");
            }
            0..40 if !is_owned => {
                task.assign(world, partition, metrics);
                tell!("{partition} is assigned");
            }
            0..30 => {
                task.fetch(world, partition, count);
                tell!("{count} records of {partition} are fetched");
            }
            40..70 if task.requests() > 0 => {
                let at = rng.usize(..task.requests());
                let verdict = task.answer(world, influx, at, *now, Some(rng));
                tell!("request {at} is answered: {verdict:?}");
            }
            70..74 => {
                task.post();
                tell!("letters leave");
            }
            74..84 if task.letters() > 0 => {
                let (at, arrived, told) = (rng.usize(..task.letters()), rng.u8(..3) > 0, rng.u8(..4) > 0);
                let letter = task.deliver(world, at, arrived, told);
                tell!("the letter {letter:?} arrives: {arrived}, and is acknowledged: {told}");
            }
            84..90 => {
                let offsets = task.commit(world, rng, true);
                tell!("commits {offsets:?}");
            }
            90..94 if is_settled => {
                let wait = rng.u64(..20);
                task.begin_revoke(partition, *now + Duration::from_secs(wait));
                tell!("{partition} is revoked, with {wait} s to finish");
            }
            94..96 if is_settled => {
                task.lose(world, partition);
                tell!("{partition} is lost");
            }
            96 => {
                let next = Task::new(&self.settings, world.partitions.len());
                std::mem::replace(task, next).die(world, influx, rng);
                tell!("the process dies");
            }
            _ => {
                task.dispatch(world, *now, false);
                tell!("bodies leave, {} are on their way", task.requests());
            }
        }
    }

    /// Everything works again; in the end every record is decided and committed (nothing is stuck).
    fn recover(mut self) {
        self.influx.mend();
        for _ in 0..CALM_ROUNDS {
            self.now += Duration::from_secs(60);
            let Self { rng, world, influx, task, now, metrics, .. } = &mut self;
            task.finish_revoke(world, *now, rng);
            for partition in 0..world.partitions.len() {
                if !world.partitions[partition].owned {
                    task.assign(world, partition, metrics);
                }
                task.fetch(world, partition, BATCH_MAX);
            }
            task.dispatch(world, *now, true);
            for at in (0..task.requests()).rev() {
                task.answer(world, influx, at, *now, None);
            }
            task.post();
            for at in (0..task.letters()).rev() {
                task.deliver(world, at, true, true);
            }
            task.commit(world, rng, false);
            if world.is_done() {
                return;
            }
        }
        panic!("after {CALM_ROUNDS} calm rounds there are records without a fate, or not committed");
    }
}
