//! The desk between a connector's controller and one of its tasks: orders in one direction, what was seen and done in the other.
//!
//! A task looks at it between two calls of the transform: one atomic load if there is nothing new. Everything that takes time, the new
//! instance above all, is made before the order is given; what the task does is to put it in the place of the old one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::ring::{Pace, Ring};
use super::trial::Trial;
use crate::batch::{Batch, Inputs};
use crate::record::TopicPartition;
use crate::transform::{Remains, Transform};

/// How long tasks that are let through the barrier are waited for at least: they have nothing else to do.
const RELEASED_PATIENCE: Duration = Duration::from_secs(1);

/// Chunks of records, each of one partition, oldest first for each task.
pub type Sample = Vec<(TopicPartition, Arc<Batch>)>;

/// What a task is to do at its next boundary.
#[derive(Debug)]
pub struct Order {
    /// The instance that takes over, configured and warm.
    pub transform: Transform,
    /// Its probation; without one it replaces the stable version at once.
    pub trial: Option<Arc<Trial>>,
    /// Whether to wait until every task is at a boundary.
    pub barrier: bool,
    /// The version that the trial falls back on, where the task has missed that: its order was still open when this one came.
    missed: Option<Transform>,
}

/// A task's side.
#[derive(Debug)]
pub struct TaskDesk {
    shared: Arc<Shared>,
    /// The latest order that was carried out.
    done: u64,
    pace: Pace,
}

/// The controller's side of one task.
#[derive(Debug, Clone)]
pub struct ControlDesk {
    shared: Arc<Shared>,
}

/// How an order has been carried out by the tasks that were there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Tasks that have changed.
    pub changed: usize,
    /// Tasks that have not yet: their sink stands, or they are stuck. They change at their next boundary.
    pub pending: usize,
    /// The longest time that the data path of a task stood for it.
    pub pause: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    /// The number of the latest order: what a task compares with.
    order: AtomicU64,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    order: Option<Order>,
    thread: Option<Thread>,
    /// The latest order that the task waits at the barrier for, that it may pass, and that it has carried out.
    arrived: u64,
    released: u64,
    done: u64,
    pause: Duration,
    /// Freed by the controller: giving back a guest's memory takes longer than the switch.
    remains: Vec<Remains>,
    /// Columns to fill although the running version does not want them.
    wanted: Inputs,
    ring: Ring,
    is_over: bool,
}

/// Both sides of a task's desk.
pub fn desk() -> (TaskDesk, ControlDesk) {
    let shared = Arc::<Shared>::default();
    (TaskDesk { shared: Arc::clone(&shared), done: 0, pace: Pace::default() }, ControlDesk { shared })
}

// === impl Order ===

impl Order {
    /// An order for one task.
    pub fn new(transform: Transform, trial: Option<Arc<Trial>>, barrier: bool) -> Self {
        Self { transform, trial, barrier, missed: None }
    }

    /// Taken out of an order that is carried out: it replaces the stable version before the trial begins.
    pub fn take_missed(&mut self) -> Option<Transform> {
        self.missed.take()
    }

    /// The columns that batches need for it.
    pub fn inputs(&self) -> Inputs {
        let missed = self.missed.as_ref().map_or_else(Inputs::default, Transform::inputs);
        self.transform.inputs().union(missed)
    }

    /// Comes in the place of one that was never carried out. If that brought the version that this one's trial falls back on, the task
    /// needs it still. Gives back what nobody needs.
    fn replace(&mut self, replaced: Self) -> [Option<Transform>; 2] {
        let mut left = [Some(replaced.transform), replaced.missed];
        if let Some(trial) = &self.trial {
            let is_it = |transform: &Transform| Arc::ptr_eq(transform.module().version(), trial.stable());
            let found = left.iter_mut().find(|transform| transform.as_ref().is_some_and(is_it));
            self.missed = found.and_then(Option::take);
        }
        left
    }
}

// === impl TaskDesk ===

impl TaskDesk {
    /// Says which thread is to be woken by an order.
    pub fn wakes(&self, thread: Thread) {
        self.shared.lock().thread = Some(thread);
    }

    /// Whether there is an order that is not carried out.
    pub fn has_order(&self) -> bool {
        self.shared.order.load(Ordering::Acquire) != self.done
    }

    /// Looks at the order that is open, to see whether the task is ready for it.
    pub fn look<T>(&self, look: impl FnOnce(&Order) -> T) -> Option<T> {
        self.shared.lock().order.as_ref().map(look)
    }

    /// Takes the open order; `None` while others have to be waited for (`transform.swap.barrier`).
    pub fn take(&mut self) -> Option<Order> {
        let mut inner = self.shared.lock();
        // Under the lock: the number is that of the order that is taken.
        let number = self.shared.order.load(Ordering::Acquire);
        if inner.order.as_ref()?.barrier && inner.released < number {
            if inner.arrived < number {
                inner.arrived = number;
                self.shared.changed.notify_all();
            }
            return None;
        }
        self.done = number;
        inner.order.take()
    }

    /// Says that the order taken last is carried out, and leaves what is left of the instance before to be freed.
    pub fn finish(&self, pause: Duration, remains: Remains) {
        let mut inner = self.shared.lock();
        (inner.done, inner.pause) = (self.done, pause);
        inner.remains.push(remains);
        self.shared.changed.notify_all();
    }

    /// Leaves what is left of an instance to be freed by the controller.
    pub fn leave(&self, remains: Remains) {
        self.shared.lock().remains.push(remains);
    }

    /// The columns that a candidate wants to be warmed up with.
    pub fn wanted(&self) -> Inputs {
        self.shared.lock().wanted
    }

    /// Keeps the beginning of a batch now and then.
    pub fn keep(&mut self, partition: &TopicPartition, batch: &Batch, now: Instant) {
        if self.pace.is_due(now) {
            self.shared.lock().ring.push(partition, batch);
        }
    }
}

impl Drop for TaskDesk {
    /// The task is over: nobody waits for it.
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.is_over = true;
        inner.order = None;
        self.shared.changed.notify_all();
    }
}

// === impl ControlDesk ===

impl ControlDesk {
    /// Whether the task has ended.
    pub fn is_over(&self) -> bool {
        self.shared.lock().is_over
    }

    /// The last records that have the columns `wanted`.
    pub fn sample(&self, wanted: Inputs) -> Sample {
        self.shared.lock().ring.sample(wanted).collect()
    }

    /// Asks for more columns than the running version wants; with none, for no more.
    pub fn widen(&self, wanted: Inputs) {
        self.shared.lock().wanted = wanted;
    }

    /// Frees what tasks have left since the last order was waited for. To be called where time does not matter.
    pub fn free(&self) {
        let remains = std::mem::take(&mut self.shared.lock().remains);
        drop(remains);
    }

    /// Gives an order, and gives back its number; one that is still open is replaced, and its instance freed.
    fn give(&self, mut order: Order) -> u64 {
        let mut inner = self.shared.lock();
        let left = inner.order.take().map(|replaced| order.replace(replaced));
        inner.order = Some(order);
        let number = self.shared.order.fetch_add(1, Ordering::Release) + 1;
        if let Some(thread) = &inner.thread {
            thread.unpark();
        }
        drop(inner);
        drop(left);
        number
    }

    fn release(&self, number: u64) {
        let mut inner = self.shared.lock();
        inner.released = number;
        if let Some(thread) = &inner.thread {
            thread.unpark();
        }
    }

    /// Waits until `reached` or the task's end; gives back whether it came to that.
    fn wait(&self, until: Instant, reached: impl Fn(&Inner) -> bool) -> bool {
        let mut inner = self.shared.lock();
        loop {
            if inner.is_over || reached(&inner) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            inner = self.shared.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Gives each task its order and waits until all have carried it out, or `patience` is over. At the barrier that is the time after which
/// nobody waits for a task that does not come: it changes when it can.
pub fn carry_out(orders: Vec<(ControlDesk, Order)>, patience: Duration) -> Carried {
    let until = Instant::now() + patience;
    let (mut desks, mut barrier) = (Vec::new(), false);
    for (desk, order) in orders {
        barrier |= order.barrier;
        let number = desk.give(order);
        desks.push((desk, number, until));
    }
    if barrier {
        let came = desks.iter().map(|(desk, number, _)| desk.wait(until, |inner| inner.arrived >= *number));
        let came: Vec<_> = came.collect();
        desks.iter().for_each(|(desk, number, _)| desk.release(*number));
        // Those that have come change at once, though others have used up the patience.
        let until = until.max(Instant::now() + RELEASED_PATIENCE);
        desks.iter_mut().zip(came).filter(|(_, came)| *came).for_each(|((_, _, desk_until), _)| *desk_until = until);
    }
    let mut carried = Carried::default();
    for (desk, number, until) in &desks {
        if !desk.wait(*until, |inner| inner.done >= *number) {
            carried.pending += 1;
            continue;
        }
        let inner = desk.shared.lock();
        if inner.done >= *number {
            carried.changed += 1;
            carried.pause = carried.pause.max(inner.pause);
        }
        drop(inner);
        desk.free();
    }
    carried
}

// === impl Shared ===

impl Shared {
    /// Every holder writes whole values, so a panic of one leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests;
