//! Every bad line is found and no good one blamed, within the bound on requests, whatever the server tells of them.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

/// How a server answers a body with bad lines.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// Stores the others and names each bad line by number (InfluxDB 3).
    PartialNumbers,
    /// Stores the others and quotes each bad line (InfluxDB 1, parse errors).
    PartialQuotes,
    /// Stores the others and names none (InfluxDB 1 and 2, type conflicts).
    PartialSilent,
    /// Stores nothing and quotes all of them (InfluxDB 2, parse errors).
    WholeQuotes,
    /// Stores nothing and names the first (QuestDB).
    WholeFirst,
    /// Stores nothing and names none (GreptimeDB).
    WholeSilent,
}

const MANNERS: [Manner; 6] = [
    Manner::PartialNumbers,
    Manner::PartialQuotes,
    Manner::PartialSilent,
    Manner::WholeQuotes,
    Manner::WholeFirst,
    Manner::WholeSilent,
];

/// Lines `l<number>` of which some are bad.
struct Server {
    manner: Manner,
    bad: BTreeSet<usize>,
    stored: BTreeSet<usize>,
    /// How often each line was sent.
    sent: Vec<usize>,
    max_bytes: usize,
}

impl Server {
    fn new(manner: Manner, lines: usize, bad: impl IntoIterator<Item = usize>) -> Self {
        let bad = bad.into_iter().filter(|&line| line < lines).collect();
        Self { manner, bad, stored: BTreeSet::new(), sent: vec![0; lines], max_bytes: usize::MAX }
    }

    fn answer(&mut self, body: &[u8]) -> Verdict {
        let lines: Vec<usize> = numbers(body);
        lines.iter().for_each(|&line| self.sent[line] += 1);
        if body.len() > self.max_bytes {
            return Verdict::TooLarge { reason: "413".into() };
        }
        let bad: Vec<usize> = lines.iter().copied().filter(|line| self.bad.contains(line)).collect();
        let stores = matches!(self.manner, Manner::PartialNumbers | Manner::PartialQuotes | Manner::PartialSilent);
        if bad.is_empty() || stores {
            self.stored.extend(lines.iter().filter(|line| !self.bad.contains(line)));
        }
        if bad.is_empty() {
            return Verdict::Done;
        }
        let number = |line: &usize| lines.iter().position(|other| other == line).map(|index| index + 1);
        let numbered = |line: &usize| RejectedLine { number: number(line), text: None, reason: "bad".into() };
        let quoted = |line: &usize| RejectedLine { number: None, text: Some(format!("l{line}")), reason: "bad".into() };
        let named: Vec<RejectedLine> = match self.manner {
            Manner::PartialNumbers => bad.iter().map(numbered).collect(),
            Manner::PartialQuotes | Manner::WholeQuotes => bad.iter().map(quoted).collect(),
            Manner::WholeFirst => vec![numbered(&bad[0])],
            Manner::PartialSilent | Manner::WholeSilent => Vec::new(),
        };
        if self.manner == Manner::WholeSilent {
            return Verdict::RejectedWhole { reason: "bad".into() };
        }
        let complete = self.manner == Manner::PartialNumbers;
        Verdict::RejectedLines { stored_rest: stores, complete, lines: named, reason: "bad".into() }
    }
}

fn numbers(body: &[u8]) -> Vec<usize> {
    std::str::from_utf8(body).unwrap().lines().map(|line| line[1..].parse().unwrap()).collect()
}

fn body(lines: usize) -> Bytes {
    (0..lines).map(|line| format!("l{line}\n")).collect::<String>().into()
}

/// Sends until all is decided; no verdict of these servers asks for a pause.
fn run(server: &mut Server, lines: usize) -> (Vec<usize>, usize) {
    let mut hunt = Hunt::new(body(lines));
    while let Some(bytes) = hunt.next(usize::MAX) {
        let verdict = server.answer(&bytes);
        assert_eq!(hunt.judge(verdict), None);
    }
    let requests = hunt.requests();
    (hunt.into_refused().into_iter().map(|refused| refused.line).collect(), requests)
}

fn log2(n: usize) -> usize {
    n.next_power_of_two().trailing_zeros() as usize
}

fn transient() -> Verdict {
    Verdict::Transient { reason: "the connection broke".into(), retry_after: None, suspicious: true }
}

#[test]
fn a_good_body_is_sent_once() {
    for manner in MANNERS {
        let mut server = Server::new(manner, 1000, []);
        assert_eq!(run(&mut server, 1000), (vec![], 1));
    }
}

#[test]
fn one_bad_line_in_a_thousand_is_found_by_what_the_answer_tells() {
    for (manner, most) in [
        (Manner::PartialNumbers, 1),
        (Manner::PartialQuotes, 2),
        (Manner::WholeQuotes, 2),
        (Manner::WholeFirst, 2),
        (Manner::PartialSilent, 21),
        (Manner::WholeSilent, 21),
    ] {
        for bad in [0, 499, 500, 731, 999] {
            let mut server = Server::new(manner, 1000, [bad]);
            let (refused, requests) = run(&mut server, 1000);
            assert_eq!(refused, [bad], "{manner:?}");
            assert!(requests <= most, "{manner:?}: {requests} requests");
            assert_eq!(server.stored.len(), 999, "{manner:?}");
        }
    }
}

#[test]
fn equal_bad_lines_are_refused_together() {
    let mut hunt = Hunt::new(Bytes::from_static(b"a\nx\nb\nx\n"));
    let named = RejectedLine { number: None, text: Some("x".into()), reason: "bad".into() };
    let lines = vec![named.clone(), named];
    assert_eq!(hunt.next(usize::MAX).as_deref(), Some(&b"a\nx\nb\nx\n"[..]));
    hunt.judge(Verdict::RejectedLines { stored_rest: false, complete: false, lines, reason: "bad".into() });
    assert_eq!(hunt.next(usize::MAX).as_deref(), Some(&b"a\nb\n"[..]));
    hunt.judge(Verdict::Done);
    assert_eq!(hunt.into_refused().iter().map(|refused| refused.line).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_line_that_an_answer_quotes_in_part_is_not_blamed_for_its_beginning() {
    let mut hunt = Hunt::new(Bytes::from_static(b"m f=1 1\nm f=1 12\n"));
    let lines = vec![RejectedLine { number: None, text: Some("m f=1 ".into()), reason: "bad".into() }];
    hunt.next(usize::MAX).unwrap();
    hunt.judge(Verdict::RejectedLines { stored_rest: true, complete: true, lines, reason: "bad".into() });
    assert_eq!(hunt.next(usize::MAX).as_deref(), Some(&b"m f=1 1\n"[..]), "halved");
    hunt.judge(Verdict::Done);
    hunt.next(usize::MAX).unwrap();
    hunt.judge(Verdict::RejectedWhole { reason: "bad".into() });
    assert_eq!(hunt.into_refused()[0].line, 1);
}

#[test]
fn what_is_too_large_is_halved_until_it_fits_and_a_line_that_never_does_is_refused() {
    let long = "l1".to_owned() + &" ".repeat(60);
    let text = format!("l0\n{long}\nl2\nl3\n");
    let mut hunt = Hunt::new(text.into());
    let (mut stored, mut smallest) = (Vec::new(), usize::MAX);
    while let Some(bytes) = hunt.next(smallest) {
        assert!(bytes.len() < smallest || memchr::memchr_iter(b'\n', &bytes).count() == 1, "known to be too large");
        if bytes.len() > 20 {
            smallest = smallest.min(bytes.len());
            hunt.judge(Verdict::TooLarge { reason: "413".into() });
        } else {
            stored.extend(bytes);
            hunt.judge(Verdict::Done);
        }
    }
    assert_eq!(stored, b"l0\nl2\nl3\n");
    let refused = hunt.into_refused();
    assert_eq!((refused.len(), refused[0].line, refused[0].too_large), (1, 1, true));
}

#[test]
fn a_line_that_breaks_the_server_is_refused_and_only_it() {
    for bad in [0, 5, 15] {
        let mut hunt = Hunt::new(body(16));
        let mut stored = BTreeSet::new();
        while let Some(bytes) = hunt.next(usize::MAX) {
            let lines = numbers(&bytes);
            if lines.contains(&bad) {
                hunt.judge(transient());
            } else {
                stored.extend(lines);
                hunt.judge(Verdict::Done);
            }
        }
        assert_eq!(stored.len(), 15);
        let refused = hunt.into_refused();
        assert_eq!((refused.len(), refused[0].line), (1, bad));
        assert!(refused[0].reason.contains("stores others: the connection broke"));
    }
}

#[test]
fn a_server_that_fails_on_everything_refuses_nothing() {
    let mut hunt = Hunt::new(body(3));
    for _ in 0..1000 {
        hunt.next(usize::MAX).expect("nothing is decided");
        assert_eq!(hunt.judge(transient()), Some(transient()), "wait, and send it again");
    }
    while hunt.next(usize::MAX).is_some() {
        hunt.judge(Verdict::Done);
    }
    assert_eq!(hunt.into_refused(), []);
}

#[test]
fn held_and_overloaded_is_waited_for_without_halving() {
    let mut hunt = Hunt::new(body(100));
    let wait = [
        Verdict::Configuration { reason: "401".into() },
        Verdict::Transient { reason: "503".into(), retry_after: None, suspicious: false },
    ];
    for verdict in wait.iter().cycle().take(100) {
        assert_eq!(hunt.next(usize::MAX), Some(body(100)));
        assert_eq!(hunt.judge(verdict.clone()).as_ref(), Some(verdict));
    }
}

proptest! {
    #[test]
    fn every_bad_line_is_found_no_good_one_blamed_and_the_bounds_hold(
        lines in 1..300_usize, bad in btree_set(0..300_usize, 0..12), manner in 0..6_usize,
    ) {
        let mut server = Server::new(MANNERS[manner], lines, bad);
        let (refused, requests) = run(&mut server, lines);
        prop_assert_eq!(refused, server.bad.iter().copied().collect::<Vec<_>>());
        prop_assert!((0..lines).all(|line| server.stored.contains(&line) != server.bad.contains(&line)));
        let bound = 1 + server.bad.len() * (2 * log2(lines)).max(2);
        prop_assert!(requests <= bound, "{} requests, {} are the bound", requests, bound);
        let most = *server.sent.iter().max().unwrap();
        prop_assert!(most <= log2(lines) + 3, "a line was sent {} times", most);
    }

    /// Failures and lost answers in between change nothing.
    #[test]
    fn failures_in_between_change_nothing(
        lines in 1..60_usize, bad in btree_set(0..60_usize, 0..4), manner in 0..6_usize, failures in vec(0..4_u8, 0..60),
    ) {
        let mut server = Server::new(MANNERS[manner], lines, bad);
        let mut hunt = Hunt::new(body(lines));
        let mut failures = failures.into_iter();
        while let Some(bytes) = hunt.next(usize::MAX) {
            match failures.next() {
                // The answer is lost, the write happened.
                Some(1) => {
                    server.answer(&bytes);
                    hunt.judge(Verdict::Transient { reason: "timeout".into(), retry_after: None, suspicious: false });
                }
                Some(2) => { hunt.judge(transient()); }
                _ => { hunt.judge(server.answer(&bytes)); }
            }
        }
        let refused: Vec<usize> = hunt.into_refused().into_iter().map(|refused| refused.line).collect();
        prop_assert_eq!(refused, server.bad.iter().copied().collect::<Vec<_>>());
        prop_assert!((0..lines).all(|line| server.stored.contains(&line) != server.bad.contains(&line)));
    }
}
