//! When tasks that have failed are started again by themselves: `errors.restart.backoff.ms`, doubled each time up to
//! `errors.restart.backoff.max.ms`. Only tasks whose failure may be gone by then; see [`crate::pipeline::TaskError::is_mendable`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::config::RestartConfig;
use crate::retry::Backoff;

/// The tasks of one connector that have failed.
#[derive(Debug)]
pub(super) struct RestartPolicy {
    config: RestartConfig,
    tasks: BTreeMap<u32, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    backoff: Backoff,
    /// The last pause, and when the task was started after it.
    last: Option<(Duration, Instant)>,
    /// When it is to be started again; `None` while it runs.
    due: Option<Instant>,
}

// === impl RestartPolicy ===

impl RestartPolicy {
    pub(super) fn new(config: RestartConfig) -> Self {
        Self { config, tasks: BTreeMap::new() }
    }

    /// Takes note of which tasks have failed and may be mended. Gives back those whose pause has just begun, with its length.
    pub(super) fn note(&mut self, failed: &[u32], now: Instant) -> Vec<(u32, Duration)> {
        let RestartConfig { backoff, max } = self.config;
        let mut begun = Vec::new();
        for &task in failed {
            let waiting = self.tasks.entry(task).or_insert_with(|| Waiting {
                backoff: Backoff::new(backoff, max),
                last: None,
                due: None,
            });
            if waiting.due.is_none() {
                // One that ran for longer than it was waited for has been well.
                if waiting.last.is_some_and(|(pause, since)| now >= since + pause) {
                    waiting.backoff.reset();
                }
                let pause = waiting.backoff.next(None);
                waiting.due = Some(now + pause);
                waiting.last = Some((pause, now + pause));
                begun.push((task, pause));
            }
        }
        // Somebody else has started these.
        self.tasks.iter_mut().filter(|(task, _)| !failed.contains(task)).for_each(|(_, waiting)| waiting.due = None);
        begun
    }

    /// The tasks to be started now.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<u32> {
        let due = self.tasks.iter_mut().filter(|(_, waiting)| waiting.due.is_some_and(|due| due <= now));
        due.map(|(&task, waiting)| {
            (waiting.due, waiting.last) = (None, waiting.last.map(|(pause, _)| (pause, now)));
            task
        })
        .collect()
    }

    /// When there is something to do next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.tasks.values().filter_map(|waiting| waiting.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn policy() -> RestartPolicy {
        RestartPolicy::new(RestartConfig { backoff: 100 * MS, max: 1000 * MS })
    }

    #[test]
    fn pauses_grow_to_the_longest_and_begin_anew_after_a_good_run() {
        let (mut policy, mut now) = (policy(), Instant::now());
        let mut longest = Duration::ZERO;
        for _ in 0..40 {
            let [(0, pause)] = policy.note(&[0], now)[..] else { panic!("no pause began") };
            assert!((100 * MS..=1000 * MS).contains(&pause), "{pause:?}");
            longest = longest.max(pause);
            assert_eq!(policy.note(&[0], now), [], "it is waiting");
            assert!(policy.take_due(now + pause - MS).is_empty());
            assert_eq!(policy.next(), Some(now + pause));
            now += pause;
            assert_eq!((policy.take_due(now), policy.next()), (vec![0], None));
            policy.note(&[], now);
        }
        assert!(longest > 400 * MS, "{longest:?}: forty pauses drawn from up to a second");
        policy.note(&[], now);
        let [(0, pause)] = policy.note(&[0], now + 1000 * MS)[..] else { panic!("no pause began") };
        assert!(pause <= 200 * MS, "{pause:?}: the first pause is drawn from up to twice the shortest");
    }

    #[test]
    fn tasks_wait_each_by_itself_and_not_at_all_once_somebody_has_started_them() {
        let (mut policy, now) = (policy(), Instant::now());
        assert_eq!(policy.note(&[1, 2], now).len(), 2);
        policy.note(&[2], now);
        assert_eq!(policy.take_due(now + 1000 * MS), [2]);
    }
}
