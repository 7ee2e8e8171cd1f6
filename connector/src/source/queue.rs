//! The `unsafe` module of the data path: a queue of librdkafka's that all partitions of a task are forwarded to and that is drained
//! in batches.
//!
//! rust-rdkafka hands out one message per call (0.7–1.8 million records a second); `rd_kafka_consume_batch_queue` over
//! partition queues gives three times that at half the CPU. The safety argument, for all of this file:
//!
//! - A [`TaskQueue`] holds an `Arc` of its consumer, so the client outlives the queue.
//! - A message is only seen through [`Message`], whose lifetime ends before the message is destroyed.
//! - The wake-up callback gets a pointer to a `Thread` that the queue owns; the callback is taken off before that is dropped.
//!
//! Trap avoided: a handle of a partition's queue is given back at once after forwarding, with no callback on it. A
//! handle that is dropped later would take the wake-up of a queue that was re-assigned in between.

#![allow(unsafe_code, reason = "librdkafka's batch interface has no safe wrapper; the argument is above")]

use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::thread::Thread;

use rdkafka::bindings as rdsys;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::batch::Record;

/// Messages taken in one call. More would make a batch wait for its copy, fewer would show the cost of a call.
pub(super) const DRAIN_MAX: usize = 4096;

/// A queue that receives the messages of every partition forwarded to it, and wakes a thread when it becomes non-empty.
pub(super) struct TaskQueue<C: ConsumerContext> {
    queue: NonNull<rdsys::rd_kafka_queue_t>,
    messages: Vec<*mut rdsys::rd_kafka_message_t>,
    // Read by the callback: see the safety argument.
    _wake: Box<Thread>,
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: the queue and the messages belong to librdkafka, whose handles any thread may use; the buffer of pointers holds nothing between
// two drains, and the rest is `Send` itself.
unsafe impl<C: ConsumerContext + Send + Sync> Send for TaskQueue<C> {}

/// A consumed message, or an error that concerns one partition.
pub(super) struct Message<'a>(&'a rdsys::rd_kafka_message_t);

// === impl TaskQueue ===

impl<C: ConsumerContext> TaskQueue<C> {
    /// Makes a queue of `consumer` that unparks `wake` when messages arrive.
    pub(super) fn new(consumer: Arc<BaseConsumer<C>>, wake: Thread) -> Self {
        let wake = Box::new(wake);
        // SAFETY: the client is alive; the pointer handed to the callback lives as long as the queue (see `drop`).
        let queue = unsafe {
            let queue = rdsys::rd_kafka_queue_new(consumer.client().native_ptr());
            rdsys::rd_kafka_queue_cb_event_enable(queue, Some(unpark), ptr::from_ref(&*wake).cast_mut().cast());
            NonNull::new(queue).expect("librdkafka never gives a null queue")
        };
        Self { queue, messages: vec![ptr::null_mut(); DRAIN_MAX], _wake: wake, consumer }
    }

    /// Whether the brokers have told the consumer its id in the group.
    pub(super) fn has_member_id(&self) -> bool {
        // SAFETY: the client is alive, and the text it gives is ours: it ends in a null byte and is freed here.
        unsafe {
            let client = self.consumer.client().native_ptr();
            let id = rdsys::rd_kafka_memberid(client);
            let is_known = !id.is_null() && *id != 0;
            rdsys::rd_kafka_mem_free(client, id.cast());
            is_known
        }
    }

    /// Sends the messages of a partition here. To be called before each `assign` of the partition.
    pub(super) fn forward(&self, topic: &str, partition: i32) {
        let Ok(topic) = CString::new(topic) else { return };
        // SAFETY: client and both queues are alive; the handle of the partition's queue is given back once, at once.
        unsafe {
            let queue =
                rdsys::rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), topic.as_ptr(), partition);
            if !queue.is_null() {
                rdsys::rd_kafka_queue_forward(queue, self.queue.as_ptr());
                rdsys::rd_kafka_queue_destroy(queue);
            }
        }
    }

    /// Takes what is there, up to [`DRAIN_MAX`] messages, without waiting. Gives back how many there were.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Message<'_>)) -> usize {
        // SAFETY: the array has room for as many pointers as are asked for; each message is destroyed exactly once, after
        // the last use of its `Message`. Should `each` panic, the rest leaks, which is safe.
        unsafe {
            let taken = rdsys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                0,
                self.messages.as_mut_ptr(),
                self.messages.len(),
            );
            let taken = usize::try_from(taken).unwrap_or(0);
            for &message in &self.messages[..taken] {
                each(Message(&*message));
                rdsys::rd_kafka_message_destroy(message);
            }
            taken
        }
    }
}

impl<C: ConsumerContext> Drop for TaskQueue<C> {
    fn drop(&mut self) {
        // SAFETY: the callback is off before the thread handle it reads goes; the queue was ours and is given back once.
        unsafe {
            rdsys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            rdsys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Called by librdkafka's threads when the queue becomes non-empty.
unsafe extern "C" fn unpark(_client: *mut rdsys::rd_kafka_t, thread: *mut c_void) {
    // SAFETY: the pointer is that of `TaskQueue::_wake`.
    unsafe { (*thread.cast::<Thread>()).unpark() }
}

// === impl Message ===

impl Message<'_> {
    /// The partition's number.
    pub(super) fn partition(&self) -> i32 {
        self.0.partition
    }

    /// Identifies the topic among messages of one drain; not valid beyond.
    pub(super) fn topic_id(&self) -> usize {
        self.0.rkt as usize
    }

    /// The topic's name, empty if librdkafka gives none.
    pub(super) fn topic(&self) -> &str {
        if self.0.rkt.is_null() {
            return "";
        }
        // SAFETY: a message holds its topic, whose name is a string that lives as long; Kafka's names are ASCII.
        unsafe { CStr::from_ptr(rdsys::rd_kafka_topic_name(self.0.rkt)).to_str().unwrap_or_default() }
    }

    /// The error, if this is one and no record.
    pub(super) fn error(&self) -> Option<(RDKafkaErrorCode, String)> {
        let code: RDKafkaErrorCode = match self.0.err {
            rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => return None,
            error => error.into(),
        };
        // SAFETY: of a message with an error, librdkafka gives the text (or its generic one).
        let text = unsafe { CStr::from_ptr(rdsys::rd_kafka_message_errstr(self.0)) };
        Some((code, text.to_string_lossy().into_owned()))
    }

    /// The record.
    pub(super) fn record(&self) -> Record<'_> {
        // SAFETY: key and payload are null or point to as many bytes as said, and live as long as the message.
        let bytes = |at: *mut c_void, len: usize| {
            (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast::<u8>().cast_const(), len) })
        };
        // SAFETY: reads a field of the message; the kind of timestamp doesn't matter to us.
        let timestamp = unsafe { rdsys::rd_kafka_message_timestamp(self.0, ptr::null_mut()) };
        Record {
            offset: self.0.offset,
            timestamp,
            key: bytes(self.0.key, self.0.key_len),
            value: bytes(self.0.payload, self.0.len),
        }
    }

    /// Shows each header. librdkafka parses them at this call.
    pub(super) fn headers(&self, mut each: impl FnMut(&[u8], Option<&[u8]>)) {
        let mut headers = ptr::null_mut();
        // SAFETY: the headers belong to the message; name and value live as long as it does.
        unsafe {
            if rdsys::rd_kafka_message_headers(self.0, &mut headers)
                != rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                return;
            }
            for index in 0.. {
                let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
                if rdsys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut len)
                    != rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                {
                    return;
                }
                let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), len));
                each(CStr::from_ptr(name).to_bytes(), value);
            }
        }
    }
}

/// Commits without waiting; the answer comes as an event of the consumer's own queue. `rd_kafka_commit` is no choice here: with
/// events in the place of callbacks it tells nobody whether an asynchronous commit was taken.
pub(super) fn commit_async<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
) -> KafkaResult<()> {
    let client = consumer.client().native_ptr();
    // SAFETY: client and list are alive and the list is copied; the request keeps the queue, so that our handle of it is given
    // back at once; without a callback nothing is read through the last pointer.
    let error = unsafe {
        let queue = rdsys::rd_kafka_queue_get_consumer(client);
        let error = rdsys::rd_kafka_commit_queue(client, offsets.ptr(), queue, None, ptr::null_mut());
        rdsys::rd_kafka_queue_destroy(queue);
        error
    };
    match error {
        rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        error => Err(KafkaError::ConsumerCommit(error.into())),
    }
}

/// The end offset of a partition that the last fetch brought along. Asks no broker.
pub(super) fn cached_end_offset<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, the name is a C string, both out-pointers are valid for the call.
    let error = unsafe {
        rdsys::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &mut low,
            &mut high,
        )
    };
    (error == rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}
