//! A guest's messages reach the log marked, short, and not too many.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};

use super::guest::{hostile, run, values};
use crate::support::wait::until;

/// Keeps each event as `LEVEL message` and its fields by name.
#[derive(Debug, Default, Clone)]
struct Kept(Arc<Mutex<Vec<Told>>>);

#[derive(Debug, Default, Clone)]
struct Told {
    level: String,
    fields: Vec<(&'static str, String)>,
}

// === impl Kept ===

impl Kept {
    /// What was told by the guest itself.
    fn by_guest(&self) -> Vec<Told> {
        self.0.lock().unwrap().iter().filter(|told| told.field("message") == Some("transform says")).cloned().collect()
    }
}

impl Subscriber for Kept {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut told = Told { level: event.metadata().level().to_string(), ..Told::default() };
        event.record(&mut told);
        self.0.lock().unwrap().push(told);
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

// === impl Told ===

impl Told {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }
}

#[test]
fn a_flood_of_messages_is_limited_and_counted() {
    let kept = Kept::default();
    let mut transform = hostile("flood-logs");
    with_default(kept.clone(), || {
        // Ten a second, and the call takes milliseconds: a bound for very slow machines.
        run(&mut transform, &values(["a"])).unwrap();
        let told = kept.by_guest();
        assert!((10..=100).contains(&told.len()), "{} of 10,000 messages", told.len());
        assert_eq!(told[0].level, "INFO");
        assert_eq!(told[0].field("module"), Some(transform.module().digest()));
        // The next second tells how many were dropped.
        let dropped = until("the count of dropped messages", || {
            run(&mut transform, &values(["a"])).unwrap();
            let kept = kept.0.lock().unwrap();
            kept.iter().find_map(|told| Some((told.level.clone(), told.field("dropped")?.to_owned()))).ok_or(())
        });
        assert_eq!(dropped.0, "WARN");
        assert!(dropped.1.parse::<u64>().unwrap() > 0, "{dropped:?}");
    });
}

#[test]
fn a_guest_that_traps_after_each_flood_has_no_fresh_allowance() {
    let (kept, mut transform) = (Kept::default(), hostile("flood-logs-and-panic"));
    with_default(kept.clone(), || {
        let started = Instant::now();
        for _ in 0..30 {
            run(&mut transform, &values(["a"])).unwrap_err();
        }
        let (told, most) = (kept.by_guest().len(), 10 * (started.elapsed().as_secs() as usize + 2));
        assert!(told <= most, "{told} messages where {most} may be");
    });
}

#[test]
fn a_huge_message_is_cut_and_cannot_fake_lines() {
    let kept = Kept::default();
    with_default(kept.clone(), || run(&mut hostile("huge-log"), &values(["a"])).unwrap());
    let told = kept.by_guest();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].level, "WARN");
    let text = told[0].field("text").unwrap();
    assert!(text.starts_with(r"line one\nline two\u{1b}[31m "), "{text}");
    // 1,024 bytes, of which a few are written as escapes.
    assert!(text.len() < 2048 && !text.contains(char::is_control), "{} bytes", text.len());
}
