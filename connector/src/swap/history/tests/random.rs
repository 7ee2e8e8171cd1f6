//! Whatever happens, in whatever order: what a start may never get wrong.

use proptest::prelude::*;

use super::*;

/// One thing that a controller may do, on digests `a` to `e`.
#[derive(Debug, Clone)]
enum Do {
    Begin(char, Source),
    Step,
    Switch,
    Promote,
    Refuse,
    RollBack(bool),
    Stop,
    Restart(Option<char>, bool),
    FileIsGood,
}

fn any_do() -> impl Strategy<Value = Do> {
    let letter = || proptest::char::range('a', 'e');
    let source = prop_oneof![Just(Source::File), Just(Source::Upload), Just(Source::Rollback)];
    prop_oneof![
        4 => (letter(), source).prop_map(|(letter, source)| Do::Begin(letter, source)),
        1 => Just(Do::Step),
        2 => Just(Do::Switch),
        3 => Just(Do::Promote),
        1 => Just(Do::Refuse),
        2 => any::<bool>().prop_map(Do::RollBack),
        1 => Just(Do::Stop),
        3 => (proptest::option::of(letter()), any::<bool>()).prop_map(|(file, same)| Do::Restart(file, same)),
        1 => Just(Do::FileIsGood),
    ]
}

/// What is done, and what a start may never get wrong.
fn apply(history: &mut History, what: &Do, now: u64) -> Result<(), TestCaseError> {
    let (good, probation) = (history.last_good().map(str::to_owned), history.probation.clone());
    let was_under_way = history.under_way().count() > 0;
    match what {
        Do::Begin(letter, source) => history.begin(&d(*letter), *source, now),
        Do::Step => history.step("compile"),
        Do::Switch => _ = history.switch(None, now),
        Do::Promote => _ = history.promote(now),
        Do::Refuse => _ = history.refuse("no", None, now),
        Do::RollBack(quarantine) => _ = history.roll_back("it traps", *quarantine, now),
        Do::Stop => history.stop(now),
        Do::FileIsGood => history.file_is_good(),
        Do::Restart(file, same) => {
            let (seen, file) = (history.seen.clone(), file.map(d));
            let start = history.at_start("t.wasm", if *same { "s" } else { "other" }, file.as_deref(), now);
            let good = good.clone().unwrap();
            prop_assert!(history.under_way().count() == 0);
            match &start {
                Start::Configured => prop_assert!(false, "there is a good version"),
                Start::Good(digest) => prop_assert_eq!(digest, &good),
                Start::Resumed { digest, fallback } => {
                    prop_assert!(*fallback == good && !history.is_quarantined(digest) && !was_under_way);
                }
                Start::Changed { digest, fallback } => {
                    prop_assert_eq!((Some(digest), fallback), (file.as_ref(), &good));
                    prop_assert!(!was_under_way && *digest != good && !history.is_quarantined(digest));
                    prop_assert!(!*same || seen.as_ref() != Some(digest) || history.seen.is_none());
                }
                Start::Interrupted { fallback, retry } => {
                    prop_assert!(was_under_way && *fallback == good);
                    let undecided = file.as_ref().is_some_and(|file| history.seen.as_ref() != Some(file));
                    prop_assert_eq!(*retry, undecided, "the watcher, told what was seen, offers the same");
                }
            }
        }
    }
    let promoted = matches!(what, Do::Promote).then_some(probation).flatten().map(|pending| pending.digest);
    prop_assert_eq!(history.last_good().map(str::to_owned), promoted.or(good), "only a promotion changes what is good");
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens_the_last_good_version_stands(steps in proptest::collection::vec(any_do(), 1..60)) {
        let mut history = first();
        for (now, what) in steps.iter().enumerate() {
            apply(&mut history, what, now as u64)?;
            let unique: BTreeSet<_> = history.good.iter().collect();
            prop_assert_eq!(unique.len(), history.good.len());
            prop_assert!(history.good.iter().all(|good| !history.is_quarantined(good)));
            prop_assert!(history.died.iter().all(|died| died.times < 2));
            prop_assert!(history.good.iter().all(|good| history.keeps().contains(good.as_str())));
            prop_assert_eq!(history.fault(), None);
            let text = serde_json::to_string(&history).unwrap();
            prop_assert_eq!(&serde_json::from_str::<History>(&text).unwrap(), &history);
        }
    }
}
