//! How far the stage has come.

use std::sync::Arc;

use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::block::Partition;
use super::topics::Bounds;
use crate::checkpoint::PartitionPosition;
use crate::kafka::KafkaFailure;
use crate::stream::StageError;
use crate::time::Timestamp;

/// How far the stage has come in each partition.
#[derive(Debug, Default)]
pub(super) struct Reached {
    partitions: Vec<At>,
    /// Which of them came last.
    last: usize,
}

#[derive(Debug)]
struct At {
    partition: Arc<Partition>,
    start: i64,
    next: i64,
    end: Option<i64>,
    /// The time at which the last message counted, where they are merged by it.
    time: Option<Timestamp>,
    is_told: bool,
}

impl Reached {
    pub(super) fn begin(
        &mut self,
        partition: &Arc<Partition>,
        Bounds { start, end, time }: Bounds,
    ) {
        let partition = Arc::clone(partition);
        self.partitions.push(At { partition, start, next: start, end, time, is_told: true });
    }

    pub(super) fn to(&mut self, partition: &Arc<Partition>, next: i64, time: Option<Timestamp>) {
        let is_it = |at: &At| at.partition == *partition;
        if !self.partitions.get(self.last).is_some_and(is_it) {
            self.last = self.partitions.iter().position(is_it).unwrap_or_else(|| {
                let partition = Arc::clone(partition);
                let (end, time) = (None, None);
                self.partitions.push(At { partition, start: 0, next: 0, end, time, is_told: true });
                self.partitions.len() - 1
            });
        }
        let at = &mut self.partitions[self.last];
        if at.next != next {
            (at.next, at.time, at.is_told) = (next, time, false);
        }
    }

    /// Those that have moved since the last call.
    pub(super) fn take_news(&mut self) -> Result<TopicPartitionList, StageError> {
        let mut list = TopicPartitionList::new();
        for at in self.partitions.iter_mut().filter(|at| !at.is_told) {
            at.is_told = true;
            list.add_partition_offset(
                &at.partition.topic,
                at.partition.number,
                Offset::Offset(at.next),
            )
            .map_err(|error| KafkaFailure::other("cannot store offsets", &error))?;
        }
        Ok(list)
    }

    /// How much of all partitions that is, if each of them has an end.
    pub(super) fn share(&self) -> Option<f64> {
        let (mut done, mut all) = (0.0, 0.0);
        for At { start, next, end, .. } in &self.partitions {
            // An end may be any number that somebody has written.
            let from_start = |offset: i64| offset.saturating_sub(*start).max(0) as f64;
            let end = (*end)?;
            all += from_start(end);
            done += from_start(end.min(*next));
        }
        (all > 0.0).then(|| done / all)
    }

    pub(super) fn positions(&self) -> Vec<PartitionPosition> {
        let position = |at: &At| PartitionPosition {
            topic: at.partition.topic.clone(),
            partition: at.partition.number,
            offset: at.next,
            end: at.end,
            time: at.time.map(|time| time.micros),
        };
        self.partitions.iter().map(position).collect()
    }
}
