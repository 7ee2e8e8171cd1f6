//! Desk and trial together: whatever the order of events, every batch is run by the version that the controller means, and what nobody
//! needs is freed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Weak;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::batch::Record;
use crate::swap::desk::tests::{instance, module};
use crate::swap::desk::{self, ControlDesk};
use crate::swap::trial::Canary;
use crate::transform::engine::Module;

const TASKS: usize = 2;
const PARTITIONS: i32 = 3;

#[derive(Debug, Clone)]
enum Event {
    /// A version comes, with a probation or, as somebody asked for it, without.
    Order { probation: bool },
    /// The version on probation did something wrong.
    Breach,
    /// Its time is over.
    Promote,
    /// The controller notices what became of the trial.
    Settle,
    /// The owner of this partition has a batch of it.
    Batch(i32),
    /// A partition goes to another task.
    Move(i32),
}

/// Tasks and controller, in one thread.
struct World {
    tasks: Vec<Versions>,
    controls: Vec<ControlDesk>,
    owners: BTreeMap<i32, usize>,
    /// On how many partitions a version is on probation; on all without.
    canary: Option<usize>,
    stable: Module,
    trial: Option<(Module, Arc<Trial>)>,
    all: Vec<Weak<Version>>,
    /// For each partition the version of its last batch.
    last: BTreeMap<i32, usize>,
    /// Trials that ended badly: number of the version, and of the one that came back.
    over: Vec<(usize, usize)>,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => any::<bool>().prop_map(|probation| Event::Order { probation }),
        1 => Just(Event::Breach),
        1 => Just(Event::Promote),
        1 => Just(Event::Settle),
        6 => (0..PARTITIONS).prop_map(Event::Batch),
        1 => (0..PARTITIONS).prop_map(Event::Move),
    ]
}

fn number(version: &Version) -> usize {
    version.name().parse().unwrap()
}

fn batch() -> Batch {
    let mut batch = Batch::default();
    batch.push(&Record { offset: 0, timestamp: 0, key: None, value: Some(b"BTC-USD,1.5") }, Inputs::default());
    batch
}

// === impl World ===

impl World {
    fn new(canary: Option<usize>) -> Self {
        let stable = module("0");
        let (desks, controls): (Vec<_>, Vec<_>) = (0..TASKS).map(|_| desk::desk()).unzip();
        let tasks = desks.into_iter().zip(0..);
        let tasks = tasks.map(|(desk, task)| Versions::new(instance(&stable), None, desk, TaskSpan::new("test", task)));
        Self {
            tasks: tasks.collect(),
            controls,
            owners: (0..PARTITIONS).map(|partition| (partition, partition as usize % TASKS)).collect(),
            all: vec![Arc::downgrade(stable.version())],
            canary,
            stable,
            trial: None,
            last: BTreeMap::new(),
            over: Vec::new(),
        }
    }

    /// As `swap::controller` does it.
    fn settle(&mut self) {
        match self.trial.as_ref().map(|(_, trial)| trial.standing()) {
            Some(Standing::Promoted) => self.stable = self.trial.take().unwrap().0,
            Some(Standing::Over) => self.trial = None,
            Some(Standing::Running) | None => {}
        }
    }

    fn order(&mut self, probation: bool) {
        self.settle();
        let new = module(&self.all.len().to_string());
        self.all.push(Arc::downgrade(new.version()));
        let before = self.trial.as_ref().and_then(|(_, trial)| trial.canary().cloned());
        let canary = before.or_else(|| self.canary.map(|max| Arc::new(Canary::new(NonZeroUsize::new(max).unwrap()))));
        let (version, stable) = (Arc::clone(new.version()), Arc::clone(self.stable.version()));
        let trial = probation.then(|| Arc::new(Trial::new(version, stable, 0.01, canary, || {})));
        let order = |control: &ControlDesk| (control.clone(), Order::new(instance(&new), trial.clone(), false));
        desk::carry_out(self.controls.iter().map(order).collect(), Duration::ZERO);
        match trial {
            Some(trial) => self.trial = Some((new, trial)),
            None => (self.stable, self.trial) = (new, None),
        }
    }

    /// The version that the controller means for this partition.
    fn meant(&self, partition: &TopicPartition) -> usize {
        let version = match &self.trial {
            Some((new, trial)) => match trial.standing() {
                Standing::Promoted => new.version(),
                Standing::Running if trial.covers(partition) => new.version(),
                Standing::Running | Standing::Over => self.stable.version(),
            },
            None => self.stable.version(),
        };
        number(version)
    }

    fn batch(&mut self, partition: i32) {
        let place = TopicPartition::new("prices", partition);
        let task = &mut self.tasks[self.owners[&partition]];
        assert!(!task.look(|_| true).waits);
        let (version, result) = task.run(&place, &batch());
        result.unwrap();
        task.note(&version, 1, 0, Instant::now());
        let ran = number(&version);
        assert_eq!(ran, self.meant(&place), "partition {partition}");
        let before = self.last.insert(partition, ran).unwrap_or(0);
        let went_back = self.over.iter().any(|&(over, back)| over >= before && back == ran);
        assert!(ran >= before || went_back, "partition {partition}: {before}, then {ran}");
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Order { probation } => self.order(probation),
            Event::Breach => {
                if let Some((new, trial)) = &self.trial
                    && trial.standing() == Standing::Running
                {
                    trial.blame("it is bad".to_owned());
                    self.over.push((number(new.version()), number(self.stable.version())));
                }
            }
            Event::Promote => {
                self.trial.as_ref().map(|(_, trial)| trial.promote());
            }
            Event::Settle => self.settle(),
            Event::Batch(partition) => self.batch(partition),
            Event::Move(partition) => {
                let owner = self.owners.get_mut(&partition).unwrap();
                *owner = (*owner + 1) % TASKS;
            }
        }
    }

    /// When every task has looked, only what may still run is there.
    fn end(mut self) {
        self.settle();
        for task in &mut self.tasks {
            task.look(|_| true);
            let latest = self.trial.as_ref().map_or(&self.stable, |(new, _)| new).version();
            assert!(Arc::ptr_eq(task.latest(), latest), "{} is not {}", task.latest().name(), latest.name());
            assert!(Arc::ptr_eq(task.stable.module().version(), self.stable.version()));
            assert!(!task.desk.has_order());
        }
        self.controls.iter().for_each(ControlDesk::free);
        let needed = [Some(&self.stable), self.trial.as_ref().map(|(new, _)| new)];
        let mut needed: Vec<_> = needed.into_iter().flatten().map(|module| number(module.version())).collect();
        needed.sort_unstable();
        let alive: Vec<_> = self.all.iter().filter_map(Weak::upgrade).map(|version| number(&version)).collect();
        assert_eq!(alive, needed, "versions that are not freed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_batch_is_run_by_the_version_that_is_meant(
        events in proptest::collection::vec(event(), 1..60),
        canary in proptest::option::of(1..3_usize),
    ) {
        let mut world = World::new(canary);
        for event in events {
            world.apply(event);
        }
        world.end();
    }
}

/// A task, and the controller's side of its desk.
fn task(stable: &Module) -> (Versions, ControlDesk) {
    let (desk, control) = desk::desk();
    (Versions::new(instance(stable), None, desk, TaskSpan::new("test", 0)), control)
}

fn trial(version: &Module, stable: &Module) -> Arc<Trial> {
    Arc::new(Trial::new(Arc::clone(version.version()), Arc::clone(stable.version()), 0.01, None, || {}))
}

fn order(control: &ControlDesk, module: &Module, trial: &Arc<Trial>, barrier: bool) {
    let order = Order::new(instance(module), Some(Arc::clone(trial)), barrier);
    desk::carry_out(vec![(control.clone(), order)], Duration::ZERO);
}

#[test]
fn an_order_waits_until_all_is_ready_for_it() {
    let [old, new] = ["0", "1"].map(module);
    let (mut task, control) = task(&old);
    order(&control, &new, &trial(&new, &old), false);
    assert_eq!(task.look(|_| false), Looked { changed: false, waits: false });
    assert_eq!(number(task.latest()), 0);
    let mut asked = None;
    assert_eq!(
        task.look(|inputs| {
            asked = Some(inputs);
            true
        }),
        Looked { changed: true, waits: false }
    );
    assert_eq!((number(task.latest()), asked), (1, Some(instance(&new).inputs())));
}

#[test]
fn a_version_that_was_taken_back_before_the_task_had_it_never_runs() {
    let [old, new] = ["0", "1"].map(module);
    let (mut task, control) = task(&old);
    let trial = trial(&new, &old);
    order(&control, &new, &trial, false);
    trial.blame("another task found it bad".to_owned());
    task.look(|_| true);
    assert_eq!(number(task.latest()), 0);
    assert_eq!(number(&task.run(&TopicPartition::new("prices", 0), &batch()).0), 0);
}

#[test]
fn the_refused_lines_of_the_last_batch_count() {
    let [old, new] = ["0", "1"].map(module);
    let (mut task, control) = task(&old);
    let trial = trial(&new, &old);
    order(&control, &new, &trial, false);
    task.look(|_| true);
    task.note(new.version(), 1000, 0, Instant::now());
    task.note_refused(old.version(), 1000, Instant::now());
    assert_eq!(trial.standing(), Standing::Running, "those of the version before are not its fault");
    task.note_refused(new.version(), 1000, Instant::now());
    assert_eq!(trial.standing(), Standing::Over);
    assert_eq!(task.look(|_| true), Looked { changed: true, waits: false });
}

#[test]
fn a_version_is_blamed_only_for_what_the_one_before_does_better() {
    let [old, new] = ["0", "1"].map(module);
    let (mut task, control) = task(&old);
    let trial = trial(&new, &old);
    order(&control, &new, &trial, false);
    task.look(|_| true);
    let place = TopicPartition::new("prices", 0);
    assert!(!task.suspect(old.version(), &place, &batch(), "the stable one is not on probation"));
    let mut refused = Batch::default();
    refused.push(&Record { offset: 0, timestamp: 0, key: None, value: Some(b"no price") }, Inputs::default());
    assert!(!task.suspect(new.version(), &place, &refused, "the stable one rejects it too"));
    assert!(!task.stable.is_live(), "it rests again");
    assert_eq!(trial.standing(), Standing::Running);
    assert!(task.suspect(new.version(), &place, &batch(), "it failed"));
    assert!(trial.ending().unwrap().reason.starts_with("it failed, in the batch from prices-0 offset 0 on"));
}
