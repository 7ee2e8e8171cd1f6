mod random;

use serde_json::json;

use super::*;

/// A digest that is easy to read: one letter, 64 times.
fn d(letter: char) -> String {
    letter.to_string().repeat(64)
}

/// A connector whose file has `a`, which runs.
fn first() -> History {
    let mut history = History::default();
    assert_eq!(history.at_start("t.wasm", "s", Some(&d('a')), 1), Start::Configured);
    history.begin(&d('a'), Source::Config, 1);
    history.started("t.wasm", &d('a'), 2);
    history
}

/// What the next start runs, with the file as given.
fn restart(history: &mut History, file: char) -> Start {
    history.at_start("t.wasm", "s", Some(&d(file)), 1_000)
}

fn promote(history: &mut History, letter: char, source: Source) {
    history.begin(&d(letter), source, 3);
    history.switch(None, 4);
    history.promote(5);
}

fn goods(history: &History) -> String {
    history.good.iter().map(|digest| &digest[..1]).collect()
}

fn outcomes(history: &History) -> Vec<(char, Outcome)> {
    history.entries.iter().map(|entry| (entry.digest.chars().next().unwrap(), entry.outcome)).collect()
}

fn reason(history: &History) -> &str {
    history.entries.last().unwrap().reason.as_deref().unwrap_or_default()
}

fn interrupted(fallback: char, retry: bool) -> Start {
    Start::Interrupted { fallback: d(fallback), retry }
}

fn changed(digest: char, fallback: char) -> Start {
    Start::Changed { digest: d(digest), fallback: d(fallback) }
}

#[test]
fn the_first_version_is_good_and_runs_again() {
    let mut history = first();
    assert_eq!((goods(&history).as_str(), history.pending.is_none()), ("a", true));
    assert_eq!(outcomes(&history), [('a', Outcome::Started)]);
    assert_eq!(restart(&mut history, 'a'), Start::Good(d('a')));
    assert_eq!(history.at_start("t.wasm", "s", None, 9), Start::Good(d('a')), "the file is gone");
    assert_eq!(history.previous(), None);
}

#[test]
fn a_promoted_upload_runs_again_until_the_file_changes() {
    let mut history = first();
    promote(&mut history, 'b', Source::Upload);
    assert_eq!((goods(&history).as_str(), history.previous()), ("ab", Some(d('a').as_str())));
    assert_eq!(restart(&mut history, 'a'), Start::Good(d('b')), "the file has what was decided upon long ago");
    assert_eq!(restart(&mut history, 'c'), changed('c', 'b'));
    // The file is changed to what runs already.
    assert_eq!(restart(&mut history, 'b'), Start::Good(d('b')));
    assert_eq!(history.seen, Some(d('b')));
}

#[test]
fn every_decision_about_the_file_holds_after_a_restart() {
    type Decide = for<'a> fn(&'a mut History) -> Option<&'a Entry>;
    let decisions: [(Decide, Outcome, char); 3] = [
        (|history| history.refuse("it is no transform", None, 4), Outcome::Refused, 'a'),
        (|history| history.roll_back("by hand", false, 4), Outcome::RolledBack, 'a'),
        (|history| history.promote(4), Outcome::Promoted, 'b'),
    ];
    for (decide, outcome, good) in decisions {
        let mut history = first();
        history.begin(&d('b'), Source::File, 3);
        if outcome != Outcome::Refused {
            history.switch(None, 4).unwrap();
        }
        decide(&mut history).unwrap();
        assert_eq!(outcomes(&history).last(), Some(&('b', outcome)));
        assert_eq!((history.under_way().count(), history.seen.clone()), (0, Some(d('b'))), "{outcome:?}");
        assert_eq!(restart(&mut history, 'b'), Start::Good(d(good)), "{outcome:?}");
        assert_eq!(restart(&mut history, 'c'), changed('c', good), "{outcome:?}: other bytes are another matter");
    }
}

#[test]
fn decisions_about_an_upload_leave_the_file_alone() {
    let mut history = first();
    history.begin(&d('b'), Source::Upload, 3);
    history.refuse("no", Some(json!({"records": 3})), 4);
    assert_eq!(history.seen, Some(d('a')));
    assert_eq!(history.entries.last().unwrap().report, Some(json!({"records": 3})));
    assert_eq!(restart(&mut history, 'b'), changed('b', 'a'));
}

#[test]
fn without_a_candidate_nothing_is_decided() {
    let mut history = first();
    let before = history.clone();
    history.step("compile");
    assert!(history.switch(None, 5).is_none() && history.promote(5).is_none());
    history.stop(5);
    assert!(history.refuse("", None, 5).is_none() && history.roll_back("", true, 5).is_none());
    assert_eq!(history, before);
}

#[test]
fn a_candidate_supersedes_the_one_on_probation_only_when_it_takes_over() {
    let mut history = first();
    history.begin(&d('b'), Source::File, 3);
    history.switch(None, 4);
    history.begin(&d('c'), Source::Upload, 5);
    history.step("compile");
    assert_eq!(history.under_way().map(|one| one.digest.clone()).collect::<Vec<_>>(), [d('b'), d('c')]);
    history.refuse("no", None, 6);
    assert_eq!(history.probation.as_ref().unwrap().digest, d('b'), "it goes on as if nothing had been");
    history.begin(&d('e'), Source::Upload, 7);
    history.switch(None, 8);
    let expected = [
        ('a', Outcome::Started),
        ('b', Outcome::OnProbation),
        ('c', Outcome::Refused),
        ('b', Outcome::Superseded),
        ('e', Outcome::OnProbation),
    ];
    assert_eq!(outcomes(&history)[..3], expected[..3]);
    assert!(expected[3..].iter().all(|entry| outcomes(&history)[3..].contains(entry)));
    assert_eq!(history.seen, Some(d('b')));
    history.roll_back("it traps", true, 9);
    assert_eq!((goods(&history).as_str(), history.under_way().count()), ("a", 0));
}

#[test]
fn an_upload_on_probation_is_taken_up_again_after_an_orderly_stop_unless_the_file_has_changed() {
    let stopped = || {
        let mut history = first();
        history.begin(&d('b'), Source::Upload, 3);
        history.switch(None, 4);
        history.stop(5);
        assert!(history.keeps().contains(d('b').as_str()));
        history
    };
    let mut history = stopped();
    assert_eq!(restart(&mut history, 'a'), Start::Resumed { digest: d('b'), fallback: d('a') });
    assert_eq!(restart(&mut history, 'a'), Start::Good(d('a')), "once: it is a candidate like others then");
    assert_eq!(restart(&mut stopped(), 'c'), changed('c', 'a'));
    assert_eq!(stopped().at_start("other.wasm", "s", Some(&d('a')), 9), Start::Configured);
    // One that was only looked at was never told to run.
    let mut history = first();
    history.begin(&d('b'), Source::Upload, 3);
    history.stop(5);
    assert_eq!(restart(&mut history, 'a'), Start::Good(d('a')));
}

#[test]
fn a_process_that_died_holds_it_against_both_under_way() {
    let mut history = first();
    history.begin(&d('b'), Source::File, 3);
    history.switch(None, 4);
    history.begin(&d('c'), Source::Upload, 5);
    assert_eq!(restart(&mut history, 'b'), interrupted('a', true));
    assert_eq!(history.died.iter().map(|died| died.times).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(history.under_way().count(), 0);
}

#[test]
fn a_process_that_died_runs_the_last_good_version_and_tries_again_once() {
    let mut history = first();
    assert_eq!(restart(&mut history, 'b'), changed('b', 'a'));
    history.begin(&d('b'), Source::File, 3);
    history.step("configure");
    assert_eq!(restart(&mut history, 'b'), interrupted('a', true));
    assert_eq!(outcomes(&history).last(), Some(&('b', Outcome::Interrupted)));
    assert!(reason(&history).contains("step configure"), "{}", reason(&history));
    // The watcher offers it.
    history.begin(&d('b'), Source::File, 5);
    history.switch(None, 6);
    assert_eq!(restart(&mut history, 'b'), interrupted('a', false), "it kills the process");
    assert!(history.is_quarantined(&d('b')));
    assert!(reason(&history).contains("ended twice") && reason(&history).contains(PROBATION), "{}", reason(&history));
    assert_eq!(restart(&mut history, 'b'), Start::Good(d('a')));
    assert_eq!(restart(&mut history, 'c'), changed('c', 'a'));
}

#[test]
fn an_upload_that_kills_the_process_twice_is_not_taken_from_the_file_either() {
    let mut history = first();
    for retry in [false, false] {
        history.begin(&d('b'), Source::Upload, 3);
        assert_eq!(restart(&mut history, 'a'), interrupted('a', retry), "the file has nothing new");
    }
    assert!(history.is_quarantined(&d('b')));
    assert_eq!(restart(&mut history, 'b'), Start::Good(d('a')));
    assert_eq!(outcomes(&history).last(), Some(&('b', Outcome::Refused)), "and that is told");
    let told = history.entries.len();
    restart(&mut history, 'b');
    assert_eq!(history.entries.len(), told, "once");
}

#[test]
fn a_file_that_was_changed_while_the_process_was_dead_is_offered_later() {
    let mut history = first();
    history.begin(&d('b'), Source::File, 3);
    assert_eq!(restart(&mut history, 'c'), interrupted('a', true));
    assert_eq!(history.seen, Some(d('a')), "so that the watcher offers it");
}

#[test]
fn an_orderly_stop_is_not_held_against_the_candidate() {
    let mut history = first();
    for _ in 0..5 {
        assert_eq!(restart(&mut history, 'b'), changed('b', 'a'));
        history.begin(&d('b'), Source::File, 3);
        history.switch(None, 4);
        history.stop(5);
        assert_eq!(outcomes(&history).last(), Some(&('b', Outcome::Interrupted)));
        assert!(history.under_way().count() == 0 && history.died.is_empty());
    }
    assert!(!history.is_quarantined(&d('b')));
}

#[test]
fn deaths_are_forgotten_when_the_candidate_is_decided() {
    let mut history = first();
    for _ in 0..3 {
        history.begin(&d('b'), Source::File, 3);
        assert_eq!(restart(&mut history, 'b'), interrupted('a', true), "the first death since");
        history.begin(&d('b'), Source::File, 4);
        history.refuse("too many records are rejected", None, 5);
        history.seen = Some(d('a'));
    }
    history.begin(&d('b'), Source::File, 3);
    restart(&mut history, 'b');
    promote(&mut history, 'b', Source::File);
    assert!(history.died.is_empty());
}

#[test]
fn quarantine_holds_until_the_bytes_change() {
    let mut history = first();
    history.begin(&d('b'), Source::File, 3);
    history.switch(None, 4);
    assert_eq!(history.roll_back("5 % of the records trap", true, 5).unwrap().outcome, Outcome::RolledBack);
    assert_eq!(history.quarantined[&d('b')], Quarantine { reason: "5 % of the records trap".to_owned(), at_ms: 5 });
    assert_eq!(restart(&mut history, 'b'), Start::Good(d('a')));
    promote(&mut history, 'c', Source::File);
    assert_eq!(restart(&mut history, 'b'), Start::Good(d('c')), "the bad one is put there again");
    assert!(reason(&history).contains("5 % of the records trap"), "{}", reason(&history));
}

#[test]
fn what_is_in_quarantine_is_no_fall_back() {
    let mut history = first();
    promote(&mut history, 'b', Source::File);
    promote(&mut history, 'c', Source::File);
    history.begin(&d('b'), Source::Upload, 6);
    history.switch(None, 6);
    history.roll_back("it traps", true, 7);
    assert_eq!((goods(&history).as_str(), history.previous()), ("ac", Some(d('a').as_str())));
    // The version that runs is never taken away, as there is no better one.
    history.begin(&d('c'), Source::Upload, 8);
    history.switch(None, 8);
    history.roll_back("it traps", true, 9);
    assert_eq!(goods(&history), "ac");
    assert!(!history.is_quarantined(&d('c')));
}

#[test]
fn rolling_back_by_hand_goes_further_back_each_time_and_never_forward() {
    let mut history = first();
    promote(&mut history, 'b', Source::File);
    promote(&mut history, 'c', Source::File);
    promote(&mut history, 'b', Source::Rollback);
    assert_eq!((goods(&history).as_str(), history.previous()), ("ab", Some(d('a').as_str())));
    let end = outcomes(&history).split_off(history.entries.len() - 2);
    assert_eq!(end, [('c', Outcome::RolledBack), ('b', Outcome::Promoted)]);
    assert_eq!(restart(&mut history, 'c'), Start::Good(d('b')), "the file still has what was rolled back");
    promote(&mut history, 'a', Source::Rollback);
    assert_eq!((goods(&history).as_str(), history.previous()), ("a", None));
    // It may come back as any other.
    promote(&mut history, 'c', Source::Upload);
    assert_eq!(goods(&history), "ac");
}

#[test]
fn another_transform_module_begins_anew_when_it_runs_and_not_before() {
    let mut history = first();
    promote(&mut history, 'b', Source::Upload);
    assert_eq!(history.at_start("other.wasm", "s", Some(&d('c')), 6), Start::Configured);
    history.begin(&d('c'), Source::Config, 6);
    history.refuse("it is no transform", None, 7);
    // A typing error: it is changed back.
    assert_eq!(restart(&mut history, 'a'), Start::Good(d('b')));

    assert_eq!(history.at_start("other.wasm", "s", Some(&d('c')), 8), Start::Configured);
    history.begin(&d('c'), Source::Config, 8);
    history.started("other.wasm", &d('c'), 9);
    assert_eq!((goods(&history).as_str(), history.previous()), ("c", None));
    assert_eq!(history.at_start("other.wasm", "s", Some(&d('c')), 10), Start::Good(d('c')));
    assert!(outcomes(&history).contains(&('b', Outcome::Promoted)), "what was is still told");
    assert!(history.keeps().contains(d('b').as_str()), "and may be brought back by its digest");
}

#[test]
fn a_process_that_dies_in_its_first_start_starts_as_if_it_were_the_first() {
    let mut history = History::default();
    for _ in 0..200 {
        assert_eq!(restart(&mut history, 'a'), Start::Configured);
        history.begin(&d('a'), Source::Config, 1);
    }
    assert_eq!(outcomes(&history), [('a', Outcome::Interrupted)], "the same over and over is noted once");
    assert!(history.quarantined.is_empty() && history.died.is_empty());
}

#[test]
fn the_first_version_is_cleared_of_everything() {
    let mut history = first();
    history.begin(&d('b'), Source::File, 3);
    history.roll_back("it traps", true, 4);
    assert_eq!(history.at_start("b.wasm", "s", Some(&d('b')), 5), Start::Configured);
    history.started("b.wasm", &d('b'), 6);
    assert!(!history.is_quarantined(&d('b')));
}

#[test]
fn a_refused_file_is_tried_again_under_other_settings() {
    let mut history = first();
    history.begin(&d('b'), Source::File, 3);
    history.refuse("its digest is not in transform.require.digest", None, 4);
    assert_eq!(restart(&mut history, 'b'), Start::Good(d('a')));
    assert_eq!(history.at_start("t.wasm", "other", Some(&d('b')), 5), changed('b', 'a'));
    // The process dies before it has begun with it.
    assert_eq!(history.at_start("t.wasm", "other", Some(&d('b')), 6), changed('b', 'a'));

    // What has run and was taken back is not.
    history.begin(&d('b'), Source::File, 7);
    history.switch(None, 7);
    history.roll_back("it traps", true, 8);
    assert_eq!(history.at_start("t.wasm", "third", Some(&d('b')), 9), Start::Good(d('a')));
    history.begin(&d('c'), Source::File, 10);
    history.switch(None, 10);
    history.roll_back("by hand", false, 11);
    assert_eq!(history.at_start("t.wasm", "fourth", Some(&d('c')), 12), Start::Good(d('a')));
}

#[test]
fn a_file_put_back_to_what_runs_is_not_offered_again() {
    let mut history = first();
    history.begin(&d('b'), Source::File, 3);
    history.refuse("no", None, 4);
    history.file_is_good();
    assert_eq!(history.seen, Some(d('a')));
    assert_eq!(restart(&mut history, 'b'), changed('b', 'a'), "the refused one is put there once more");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut history = first();
    let digest = |n: usize| format!("{n:064x}");
    for n in 0..3 * ENTRIES_MAX {
        history.begin(&digest(n), Source::Upload, n as u64);
        history.switch(Some(json!({ "n": n })), n as u64);
        if n % 2 == 0 {
            history.promote(n as u64);
        } else {
            history.roll_back("it traps", true, n as u64);
        }
    }
    assert_eq!((history.entries.len(), history.good.len()), (ENTRIES_MAX, MODULES_MAX));
    assert_eq!(history.good, (0..10).map(|n| digest(280 + 2 * n)).collect::<Vec<_>>(), "the newest");
    assert_eq!(history.quarantined.len(), QUARANTINE_MAX);
    assert!(!history.is_quarantined(&digest(99)) && history.is_quarantined(&digest(101)), "the oldest are out");
    let reports: Vec<_> = history.entries.iter().filter_map(|entry| entry.report.as_ref()).collect();
    assert_eq!(reports.len(), REPORTS_MAX);
    assert_eq!(reports[REPORTS_MAX - 1]["n"], 299);
    history.begin(&d('b'), Source::Upload, 1);
    assert_eq!(history.keeps().len(), MODULES_MAX + 1, "the good ones and the candidate");
}

#[test]
fn old_modules_are_kept_while_there_is_room() {
    let mut history = first();
    for letter in "bcdef".chars() {
        history.begin(&d(letter), Source::Upload, 3);
        history.refuse("no", None, 4);
    }
    assert_eq!(history.keeps().len(), 6);
    for n in 0..20 {
        history.begin(&format!("{n:064}"), Source::Upload, 5);
        history.refuse("no", None, 6);
    }
    let kept = history.keeps();
    assert_eq!(kept.len(), MODULES_MAX);
    assert!(kept.contains(d('a').as_str()) && kept.contains(format!("{:064}", 19).as_str()));
    assert!(!kept.contains(d('f').as_str()));
}

#[test]
fn long_reasons_are_cut_between_letters() {
    let mut history = first();
    history.begin(&d('b'), Source::File, 3);
    history.refuse(&"ä".repeat(REASON_MAX_BYTES), None, 4);
    assert_eq!(reason(&history), format!("{}…", "ä".repeat(REASON_MAX_BYTES / 2)));
}

#[test]
fn a_lost_version_is_not_brought_back() {
    let mut history = first();
    promote(&mut history, 'b', Source::File);
    promote(&mut history, 'c', Source::File);
    history.lost(&d('b'));
    assert_eq!((goods(&history).as_str(), history.previous()), ("ac", Some(d('a').as_str())));
}
