//! What stream to make, checked and worked out.

use super::anomaly::Anomaly;
use super::duplicate::Duplicate;
use super::error::ConfigError;
use super::format::LineFormat;
use super::future::FutureClock;
use super::late::Late;
use super::partition::Skew;
use super::quantity::{Rate, Share};
use super::ticks::{count_within, millis_of};
use crate::time::{TimeDelta, Timestamp};

/// The kinds of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stream {
    /// Requests that services have answered: the ten fields of the log schema.
    Logs,
    /// Actions of users: the six fields of the event schema.
    Events,
    /// Three clicks, of which the second is 5 and the third 15 minutes old.
    /// Of the [`Config`] only `format` and `start` count, which is the time of
    /// the first.
    LateData,
}

/// How long a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many ordinary records. Those of `ddos`, `suspicious-ip` and
    /// `user-burst` come on top.
    Records(u64),
    /// All ordinary records with event times in `[start, start + duration)`.
    Duration(TimeDelta),
}

/// What stream to make. The same configuration gives the same bytes, on every
/// platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The kind of stream.
    pub stream: Stream,
    /// How the lines are spelled.
    pub format: LineFormat,
    /// Event time of the first record, cut to the millisecond.
    pub start: Timestamp,
    /// Chooses among the streams of this kind.
    pub seed: u64,
    /// How long the stream is.
    pub amount: Amount,
    /// Record i has event time `start` + i / `rate`, cut to the millisecond;
    /// `None` stands for 50 logs or 10 events a second.
    pub rate: Option<Rate>,
    /// Number of services, 1 to [`MAX_SERVICES`](Self::MAX_SERVICES).
    pub services: u16,
    /// Number of users, 1 to [`MAX_USERS`](Self::MAX_USERS). `None` stands for
    /// ten for each record a second, but at least 100: then no user has more
    /// than 31 ordinary records in any five minutes.
    pub users: Option<u32>,
    /// How far a record that is not late may be behind the greatest event time
    /// of the lines before it. All records from here to the bound away are in
    /// memory, about 80 bytes each.
    pub out_of_order: TimeDelta,
    /// Records that come later than that.
    pub late: Option<Late>,
    /// What else happens.
    pub anomalies: Vec<Anomaly>,
    /// Records that come twice.
    pub duplicate: Option<Duplicate>,
    /// For how many of the records a broken line comes before them. The
    /// records themselves stay.
    pub malformed: Option<Share>,
    /// Records of sources whose clocks are ahead.
    pub future_clock: Option<FutureClock>,
    /// Number of partitions of the topic that the records seem to be read
    /// from, 1 to [`MAX_PARTITIONS`](Self::MAX_PARTITIONS); `None` for a
    /// stream without `@source`.
    pub partitions: Option<u16>,
    /// Partitions read at different speeds. All records that the lag holds
    /// back are in memory, about 80 bytes each.
    pub skew: Option<Skew>,
    /// Whether one partition falls silent at half of the stream.
    pub idle_partition: bool,
}

impl Config {
    /// Most services that a stream can have.
    pub const MAX_SERVICES: u16 = 1_000;
    /// Most users that a stream can have.
    pub const MAX_USERS: u32 = 10_000_000;
    /// Most partitions that a stream can have.
    pub const MAX_PARTITIONS: u16 = 1_000;

    /// Refuses a format that has no place for what the records say.
    pub(super) fn check_format(&self) -> Result<(), ConfigError> {
        if self.format.suits(self.stream) {
            return Ok(());
        }
        Err(ConfigError::FormatOfEvents(self.format.name()))
    }

    /// A thousand records in order without anything odd, seed 1, 8 services.
    pub fn new(stream: Stream, start: Timestamp) -> Self {
        Self {
            stream,
            format: LineFormat::default(),
            start,
            seed: 1,
            amount: Amount::Records(1_000),
            rate: None,
            services: 8,
            users: None,
            out_of_order: TimeDelta::ZERO,
            late: None,
            anomalies: Vec::new(),
            duplicate: None,
            malformed: None,
            future_clock: None,
            partitions: None,
            skew: None,
            idle_partition: false,
        }
    }
}

/// A checked configuration, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) start: i64,
    /// Number of ordinary records.
    pub(super) records: u64,
    pub(super) rate: Rate,
    pub(super) users: u32,
    /// Event time of the last ordinary record.
    pub(super) last: i64,
    /// Where the record after the last would be.
    pub(super) end: i64,
    /// How far the last partition is behind when the first has been read.
    pub(super) lag: i64,
}

/// Milliseconds; the half-open interval `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Interval {
    #[inline]
    pub(super) fn contains(self, millis: i64) -> bool {
        self.start <= millis && millis < self.end
    }

    pub(super) fn millis(self) -> u64 {
        self.end.abs_diff(self.start)
    }
}

const LOGS_PER_SECOND: u64 = 50;
const EVENTS_PER_SECOND: u64 = 10;
/// With so many users for each record a second, a user has 30 records in five
/// minutes, well below the 50 that make a burst.
const USERS_PER_RATE: u64 = 10;
const MIN_USERS: u64 = 100;
/// The year 10000.
const END_OF_TIME: i64 = 253_402_300_800_000;

impl Schedule {
    pub(super) fn of(config: &Config) -> Result<Self, ConfigError> {
        let rate = config.rate.unwrap_or(Rate::per_second(match config.stream {
            Stream::Events => EVENTS_PER_SECOND,
            Stream::Logs | Stream::LateData => LOGS_PER_SECOND,
        }));
        let users = config.users.unwrap_or_else(|| default_users(rate));
        check_participants(config, users)?;
        let records = match config.amount {
            Amount::Records(records) => Some(records),
            Amount::Duration(length) => count_within(length.micros.max(0) as u64, rate),
        };
        let records = records.ok_or(ConfigError::TooLong)?;
        let before_last = records.checked_sub(1).ok_or(ConfigError::Empty)?;
        let start = config.start.micros.div_euclid(1_000);
        let at = |steps| {
            let millis = start.checked_add(millis_of(steps, rate)?)?;
            (millis < END_OF_TIME).then_some(millis)
        };
        let mut schedule = Self {
            start,
            records,
            rate,
            users,
            last: at(before_last).ok_or(ConfigError::TooLong)?,
            end: at(records).ok_or(ConfigError::TooLong)?,
            lag: 0,
        };
        schedule.check_late(config)?;
        schedule.lag = schedule.check_partitions(config)?;
        schedule.check_future(config)?;
        Ok(schedule)
    }

    /// From the first event time to the last.
    pub(super) fn length(&self) -> TimeDelta {
        TimeDelta::from_micros((self.last - self.start) * 1_000)
    }

    fn check_late(&self, config: &Config) -> Result<(), ConfigError> {
        let bound = config.out_of_order;
        if bound < TimeDelta::ZERO {
            return Err(ConfigError::NegativeBound(bound));
        }
        let Some(Late { shortest, .. }) = config.late else { return Ok(()) };
        if shortest <= bound {
            return Err(ConfigError::LateWithinBound { shortest, bound });
        }
        let length = self.length();
        if shortest > length {
            return Err(ConfigError::LateBeyondEnd { shortest, length });
        }
        Ok(())
    }

    /// Whether the partitions can do what is asked of them; how far the last
    /// one falls behind, in milliseconds.
    fn check_partitions(&self, config: &Config) -> Result<i64, ConfigError> {
        let partitions = config.partitions.unwrap_or_default();
        for (asked, what) in
            [(config.skew.is_some(), "skew"), (config.idle_partition, "an idle partition")]
        {
            if asked && partitions < 2 {
                return Err(ConfigError::TooFewPartitions { what, partitions });
            }
        }
        let length = self.length();
        let lag = match config.skew {
            None => return Ok(0),
            Some(Skew::Part(share)) => share.of(length),
            Some(Skew::Lag(lag)) => lag,
        };
        if !(TimeDelta::ZERO..length).contains(&lag) {
            return Err(ConfigError::LagBeyondEnd { lag, length });
        }
        Ok(lag.micros / 1_000)
    }

    fn check_future(&self, config: &Config) -> Result<(), ConfigError> {
        let Some(FutureClock { ahead, .. }) = config.future_clock else { return Ok(()) };
        let bound = config.out_of_order.micros;
        let behind = TimeDelta::from_micros(bound.saturating_add(self.lag * 1_000));
        if ahead <= behind {
            return Err(ConfigError::AheadWithinBound { ahead, behind });
        }
        match self.end.checked_add(ahead.micros / 1_000) {
            Some(end) if end < END_OF_TIME => Ok(()),
            _ => Err(ConfigError::TooLong),
        }
    }

    /// Where an anomaly lies.
    pub(super) fn interval(&self, anomaly: &Anomaly) -> Result<Interval, ConfigError> {
        let beyond = |end| ConfigError::BeyondEnd {
            anomaly: anomaly.name(),
            end: TimeDelta::from_micros(end),
            length: TimeDelta::from_micros((self.end - self.start) * 1_000),
        };
        let end = anomaly.offset.micros.saturating_add(anomaly.length.micros);
        // A stream of 1000 records at 3 a second lasts 333.333… s.
        if end / 1_000 > self.end - self.start {
            return Err(beyond(end));
        }
        let start = self.start + anomaly.offset.micros / 1_000;
        Ok(Interval { start, end: self.start + end / 1_000 })
    }
}

fn default_users(rate: Rate) -> u32 {
    let users = (rate.per_million_seconds.saturating_mul(USERS_PER_RATE)).div_ceil(1_000_000);
    users.clamp(MIN_USERS, Config::MAX_USERS.into()) as u32
}

/// Their numbers; a stream without partitions has as good as one.
fn check_participants(config: &Config, users: u32) -> Result<(), ConfigError> {
    let partitions = config.partitions.unwrap_or(1);
    for (number, what, most) in [
        (u64::from(config.services), "services", u64::from(Config::MAX_SERVICES)),
        (u64::from(users), "users", u64::from(Config::MAX_USERS)),
        (u64::from(partitions), "partitions", u64::from(Config::MAX_PARTITIONS)),
    ] {
        if !(1..=most).contains(&number) {
            return Err(ConfigError::Participants(number, what, most));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(Stream::Logs, Timestamp::parse(b"2025-09-12T00:00:00Z").unwrap())
    }

    fn hours(hours: i64) -> Amount {
        Amount::Duration(TimeDelta::from_seconds(hours * 3_600))
    }

    #[test]
    fn defaults() {
        for (rate, users) in
            [(None, 500), (Some("1"), 100), (Some("20"), 200), (Some("33.33"), 334)]
        {
            let rate = rate.map(|rate| rate.parse().unwrap());
            let schedule = Schedule::of(&Config { rate, ..config() }).unwrap();
            assert_eq!(schedule.users, users, "{rate:?}");
        }
        let schedule = Schedule::of(&Config { amount: hours(2), ..config() }).unwrap();
        assert_eq!(schedule.records, 360_000);
        assert_eq!(
            (schedule.last - schedule.start, schedule.end - schedule.start),
            (7_199_980, 7_200_000)
        );
    }

    #[test]
    fn mistakes_are_named() {
        let late = |text: &str| Some(text.parse().unwrap());
        let lag = |seconds| Some(Skew::Lag(TimeDelta::from_seconds(seconds)));
        for (config, message) in [
            (
                Config { amount: Amount::Records(0), ..config() },
                "the stream would be empty: its count or duration must be more than 0",
            ),
            (
                Config { amount: hours(-1), ..config() },
                "the stream would be empty: its count or duration must be more than 0",
            ),
            (
                Config { amount: hours(80_000_000), ..config() },
                "the stream would end after the year 9999",
            ),
            (
                Config { amount: Amount::Records(u64::MAX), ..config() },
                "the stream would end after the year 9999",
            ),
            (Config { services: 0, ..config() }, "0 services are not between 1 and 1000"),
            (Config { users: Some(0), ..config() }, "0 users are not between 1 and 10000000"),
            (
                Config {
                    out_of_order: TimeDelta::from_seconds(60),
                    late: late("2%:1m..2m"),
                    amount: hours(1),
                    ..config()
                },
                "late records must be later than the out-of-order bound: 1m is within 1m",
            ),
            (
                Config { late: late("2%:1m..2m"), ..config() },
                "no record can be 1m late in a stream that lasts 19s980ms",
            ),
            (Config { partitions: Some(0), ..config() }, "0 partitions are not between 1 and 1000"),
            (
                Config { skew: Some("10%".parse().unwrap()), ..config() },
                "skew needs at least 2 partitions, not 0: add --partitions 4",
            ),
            (
                Config { partitions: Some(1), idle_partition: true, ..config() },
                "an idle partition needs at least 2 partitions, not 1: add --partitions 4",
            ),
            (
                Config { skew: lag(20), partitions: Some(2), ..config() },
                "lag 20s is not between 0 and the length of the stream, 19s980ms",
            ),
            (
                Config { skew: Some("100%".parse().unwrap()), partitions: Some(2), ..config() },
                "lag 19s980ms is not between 0 and the length of the stream, 19s980ms",
            ),
            (
                Config { skew: lag(-1), partitions: Some(2), ..config() },
                "lag -1s is not between 0 and the length of the stream, 19s980ms",
            ),
            (
                Config {
                    skew: lag(10),
                    partitions: Some(2),
                    out_of_order: TimeDelta::from_seconds(5),
                    future_clock: Some("1%:15s".parse().unwrap()),
                    ..config()
                },
                "clocks must be further ahead than records may be behind: 15s is within 15s, \
                 the out-of-order bound and the lag of partitions",
            ),
            (
                Config { future_clock: Some("1%:3000000d".parse().unwrap()), ..config() },
                "the stream would end after the year 9999",
            ),
        ] {
            assert_eq!(Schedule::of(&config).unwrap_err().to_string(), message);
        }
    }
}
