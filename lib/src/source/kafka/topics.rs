//! Which topics and partitions are read, and where each begins and ends.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use regex::Regex;

use super::offsets::{EndingOffsets, StartingOffsets};
use super::rebalance::Context;
use crate::kafka::{KafkaFailure, Reporter, reason};
use crate::time::Timestamp;

/// How long the answer to a question may take that is asked once.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take before it is asked for again: not so long that an end
/// would have to wait for it.
const TURN: Duration = Duration::from_secs(3);
/// What takes no longer than this, as a broker's first group does, is not worth
/// a word.
const QUIET: Duration = Duration::from_secs(2);
/// How soon to ask again.
const AGAIN: Duration = Duration::from_millis(500);

/// What is read.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Names, and patterns that begin with `^`.
    pub topics: Vec<String>,
    /// Only these partitions, if any are named.
    pub partitions: Vec<i32>,
    /// Where to begin; by default at the end, or at the beginning if there is
    /// an end.
    pub starting: Option<StartingOffsets>,
    /// Where to end, if the reading is to end.
    pub ending: Option<EndingOffsets>,
    /// Whether it is an error that records are gone.
    pub fail_on_data_loss: bool,
}

/// One name or pattern.
#[derive(Debug)]
pub(super) enum Wanted {
    Name(String),
    Pattern(Regex),
}

impl Wanted {
    /// Whether it means this topic; a pattern means none of Kafka's own.
    pub(super) fn is(&self, topic: &str) -> bool {
        match self {
            Self::Name(name) => name == topic,
            Self::Pattern(pattern) => !topic.starts_with("__") && pattern.is_match(topic),
        }
    }
}

impl Selection {
    pub(super) fn wanted(&self) -> Result<Vec<Wanted>, KafkaFailure> {
        let wanted = |topic: &String| {
            if !topic.starts_with('^') {
                return Ok(Wanted::Name(topic.clone()));
            }
            let wrong = |error| KafkaFailure::Setting(format!("--topic {topic}: {error}"));
            Regex::new(topic).map(Wanted::Pattern).map_err(wrong)
        };
        self.topics.iter().map(wanted).collect()
    }

    /// The names and patterns are such.
    ///
    /// # Errors
    ///
    /// Names one that is not.
    pub fn check(&self) -> Result<(), KafkaFailure> {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        for wanted in self.wanted()? {
            if let Wanted::Name(name) = wanted
                && (name.is_empty() || !name.chars().all(is_legal))
            {
                return Err(KafkaFailure::Setting(format!(
                    "--topic '{name}' is no name: those have letters, digits, '.', '_' and '-'; a \
                     pattern begins with ^, and of several topics each has its own --topic"
                )));
            }
        }
        Ok(())
    }

    /// All partitions whose offsets are given are among those that are read.
    fn check_offsets(&self, found: &[(String, i32)]) -> Result<(), KafkaFailure> {
        let starting = match &self.starting {
            Some(StartingOffsets::Each(offsets)) => Some(("--starting-offsets", offsets)),
            _ => None,
        };
        let ending = match &self.ending {
            Some(EndingOffsets::Each(offsets)) => Some(("--ending-offsets", offsets)),
            _ => None,
        };
        for (flag, offsets) in [starting, ending].into_iter().flatten() {
            for (topic, partitions) in offsets {
                let is_read =
                    |number| found.iter().any(|(name, found)| name == topic && *found == number);
                if let Some(number) = partitions.keys().copied().find(|number| !is_read(*number)) {
                    return Err(KafkaFailure::Setting(format!(
                        "{flag} names {topic}[{number}], which is not among what is read"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Whether what there is can be asked for by one name.
    pub(super) fn only_name(&self) -> Option<&str> {
        match &self.topics[..] {
            [topic] if !topic.starts_with('^') => Some(topic),
            _ => None,
        }
    }

    /// The partitions that there are, in the order of topics' names.
    pub(super) fn present(
        &self,
        metadata: &Metadata,
        brokers: &str,
    ) -> Result<Vec<(String, i32)>, KafkaFailure> {
        let unknown = |topic: &str| KafkaFailure::UnknownTopic {
            topic: topic.to_owned(),
            brokers: brokers.to_owned(),
        };
        let mut found = Vec::new();
        for wanted in self.wanted()? {
            let mut any = false;
            for topic in metadata.topics().iter().filter(|topic| wanted.is(topic.name())) {
                if let Some(error) = topic.error() {
                    let code = RDKafkaErrorCode::from(error);
                    if code == RDKafkaErrorCode::UnknownTopicOrPartition {
                        continue;
                    }
                    let reason = crate::kafka::said(code);
                    let doing = format!("cannot read the topic {}", topic.name());
                    return Err(KafkaFailure::Other { doing, reason });
                }
                any = true;
                for partition in topic.partitions() {
                    found.push((topic.name().to_owned(), partition.id()));
                }
            }
            match &wanted {
                Wanted::Name(topic) if !any => return Err(unknown(topic)),
                Wanted::Pattern(pattern) if !any => {
                    return Err(unknown(&format!("that {pattern} means")));
                }
                _ => {}
            }
        }
        found.sort();
        found.dedup();
        if let Some(number) = self
            .partitions
            .iter()
            .find(|number| !found.iter().any(|(_, partition)| partition == *number))
        {
            let doing = format!("cannot read partition {number} of {}", self.topics.join(", "));
            let reason = "there is none with this number".to_owned();
            return Err(KafkaFailure::Other { doing, reason });
        }
        if !self.partitions.is_empty() {
            found.retain(|(_, number)| self.partitions.contains(number));
        }
        self.check_offsets(&found)?;
        Ok(found)
    }
}

/// Where a partition is read from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) start: i64,
    pub(super) end: Option<i64>,
    /// The greatest event time before the start, where an earlier run merged by
    /// it.
    pub(super) time: Option<Timestamp>,
}

/// Finds out where partitions begin and end.
pub(super) struct Resolver<'a> {
    consumer: &'a BaseConsumer<Context>,
    selection: &'a Selection,
    reporter: &'a Reporter,
    /// Whether to ask until there is an answer.
    is_patient: bool,
}

impl<'a> Resolver<'a> {
    /// Before anything is read: brokers that do not answer are a failure.
    pub(super) fn at_start(consumer: &'a BaseConsumer<Context>) -> Self {
        let context = consumer.context();
        let (selection, reporter) = (&context.selection, &context.reporter);
        Self { consumer, selection, reporter, is_patient: false }
    }

    /// Brokers that do not answer are asked again, until we are to stop.
    pub(super) fn on_the_way(consumer: &'a BaseConsumer<Context>) -> Self {
        Self { is_patient: true, ..Self::at_start(consumer) }
    }

    fn ask<T>(
        &self,
        doing: &str,
        mut question: impl FnMut(Duration) -> KafkaResult<T>,
    ) -> Result<T, KafkaFailure> {
        let patience = if self.is_patient { TURN } else { ANSWER };
        let (begun, mut is_told) = (Instant::now(), false);
        loop {
            let error = match question(patience) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let goes_on = self.is_patient && may_pass(&error);
            if !goes_on || self.consumer.context().is_stopped() {
                return Err(KafkaFailure::other(doing, &error));
            }
            if begun.elapsed() >= QUIET && !std::mem::replace(&mut is_told, true) {
                let why = reason(&error);
                self.reporter.say(format!("kafka: {doing} yet, asking again: {why}"));
                // Nothing else comes meanwhile that would bring it to light.
                self.consumer.context().feed().wake();
            }
            thread::sleep(AGAIN);
        }
    }

    /// Offsets of the first record of a partition and behind its last.
    pub(super) fn watermarks(&self, topic: &str, number: i32) -> Result<(i64, i64), KafkaFailure> {
        let doing = format!("cannot read {topic}[{number}]");
        self.ask(&doing, |patience| self.consumer.fetch_watermarks(topic, number, patience))
    }

    /// Where the group has come to in these partitions; no offset where it has
    /// none.
    pub(super) fn committed(
        &self,
        partitions: &TopicPartitionList,
    ) -> Result<TopicPartitionList, KafkaFailure> {
        let doing = "cannot learn where the group has come to";
        self.ask(doing, |patience| {
            let kept = self.consumer.committed_offsets(partitions.clone(), patience)?;
            // What is not known is not the same as none.
            kept.elements().iter().try_for_each(TopicPartitionListElem::error)?;
            Ok(kept)
        })
    }

    /// The bounds of a partition. `kept` is where a group or a checkpoint says
    /// that an earlier run has come to; `is_new` if the partition has been added
    /// since reading began.
    pub(super) fn bounds(
        &self,
        topic: &str,
        number: i32,
        kept: Option<i64>,
        is_new: bool,
    ) -> Result<Bounds, KafkaFailure> {
        let (low, high) = self.watermarks(topic, number)?;
        let default = if is_new || self.selection.ending.is_some() { low } else { high };
        let asked = |offset: i64| match offset {
            -2 => Ok(low),
            -1 => Ok(high),
            offset => self.kept(topic, number, offset, low),
        };
        let start = match (&self.selection.starting, kept) {
            (_, Some(kept)) => asked(kept)?,
            (Some(StartingOffsets::Each(offsets)), None) => {
                match offsets.get(topic).and_then(|partitions| partitions.get(&number)) {
                    Some(offset) => asked(*offset)?,
                    None => default,
                }
            }
            (Some(_), None) if is_new => low,
            (None, None) => default,
            (Some(StartingOffsets::Earliest), None) => low,
            (Some(StartingOffsets::Latest), None) => high,
            (Some(StartingOffsets::Tail(count)), None) => low.max(high.saturating_sub(*count)),
            (Some(StartingOffsets::At(offset)), None) => asked(*offset)?,
            (Some(StartingOffsets::Time(time)), None) => {
                let millis = time.micros.div_euclid(1_000).max(0);
                self.first_at(topic, number, millis)?.unwrap_or(high)
            }
        };
        let end = self.selection.ending.as_ref().map(|ending| match ending {
            EndingOffsets::Latest => high,
            EndingOffsets::Each(offsets) => {
                let end = offsets.get(topic).and_then(|partitions| partitions.get(&number));
                end.copied().filter(|end| *end >= 0).unwrap_or(high)
            }
        });
        Ok(Bounds { start, end, time: None })
    }

    /// An offset that somebody has named, or what to do if its record is gone.
    fn kept(&self, topic: &str, number: i32, wanted: i64, low: i64) -> Result<i64, KafkaFailure> {
        if wanted >= low {
            return Ok(wanted);
        }
        lost(self.selection, self.reporter, &format!("{topic}[{number}]"), wanted, low)?;
        Ok(low)
    }

    /// The first offset with this time or a later one.
    fn first_at(&self, topic: &str, number: i32, millis: i64) -> Result<Option<i64>, KafkaFailure> {
        let doing = format!("cannot read {topic}[{number}]");
        let mut times = TopicPartitionList::new();
        times
            .add_partition_offset(topic, number, Offset::Offset(millis))
            .map_err(|error| KafkaFailure::other(&*doing, &error))?;
        let found =
            self.ask(&doing, |patience| self.consumer.offsets_for_times(times.clone(), patience))?;
        Ok(found.elements().first().and_then(|element| match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }))
    }
}

/// Whether asking again may help.
fn may_pass(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(
            code,
            Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::WaitingForCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::BrokerNotAvailable
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::ReplicaNotAvailable
                | Code::NetworkException
                | Code::OffsetNotAvailable
                | Code::KafkaStorageError
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::UnstableOffsetCommit
        )
    })
}

/// Records of a partition are gone before they were read: an error, or a
/// message.
pub(super) fn lost(
    selection: &Selection,
    reporter: &Reporter,
    name: &str,
    wanted: i64,
    earliest: i64,
) -> Result<(), KafkaFailure> {
    if selection.fail_on_data_loss {
        return Err(KafkaFailure::Lost { partition: name.to_owned(), wanted, earliest });
    }
    let gone = earliest.saturating_sub(wanted);
    reporter.say(format!(
        "{name}: offsets {wanted} to {} are gone: {gone} lost, going on at {earliest}",
        earliest - 1
    ));
    Ok(())
}
