//! An `unsafe` module: questions to a group's coordinator that rust-rdkafka does not put, namely all offsets that a
//! group has committed, setting and deleting them from outside of the group, who its members are, and deleting the group.
//!
//! The client is a consumer that never subscribes, so that it has a group without joining it. Not rust-rdkafka's `AdminClient`, which is a
//! producer: librdkafka follows the pointer to a client's group without looking when a coordinator that has just moved refuses to list offsets,
//! and a producer has none.
//!
//! The safety argument, for all of this file:
//!
//! - Every handle that is made here is an [`Owned`], which gives it back once, with the function that belongs to it.
//! - An [`Owned`] lives inside of one call of a method of [`Admin`], and so less long than the client.
//! - librdkafka copies what a request is made of before the call returns; what an answer holds is copied before the event is given back.

#![allow(unsafe_code, reason = "these questions have no safe wrapper; the argument is above")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as rdsys;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::ear::Ear;
use super::fault::{Fault, Member};

/// How much longer than librdkafka itself an answer is waited for: it gives up by itself and then says why.
const GRACE: Duration = Duration::from_millis(500);

/// How many lines of librdkafka's log are looked through. It says each reason once in 30 s.
const COMPLAINTS_MAX: usize = 100;

/// What librdkafka takes as the time of a request.
const REQUEST_MAX: Duration = Duration::from_secs(3600);

/// A client that asks after one group.
pub(super) struct Admin {
    consumer: BaseConsumer<Ear>,
    group: CString,
}

/// What an answer says of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// Negative if there is none.
    pub(super) offset: i64,
    pub(super) error: Option<RDKafkaErrorCode>,
}

/// A handle of librdkafka's that is ours.
struct Owned<T> {
    handle: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

/// Reads the kind of answer that was asked for out of an event.
type AsResult = unsafe extern "C" fn(*mut rdsys::rd_kafka_event_t) -> *const rdsys::rd_kafka_event_t;
/// What an answer says of each group.
type Groups =
    unsafe extern "C" fn(*const rdsys::rd_kafka_event_t, *mut usize) -> *mut *const rdsys::rd_kafka_group_result_t;

// === impl Admin ===

impl Admin {
    /// Makes the client, which connects by itself. `config` has the group's name.
    ///
    /// # Errors
    /// If librdkafka refuses a setting.
    pub(super) fn new(config: &ClientConfig, group: &str) -> KafkaResult<Self> {
        let group = CString::new(group)?;
        Ok(Self { consumer: config.create_with_context(Ear::default())?, group })
    }

    /// The client, for what can be asked without this file.
    pub(super) fn consumer(&self) -> &BaseConsumer<Ear> {
        &self.consumer
    }

    /// Why there is no connection, as far as librdkafka has said.
    pub(super) fn complaint(&self) -> Option<String> {
        // Only who polls is told; each poll tells one line. Records can't come, there is no subscription.
        for _ in 0..COMPLAINTS_MAX {
            let _ = self.consumer.poll(Duration::ZERO);
        }
        self.consumer.client().context().latest()
    }

    /// All that the group has committed.
    pub(super) fn list(&self, within: Duration) -> Result<Vec<Entry>, Fault> {
        let operation = rdsys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
        let event = self.ask(operation, within, |client, options, queue| {
            // SAFETY: client, options and queue are alive; no list means all partitions.
            unsafe {
                let wanted = rdsys::rd_kafka_ListConsumerGroupOffsets_new(self.group.as_ptr(), ptr::null());
                let wanted = Owned::new(wanted, rdsys::rd_kafka_ListConsumerGroupOffsets_destroy);
                rdsys::rd_kafka_ListConsumerGroupOffsets(client, &mut wanted.ptr(), 1, options, queue);
            }
        })?;
        self.partitions(
            &event,
            rdsys::rd_kafka_event_ListConsumerGroupOffsets_result,
            rdsys::rd_kafka_ListConsumerGroupOffsets_result_groups,
        )
    }

    /// Commits these offsets in the group's name. The group must have no members.
    pub(super) fn alter(&self, offsets: &TopicPartitionList, within: Duration) -> Result<Vec<Entry>, Fault> {
        let operation = rdsys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
        let event = self.ask(operation, within, |client, options, queue| {
            // SAFETY: client, options, queue and list are alive.
            unsafe {
                let wanted = rdsys::rd_kafka_AlterConsumerGroupOffsets_new(self.group.as_ptr(), offsets.ptr());
                let wanted = Owned::new(wanted, rdsys::rd_kafka_AlterConsumerGroupOffsets_destroy);
                rdsys::rd_kafka_AlterConsumerGroupOffsets(client, &mut wanted.ptr(), 1, options, queue);
            }
        })?;
        self.partitions(
            &event,
            rdsys::rd_kafka_event_AlterConsumerGroupOffsets_result,
            rdsys::rd_kafka_AlterConsumerGroupOffsets_result_groups,
        )
    }

    /// Deletes what the group has committed for these partitions. No member may read their topics.
    pub(super) fn delete(&self, partitions: &TopicPartitionList, within: Duration) -> Result<Vec<Entry>, Fault> {
        let operation = rdsys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS;
        let event = self.ask(operation, within, |client, options, queue| {
            // SAFETY: client, options, queue and list are alive.
            unsafe {
                let wanted = rdsys::rd_kafka_DeleteConsumerGroupOffsets_new(self.group.as_ptr(), partitions.ptr());
                let wanted = Owned::new(wanted, rdsys::rd_kafka_DeleteConsumerGroupOffsets_destroy);
                rdsys::rd_kafka_DeleteConsumerGroupOffsets(client, &mut wanted.ptr(), 1, options, queue);
            }
        })?;
        self.partitions(
            &event,
            rdsys::rd_kafka_event_DeleteConsumerGroupOffsets_result,
            rdsys::rd_kafka_DeleteConsumerGroupOffsets_result_groups,
        )
    }

    /// Deletes the group with all that it has committed. It must have no members.
    pub(super) fn delete_group(&self, within: Duration) -> Result<(), Fault> {
        let operation = rdsys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS;
        let event = self.ask(operation, within, |client, options, queue| {
            // SAFETY: client, options and queue are alive.
            unsafe {
                let wanted = rdsys::rd_kafka_DeleteGroup_new(self.group.as_ptr());
                let wanted = Owned::new(wanted, rdsys::rd_kafka_DeleteGroup_destroy);
                rdsys::rd_kafka_DeleteGroups(client, &mut wanted.ptr(), 1, options, queue);
            }
        })?;
        let read = rdsys::rd_kafka_event_DeleteGroups_result;
        self.partitions(&event, read, rdsys::rd_kafka_DeleteGroups_result_groups).map(drop)
    }

    /// Who is in the group, by either of Kafka's group protocols.
    pub(super) fn members(&self, within: Duration) -> Result<Vec<Member>, Fault> {
        let operation = rdsys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let event = self.ask(operation, within, |client, options, queue| {
            // SAFETY: client, options and queue are alive.
            unsafe { rdsys::rd_kafka_DescribeConsumerGroups(client, &mut self.group.as_ptr(), 1, options, queue) }
        })?;
        let mut count = 0;
        // SAFETY: the event lives until the end, and what is read of it is copied; an answer to one group holds one.
        unsafe {
            let result = rdsys::rd_kafka_event_DescribeConsumerGroups_result(event.ptr());
            let groups = rdsys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            let Some(group) = first(groups, count) else { return Err(Fault::empty()) };
            check(rdsys::rd_kafka_ConsumerGroupDescription_error(group))?;
            let count = rdsys::rd_kafka_ConsumerGroupDescription_member_count(group);
            let member = |index| {
                let member = rdsys::rd_kafka_ConsumerGroupDescription_member(group, index);
                Member {
                    client: text(rdsys::rd_kafka_MemberDescription_client_id(member)),
                    host: text(rdsys::rd_kafka_MemberDescription_host(member)),
                    is_static: !text(rdsys::rd_kafka_MemberDescription_group_instance_id(member)).is_empty(),
                }
            };
            Ok((0..count).map(member).collect())
        }
    }

    /// Puts a question and waits for its answer.
    fn ask(
        &self,
        operation: rdsys::rd_kafka_admin_op_t,
        within: Duration,
        send: impl FnOnce(*mut rdsys::rd_kafka_t, *const rdsys::rd_kafka_AdminOptions_t, *mut rdsys::rd_kafka_queue_t),
    ) -> Result<Owned<rdsys::rd_kafka_event_t>, Fault> {
        let client = self.consumer.client().native_ptr();
        let within = within.clamp(Duration::from_millis(1), REQUEST_MAX);
        // SAFETY: the client is alive. If the answer comes after the time, librdkafka holds the queue until it does and then drops both.
        unsafe {
            let queue = Owned::new(rdsys::rd_kafka_queue_new(client), rdsys::rd_kafka_queue_destroy);
            let options = rdsys::rd_kafka_AdminOptions_new(client, operation);
            let options = Owned::new(options, rdsys::rd_kafka_AdminOptions_destroy);
            let mut refused = [0; 128];
            rdsys::rd_kafka_AdminOptions_set_request_timeout(
                options.ptr(),
                millis(within),
                refused.as_mut_ptr(),
                refused.len(),
            );
            send(client, options.ptr(), queue.ptr());
            let event = rdsys::rd_kafka_queue_poll(queue.ptr(), millis(within + GRACE));
            if event.is_null() {
                return Err(Fault::code(RDKafkaErrorCode::OperationTimedOut, "no answer"));
            }
            let event = Owned::new(event, rdsys::rd_kafka_event_destroy);
            match rdsys::rd_kafka_event_error(event.ptr()) {
                rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
                error => Err(Fault::code(error.into(), text(rdsys::rd_kafka_event_error_string(event.ptr())))),
            }
        }
    }

    /// What an answer says of our group: its error, or its partitions.
    fn partitions(
        &self,
        event: &Owned<rdsys::rd_kafka_event_t>,
        read: AsResult,
        groups: Groups,
    ) -> Result<Vec<Entry>, Fault> {
        let mut count = 0;
        // SAFETY: the event lives as long as the borrow, and what is read of it is copied; `read` and `groups` belong to the kind of the
        // question, as each caller shows in one place. An answer to one group holds one.
        unsafe {
            let result = read(event.ptr());
            if result.is_null() {
                return Err(Fault::empty());
            }
            let Some(group) = first(groups(result, &mut count), count) else { return Err(Fault::empty()) };
            check(rdsys::rd_kafka_group_result_error(group))?;
            let list = rdsys::rd_kafka_group_result_partitions(group);
            if list.is_null() || (*list).cnt <= 0 {
                return Ok(Vec::new());
            }
            let elements = std::slice::from_raw_parts((*list).elems, usize::try_from((*list).cnt).unwrap_or(0));
            Ok(elements.iter().map(|element| entry(element)).collect())
        }
    }
}

// === impl Owned ===

impl<T> Owned<T> {
    /// # Safety
    /// `handle` must be ours alone, and `free` the function that gives it back.
    unsafe fn new(handle: *mut T, free: unsafe extern "C" fn(*mut T)) -> Self {
        Self { handle: NonNull::new(handle).expect("librdkafka never gives a null handle"), free }
    }

    fn ptr(&self) -> *mut T {
        self.handle.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: that of `new`.
        unsafe { (self.free)(self.handle.as_ptr()) }
    }
}

/// # Safety
/// `groups` must point to `count` pointers or be null.
unsafe fn first<T>(groups: *mut *const T, count: usize) -> Option<*const T> {
    // SAFETY: that of this function.
    (!groups.is_null() && count > 0).then(|| unsafe { *groups })
}

/// # Safety
/// `error` must be null or an error of librdkafka's that is alive.
unsafe fn check(error: *const rdsys::rd_kafka_error_t) -> Result<(), Fault> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: that of this function.
    unsafe {
        match rdsys::rd_kafka_error_code(error) {
            rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Fault::code(code.into(), text(rdsys::rd_kafka_error_string(error)))),
        }
    }
}

/// # Safety
/// The element must be one of a list that is alive.
unsafe fn entry(element: &rdsys::rd_kafka_topic_partition_t) -> Entry {
    let error = match element.err {
        rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
        error => Some(error.into()),
    };
    // SAFETY: a list's elements hold their topic.
    let topic = unsafe { text(element.topic) };
    Entry { topic, partition: element.partition, offset: element.offset, error }
}

/// # Safety
/// `text` must be null or a C string.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: that of this function.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn millis(time: Duration) -> c_int {
    c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX)
}
