#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tracing::Event;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

fn loggers(directives: &str) -> Loggers {
    Loggers::new(&directives.parse().unwrap())
}

/// Level and time of change of a logger.
fn shown_as(loggers: &Loggers, name: &str) -> (&'static str, Option<u64>) {
    let logger = loggers.get(name).unwrap();
    (logger.level.label(), logger.last_modified_ms)
}

#[test]
fn root_and_the_rooms_are_there_from_the_start_with_the_level_they_inherit() {
    let all = loggers("info,sluice=debug,sluice::sink=warn,hyper=off").all();
    let level = |name: &str| all[name].level.label();
    assert_eq!(["root", "librdkafka", "hyper", "sluice"].map(level), ["INFO", "INFO", "OFF", "DEBUG"]);
    assert_eq!(["sluice.sink", "sluice.source"].map(level), ["WARN", "DEBUG"]);
    assert!(all.keys().is_sorted() && all.keys().all(|name| !name.contains("::")), "{all:?}");
    assert!(all.values().all(|logger| logger.last_modified_ms.is_none()));
    let every = loggers("warn,a=debug,a::b=error,a::b::c=info,ab=trace,b::c=off");
    for name in ["a::b::x", "a::bx", "a::c", "b", "b::c::d", "b::d"] {
        every.lock().note(name);
    }
    for (name, logger) in every.all() {
        assert_eq!(every.get(&name), Some(logger), "{name}");
    }
    assert_eq!(loggers("sluice=debug").all()["root"].level, LogLevel::Off, "what directives are silent about is off");
}

#[test]
fn every_room_is_a_module() {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for room in ROOMS.iter().filter_map(|room| room.strip_prefix("sluice::")) {
        assert!(src.join(format!("{room}.rs")).exists(), "{room}");
    }
}

#[test]
fn levels_have_log4js_names() {
    for (word, label) in [("off", "OFF"), ("Fatal", "FATAL"), ("DEBUG", "DEBUG"), ("all", "ALL"), ("tRaCe", "TRACE")] {
        assert_eq!(LogLevel::of(word).map(LogLevel::label), Some(label));
    }
    for wrong in ["", "loud", " info", "WARNING"] {
        assert_eq!(LogLevel::of(wrong), None, "{wrong:?}");
    }
    let filters = LogLevel::ALL.map(LogLevel::filter);
    assert!(filters.is_sorted(), "louder lets more pass");
    assert_eq!(LogLevel::Fatal.filter(), LevelFilter::ERROR, "nothing is worse than an error");
    for level in [LogLevel::Off, LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace] {
        assert_eq!(LogLevel::from(level.filter()), level);
    }
}

#[test]
fn a_level_counts_for_the_namespace_and_what_is_in_it_and_for_nothing_else() {
    let loggers = loggers("info,sluice::sink=error,sluice::swap=debug");
    let before = loggers.all();
    let changed = loggers.set("sluice.sink", LogLevel::Debug, 7).unwrap();
    assert_eq!(changed, ["sluice.sink"]);
    assert_eq!(shown_as(&loggers, "sluice.sink"), ("DEBUG", Some(7)));
    assert_eq!(loggers.lock().level("sluice::sink::lane"), LogLevel::Debug, "modules that are not listed, too");
    let others = |all: BTreeMap<String, LoggerLevel>| all.into_iter().filter(|(name, _)| name != "sluice.sink");
    assert!(others(before).eq(others(loggers.all())));

    let changed = loggers.set("sluice", LogLevel::Debug, 8).unwrap();
    assert!(changed.contains(&"sluice".to_owned()) && changed.contains(&"sluice.source".to_owned()), "{changed:?}");
    assert!(
        !changed.contains(&"sluice.sink".to_owned()) && !changed.contains(&"sluice.swap".to_owned()),
        "{changed:?}"
    );
    assert!(changed.is_sorted());
    assert_eq!(shown_as(&loggers, "sluice.sink"), ("DEBUG", Some(7)), "it was at that level");
    assert_eq!(shown_as(&loggers, "librdkafka"), ("INFO", None));

    let changed = loggers.set("ROOT", LogLevel::Warn, 9).unwrap();
    assert_eq!(changed.len(), loggers.all().len(), "root is the beginning of every name: {changed:?}");
    assert!(loggers.all().values().all(|logger| (logger.level, logger.last_modified_ms) == (LogLevel::Warn, Some(9))));
}

#[test]
fn the_same_request_again_changes_nothing() {
    let loggers = loggers("info");
    assert!(!loggers.set("sluice", LogLevel::Trace, 1).unwrap().is_empty());
    let before = loggers.all();
    assert!(loggers.set("sluice", LogLevel::Trace, 2).unwrap().is_empty());
    assert_eq!(loggers.all(), before);
    assert!(loggers.set("root", LogLevel::Info, 3).unwrap().contains(&"sluice".to_owned()));
}

#[test]
fn a_namespace_is_made_by_naming_it_with_dots_or_colons() {
    let loggers = loggers("info");
    assert_eq!(loggers.get("org.apache.kafka.connect"), None);
    assert_eq!(loggers.set("org.apache.kafka.connect", LogLevel::Warn, 1).unwrap(), ["org.apache.kafka.connect"]);
    assert_eq!(shown_as(&loggers, "org::apache::kafka::connect"), ("WARN", Some(1)));
    assert_eq!(loggers.set("sluice::sink::lane", LogLevel::Off, 2).unwrap(), ["sluice.sink.lane"]);
    assert_eq!(shown_as(&loggers, "sluice.sink.lane"), ("OFF", Some(2)));
    assert!(loggers.set("sluice.sink.hunt", LogLevel::Info, 3).unwrap().is_empty(), "made at the level it inherits");
    assert_eq!(shown_as(&loggers, "sluice.sink.hunt"), ("INFO", None));
}

#[test]
fn invented_names_do_not_fill_the_memory() {
    let loggers = loggers("info");
    for n in 0..NAMED_MAX {
        loggers.lock().make(&format!("n{n}")).unwrap();
    }
    assert_eq!(loggers.set("one.more", LogLevel::Info, 1), Err(LoggerError::TooMany));
    assert!(loggers.set("sluice", LogLevel::Debug, 1).is_ok() && loggers.set("n7", LogLevel::Debug, 1).is_ok());
    assert_eq!(loggers.set(&"x".repeat(NAME_BYTES_MAX + 1), LogLevel::Info, 1), Err(LoggerError::NameTooLong));
}

/// Counts events, and remembers each place that logs.
#[derive(Clone, Default)]
struct Seen {
    events: Arc<AtomicUsize>,
    places: Arc<Mutex<Vec<&'static Metadata<'static>>>>,
}

impl<S: Subscriber> Layer<S> for Seen {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.places.lock().unwrap().push(metadata);
        Interest::always()
    }

    fn on_event(&self, _event: &Event<'_>, _context: Context<'_, S>) {
        self.events.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_change_counts_for_places_that_have_logged_before_and_a_call_that_is_off_asks_nobody() {
    let (loggers, seen) = (loggers("info"), Seen::default());
    let subscriber = Registry::default().with(seen.clone()).with(loggers.layer());
    tracing::subscriber::with_default(subscriber, || {
        // One place, so that what is kept about it is what is tested.
        let log = || {
            let before = seen.events.load(Relaxed);
            tracing::debug!(target: "loggers::tests::place", "a line");
            seen.events.load(Relaxed) - before
        };
        assert_eq!(log(), 0);
        assert_eq!(shown_as(&loggers, "loggers.tests.place"), ("INFO", None), "a place that was reached is a logger");
        loggers.set("loggers.tests", LogLevel::Debug, 1).unwrap();
        assert_eq!(log(), 1);
        loggers.set("root", LogLevel::Fatal, 2).unwrap();
        assert_eq!(log(), 0);
    });
    let places = seen.places.lock().unwrap();
    let place = places.iter().find(|place| place.target() == "loggers::tests::place").unwrap();
    let interest = || Layer::<Registry>::register_callsite(&loggers.layer(), place);
    assert!(interest().is_never());
    loggers.set("loggers", LogLevel::Trace, 3).unwrap();
    assert!(interest().is_always());
}

#[test]
fn a_tasks_span_is_there_whatever_the_level() {
    let loggers = loggers("off");
    let subscriber = Registry::default().with(loggers.layer());
    tracing::subscriber::with_default(subscriber, || {
        assert!(!tracing::info_span!("task").is_disabled());
        assert!(tracing::info_span!(target: "hyper", "request").is_disabled());
    });
}
