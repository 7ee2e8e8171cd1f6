//! Which letters a command is about.

use super::letter::Letter;
use crate::cli::dlq::FilterArgs;

/// Takes letters or passes them over.
#[derive(Debug, Default)]
pub(super) struct Filter {
    reason: Option<String>,
    stage: Option<&'static str>,
    topic: Option<String>,
    connector: Option<String>,
    /// Milliseconds since 1970: from the first on, before the second.
    times: (Option<i64>, Option<i64>),
}

// === impl Filter ===

impl Filter {
    /// The filters of the command line. `connector` is whose letters are meant if nothing else is said: several may share a topic.
    pub(super) fn new(args: &FilterArgs, connector: Option<&str>) -> Self {
        Self {
            reason: args.reason.as_ref().map(|reason| reason.to_lowercase()),
            stage: args.stage.map(|stage| stage.label()),
            topic: args.from_topic.clone(),
            connector: args.from_connector.clone().or_else(|| connector.map(str::to_owned)),
            times: (args.since.map(|moment| moment.0), args.until.map(|moment| moment.0)),
        }
    }

    /// Whether the letter is one of those. What a letter does not tell fits no filter, but for its connector: a letter that
    /// does not say who wrote it may be ours.
    pub(super) fn takes(&self, letter: &Letter) -> bool {
        let reason = || letter.reason.as_ref().map(|reason| reason.to_lowercase());
        let topic = letter.origin.as_ref().map(|origin| &*origin.partition.topic);
        let time = letter.timestamp();
        self.connector.as_ref().is_none_or(|name| letter.connector.as_ref().is_none_or(|writer| writer == name))
            && self.stage.is_none_or(|stage| letter.stage.as_deref() == Some(stage))
            && self.topic.as_ref().is_none_or(|wanted| topic == Some(wanted))
            && self.times.0.is_none_or(|since| time >= since)
            && self.times.1.is_none_or(|until| time < until)
            && self.reason.as_ref().is_none_or(|wanted| reason().is_some_and(|reason| reason.contains(wanted)))
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Timestamp;

    use super::*;
    use crate::cli::dlq::Stage;
    use crate::dlq::letter::{Origin, Position};
    use crate::dlq::moment::Moment;
    use crate::record::TopicPartition;

    fn letter() -> Letter {
        Letter {
            position: Position { partition: 0, offset: 0 },
            time: Timestamp::CreateTime(1000),
            origin: Some(Origin { partition: TopicPartition::new("prices", 1), offset: 7 }),
            stage: Some("sink".to_owned()),
            reason: Some("Field Type conflict".to_owned()),
            exception: None,
            class: None,
            trace: None,
            digest: None,
            line: None,
            connector: Some("crypto".to_owned()),
            task: None,
            omitted: None,
        }
    }

    fn takes(letter: &Letter, set: impl FnOnce(&mut FilterArgs)) -> bool {
        let mut args = FilterArgs::default();
        set(&mut args);
        Filter::new(&args, Some("crypto")).takes(letter)
    }

    #[test]
    fn each_filter_takes_and_passes_over() {
        let letter = letter();
        assert!(takes(&letter, |_| {}));
        for (reason, fits) in [("field type", true), ("TYPE CON", true), ("empty", false)] {
            assert_eq!(takes(&letter, |args| args.reason = Some(reason.to_owned())), fits, "{reason}");
        }
        assert!(takes(&letter, |args| args.stage = Some(Stage::Sink)));
        assert!(!takes(&letter, |args| args.stage = Some(Stage::Points)));
        for (topic, fits) in [("prices", true), ("price", false)] {
            assert_eq!(takes(&letter, |args| args.from_topic = Some(topic.to_owned())), fits, "{topic}");
        }
        for (ms, since) in [(999, true), (1000, true), (1001, false)] {
            assert_eq!(takes(&letter, |args| args.since = Some(Moment(ms))), since, "since {ms}");
            assert_eq!(takes(&letter, |args| args.until = Some(Moment(ms))), !since, "until {ms}");
        }
        assert!(!takes(&letter, |args| args.from_connector = Some("other".to_owned())));
        assert!(!Filter::new(&FilterArgs::default(), Some("other")).takes(&letter));
        assert!(Filter::new(&FilterArgs::default(), None).takes(&letter));
    }

    #[test]
    fn what_is_not_told_fits_no_filter_but_may_be_ours() {
        let bare = Letter { origin: None, stage: None, reason: None, connector: None, ..letter() };
        assert!(takes(&bare, |_| {}));
        assert!(!takes(&bare, |args| args.reason = Some(String::new())));
        assert!(!takes(&bare, |args| args.stage = Some(Stage::Sink)));
        assert!(!takes(&bare, |args| args.from_topic = Some("prices".to_owned())));
    }
}
