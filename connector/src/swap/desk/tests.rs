use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;
use crate::transform::engine::{Engine, Module};
use crate::transform::{Limits, builtin};

/// A version of this name, and its instance.
pub(crate) fn module(name: &str) -> Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    let load = || Engine::new().load_bytes("test", builtin::find("split-concat").unwrap()).unwrap();
    MODULE.get_or_init(load).again(name)
}

pub(crate) fn instance(module: &Module) -> Transform {
    let limits = Limits { memory_max_bytes: 64 * 1024 * 1024, timeout: Duration::from_secs(60) };
    Transform::new(module.clone(), Vec::new(), limits).unwrap()
}

fn trial(version: &Module, stable: &Module) -> Arc<Trial> {
    Arc::new(Trial::new(Arc::clone(version.version()), Arc::clone(stable.version()), 0.01, None, || {}))
}

/// Carries the open order out, as a task does, and gives back the version it is of.
fn carry(task: &mut TaskDesk) -> Option<String> {
    let order = task.take()?;
    task.finish(Duration::from_micros(3), Remains::default());
    Some(order.transform.module().name().to_owned())
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn an_order_is_there_once() {
    let (mut task, control) = desk();
    assert!(!task.has_order() && task.take().is_none());
    let order = Order::new(instance(&module("a")), None, false);
    let carried = carry_out(vec![(control, order)], Duration::ZERO);
    assert_eq!(carried, Carried { changed: 0, pending: 1, pause: Duration::ZERO });
    assert!(task.has_order());
    assert_eq!(carry(&mut task).as_deref(), Some("a"));
    assert!(!task.has_order() && carry(&mut task).is_none());
}

#[test]
fn an_order_that_is_open_is_replaced() {
    let (mut task, control) = desk();
    for name in ["a", "b"] {
        let order = Order::new(instance(&module(name)), None, false);
        carry_out(vec![(control.clone(), order)], Duration::ZERO);
    }
    assert_eq!(carry(&mut task).as_deref(), Some("b"));
    assert!(!task.has_order());
}

#[test]
fn a_task_that_missed_the_stable_version_gets_it_with_the_next() {
    let [first, second, third, fourth] = ["1", "2", "3", "4"].map(module);
    let missed = |orders: Vec<(&Module, Option<Arc<Trial>>)>| {
        let (mut task, control) = desk();
        for (module, trial) in orders {
            carry_out(vec![(control.clone(), Order::new(instance(module), trial, false))], Duration::ZERO);
        }
        let mut order = task.take().unwrap();
        order.take_missed().map(|missed| missed.module().name().to_owned())
    };
    // Promoted meanwhile, or without probation.
    for trial_of_second in [None, Some(trial(&second, &first))] {
        let orders = vec![(&second, trial_of_second), (&third, Some(trial(&third, &second)))];
        assert_eq!(missed(orders).as_deref(), Some("2"));
    }
    // Through one that was taken back or superseded.
    let orders =
        vec![(&second, None), (&third, Some(trial(&third, &second))), (&fourth, Some(trial(&fourth, &second)))];
    assert_eq!(missed(orders).as_deref(), Some("2"));
    // Taken back: the task has the stable one.
    let orders = vec![(&second, Some(trial(&second, &first))), (&third, Some(trial(&third, &first)))];
    assert_eq!(missed(orders), None);
}

#[test]
fn a_task_that_is_over_is_not_waited_for() {
    for barrier in [false, true] {
        let (task, control) = desk();
        let (mut alive, alive_control) = desk();
        drop(task);
        assert!(control.is_over() && !alive_control.is_over());
        let order = || Order::new(instance(&module("a")), None, barrier);
        let orders = vec![(control, order()), (alive_control, order())];
        let carried = thread::scope(|scope| {
            let carried = scope.spawn(|| carry_out(orders, LONG));
            while carry(&mut alive).is_none() {
                thread::yield_now();
            }
            carried.join().unwrap()
        });
        assert_eq!(carried, Carried { changed: 1, pending: 0, pause: Duration::from_micros(3) });
    }
}

#[test]
fn a_task_that_ends_while_it_is_waited_for_ends_the_wait() {
    let (task, control) = desk();
    let order = Order::new(instance(&module("a")), None, true);
    let carried = thread::scope(|scope| {
        let carried = scope.spawn(|| carry_out(vec![(control.clone(), order)], LONG));
        while !task.has_order() {
            thread::yield_now();
        }
        drop(task);
        carried.join().unwrap()
    });
    assert_eq!(carried, Carried::default());
    assert!(control.shared.lock().order.is_none(), "nobody will take it");
}

#[test]
fn nobody_passes_the_barrier_before_all_have_come() {
    const TASKS: usize = 4;
    let (mut tasks, controls): (Vec<_>, Vec<_>) = (0..TASKS).map(|_| desk()).unzip();
    let orders =
        controls.into_iter().map(|control| (control, Order::new(instance(&module("a")), None, true))).collect();
    let came = AtomicUsize::new(0);
    let carried = thread::scope(|scope| {
        for task in &mut tasks {
            scope.spawn(|| {
                while !task.has_order() {
                    thread::yield_now();
                }
                came.fetch_add(1, Ordering::SeqCst);
                while carry(task).is_none() {
                    thread::yield_now();
                }
                assert_eq!(came.load(Ordering::SeqCst), TASKS);
            });
        }
        carry_out(orders, LONG)
    });
    assert_eq!((carried.changed, carried.pending), (TASKS, 0));
}

#[test]
fn one_that_does_not_come_to_the_barrier_does_not_make_the_others_late() {
    let (mut comes, comes_control) = desk();
    let (mut late, late_control) = desk();
    let order = || Order::new(instance(&module("a")), None, true);
    let orders = vec![(late_control, order()), (comes_control, order())];
    let carried = thread::scope(|scope| {
        let carried = scope.spawn(|| carry_out(orders, Duration::from_millis(50)));
        while carry(&mut comes).is_none() {
            thread::yield_now();
        }
        carried.join().unwrap()
    });
    assert_eq!((carried.changed, carried.pending), (1, 1));
    assert_eq!(carry(&mut late).as_deref(), Some("a"), "nobody is waited for any more");
}

#[test]
fn what_a_late_task_leaves_is_freed() {
    let (mut task, control) = desk();
    carry_out(vec![(control.clone(), Order::new(instance(&module("a")), None, false))], Duration::ZERO);
    carry(&mut task);
    assert_eq!(control.shared.lock().remains.len(), 1);
    control.free();
    assert_eq!(control.shared.lock().remains.len(), 0);
}

#[test]
fn a_candidate_is_warmed_up_with_the_columns_that_it_wants() {
    let (task, control) = desk();
    let keys = Inputs { keys: true, ..Inputs::default() };
    control.widen(keys);
    assert_eq!(task.wanted(), keys);
    control.widen(Inputs::default());
    assert_eq!(task.wanted(), Inputs::default());
}
