//! The client's thread: it polls, fills blocks and hands them on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::block::Partition;
use super::feed::Tracked;
use super::merge::{self, MakeTimes};
use super::rebalance::Context;
use super::topics::{Bounds, Resolver, lost};
use crate::kafka::KafkaFailure;
use crate::stream::StageError;

/// How long to wait for a message before looking at anything else.
const IDLE: Duration = Duration::from_millis(100);
/// How often to look for new partitions.
const DISCOVERY: Duration = Duration::from_secs(30);
/// A stage behind that takes nothing for so long must not cost our place in
/// the group: partitions are paused and the client is polled meanwhile.
const STALLED: Duration = Duration::from_secs(30);
/// So many messages are taken before anything else is looked at.
const TURN: u32 = 1_000;

/// How many messages to take at each trigger.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    pub(super) messages: u64,
    pub(super) every: Duration,
}

/// A partition and where it is read from and to.
pub(super) type Assigned = (Arc<Partition>, Bounds);

/// The client, and what it is to read.
pub(super) struct Fetcher {
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    pub(super) brokers: String,
    /// The partitions that there are, if a group hands them out.
    pub(super) group: Option<Vec<(String, i32)>>,
    /// Partitions to be read one lot after another: with an end, each topic by
    /// itself, so that it is known which has come to its end.
    pub(super) lots: VecDeque<Vec<Assigned>>,
    pub(super) quota: Option<Quota>,
    /// Set if all partitions are merged by event time.
    pub(super) merge: Option<MakeTimes>,
}

/// Why the thread ends.
pub(super) enum End {
    /// All has been read.
    Done,
    /// The stage reads no more.
    Gone,
}

impl Fetcher {
    pub(super) fn context(&self) -> &Context {
        self.consumer.context()
    }

    /// Reads until all is read, or the stage has enough.
    pub(super) fn run(mut self) -> Result<End, StageError> {
        if let Some(make) = self.merge.take() {
            let assigned = self.lots.drain(..).flatten().collect();
            return merge::run(&self, assigned, &make);
        }
        if let Some(present) = &self.group {
            self.join(present)?;
        } else if !self.next_lot()? {
            return Ok(End::Done);
        }
        let mut wait = Duration::ZERO;
        let mut turn = 0;
        let mut discovery = Instant::now() + DISCOVERY;
        let mut quota = self.quota.map(|quota| (quota, Instant::now(), quota.messages));
        loop {
            if self.context().is_stopped() {
                return Ok(End::Gone);
            }
            if let Some(failure) = self.context().take_failure() {
                return Err(failure);
            }
            let looks = match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    wait = Duration::ZERO;
                    let is_full = self.context().feed().push(&message);
                    drop(message);
                    if self.context().reporter.is_down() {
                        self.context().reporter.reached();
                    }
                    if is_full && self.hand_on()?.is_none() {
                        return Ok(End::Gone);
                    }
                    turn += 1;
                    turn == TURN
                }
                Some(Err(error)) => {
                    self.take_error(&error)?;
                    true
                }
                None => {
                    wait = IDLE;
                    true
                }
            };
            if let Some((quota, begun, most)) = &mut quota
                && self.context().feed().messages >= *most
            {
                if self.hand_on()?.is_none() || !self.sleep(*begun + quota.every) {
                    return Ok(End::Gone);
                }
                (*begun, *most) = (Instant::now(), *most + quota.messages);
            }
            if !looks {
                continue;
            }
            turn = 0;
            if self.context().reporter.has_messages() {
                self.context().feed().wake();
            }
            if wait == IDLE && self.context().feed().has_messages() && self.hand_on()?.is_none() {
                return Ok(End::Gone);
            }
            if let Some(failure) = self.context().reporter.fatal() {
                return Err(failure.into());
            }
            if self.is_done() && !self.next_lot()? {
                return Ok(if self.hand_on()?.is_some() { End::Done } else { End::Gone });
            }
            if Instant::now() >= discovery || self.context().reporter.is_to_ask() {
                self.look_around()?;
                discovery = Instant::now() + DISCOVERY;
            }
        }
    }

    fn join(&self, present: &[(String, i32)]) -> Result<(), StageError> {
        let context = self.context();
        context.look_at_group(&self.consumer, present)?;
        let topics: Vec<&str> = context.selection.topics.iter().map(String::as_str).collect();
        let joined = self.consumer.subscribe(&topics);
        Ok(joined.map_err(|error| KafkaFailure::other("cannot join the group", &error))?)
    }

    /// Whether all partitions that are being read have come to their end.
    fn is_done(&self) -> bool {
        let feed = self.context().feed();
        self.context().selection.ending.is_some()
            && !(self.group.is_some() && feed.tracked.is_empty())
            && feed.tracked.iter().all(Tracked::is_done)
    }

    /// Begins to read the next lot; false if there is none.
    fn next_lot(&mut self) -> Result<bool, StageError> {
        while let Some(lot) = self.lots.pop_front() {
            let tracked = |(partition, bounds): Assigned| Tracked {
                partition,
                next: bounds.start,
                end: bounds.end,
            };
            let lot: Vec<Tracked> =
                lot.into_iter().map(tracked).filter(|tracked| !tracked.is_done()).collect();
            if lot.is_empty() {
                continue;
            }
            self.context().feed().tracked = lot;
            self.assign_tracked()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Asks the client for what is tracked and not done, from where it is now.
    pub(super) fn assign_tracked(&self) -> Result<(), StageError> {
        let feed = self.context().feed();
        let rest = feed.tracked.iter().filter(|tracked| !tracked.is_done());
        let list = list_of(rest.map(|tracked| (&*tracked.partition, tracked.next)))?;
        drop(feed);
        let failed = |error| KafkaFailure::other("cannot read from Kafka", &error);
        Ok(self.consumer.assign(&list).map_err(failed)?)
    }

    /// Hands on what has been read, waiting for room; `None` if nobody takes
    /// it any more.
    pub(super) fn hand_on(&self) -> Result<Option<()>, StageError> {
        let begun = Instant::now();
        let mut paused = None;
        loop {
            match self.context().feed().hand_on() {
                Ok(true) => break,
                Ok(false) => {}
                Err(_) => return Ok(None),
            }
            if self.context().is_stopped() {
                return Ok(None);
            }
            if paused.is_none() && begun.elapsed() >= STALLED {
                let assignment = self.consumer.assignment().unwrap_or_default();
                let _ = self.consumer.pause(&assignment);
                paused = Some(assignment);
            }
            if paused.is_some() {
                // Paused, it has no messages, but tells of the group.
                match self.consumer.poll(Duration::ZERO) {
                    Some(Ok(message)) => {
                        // Of a partition that has been taken on meanwhile: it is kept, and paused
                        // too.
                        self.context().feed().push(&message);
                        drop(message);
                        let assignment = self.consumer.assignment().unwrap_or_default();
                        let _ = self.consumer.pause(&assignment);
                    }
                    Some(Err(error)) => self.take_error(&error)?,
                    None => {}
                }
            }
            std::thread::sleep(Duration::from_millis(if paused.is_some() { 20 } else { 1 }));
        }
        if paused.is_some() {
            // Those of a rebalance meanwhile are not among the paused ones.
            let _ = self.consumer.resume(&self.consumer.assignment().unwrap_or_default());
        }
        Ok(Some(()))
    }

    /// Waits for the next trigger; false if told to stop.
    fn sleep(&self, until: Instant) -> bool {
        while Instant::now() < until {
            if self.context().is_stopped() {
                return false;
            }
            std::thread::sleep(until.saturating_duration_since(Instant::now()).min(IDLE));
        }
        true
    }

    pub(super) fn take_error(&self, error: &KafkaError) -> Result<(), StageError> {
        let doing = "cannot read from Kafka";
        match error {
            KafkaError::PartitionEOF(number) => {
                self.reached_end(*number);
                Ok(())
            }
            KafkaError::MessageConsumptionFatal(_) => Err(KafkaFailure::other(doing, error).into()),
            _ => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                    self.find_lost()
                }
                Some(
                    RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::TopicAuthorizationFailed,
                ) if self.context().selection.fail_on_data_loss => {
                    Err(KafkaFailure::other(doing, error).into())
                }
                // Without a group, the client asks for one that nobody has named.
                Some(RDKafkaErrorCode::GroupAuthorizationFailed) if self.group.is_some() => {
                    Err(KafkaFailure::other(doing, error).into())
                }
                // Whatever else it is, the client tries again and tells of it.
                _ => Ok(()),
            },
        }
    }

    /// A partition with this number has no more for now: whatever it was to be
    /// read to is behind it. If several topics have one, it is not known whose
    /// it is.
    fn reached_end(&self, number: i32) {
        if self.context().reporter.is_down() {
            self.context().reporter.reached();
        }
        let mut feed = self.context().feed();
        let mut same = feed.tracked.iter_mut().filter(|tracked| tracked.partition.number == number);
        if let (Some(tracked), None) = (same.next(), same.next())
            && let Some(end) = tracked.end
        {
            tracked.next = tracked.next.max(end);
        }
    }

    /// Some offset is not there any more: finds out whose.
    fn find_lost(&self) -> Result<(), StageError> {
        let context = self.context();
        let resolver = Resolver::on_the_way(&self.consumer);
        let mut found = Vec::new();
        let tracked: Vec<(Arc<Partition>, i64)> = context
            .feed()
            .tracked
            .iter()
            .map(|tracked| (Arc::clone(&tracked.partition), tracked.next))
            .collect();
        for (partition, next) in tracked {
            let (low, high) = resolver.watermarks(&partition.topic, partition.number)?;
            if next < low {
                lost(&context.selection, &context.reporter, &partition.name, next, low)?;
                found.push((partition, low));
            } else if next > high {
                // Deleted and made anew.
                if context.selection.fail_on_data_loss {
                    let reason = format!("offset {next} is behind its end at {high}");
                    let doing = format!("cannot read {}", partition.name);
                    return Err(KafkaFailure::Other { doing, reason }.into());
                }
                let name = &partition.name;
                context.reporter.say(format!(
                    "{name}: offset {next} is behind its end at {high}: going on at {low}"
                ));
                found.push((partition, low));
            }
        }
        for tracked in &mut context.feed().tracked {
            if let Some((_, low)) = found.iter().find(|(p, _)| Arc::ptr_eq(p, &tracked.partition)) {
                tracked.next = *low;
            }
        }
        let is_cooperative = self.group.is_some()
            && matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        if !is_cooperative {
            return self.assign_tracked();
        }
        // If all are there again by now, whichever has been stopped has to be begun anew.
        if found.is_empty() {
            let all = context.feed();
            let all = all.tracked.iter();
            found.extend(all.map(|tracked| (Arc::clone(&tracked.partition), tracked.next)));
        }
        let list = list_of(found.iter().map(|(partition, at)| (&**partition, *at)))?;
        let failed = |error| KafkaFailure::other("cannot read from Kafka", &error);
        self.consumer.incremental_unassign(&list).map_err(failed)?;
        self.consumer.incremental_assign(&list).map_err(failed)?;
        Ok(())
    }

    /// Looks for partitions that are new, and whether brokers are there at
    /// all.
    fn look_around(&self) -> Result<(), StageError> {
        let context = self.context();
        let selection = &context.selection;
        let Ok(metadata) =
            self.consumer.fetch_metadata(selection.only_name(), Duration::from_millis(500))
        else {
            return Ok(());
        };
        context.reporter.reached();
        if self.group.is_some() || selection.ending.is_some() || !selection.partitions.is_empty() {
            return Ok(());
        }
        // A topic that is gone shows as an error of its partitions.
        let Ok(present) = selection.present(&metadata, &self.brokers) else { return Ok(()) };
        let is_known = |topic: &str, number: i32| {
            context.feed().tracked.iter().any(|tracked| {
                tracked.partition.number == number && tracked.partition.topic == topic
            })
        };
        let resolver = Resolver::at_start(&self.consumer);
        let mut is_grown = false;
        for (topic, number) in present {
            if !is_known(&topic, number) {
                // Not all brokers may know of it yet, or reach it: until the next look.
                let Ok(bounds) = resolver.bounds(&topic, number, None, true) else { continue };
                let partition = Arc::new(Partition::new(&topic, number));
                context.reporter.say(format!("kafka: reading {} too", partition.name));
                let tracked = Tracked { partition, next: bounds.start, end: bounds.end };
                context.feed().tracked.push(tracked);
                is_grown = true;
            }
        }
        if is_grown { self.assign_tracked() } else { Ok(()) }
    }
}

fn list_of<'a>(
    partitions: impl Iterator<Item = (&'a Partition, i64)>,
) -> Result<TopicPartitionList, KafkaFailure> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in partitions {
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(offset))
            .map_err(|error| KafkaFailure::other("cannot read from Kafka", &error))?;
    }
    Ok(list)
}
