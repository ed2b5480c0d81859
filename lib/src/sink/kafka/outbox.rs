//! Records on their way into the client's queue.

#![allow(unsafe_code, reason = "only the client's C interface takes many records at once")]

use std::ffi::{CString, c_void};
use std::fmt;
use std::ptr::{self, NonNull};

use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_last_error, rd_kafka_message_t, rd_kafka_produce_batch,
    rd_kafka_topic_destroy, rd_kafka_topic_new, rd_kafka_topic_t,
};
use rdkafka::error::{IsError, KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaRespErr;

use super::delivery::Context;

/// So many records are handed over at once: so many that what the client does
/// once for all of them does not show.
const RECORDS: usize = 256;
/// Or sooner, if they are so many bytes: those stay in the processor's cache.
const BYTES: usize = 64 << 10;
/// The partition is chosen by the key.
const BY_KEY: i32 = -1;

/// Collects records and puts them into the client's queue many at a time.
///
/// Handed over singly, each would have the client look for its topic by name,
/// lock it and ask for the time, twice.
pub(super) struct Outbox {
    /// Before the client, which it must not outlive.
    topic: Topic,
    producer: BaseProducer<Context>,
    partition: i32,
    /// Keys and payloads, one behind another.
    bytes: Vec<u8>,
    /// The records, as the client wants to see them. Where their keys and
    /// payloads are is filled in when they are handed over: until then pointers
    /// only say whether there is one.
    records: Vec<rd_kafka_message_t>,
}

/// Why records are left.
#[derive(Debug)]
pub(super) enum Left {
    /// There is no room in the queue.
    Full,
    /// The client takes no record any more.
    Broken(RDKafkaErrorCode),
}

impl Outbox {
    pub(super) fn new(
        producer: BaseProducer<Context>,
        topic: &str,
        partition: Option<i32>,
    ) -> Result<Self, KafkaError> {
        Ok(Self {
            topic: Topic::new(&producer, topic)?,
            producer,
            partition: partition.unwrap_or(BY_KEY),
            bytes: Vec::with_capacity(BYTES),
            records: Vec::with_capacity(RECORDS),
        })
    }

    pub(super) fn producer(&self) -> &BaseProducer<Context> {
        &self.producer
    }

    /// How many records have not been handed over.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Takes in a record; true if it is time to hand over.
    #[inline]
    pub(super) fn add(&mut self, key: Option<&[u8]>, payload: Option<&[u8]>) -> bool {
        let mut part = |part: Option<&[u8]>| -> (*mut c_void, usize) {
            let Some(part) = part else { return (ptr::null_mut(), 0) };
            self.bytes.extend_from_slice(part);
            (NonNull::dangling().as_ptr(), part.len())
        };
        let ((key, key_len), (payload, len)) = (part(key), part(payload));
        self.records.push(rd_kafka_message_t {
            err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: ptr::null_mut(),
            partition: BY_KEY,
            payload,
            len,
            key,
            key_len,
            offset: 0,
            _private: ptr::null_mut(),
        });
        self.records.len() >= RECORDS || self.bytes.len() >= BYTES
    }

    /// Puts all records into the client's queue, in their order. `refuse` is told
    /// of each that it takes in no case, and of the bytes of its payload.
    ///
    /// # Errors
    ///
    /// Fails if not all have been taken. Those are left, in their order.
    pub(super) fn hand_over(
        &mut self,
        refuse: impl FnMut(RDKafkaErrorCode, usize),
    ) -> Result<(), Left> {
        if self.records.is_empty() {
            return Ok(());
        }
        let mut rest = &self.bytes[..];
        let mut point = |part: &mut *mut c_void, length: usize| {
            if !part.is_null() {
                let (bytes, behind) = rest.split_at(length);
                *part = bytes.as_ptr().cast_mut().cast();
                rest = behind;
            }
        };
        for record in &mut self.records {
            point(&mut record.key, record.key_len);
            point(&mut record.payload, record.len);
        }
        // SAFETY: the topic belongs to the client that `self` keeps alive. The records and the
        // bytes they point at stay as they are during the call, which copies them
        // (RD_KAFKA_MSG_F_COPY) and writes to `err` only. There are RECORDS of them at most.
        let taken = unsafe {
            rd_kafka_produce_batch(
                self.topic.0.as_ptr(),
                self.partition,
                RD_KAFKA_MSG_F_COPY,
                self.records.as_mut_ptr(),
                self.records.len() as i32,
            )
        };
        if taken as usize == self.records.len() {
            self.records.clear();
            self.bytes.clear();
            // After a giant.
            self.bytes.shrink_to(16 * BYTES);
            return Ok(());
        }
        self.keep_left(refuse)
    }

    /// Keeps those that the client has not taken, but may.
    fn keep_left(&mut self, mut refuse: impl FnMut(RDKafkaErrorCode, usize)) -> Result<(), Left> {
        let mut left = Ok(());
        let (mut from, mut to) = (0, 0);
        self.records.retain(|record| {
            let length = record.key_len + record.len;
            let code = record.err.is_error().then(|| RDKafkaErrorCode::from(record.err));
            let is_left = match code {
                None => false,
                Some(
                    code @ (RDKafkaErrorCode::MessageSizeTooLarge
                    | RDKafkaErrorCode::UnknownPartition),
                ) => {
                    refuse(code, record.len);
                    false
                }
                Some(code) => {
                    left = Err(match code {
                        RDKafkaErrorCode::QueueFull => Left::Full,
                        code => Left::Broken(code),
                    });
                    self.bytes.copy_within(from..from + length, to);
                    to += length;
                    true
                }
            };
            from += length;
            is_left
        });
        self.bytes.truncate(to);
        left
    }
}

/// The client's handle of a topic.
struct Topic(NonNull<rd_kafka_topic_t>);

impl Topic {
    /// Must not outlive the client.
    fn new(producer: &BaseProducer<Context>, name: &str) -> Result<Self, KafkaError> {
        let name = CString::new(name)?;
        // SAFETY: both pointers are valid during the call, which copies the name. Without settings
        // of its own the topic has those of the client.
        let topic = unsafe {
            rd_kafka_topic_new(producer.client().native_ptr(), name.as_ptr(), ptr::null_mut())
        };
        // SAFETY: asks for the error of this thread's last call.
        let error = || KafkaError::MetadataFetch(unsafe { rd_kafka_last_error() }.into());
        NonNull::new(topic).map(Self).ok_or_else(error)
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: it came from `rd_kafka_topic_new`, and the client is still there.
        unsafe { rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("records", &self.records.len()).finish_non_exhaustive()
    }
}
