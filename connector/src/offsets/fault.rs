//! What stands in the way of a question to a group, and what is to be done about it: decisions without a network.

use std::fmt;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) client: String,
    pub(super) host: String,
    /// Stays in the group after its end, until its session is over.
    pub(super) is_static: bool,
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A broker or librdkafka says no, to all or because of one partition.
    Code { code: Code, text: String, partition: Option<(String, i32)> },
    /// The group has members.
    Members(Vec<Member>),
    /// The topic has so many partitions and not this one, or is not there if it has none.
    NoPartition { topic: String, partition: i32, partitions: usize },
}

/// What to do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There is no such group.
    Missing,
    /// Members are in the way, who may be about to leave.
    Occupied,
    /// It passes by itself: a coordinator that moves, a connection that broke.
    Passing,
    /// It stays until somebody does something.
    Lasting,
}

// === impl Fault ===

impl Fault {
    /// A refusal of the whole.
    pub(super) fn code(code: Code, text: impl Into<String>) -> Self {
        Self::Code { code, text: text.into(), partition: None }
    }

    /// A refusal because of one partition.
    pub(super) fn of_partition(code: Code, topic: &str, partition: i32) -> Self {
        Self::Code { code, text: code.to_string(), partition: Some((topic.to_owned(), partition)) }
    }

    /// An answer without the group that was asked after.
    pub(super) fn empty() -> Self {
        Self::code(Code::BadMessage, "the answer has no word of the group")
    }

    /// What to do about it.
    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::Code { code, .. } => meaning(*code),
            Self::Members(_) => Meaning::Occupied,
            Self::NoPartition { .. } => Meaning::Lasting,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { text, partition: None, .. } => write!(f, "{text}"),
            Self::Code { text, partition: Some((topic, partition)), .. } => {
                write!(f, "{text} (topic `{topic}`, partition {partition})")
            }
            Self::Members(members) => write!(f, "{}", naming(members)),
            Self::NoPartition { topic, partitions: 0, .. } => write!(f, "there is no topic `{topic}`"),
            Self::NoPartition { topic, partition, partitions } => {
                write!(f, "topic `{topic}` has no partition {partition}, it has {partitions} of them, counted from 0")
            }
        }
    }
}

fn meaning(code: Code) -> Meaning {
    match code {
        Code::GroupIdNotFound => Meaning::Missing,
        // To an outsider brokers answer so when the group has members.
        Code::UnknownMemberId
        | Code::GroupSubscribedToTopic
        | Code::NonEmptyGroup
        | Code::RebalanceInProgress
        | Code::IllegalGeneration => Meaning::Occupied,
        Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::RequestTimedOut
        | Code::NetworkException
        | Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::WaitingForCoordinator
        | Code::TimedOutQueue
        | Code::OperationTimedOut => Meaning::Passing,
        _ => Meaning::Lasting,
    }
}

/// Whether to try again after a fault, with `left` of the whole time and `leave_left` of that for members to leave.
pub(super) fn again(meaning: Meaning, left: Duration, leave_left: Duration) -> bool {
    match meaning {
        Meaning::Missing | Meaning::Lasting => false,
        Meaning::Passing => !left.is_zero(),
        Meaning::Occupied => !left.is_zero() && !leave_left.is_zero(),
    }
}

/// What to do, for a person, about a fault that lasts.
pub(super) fn advice(fault: &Fault) -> &'static str {
    match fault {
        Fault::NoPartition { .. } => {
            "nothing was changed; correct the topic and the partition (topics are compared letter by letter)"
        }
        Fault::Members(_) => "stop its members first",
        Fault::Code { code, .. } => match code {
            Code::GroupIdNotFound => {
                "nothing has been committed in this group, so there is nothing to delete; set an offset, or leave it as it is"
            }
            Code::GroupAuthorizationFailed => {
                "allow the connector's user to DESCRIBE and READ the group, and to DELETE it for a reset"
            }
            Code::TopicAuthorizationFailed => "allow the connector's user to DESCRIBE and READ the topic",
            Code::ClusterAuthorizationFailed => "allow the connector's user to DESCRIBE the cluster",
            Code::InvalidGroupId => "correct consumer.override.group.id",
            Code::UnsupportedFeature | Code::UnsupportedVersion => {
                "the broker is too old for this (Kafka 2.4 or later is needed)"
            }
            Code::UnknownTopicOrPartition => "the topic was deleted meanwhile: look at what is there and try again",
            _ => "look at the broker's log, and try again",
        },
    }
}

/// `prices-0 at /10.0.0.7, prices-1 at /10.0.0.8 (static)`.
pub(super) fn naming(members: &[Member]) -> String {
    let name = |member: &Member| {
        let stays = if member.is_static { " (static: it stays for session.timeout.ms after its end)" } else { "" };
        format!("`{}` at {}{stays}", member.client, member.host)
    };
    members.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(1);

    fn member(is_static: bool) -> Member {
        Member { client: "prices-0".to_owned(), host: "/10.0.0.7".to_owned(), is_static }
    }

    #[test]
    fn members_are_waited_for_and_what_passes_is_tried_again_within_the_time() {
        let members = Fault::Members(vec![member(false)]).meaning();
        assert_eq!(members, Meaning::Occupied);
        for code in [Code::UnknownMemberId, Code::GroupSubscribedToTopic, Code::NonEmptyGroup] {
            assert_eq!(Fault::code(code, "").meaning(), Meaning::Occupied, "{code}");
        }
        assert!(again(members, TIME, TIME));
        assert!(!again(members, TIME, Duration::ZERO) && !again(members, Duration::ZERO, TIME));

        let moving = Fault::of_partition(Code::NotCoordinator, "prices", 0).meaning();
        assert_eq!(moving, Meaning::Passing);
        assert!(again(moving, TIME, Duration::ZERO) && !again(moving, Duration::ZERO, TIME));
    }

    #[test]
    fn what_lasts_is_said_at_once() {
        let nowhere = Fault::NoPartition { topic: "prices".to_owned(), partition: 7, partitions: 3 };
        let lasting = [Fault::code(Code::GroupAuthorizationFailed, ""), Fault::empty(), nowhere];
        for fault in lasting {
            assert_eq!(fault.meaning(), Meaning::Lasting, "{fault}");
            assert!(!again(fault.meaning(), TIME, TIME) && !advice(&fault).is_empty());
        }
        assert_eq!(Fault::code(Code::GroupIdNotFound, "").meaning(), Meaning::Missing);
        assert!(!again(Meaning::Missing, TIME, TIME));
    }

    #[test]
    fn faults_name_the_partition_and_the_members() {
        let text = Fault::of_partition(Code::TopicAuthorizationFailed, "prices", 3).to_string();
        assert!(text.ends_with("(topic `prices`, partition 3)"), "{text}");
        let missing = |partitions| Fault::NoPartition { topic: "prices".to_owned(), partition: 7, partitions };
        assert_eq!(missing(0).to_string(), "there is no topic `prices`");
        assert!(missing(3).to_string().contains("no partition 7, it has 3"));
        let text = Fault::Members(vec![member(false), member(true)]).to_string();
        assert!(text.starts_with("`prices-0` at /10.0.0.7, `prices-0` at /10.0.0.7 (static"), "{text}");
    }
}
