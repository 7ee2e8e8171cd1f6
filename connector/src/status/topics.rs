//! Which topics records come from: what Connect calls a connector's active topics (KIP-558).

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{TaskBoard, lock};

/// Those of one connector.
#[derive(Debug, Default)]
pub(super) struct ActiveTopics {
    /// Goes up with every reset.
    resets: AtomicU64,
    names: Mutex<BTreeSet<String>>,
}

/// Whether a topic has been told, for whoever reads a partition of it: a batch costs one comparison.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeenTopic {
    /// At how many resets, and one more.
    told: u64,
}

// === impl ActiveTopics ===

impl ActiveTopics {
    pub(super) fn names(&self) -> Vec<String> {
        lock(&self.names).iter().cloned().collect()
    }

    /// Forgets them; each is back with its next record.
    pub(super) fn reset(&self) {
        let mut names = lock(&self.names);
        names.clear();
        self.resets.fetch_add(1, Ordering::Release);
    }
}

// === impl SeenTopic ===

impl SeenTopic {
    /// Tells that records of `topic` have come in.
    pub fn tell(&mut self, board: &TaskBoard, topic: &str) {
        let topics = &board.slot.topics;
        let now = topics.resets.load(Ordering::Acquire) + 1;
        if self.told != now {
            self.told = now;
            lock(&topics.names).insert(topic.to_owned());
        }
    }
}
