//! Versions that trap, run too long or break the interface.

use super::*;

fn on(bad: &'static [&'static str]) -> impl FnMut(&str) -> doubles::Play {
    move |value| if bad.contains(&value) { fail(&format!("trap on {value}")) } else { lines(&["m f=1"]) }
}

/// `n` chunks of `len` records, with the values 0, 1, 2…
fn numbers(n: usize, len: usize) -> Vec<(TopicPartition, Arc<Batch>)> {
    let values: Vec<Vec<String>> =
        (0..n).map(|chunk| (0..len).map(|record| (chunk * len + record).to_string()).collect()).collect();
    let values: Vec<Vec<&str>> = values.iter().map(|chunk| chunk.iter().map(String::as_str).collect()).collect();
    sample(&values.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn a_trap_is_blamed_on_its_record_and_refused_whatever_is_required() {
    let sample = numbers(3, 4);
    let report = run(&mut Double::new(on(&[])), &mut Double::new(on(&["6"])), &sample);
    assert_eq!((report.records, report.new.failed, report.newly_failed.count), (12, 1, 1));
    assert_eq!((report.lines.equal, report.lines.gone, report.stopped), (11, 1, None));
    let failure = report.failure().unwrap();
    for part in ["t-1@2", "played", "`transform`", "trap on 6", "sluice try"] {
        assert!(failure.contains(part), "{failure} should say {part}");
    }
    assert!(report.refusal(Nothing).is_none(), "what is required and what is never allowed are two things");
    assert_eq!(report.newly_rejected.count, 0);
}

#[test]
fn a_failure_that_the_running_version_has_as_well_is_none() {
    let sample = numbers(2, 4);
    let report = run(&mut Double::new(on(&["6", "7"])), &mut Double::new(on(&["6"])), &sample);
    assert_eq!((report.records, report.old.failed, report.new.failed), (8, 2, 1));
    assert_eq!((report.failure(), report.refusal(NoNewRejects)), (None, None));
    assert_eq!((report.lines.equal, report.lines.added), (6, 1));
    assert!(report.refusal(Equal).unwrap().contains("t-1@3"));
}

#[test]
fn failures_that_both_have_do_not_end_the_comparison() {
    let sample = numbers(1, 12);
    let bad: &[&str] = &["1", "2", "3", "4", "5"];
    let report = run(&mut Double::new(on(bad)), &mut Double::new(on(bad)), &sample);
    assert_eq!((report.records, report.new.failed, report.stopped), (12, 5, None));
}

#[test]
fn a_fresh_instance_is_not_measured_at_its_first_call() {
    let sample = numbers(3, 2);
    let mut new = Double::new(on(&["2"]));
    run(&mut Double::new(on(&[])), &mut new, &sample);
    assert_eq!(new.calls, [2, 2, 2, 1, 1, 2, 2]);
}

#[test]
fn a_reject_where_the_running_version_fails_is_not_new() {
    let sample = numbers(1, 3);
    let mut new = Double::new(|value| if value == "1" { reject("better so") } else { lines(&["m f=1"]) });
    let report = run(&mut Double::new(on(&["1"])), &mut new, &sample);
    assert_eq!((report.new.rejected, report.newly_rejected.count, report.failure()), (1, 0, None));
    assert_eq!(report.refusal(NoNewRejects), None);
}

#[test]
fn a_trap_where_the_running_version_rejects_is_a_failure() {
    let sample = numbers(1, 3);
    let mut old = Double::new(|value| if value == "1" { reject("why") } else { lines(&["m f=1"]) });
    let report = run(&mut old, &mut Double::new(on(&["1"])), &sample);
    assert!(report.failure().unwrap().contains("t-0@1"));
}

#[test]
fn a_candidate_that_always_fails_is_called_few_times() {
    let sample = numbers(50, 100);
    let mut new = Double::new(|_| fail("it ran for 1003 ms, longer than transform.timeout.ms=1000"));
    let report = compare_versions(&mut Double::new(on(&[])), &mut new, &sample, Tiebreak::Offset, FOREVER);
    assert_eq!(new.calls, [100, 1, 1, 1]);
    assert_eq!((report.records, report.newly_failed.count, report.stopped), (3, 3, Some(Stopped::Failures)));
    assert_eq!(report.new.ns_per_record, None);
    let failure = report.failure().unwrap();
    assert!(failure.contains("transform.timeout.ms=1000") && failure.contains("after 3 such failures"), "{failure}");
}

#[test]
fn failures_of_different_chunks_add_up() {
    let sample = numbers(10, 2);
    let mut new = Double::new(on(&["1", "3", "5", "7"]));
    let report = run(&mut Double::new(on(&[])), &mut new, &sample);
    assert_eq!((report.records, report.newly_failed.count), (6, 3));
    // Warmed up again after each failure: the chunk fails in that very call, then come its records.
    assert_eq!(new.calls, [2, 1, 1, 2, 1, 1, 2, 1, 1]);
}

#[test]
fn a_candidate_that_fails_on_many_records_only_is_refused() {
    let sample = numbers(9, 4);
    let mut new = Double { records_max: 3, ..Double::new(on(&[])) };
    let report = run(&mut Double::new(on(&[])), &mut new, &sample);
    assert_eq!((report.new.failed, report.new.failed_together, report.newly_failed.count), (0, 3, 3));
    assert_eq!((report.records, report.records_differing, report.stopped), (12, 0, Some(Stopped::Failures)));
    let failure = report.failure().unwrap();
    assert!(failure.contains("t-0@0..=3") && failure.contains("can't bear 4 records"), "{failure}");

    let mut old = Double { records_max: 3, ..Double::new(on(&[])) };
    let mut new = Double { records_max: 3, ..Double::new(on(&[])) };
    let both = run(&mut old, &mut new, &sample);
    assert_eq!((both.records, both.old.failed_together, both.failure()), (36, 9, None));
}

#[test]
fn a_failure_of_the_very_first_call_is_not_forgiven() {
    let sample = numbers(2, 4);
    let mut new = Double { fails_first: 1, ..Double::new(on(&[])) };
    let report = run(&mut Double::new(on(&[])), &mut new, &sample);
    assert_eq!((report.new.failed_together, report.newly_failed.count, report.records), (1, 1, 8));
    assert!(report.failure().is_some());
}

#[test]
fn a_chunk_that_is_taken_apart_keeps_to_the_budget() {
    let sample = numbers(1, 100);
    // The running version fails on everything: its calls are bounded too.
    let (mut old, mut new) = (Double::new(on(&[])), Double::new(on(&[])));
    old.fails_first = usize::MAX;
    let report = run_for(Duration::ZERO, &mut old, &mut new, &sample);
    assert_eq!((old.calls.as_slice(), report.records, report.stopped), (&[100, 1][..], 1, Some(Stopped::Budget)));
    assert_eq!(report.failure(), None);

    // The candidate fails on a record that the time does not suffice to find.
    let (mut old, mut new) = (Double::new(on(&[])), Double::new(on(&["70"])));
    let report = run_for(Duration::ZERO, &mut old, &mut new, &sample);
    assert_eq!((new.calls.as_slice(), report.records, report.stopped), (&[100, 1][..], 1, Some(Stopped::Budget)));
    assert!(report.failure().unwrap().contains("t-0@0..=99"), "{report}");
}

#[test]
fn an_instance_that_does_not_start_again_is_a_failure() {
    struct Unstartable;
    impl Version for Unstartable {
        fn inputs(&self) -> Inputs {
            Inputs::default()
        }
        fn run(&mut self, _: &TopicPartition, _: &Batch) -> Result<Output, TransformError> {
            Err(TransformError::Configure { module: "played".to_owned(), reason: "not today".to_owned() })
        }
    }
    let sample = numbers(1, 2);
    let report = run(&mut Double::new(on(&[])), &mut Unstartable, &sample);
    assert!(report.failure().unwrap().contains("not today"));
    assert_eq!(run(&mut Unstartable, &mut Double::new(on(&[])), &sample).failure(), None);
}
