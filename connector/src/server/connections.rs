//! The connections of a listener: how many there are, and which of them does nothing.
//!
//! When there is no room, whoever has kept a connection open for longest without a request on it, at least [`GRACE`], makes room: clients
//! that send a byte now and then, or nothing, never keep others out. If every connection has a request, further clients wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a connection may be without a request although others wait for room: time enough to send one, so that a rush of clients costs
/// none of them its connection.
const GRACE: Duration = Duration::from_secs(1);

/// How long until it is looked again whether a connection has become old enough to make room.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections of one listener.
#[derive(Debug)]
pub(super) struct Connections {
    limit: usize,
    table: Mutex<Table>,
    /// A connection has ended.
    left: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
}

/// What is known of a connection.
#[derive(Debug)]
struct Connection {
    /// Since when it waits for a request; `None` while it has one.
    idle_since: Mutex<Option<Instant>>,
    /// It has to make room.
    gone: Notify,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    connection: Arc<Connection>,
    all: Arc<Connections>,
}

/// As long as it is there, the connection has a request.
#[derive(Debug)]
pub(super) struct Busy(Arc<Connection>);

// === impl Connections ===

impl Connections {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, table: Mutex::default(), left: Notify::new() })
    }

    /// A place for one more; waits until there is one.
    pub(super) async fn place(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_place(Instant::now()) {
                return place;
            }
            // Whoever leaves between the look and this leaves a permit behind.
            let _ = tokio::time::timeout(PAUSE, self.left.notified()).await;
        }
    }

    fn try_place(self: &Arc<Self>, now: Instant) -> Option<Place> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.open.len() >= self.limit {
            let idle = table.open.iter().filter_map(|(id, open)| Some((open.idle_since()?, *id)));
            let (_, id) = idle.min().filter(|(since, _)| now.saturating_duration_since(*since) >= GRACE)?;
            if let Some(oldest) = table.open.remove(&id) {
                oldest.gone.notify_one();
            }
        }
        let id = table.next;
        table.next += 1;
        let connection = Arc::new(Connection { idle_since: Mutex::new(Some(now)), gone: Notify::new() });
        table.open.insert(id, Arc::clone(&connection));
        Some(Place { id, connection, all: Arc::clone(self) })
    }
}

// === impl Connection ===

impl Connection {
    fn idle_since(&self) -> Option<Instant> {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_idle_since(&self, since: Option<Instant>) {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

// === impl Place ===

impl Place {
    /// Begins a request.
    pub(super) fn busy(&self) -> Busy {
        self.connection.set_idle_since(None);
        Busy(Arc::clone(&self.connection))
    }

    /// Waits until the connection has to make room for another.
    pub(super) async fn gone(&self) {
        self.connection.gone.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.table.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&self.id);
        self.all.left.notify_one();
    }
}

// === impl Busy ===

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set_idle_since(Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_has_waited_longest_makes_room_and_no_busy_one_ever() {
        let all = Connections::new(3);
        let start = Instant::now();
        let late = start + GRACE;
        let (first, second) = (all.try_place(start).unwrap(), all.try_place(start + GRACE / 4).unwrap());
        let _third = all.try_place(start + GRACE / 2).unwrap();
        assert!(all.try_place(late - Duration::from_millis(1)).is_none(), "all three are young");
        let busy = first.busy();
        assert!(all.try_place(late).is_none(), "the oldest has a request");
        let _fourth = all.try_place(late + GRACE / 4).unwrap();
        second.gone().await;
        // Its place is another's already.
        drop(second);
        assert!(all.try_place(late + GRACE / 4).is_none());
        drop((busy, first));
        let _fifth = all.try_place(late).unwrap();
        assert_eq!(all.table.lock().unwrap().open.len(), 3);
    }
}
