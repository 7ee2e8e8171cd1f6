//! Brokers that refuse us: wrong credentials, certificates that one side does not accept, a group that does not take us. Somebody has to act, so
//! the task is held; librdkafka tries again by itself, and once a broker lets us in the task goes on. And brokers that are all away: the task
//! says so, and goes on by itself, too.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::Pipeline;
use crate::source;
use crate::status::TaskState;

/// How often a broker is asked whether it lets us in. Each question may hold up the loop for half a second.
const QUESTION_INTERVAL: Duration = Duration::from_secs(2);

/// A group that takes us in says nothing: it counts as such once it has said nothing else for so long. It refuses about once a second.
const GROUP_SILENCE: Duration = Duration::from_secs(10);

/// Since when brokers do not serve us, and why.
#[derive(Debug)]
pub(super) struct Lockout {
    next_question: Instant,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// They refuse us. When the group did last, if it was the group: that brokers answer says nothing about it then.
    Refused { by_group: Option<Instant> },
    /// They are away, as librdkafka says it. A connection that was idle for too long looks the same, so it is shown only once a question is
    /// not answered.
    Away { reason: String, shown: bool },
}

impl Pipeline {
    /// Notes a refusal: the state says why and what to check.
    pub(super) fn lock_out(&mut self, error: &KafkaError, reason: &str) {
        let before = match self.lockout.as_ref().map(|lockout| &lockout.cause) {
            Some(Cause::Refused { by_group }) => *by_group,
            _ => None,
        };
        let by_group = if source::is_refusal_of_group(error) { Some(Instant::now()) } else { before };
        self.note(Cause::Refused { by_group });
        let advice = advice(error, reason);
        self.board.set(TaskState::held(format!("kafka {} refuses: {reason}; {advice}", self.brokers)));
    }

    /// Notes that no broker seems to be there. One that refuses us is gone for librdkafka, too; then the refusal is what counts.
    pub(super) fn lose_brokers(&mut self, reason: &str) {
        let shown = match self.lockout.as_ref().map(|lockout| &lockout.cause) {
            Some(Cause::Refused { .. }) => return,
            Some(Cause::Away { shown, .. }) => *shown,
            None => false,
        };
        self.note(Cause::Away { reason: reason.to_owned(), shown });
    }

    /// Shows that no broker can be reached, unless one has refused us.
    pub(super) fn show_away(&self, reason: &str) {
        if !matches!(self.lockout, Some(Lockout { cause: Cause::Refused { .. }, .. })) {
            let brokers = &self.brokers;
            let reason = format!("kafka {brokers} can't be reached: {reason}; it is tried again by itself");
            self.board.set(TaskState::retrying(reason));
        }
    }

    /// The next question stays when it was.
    fn note(&mut self, cause: Cause) {
        let next = self.lockout.as_ref().map(|lockout| lockout.next_question);
        let next_question = next.unwrap_or_else(|| Instant::now() + QUESTION_INTERVAL);
        self.lockout = Some(Lockout { next_question, cause });
    }

    /// Whether the brokers refuse us, or are away, as far as is known. Asks again from time to time.
    pub(super) fn is_locked_out(&mut self) -> bool {
        let now = Instant::now();
        let Some(lockout) = &mut self.lockout else { return false };
        let refused_lately =
            matches!(lockout.cause, Cause::Refused { by_group: Some(last) } if now < last + GROUP_SILENCE);
        if now < lockout.next_question || refused_lately {
            return true;
        }
        lockout.next_question = now + QUESTION_INTERVAL;
        if self.source.is_let_in() {
            self.let_in();
        } else if let Cause::Away { reason, shown } = &mut lockout.cause {
            *shown = true;
            let reason = reason.clone();
            self.show_away(&reason);
        }
        self.lockout.is_some()
    }

    /// Records have come, so the brokers are there, however long they take to answer questions.
    pub(super) fn hear_from_brokers(&mut self) {
        if matches!(self.lockout, Some(Lockout { cause: Cause::Away { .. }, .. })) {
            self.let_in();
        }
    }

    /// A broker has answered. The state is said anew.
    pub(super) fn let_in(&mut self) {
        let Some(lockout) = self.lockout.take() else { return };
        self.healthy = None;
        if !matches!(lockout.cause, Cause::Away { shown: false, .. }) {
            tracing::info!(brokers = self.brokers, "kafka answers and lets us in again");
        }
    }
}

/// What to check, by what librdkafka and OpenSSL say.
fn advice(error: &KafkaError, reason: &str) -> &'static str {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, GroupAuthorizationFailed, InconsistentGroupProtocol, SSL};
    match error.rdkafka_error_code() {
        // Which of the three OpenSSL knows, and librdkafka does not say.
        Some(SSL) if reason.contains("verify") => {
            "the broker's certificate has expired, is for another host than bootstrap.servers and the broker's advertised.listeners name, or is of an authority that is not in ssl.ca.location"
        }
        Some(SSL) => {
            "check security.protocol and the port; if the broker asks for our certificate, ssl.certificate.location and ssl.key.location"
        }
        Some(ClusterAuthorizationFailed | GroupAuthorizationFailed) => {
            "allow the user to read the topic and the group (kafka-acls)"
        }
        Some(InconsistentGroupProtocol) => {
            "another client is in this consumer group and shares partitions in another way: stop it, give this connector another name, or set consumer.override.partition.assignment.strategy to what that one has"
        }
        _ => "check sasl.mechanism, sasl.username and sasl.password; a password changed here needs a restart",
    }
}
