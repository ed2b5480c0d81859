//! What happens when partitions of a group change hands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;

use super::block::Partition;
use super::feed::{Feed, Tracked};
use super::topics::{Bounds, Resolver, Selection};
use crate::kafka::{KafkaFailure, Reporter};
use crate::stream::StageError;

/// How long those who come after us wait for what we have read to be written.
const HAND_OVER: Duration = Duration::from_secs(20);

/// What the client's thread and the stage share, and what the client calls.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) reporter: Reporter,
    pub(super) selection: Selection,
    pub(super) feed: Mutex<Feed>,
    /// Partitions that were there before the group had read anything of their
    /// topics.
    untouched: Mutex<Vec<(String, i32)>>,
    /// Bytes handed on whose rows have been written.
    written: Mutex<u64>,
    wrote: Condvar,
    stop: AtomicBool,
    failure: Mutex<Option<StageError>>,
}

impl Context {
    pub(super) fn new(selection: Selection, feed: Feed) -> Self {
        Self {
            reporter: Reporter::default(),
            selection,
            feed: Mutex::new(feed),
            untouched: Mutex::default(),
            written: Mutex::new(0),
            wrote: Condvar::new(),
            stop: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    pub(super) fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wrote.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The rows of all messages before this byte have been written.
    pub(super) fn has_written(&self, bytes: u64) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        self.wrote.notify_all();
    }

    pub(super) fn take_failure(&self) -> Option<StageError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, failure: KafkaFailure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.into());
    }

    /// Hands on all that has been read and waits until it is written, so that
    /// the next reader of a partition begins behind it.
    fn wait_until_written(&self) {
        let begun = std::time::Instant::now();
        loop {
            let left = HAND_OVER.saturating_sub(begun.elapsed());
            if self.is_stopped() {
                return;
            }
            if left.is_zero() {
                self.reporter.say(
                    "kafka: partitions change hands before all that was read of them is written: \
                     some records will come twice",
                );
                return;
            }
            let (is_handed_on, handed) = {
                let mut feed = self.feed();
                let Ok(is_handed_on) = feed.hand_on() else { return };
                (is_handed_on, feed.handed)
            };
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if is_handed_on && *written >= handed {
                return;
            }
            // Room in the channel is told by nobody: look again soon.
            let _ = self.wrote.wait_timeout(written, left.min(Duration::from_millis(20)));
        }
    }

    /// Finds out which of the partitions that there are are older than the group.
    /// They are those of names and patterns for which it has no offset at all: it
    /// begins there where it was told to. All others without an offset have been
    /// added since, and are read whole.
    pub(super) fn look_at_group(
        &self,
        consumer: &BaseConsumer<Self>,
        present: &[(String, i32)],
    ) -> Result<(), KafkaFailure> {
        let mut all = TopicPartitionList::new();
        for (topic, number) in present {
            all.add_partition(topic, *number);
        }
        let kept = Resolver::on_the_way(consumer).committed(&all)?;
        let kept = kept.elements();
        let read = kept.iter().filter(|element| matches!(element.offset(), Offset::Offset(_)));
        let read: Vec<&str> = read.map(TopicPartitionListElem::topic).collect();
        let mut wanted = self.selection.wanted()?;
        wanted.retain(|wanted| !read.iter().any(|topic| wanted.is(topic)));
        let is_untouched = |topic: &str| wanted.iter().any(|wanted| wanted.is(topic));
        let untouched = present.iter().filter(|(topic, _)| is_untouched(topic)).cloned().collect();
        *self.untouched.lock().unwrap_or_else(PoisonError::into_inner) = untouched;
        Ok(())
    }

    fn is_new(&self, topic: &str, number: i32) -> bool {
        let untouched = self.untouched.lock().unwrap_or_else(PoisonError::into_inner);
        !untouched.iter().any(|(name, partition)| name == topic && *partition == number)
    }

    fn assigned(
        &self,
        consumer: &BaseConsumer<Self>,
        given: &TopicPartitionList,
    ) -> Result<TopicPartitionList, KafkaFailure> {
        let failed = |error| KafkaFailure::other("cannot take on partitions of the group", &error);
        let resolver = Resolver::on_the_way(consumer);
        let kept = resolver.committed(&copy(given))?;
        let mut begun = TopicPartitionList::new();
        for element in kept.elements() {
            let (topic, number) = (element.topic(), element.partition());
            let kept = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            let is_new = kept.is_none() && self.is_new(topic, number);
            let bounds = match kept {
                // Whether its record is still there shows in reading: a partition whose broker
                // does not answer must not hold up the others.
                Some(start) if self.selection.ending.is_none() => {
                    Bounds { start, end: None, time: None }
                }
                kept => resolver.bounds(topic, number, kept, is_new)?,
            };
            if is_new {
                self.reporter.say(format!("kafka: reading {topic}[{number}] too"));
            }
            begun
                .add_partition_offset(topic, number, Offset::Offset(bounds.start))
                .map_err(failed)?;
            let partition = Arc::new(Partition::new(topic, number));
            let tracked = Tracked { partition, next: bounds.start, end: bounds.end };
            self.feed().tracked.push(tracked);
        }
        Ok(begun)
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, given: &TopicPartitionList) {
        let is_cooperative =
            matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        if !is_cooperative {
            self.feed().tracked.clear();
        }
        let result = self.assigned(consumer, given).and_then(|begun| {
            let assigned = if is_cooperative {
                consumer.incremental_assign(&begun)
            } else {
                consumer.assign(&begun)
            };
            let doing = "cannot take on partitions of the group";
            assigned.map_err(|error| KafkaFailure::other(doing, &error))?;
            // Where a group without offsets begins is kept, and at once, or its next reader would
            // begin at another end, or take these partitions for new ones.
            let kept = consumer.store_offsets(&begun);
            kept.map_err(|error| KafkaFailure::other(doing, &error))?;
            let committed = consumer.commit(&begun, CommitMode::Async);
            committed.map_err(|error| KafkaFailure::other(doing, &error))
        });
        if let Err(failure) = result {
            self.fail(failure);
        }
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, taken: &TopicPartitionList) {
        if taken.count() > 0 && !consumer.assignment_lost() {
            self.wait_until_written();
            match consumer.commit_consumer_state(CommitMode::Sync) {
                Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
                Err(error) => self.reporter.say(format!(
                    "kafka: what has been read could not be committed, so it will be read \
                     again: {}",
                    crate::kafka::reason(&error)
                )),
            }
        }
        let is_taken = |tracked: &Tracked| {
            let Partition { topic, number, .. } = &*tracked.partition;
            taken.find_partition(topic, *number).is_some()
        };
        self.feed().tracked.retain(|tracked| !is_taken(tracked));
        let result = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(taken),
            _ => consumer.unassign(),
        };
        if let Err(error) = result {
            self.fail(KafkaFailure::other("cannot give up partitions of the group", &error));
        }
    }
}

/// The same partitions, without offsets.
fn copy(list: &TopicPartitionList) -> TopicPartitionList {
    let mut copy = TopicPartitionList::new();
    for element in list.elements() {
        copy.add_partition(element.topic(), element.partition());
    }
    copy
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.reporter.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.reporter.error(&error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.assign(consumer, partitions);
            }
            _ => self.revoke(consumer, partitions),
        }
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _offsets: &TopicPartitionList) {
        if let Err(error) = result
            && error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset)
        {
            let reason = crate::kafka::reason(&error);
            self.reporter.say(format!("kafka: offsets could not be committed yet: {reason}"));
        }
    }
}
