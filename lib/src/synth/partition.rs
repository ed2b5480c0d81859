//! The partitions that a stream seems to be read from.

use std::str::FromStr;

use super::config::{Config, Schedule};
use super::encode::write_user;
use super::quantity::{ParseShareError, Share};
use crate::time::{ParseTimeDeltaError, TimeDelta};

/// How far partitions drift apart.
///
/// Partition 0 is read as its records arrive. Each later one is read more
/// slowly, in equal steps, so that the last is behind by the whole lag when
/// the first has been read, and by half of it at half of the stream. Within a
/// partition the order stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// This share of the stream's length; below 1.
    Part(Share),
    /// So far; less than the stream is long.
    Lag(TimeDelta),
}

/// Why a lag such as `10m` or `10%` was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSkewError {
    /// It ends in `%` and is no share. Causes are part of the message, because
    /// clap shows no more than that.
    #[error("{0}")]
    Part(ParseShareError),
    /// It is no duration.
    #[error("{0}")]
    Lag(ParseTimeDeltaError),
}

impl FromStr for Skew {
    type Err = ParseSkewError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.ends_with('%') {
            return text.parse().map(Self::Part).map_err(ParseSkewError::Part);
        }
        text.parse().map(Self::Lag).map_err(ParseSkewError::Lag)
    }
}

/// Which partition each record is in, and when it is read.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    partitions: u16,
    start: i64,
    length: i64,
    /// Of the last partition when the first has been read, in milliseconds.
    lag: i64,
    idle: Option<Idle>,
    /// Whether a partition has users of its own, not only those of attacks.
    peopled: Vec<bool>,
    scratch: Vec<u8>,
}

/// A partition that falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Idle {
    pub(super) partition: u16,
    /// The greatest event time from which on it is silent.
    pub(super) since: i64,
    /// When that is reached, in the order of reading.
    pub(super) at: i64,
}

impl Layout {
    /// The layout of a stream that has partitions.
    pub(super) fn of(config: &Config, schedule: &Schedule) -> Option<Self> {
        let mut layout = Self {
            partitions: config.partitions?,
            start: schedule.start,
            length: schedule.last - schedule.start,
            lag: schedule.lag,
            idle: None,
            peopled: Vec::new(),
            scratch: Vec::new(),
        };
        layout.peopled = layout.find_peopled(schedule.users);
        if config.idle_partition {
            // One that nobody writes to would be silent from the beginning.
            let partition = layout.peopled.iter().position(|peopled| *peopled).unwrap_or(0) as u16;
            let since = schedule.start + (schedule.end - schedule.start) / 2;
            let at = layout.read_at(partition, since);
            layout.idle = Some(Idle { partition, since, at });
        }
        Some(layout)
    }

    fn find_peopled(&mut self, users: u32) -> Vec<bool> {
        let mut peopled = vec![false; usize::from(self.partitions)];
        let mut missing = peopled.len();
        for user in 0..users {
            let (partition, _) = self.of_user(user);
            missing -= usize::from(!std::mem::replace(&mut peopled[usize::from(partition)], true));
            if missing == 0 {
                break;
            }
        }
        peopled
    }

    /// The partition that a user's records go to, and the rest of the hash:
    /// what Kafka's default partitioner makes of the user's name as key.
    fn of_user(&mut self, user: u32) -> (u16, u32) {
        self.scratch.clear();
        write_user(user, &mut self.scratch);
        // Kafka drops the sign bit rather than take the absolute value.
        let hash = murmur2(&self.scratch) & 0x7fff_ffff;
        let partitions = u32::from(self.partitions);
        ((hash % partitions) as u16, hash / partitions)
    }

    /// Which partition a user's record is in that arrives at `clock`, and when
    /// it is read; `held_back` for one that is late.
    ///
    /// A late record waits for the slowest partition, so that it is late by
    /// the least of the partitions' greatest times too. A user of the silent
    /// partition goes on in another.
    #[inline]
    pub(super) fn place(&mut self, user: u32, clock: i64, held_back: bool) -> (u16, i64) {
        let read_at = |layout: &Self, partition| {
            layout.read_at(if held_back { layout.partitions - 1 } else { partition }, clock)
        };
        let (partition, rest) = self.of_user(user);
        let at = read_at(self, partition);
        match self.idle {
            Some(idle) if idle.partition == partition && at >= idle.at => {
                let other = (rest % u32::from(self.partitions - 1)) as u16;
                let other = other + u16::from(other >= partition);
                (other, read_at(self, other))
            }
            _ => (partition, at),
        }
    }

    /// When a record is read that arrives in this partition at `clock`.
    #[inline]
    fn read_at(&self, partition: u16, clock: i64) -> i64 {
        let lag = self.lag_of(partition);
        if lag == 0 {
            return clock;
        }
        let stretched = i128::from(clock - self.start) * i128::from(self.length)
            / i128::from(self.length - lag);
        self.start.saturating_add(i64::try_from(stretched).unwrap_or(i64::MAX))
    }

    /// How far a partition is behind when the first has been read, in
    /// milliseconds.
    pub(super) fn lag_of(&self, partition: u16) -> i64 {
        if self.lag == 0 {
            return 0;
        }
        let steps = i128::from(self.partitions - 1).max(1);
        (i128::from(self.lag) * i128::from(partition) / steps) as i64
    }

    pub(super) fn partitions(&self) -> u16 {
        self.partitions
    }

    pub(super) fn is_skewed(&self) -> bool {
        self.lag > 0
    }

    pub(super) fn idle(&self) -> Option<Idle> {
        self.idle
    }

    /// When a partition falls silent, in the order of reading.
    pub(super) fn silent_at(&self, partition: u16) -> Option<i64> {
        self.idle.filter(|idle| idle.partition == partition).map(|idle| idle.at)
    }

    /// The partitions that move on until the end: those with users of their
    /// own, the silent one apart.
    pub(super) fn lasting(&self) -> Vec<bool> {
        let silent = self.idle.map(|idle| usize::from(idle.partition));
        let lasting = |(at, peopled): (usize, &bool)| *peopled && Some(at) != silent;
        self.peopled.iter().enumerate().map(lasting).collect()
    }
}

/// The hash by which Kafka's producers choose partitions.
///
/// Source: Austin Appleby's `MurmurHash2`, 32 bits, with the seed of Kafka's
/// `Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::Stream;
    use crate::time::Timestamp;

    /// The pairs that Kafka's own test of the function has.
    #[test]
    fn the_hash_is_that_of_kafka() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    /// 1000 s from 0, a record a second, with 100 s between the first and the last of 3 partitions.
    fn layout(idle_partition: bool) -> Layout {
        let mut config = Config::new(Stream::Logs, Timestamp::from_micros(0));
        config.rate = Some("1".parse().unwrap());
        config.amount = super::super::Amount::Records(1_001);
        config.partitions = Some(3);
        config.skew = Some(Skew::Lag(TimeDelta::from_seconds(100)));
        config.idle_partition = idle_partition;
        Layout::of(&config, &Schedule::of(&config).unwrap()).unwrap()
    }

    #[test]
    fn the_lag_grows_until_the_first_partition_has_been_read() {
        let layout = layout(false);
        for (partition, clock, at) in [
            (0, 0, 0),
            (2, 0, 0),
            (0, 1_000_000, 1_000_000),
            (1, 950_000, 1_000_000),
            (2, 900_000, 1_000_000),
            (2, 450_000, 500_000),
        ] {
            assert_eq!(layout.read_at(partition, clock), at, "partition {partition}, {clock}");
        }
    }

    #[test]
    fn users_of_a_silent_partition_go_on_in_others() {
        let (mut plain, mut idle) = (layout(false), layout(true));
        let silence = Idle { partition: 0, since: 500_500, at: 500_500 };
        assert_eq!(idle.idle(), Some(silence));
        assert_eq!(idle.lasting(), [false, true, true]);
        let mut moved = [0; 3];
        for user in 0..100 {
            assert_eq!(idle.place(user, 500_499, false), plain.place(user, 500_499, false));
            let (was, _) = plain.place(user, 500_500, false);
            let (is, at) = idle.place(user, 500_500, false);
            assert!(is != 0 && (was == is || was == 0), "user {user}: {was} → {is}");
            assert!(at >= 500_500);
            moved[usize::from(is)] += usize::from(was != is);
        }
        assert!(moved[1] > 5 && moved[2] > 5, "{moved:?}");
    }
}
