#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::time::SystemTime;

use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[test]
fn a_condition_that_goes_on_keeps_its_beginning_and_takes_the_newest_reason() {
    let task = Board::new().connector("c", 1).task(0);
    let begun = SystemTime::UNIX_EPOCH;
    task.set(TaskState::Retrying { reason: "refused".to_owned(), since: begun });
    task.set(TaskState::retrying("timed out"));
    assert_eq!(task.state(), TaskState::Retrying { reason: "timed out".to_owned(), since: begun });
    task.set(TaskState::held("no such database"));
    assert!(task.state().since().unwrap() > begun, "another condition begins anew");
    task.set(TaskState::Running);
    task.set(TaskState::retrying("refused"));
    assert!(task.state().since().unwrap() > begun);
}

#[test]
fn heartbeats_are_told_as_ages_and_forgotten_on_a_new_start() {
    let board = Board::new();
    let task = board.connector("c", 1).task(0);
    let age = || board.snapshot().connectors[0].tasks[0].beat_age;
    assert_eq!(age(), None);
    task.set(TaskState::Running);
    task.beat();
    let first = age().unwrap();
    while age().unwrap() <= first {}
    task.set(TaskState::Starting);
    assert_eq!(age(), None);
}

#[test]
fn a_connector_of_the_same_name_replaces_the_earlier_one() {
    let board = Board::new();
    let old = board.connector("c", 2).task(0);
    let new = board.connector("c", 1).task(0);
    old.set(TaskState::failed("late news of the old one"));
    new.set(TaskState::Running);
    assert!(board.snapshot().all_tasks(|state| *state == TaskState::Running));
    board.remove("c");
    assert_eq!(board.snapshot().connectors, []);
    assert!(!board.snapshot().all_tasks(|_| true), "no tasks are not all tasks");
}

#[test]
fn a_connector_keeps_its_state_whatever_becomes_of_its_tasks() {
    let board = Board::new();
    board.connector("c", 2).task(0).set(TaskState::failed("boom"));
    let status = || board.snapshot().connectors[0].connect_status();
    assert_eq!(status(), "running");
    board.set_connector("c", ConnectorState::Paused);
    board.connector("c", 1);
    assert_eq!(status(), "paused");
    board.set_connector("nobody", ConnectorState::Stopped);
    assert_eq!(board.snapshot().connectors.len(), 1);
    assert_eq!(board.connector_status("nobody"), None);
}

#[test]
fn what_is_over_stays_over_until_it_starts_again() {
    let task = Board::new().connector("c", 1).task(0);
    task.set(TaskState::failed("boom"));
    for late in [TaskState::Running, TaskState::retrying("refused"), TaskState::held("denied"), TaskState::Stopped] {
        task.set(late);
        assert_eq!(task.state(), TaskState::failed("boom"));
    }
    task.set(TaskState::Starting);
    task.set(TaskState::Running);
    task.set(TaskState::Stopped);
    task.set(TaskState::Running);
    assert_eq!(task.state(), TaskState::Stopped);
}

#[test]
fn the_first_cluster_id_counts() {
    let board = Board::new();
    board.connector("c", 1).task(0).set_kafka_cluster_id("one");
    board.set_kafka_cluster_id("two");
    assert_eq!(board.snapshot().kafka_cluster_id.as_deref(), Some("one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_sees_changes_of_every_kind() {
    let board = Board::new();
    let connector = board.connector("c", 2);
    let waiter = tokio::spawn({
        let board = board.clone();
        async move { board.wait_until(|board| board.all_tasks(TaskState::is_over) && board.started).await }
    });
    connector.task(0).set(TaskState::failed("boom"));
    connector.task(1).set(TaskState::Stopped);
    board.set_started();
    let seen = waiter.await.unwrap();
    assert_eq!(seen.connectors[0].tasks[0].state.reason(), Some("boom"));
    // A condition that holds already is seen at once.
    assert!(board.wait_until(|board| board.started).await.started);
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn each_transition_is_logged_once_at_the_level_that_fits() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).without_time().with_target(false).finish();
    tracing::subscriber::with_default(subscriber, || {
        let task = Board::new().connector("prices", 1).task(0);
        task.set(TaskState::Starting);
        task.set(TaskState::Running);
        task.set(TaskState::Running);
        for _ in 0..5 {
            task.set(TaskState::retrying("connection refused"));
        }
        task.set(TaskState::retrying("timed out"));
        task.set(TaskState::held("no such database"));
        task.set(TaskState::Running);
        task.set(TaskState::failed("boom"));
    });
    let text = String::from_utf8(lock(&log.0).clone()).unwrap();
    let messages: Vec<_> = text.lines().map(|line| line.trim().split(" connector=").next().unwrap()).collect();
    let expected = [
        "INFO task running",
        "WARN task retrying",
        "INFO reason changed",
        "ERROR task held: somebody has to act",
        "INFO task running",
        "ERROR task failed",
    ];
    assert_eq!(messages, expected, "{text}");
    assert!(text.contains(r#"reason="connection refused""#) && text.contains(r#"connector="prices" task=0"#), "{text}");
}
