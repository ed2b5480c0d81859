//! The messages of several partitions in the order of event time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;

use super::block::{Line, Partition};
use super::feed::Tracked;
use super::fetch::{Assigned, End, Fetcher};
use super::rebalance::Context;
use crate::kafka::KafkaFailure;
use crate::source::EventTimes;
use crate::stream::StageError;
use crate::time::{Calendar, Timestamp};

/// How long to wait for a message before looking at anything else.
const IDLE: Duration = Duration::from_millis(100);
/// So many messages are given out before anything else is looked at.
const TURN: u32 = 1_000;
/// When messages before the first time of a partition count: before all others.
pub(super) const UNTIMED: Timestamp = Timestamp::from_micros(i64::MIN);

/// Makes what tells event times, for each partition by itself, on the thread
/// that asks.
pub struct MakeTimes(Box<dyn Fn() -> Box<dyn EventTimes> + Send>);

impl MakeTimes {
    /// By this function.
    pub fn new(make: impl Fn() -> Box<dyn EventTimes> + Send + 'static) -> Self {
        Self(Box::new(make))
    }
}

impl fmt::Debug for MakeTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeTimes")
    }
}

/// A partition, whose next message is at hand.
struct Lane {
    /// Its place among those that are tracked.
    index: usize,
    partition: Arc<Partition>,
    queue: PartitionQueue<Context>,
    times: Box<dyn EventTimes>,
    calendar: Calendar,
    line: Line,
    offset: i64,
    /// The greatest time so far, that of the message at hand counted.
    time: Timestamp,
}

/// Reads all partitions side by side, each from a queue of its own, and gives
/// out their messages by event time: a k-way merge that holds one message of
/// each, and what the client has fetched.
///
/// As with [files](crate::source::Merge): the order within a partition never
/// changes, a message counts at the greatest time so far in its partition, and
/// at equal times partitions come in the order of their names and numbers.
pub(super) fn run(
    fetcher: &Fetcher,
    assigned: Vec<Assigned>,
    make: &MakeTimes,
) -> Result<End, StageError> {
    let mut lanes = Vec::new();
    for (index, (partition, bounds)) in assigned.into_iter().enumerate() {
        let queue = split(fetcher, &partition)?;
        let tracked =
            Tracked { partition: Arc::clone(&partition), next: bounds.start, end: bounds.end };
        fetcher.context().feed().tracked.push(tracked);
        let time = bounds.time.unwrap_or(UNTIMED);
        let (line, times) = (Line::default(), make.0());
        let calendar = times.calendar();
        lanes.push(Lane { index, partition, queue, times, calendar, line, offset: 0, time });
    }
    fetcher.assign_tracked()?;
    let mut merge = Merge { fetcher, lanes, heads: BinaryHeap::new() };
    for index in 0..merge.lanes.len() {
        if !merge.find_head(index)? {
            return Ok(End::Gone);
        }
    }
    merge.give_out()
}

/// A partition's own queue. Split off before the partition is assigned, none of
/// its messages goes another way.
fn split(
    fetcher: &Fetcher,
    partition: &Partition,
) -> Result<PartitionQueue<Context>, KafkaFailure> {
    let queue = fetcher.consumer.split_partition_queue(&partition.topic, partition.number);
    queue.ok_or_else(|| KafkaFailure::Other {
        doing: format!("cannot read {}", partition.name),
        reason: "it has no queue".to_owned(),
    })
}

struct Merge<'a> {
    fetcher: &'a Fetcher,
    lanes: Vec<Lane>,
    /// Lanes that have a message at hand, by its time.
    heads: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

impl Merge<'_> {
    fn give_out(&mut self) -> Result<End, StageError> {
        let mut turn = 0;
        while let Some(Reverse((_, index))) = self.heads.pop() {
            let lane = &self.lanes[index];
            let is_full = self.fetcher.context().feed().push_line(
                &lane.partition,
                lane.offset,
                lane.time,
                &lane.line,
            );
            if is_full && self.fetcher.hand_on()?.is_none() {
                return Ok(End::Gone);
            }
            turn += 1;
            if turn == TURN {
                turn = 0;
                if !self.attend()? {
                    return Ok(End::Gone);
                }
            }
            if !self.find_head(index)? {
                return Ok(End::Gone);
            }
        }
        Ok(if self.fetcher.hand_on()?.is_some() { End::Done } else { End::Gone })
    }

    /// Looks at what is no message; false if told to stop.
    fn attend(&self) -> Result<bool, StageError> {
        match self.fetcher.consumer.poll(Duration::ZERO) {
            Some(Ok(message)) => {
                let (topic, number) = (message.topic(), message.partition());
                return Err(StageError::Failed(format!(
                    "kafka: a message of {topic}[{number}] came out of turn; run this again"
                )));
            }
            Some(Err(error)) => self.fetcher.take_error(&error)?,
            None => {}
        }
        let context = self.fetcher.context();
        if context.reporter.has_messages() {
            context.feed().wake();
        }
        match context.reporter.fatal() {
            Some(failure) => Err(failure.into()),
            None => Ok(!context.is_stopped()),
        }
    }

    /// Finds the next message of a lane, if it has one before its end; false
    /// if told to stop.
    fn find_head(&mut self, index: usize) -> Result<bool, StageError> {
        let context = self.fetcher.context();
        let mut wait = Duration::ZERO;
        loop {
            let lane = &mut self.lanes[index];
            if context.feed().tracked[lane.index].is_done() {
                return Ok(true);
            }
            match lane.queue.poll(wait) {
                Some(Ok(message)) => {
                    if context.reporter.is_down() {
                        context.reporter.reached();
                    }
                    let mut feed = context.feed();
                    let has_headers = feed.has_headers();
                    if !feed.tracked[lane.index].take(message.offset()) {
                        continue;
                    }
                    drop(feed);
                    lane.line.write(&message, has_headers);
                    lane.offset = message.offset();
                    let payload = message.payload().unwrap_or_default().trim_ascii_end();
                    let time = lane.times.of(payload, &mut lane.calendar);
                    lane.time = time.map_or(lane.time, |time| time.max(lane.time));
                    self.heads.push(Reverse((lane.time, index)));
                    return Ok(true);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // Whatever it was to be read to is behind it.
                    let tracked = &mut context.feed().tracked[lane.index];
                    tracked.next = tracked.end.unwrap_or(tracked.next);
                }
                Some(Err(error)) => {
                    self.fetcher.take_error(&error)?;
                    // If offsets were lost, all has been assigned anew.
                    for lane in &mut self.lanes {
                        lane.queue = split(self.fetcher, &lane.partition)?;
                    }
                }
                None => {
                    // What is there goes on before others are waited for.
                    if wait == IDLE && (!self.attend()? || self.fetcher.hand_on()?.is_none()) {
                        return Ok(false);
                    }
                    wait = IDLE;
                }
            }
        }
    }
}
