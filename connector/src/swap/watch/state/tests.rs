//! Simulated time, and a simulated file that is written in every way there is.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::path::PathBuf;

use proptest::prelude::*;

use super::super::Found;
use super::super::file::Stat;
use super::*;

const FILE: &str = "/m/t.wasm";

/// Given when a simulation begins.
const KNOWN: u8 = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Absent,
    Empty,
    /// The first pieces of a version. At a seam between two sections it can't be told from a whole module.
    Part {
        version: u8,
        seam: bool,
    },
    Whole(u8),
}

/// Who writes in place.
#[derive(Debug, Clone, Copy)]
struct Writer {
    version: u8,
    last: Instant,
}

#[derive(Debug, Clone)]
enum Op {
    Wait(u64),
    Replace(u8),
    Begin(u8),
    Piece {
        seam: bool,
    },
    Close,
    /// The writer dies in the middle of a section.
    Die,
    Delete,
    Touch,
    LookNow,
}

/// A file, the events it makes, and the state machine that hears them.
struct World {
    start: Instant,
    now: Instant,
    state: State,
    content: Content,
    /// Counts changes, as the inode's time of change does.
    changes: i64,
    changed_at: Instant,
    writer: Option<Writer>,
    /// How long an event takes; `None` for a folder without events.
    delay: Option<Duration>,
    events: VecDeque<(Instant, Change)>,
    told: Vec<Seen>,
    looks: usize,
}

// === impl World ===

impl World {
    fn new(delay: Option<u64>, known: Option<u8>) -> Self {
        let start = Instant::now();
        let known = known.map(|version| version.to_string());
        Self {
            start,
            now: start,
            state: State::new(Timing::default(), known.as_deref(), start),
            content: Content::Whole(KNOWN),
            changes: 0,
            changed_at: start,
            writer: None,
            delay: delay.map(Duration::from_millis),
            events: VecDeque::new(),
            told: Vec::new(),
            looks: 0,
        }
    }

    fn change(&mut self, content: Content, change: Change) {
        self.content = content;
        self.changes += 1;
        self.changed_at = self.now;
        self.announce(change);
    }

    fn announce(&mut self, change: Change) {
        if let Some(delay) = self.delay {
            self.events.push_back((self.now + delay, change));
        }
    }

    fn print(&self) -> Print {
        let modified = (self.changes, 0);
        let stat = Stat::Is { size: 0, inode: (0, 0), modified, changed: modified };
        Print([if self.content == Content::Absent { Stat::Absent } else { stat }, Stat::Absent, Stat::Absent])
    }

    /// What [`super::super::file::look`] would find.
    fn look(&self) -> Look {
        if self.content != Content::Absent && self.now - self.changed_at < Timing::default().debounce {
            return Look::Moving;
        }
        let path = || PathBuf::from(FILE);
        let found = match self.content {
            Content::Absent => Err(ReadError::Absent { path: path() }),
            Content::Empty => Err(ReadError::Empty { path: path() }),
            Content::Part { seam: false, .. } => Err(ReadError::CutOff { path: path(), bytes: 9 }),
            Content::Part { version, seam: true } => Ok(found(&format!("half of {version}"))),
            Content::Whole(version) => Ok(found(&version.to_string())),
        };
        Look::Still(Box::new(self.print()), found)
    }

    /// Lets time pass as the watch's thread sees it.
    fn wait(&mut self, pause: Duration) {
        let end = self.now + pause;
        let mut turns_without_time = 0;
        loop {
            while let Some((at, change)) = self.events.front().copied().filter(|(at, _)| *at <= self.now) {
                self.events.pop_front();
                self.state.event(Path::new(FILE), change, at);
            }
            let before = self.now;
            match self.state.next(self.now) {
                Step::Sleep(until) => {
                    assert!(until > self.now, "a sleep that ends before it begins");
                    let event = self.events.front().map(|(at, _)| *at);
                    let until = event.map_or(until, |at| at.min(until));
                    self.now = until.min(end);
                    if self.now == end && until > end {
                        return;
                    }
                }
                Step::Poll => self.state.polled(self.now, self.print()),
                Step::Look => {
                    self.looks += 1;
                    let seen = self.state.looked(self.now, self.now, self.look());
                    self.told.extend(seen);
                }
            }
            turns_without_time = if self.now == before { turns_without_time + 1 } else { 0 };
            assert!(turns_without_time < 10, "spins: {:?}", self.state);
        }
    }

    fn pass(&mut self, ms: u64) {
        self.wait(Duration::from_millis(ms));
    }

    /// The longest pause of somebody who is not done. Where no events come, he has to be quick.
    fn patience(&self) -> Duration {
        let times = Timing::default();
        let longest = if self.delay.is_some() { times.writing } else { times.settle };
        longest - Duration::from_millis(100)
    }

    fn apply(&mut self, op: &Op) {
        match (op, self.writer) {
            (Op::Wait(ms), None) => self.pass(*ms),
            (Op::Wait(ms), Some(writer)) => {
                let left = (writer.last + self.patience()).saturating_duration_since(self.now);
                self.wait(left.min(Duration::from_millis(*ms)));
            }
            (Op::Replace(version), _) => {
                self.writer = None;
                self.change(Content::Whole(*version), Change::Replaced);
            }
            (Op::Begin(version), None) => {
                let how = if self.content == Content::Absent { Change::Replaced } else { Change::Writing };
                self.change(Content::Empty, how);
                self.writer = Some(Writer { version: *version, last: self.now });
            }
            (Op::Piece { seam }, Some(writer)) => {
                self.change(Content::Part { version: writer.version, seam: *seam }, Change::Writing);
                self.writer = Some(Writer { last: self.now, ..writer });
            }
            (Op::Close, Some(writer)) => {
                self.writer = None;
                self.change(Content::Whole(writer.version), Change::Writing);
                self.announce(Change::Closed);
            }
            (Op::Die, Some(writer)) => {
                self.writer = None;
                self.change(Content::Part { version: writer.version, seam: false }, Change::Writing);
                self.announce(Change::Closed);
            }
            (Op::Delete, _) if self.content != Content::Absent => {
                self.writer = None;
                self.change(Content::Absent, Change::Replaced);
            }
            (Op::Touch, _) if self.content != Content::Absent => self.change(self.content, Change::Touched),
            (Op::LookNow, _) if self.delay.is_some() => self.state.look_now(),
            // Who says in a folder without events that the file is done is believed; it has to be done, until it is read.
            (Op::LookNow, None) => {
                self.state.look_now();
                self.pass(60);
            }
            _ => {}
        }
    }

    /// What was told, in words, since the last time.
    fn words(&mut self) -> Vec<String> {
        self.told.drain(..).map(|seen| word(&seen)).collect()
    }

    fn since_start(&self) -> Duration {
        self.now - self.start
    }
}

fn found(text: &str) -> Found {
    Found { bytes: text.as_bytes().into(), digest: text.into(), signature: None }
}

fn word(seen: &Seen) -> String {
    match seen {
        Seen::Module(found) => found.digest.to_string(),
        Seen::Gone => "gone".to_owned(),
        Seen::Back => "back".to_owned(),
        Seen::Unusable(text) => format!("unusable: {text}"),
    }
}

/// Has looked once.
fn settled(delay: Option<u64>) -> World {
    let mut world = World::new(delay, Some(KNOWN));
    world.pass(3_000);
    assert_eq!((world.words(), world.looks), (vec![], 1));
    world
}

#[test]
fn a_renamed_file_is_told_one_debounce_after_its_event() {
    let mut world = settled(Some(1));
    world.apply(&Op::Replace(1));
    world.pass(50);
    assert!(world.words().is_empty());
    world.pass(1);
    assert_eq!(world.words(), ["1"]);
    world.pass(600_000);
    assert_eq!((world.words(), world.looks), (vec![], 2), "polls of an unchanged file look at nothing");
}

#[test]
fn a_folder_without_events_is_polled_and_the_file_left_alone_until_it_settles() {
    let mut world = settled(None);
    world.apply(&Op::Replace(1));
    world.pass(5_900);
    assert!(world.words().is_empty(), "{:?}", world.since_start());
    world.pass(200);
    assert_eq!(world.words(), ["1"]);
}

#[test]
fn look_now_waits_for_neither_event_nor_poll() {
    let mut world = settled(None);
    world.apply(&Op::Replace(1));
    world.pass(60);
    world.apply(&Op::LookNow);
    world.pass(0);
    assert_eq!(world.words(), ["1"]);
    world.apply(&Op::LookNow);
    world.pass(10_000);
    assert!(world.words().is_empty());
}

#[test]
fn a_writer_is_waited_for_until_it_closes_or_is_silent_for_ten_seconds() {
    let mut world = settled(Some(1));
    world.apply(&Op::Begin(1));
    for _ in 0..5 {
        world.apply(&Op::Piece { seam: true });
        world.apply(&Op::LookNow);
        world.pass(9_900);
    }
    assert!(world.words().is_empty());
    world.apply(&Op::Close);
    world.pass(52);
    assert_eq!(world.words(), ["1"]);
    world.apply(&Op::Begin(2));
    world.apply(&Op::Piece { seam: true });
    world.pass(10_002);
    assert_eq!(world.words(), ["half of 2"], "a silent writer is taken for done");
}

#[test]
fn a_writer_of_what_the_path_leads_to_no_more_is_not_waited_for() {
    let mut world = settled(Some(1));
    world.state.event(Path::new("/m/v1/t.wasm"), Change::Writing, world.now);
    world.state.keep(|path| path == Path::new(FILE));
    world.apply(&Op::Replace(1));
    world.pass(100);
    assert_eq!(world.words(), ["1"]);
}

#[test]
fn empty_and_cut_off_files_are_told_after_thirty_seconds_without_a_change() {
    let mut world = settled(Some(1));
    world.apply(&Op::Begin(1));
    world.apply(&Op::Die);
    world.pass(29_000);
    world.apply(&Op::Touch);
    world.pass(29_000);
    assert!(world.words().is_empty());
    world.pass(2_000);
    let words = world.words();
    assert!(words.len() == 1 && words[0].contains("ends in the middle of a section"), "{words:?}");
    world.apply(&Op::Touch);
    world.pass(100_000);
    assert!(world.words().is_empty(), "told once");
    world.apply(&Op::Replace(KNOWN));
    world.pass(100);
    assert_eq!(world.words(), ["back"]);
}

#[test]
fn gone_and_back_are_told_once() {
    let mut world = settled(Some(1));
    world.apply(&Op::Delete);
    world.pass(20_000);
    world.apply(&Op::LookNow);
    world.pass(20_000);
    assert_eq!(world.words(), ["gone"]);
    world.apply(&Op::Replace(KNOWN));
    world.pass(20_000);
    assert_eq!(world.words(), ["back"]);
    world.apply(&Op::Delete);
    world.pass(100);
    world.apply(&Op::Replace(1));
    world.pass(100);
    assert_eq!(world.words(), ["gone", "1"]);
}

#[test]
fn what_happens_during_a_look_makes_it_worth_nothing() {
    let mut world = settled(Some(1));
    let started = world.now;
    let half = Look::Still(Box::new(world.print()), Ok(found("half of 1")));
    world.state.event(Path::new(FILE), Change::Writing, started + Duration::from_millis(1));
    assert!(world.state.looked(started + Duration::from_millis(2), started, half).is_none());
    assert_eq!(world.state.next(started + Duration::from_secs(1)), Step::Sleep(world.state.next_poll));
}

#[test]
fn looks_at_what_never_rests_become_rare() {
    let mut world = settled(Some(1));
    world.state.unclear(world.now);
    let mut looks = 0;
    for ms in 0..60_000 {
        let now = world.now + Duration::from_millis(ms);
        match world.state.next(now) {
            Step::Look => {
                looks += 1;
                assert!(world.state.looked(now, now, Look::Moving).is_none());
            }
            Step::Poll => world.state.polled(now, world.print()),
            Step::Sleep(_) => {}
        }
    }
    assert!((20..30).contains(&looks), "{looks}");
}

#[test]
fn what_moves_when_a_poll_has_led_to_the_look_has_to_settle_anew() {
    let mut world = settled(None);
    let noticed = world.now;
    world.changes += 1;
    world.state.polled(noticed, world.print());
    world.state.polled(noticed + Duration::from_secs(2), world.print());
    assert_eq!(world.state.next(noticed + Duration::from_secs(2)), Step::Look);
    let now = noticed + Duration::from_secs(2);
    assert!(world.state.looked(now, now, Look::Moving).is_none());
    assert_eq!(world.state.next(now), Step::Sleep(now + Duration::from_millis(50)));
    let again = now + Duration::from_millis(50);
    world.changes += 1;
    world.state.polled(again, world.print());
    assert_eq!(world.state.next(again), Step::Sleep(again + Duration::from_secs(2)));
}

#[test]
fn an_error_of_the_system_is_tried_again_at_every_poll_and_told_once() {
    let mut world = settled(None);
    let unreadable = |world: &World| {
        let error = ReadError::Unreadable { path: FILE.into(), source: std::io::Error::other("too many open files") };
        Look::Still(Box::new(world.print()), Err(error))
    };
    let seen = world.state.looked(world.now, world.now, unreadable(&world)).unwrap();
    assert!(word(&seen).ends_with("too many open files"), "{seen:?}");
    assert!(world.state.looked(world.now, world.now, unreadable(&world)).is_none());
    world.pass(5_001);
    assert_eq!(world.words(), ["back"], "with the same print");
}

#[test]
fn a_new_signature_is_told_and_one_that_vanishes_is_not() {
    let mut told = Told::new(Some("AB"));
    let mut tell = |digest: &str, signature: Option<&str>| {
        let signature = signature.map(|text| text.as_bytes().to_vec());
        told.module(Found { signature, ..found(digest) }).map(|seen| word(&seen))
    };
    assert_eq!(tell("ab", Some("x")), None, "nobody knows with what signature it ran");
    assert_eq!(tell("ab", Some("y")).as_deref(), Some("ab"));
    assert_eq!(tell("ab", None), None);
    assert_eq!(tell("ab", Some("y")), None);
    assert_eq!(tell("cd", None).as_deref(), Some("cd"));
    assert_eq!(tell("cd", Some("y")).as_deref(), Some("cd"));
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0_u64..200).prop_map(Op::Wait),
        2 => (0_u64..40_000).prop_map(Op::Wait),
        2 => (0_u8..3).prop_map(Op::Replace),
        4 => (0_u8..3).prop_map(Op::Begin),
        6 => any::<bool>().prop_map(|seam| Op::Piece { seam }),
        3 => Just(Op::Close),
        1 => Just(Op::Die),
        1 => Just(Op::Delete),
        1 => Just(Op::Touch),
        2 => Just(Op::LookNow),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_half_written_is_told_and_what_is_there_in_the_end_is_told_once(
        ops in proptest::collection::vec(any_op(), 0..40),
        delay in proptest::option::weighted(0.7, 0_u64..45),
        known in proptest::option::of(Just(KNOWN)),
    ) {
        let mut world = World::new(delay, known);
        for op in &ops {
            world.apply(op);
        }
        world.apply(&Op::Close);
        world.pass(60_000);
        let mut last = known.map(|version| version.to_string());
        let mut fine = true;
        for seen in &world.told {
            match seen {
                Seen::Module(found) => {
                    let digest = found.digest.to_string();
                    prop_assert!(!digest.starts_with("half"), "{digest} was told");
                    prop_assert_ne!(Some(&digest), last.as_ref(), "told twice");
                    last = Some(digest);
                    fine = true;
                }
                Seen::Back => {
                    prop_assert!(!fine, "back from nowhere");
                    fine = true;
                }
                Seen::Gone | Seen::Unusable(_) => fine = false,
            }
        }
        let end = world.told.last().map(word).unwrap_or_default();
        match world.content {
            Content::Whole(version) => prop_assert_eq!((last, fine), (Some(version.to_string()), true)),
            Content::Absent => prop_assert_eq!(end, "gone"),
            Content::Empty | Content::Part { .. } => prop_assert!(end.contains("copy it again") || end.contains("is empty"), "{}", end),
        }
        let looks = world.looks;
        world.pass(600_000);
        prop_assert_eq!(world.looks, looks, "looks at what does not change");
    }
}
