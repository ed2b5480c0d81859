//! What stream to make, checked and worked out.

use super::anomaly::Anomaly;
use super::late::Late;
use super::quantity::Rate;
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
    /// Of the [`Config`] only `start` counts: it is the time of the first.
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
}

impl Config {
    /// Most services that a stream can have.
    pub const MAX_SERVICES: u16 = 1_000;
    /// Most users that a stream can have.
    pub const MAX_USERS: u32 = 10_000_000;

    /// A thousand records in order without anything odd, seed 1, 8 services.
    pub fn new(stream: Stream, start: Timestamp) -> Self {
        Self {
            stream,
            start,
            seed: 1,
            amount: Amount::Records(1_000),
            rate: None,
            services: 8,
            users: None,
            out_of_order: TimeDelta::ZERO,
            late: None,
            anomalies: Vec::new(),
        }
    }
}

/// Why a stream cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The count or the duration is 0 or negative.
    #[error("the stream would be empty: its count or duration must be more than 0")]
    Empty,
    /// The last event time could not be printed.
    #[error("the stream would end after the year 9999")]
    TooLong,
    /// The number of services or users is out of range.
    #[error("{0} {1} are not between 1 and {2}")]
    Participants(u64, &'static str, u64),
    /// The bound of disorder is negative.
    #[error("out-of-order bound {0} is negative")]
    NegativeBound(TimeDelta),
    /// Late records would not be later than records may be anyway.
    #[error("late records must be later than the out-of-order bound: {shortest} is within {bound}")]
    LateWithinBound {
        /// The least lateness.
        shortest: TimeDelta,
        /// The bound of disorder.
        bound: TimeDelta,
    },
    /// The stream ends before a record could be late.
    #[error("no record can be {shortest} late in a stream that lasts {length}")]
    LateBeyondEnd {
        /// The least lateness.
        shortest: TimeDelta,
        /// From the first event time to the last.
        length: TimeDelta,
    },
    /// An anomaly does not lie within the stream.
    #[error("{anomaly} would end {end} after the start, but the stream lasts {length}")]
    BeyondEnd {
        /// Name of the anomaly's kind.
        anomaly: &'static str,
        /// Its end, from the start of the stream.
        end: TimeDelta,
        /// Length of the stream.
        length: TimeDelta,
    },
    /// An anomaly of services in a stream that has none.
    #[error("{0} needs services, which events do not have; they can have user-burst")]
    NeedsServices(&'static str),
    /// There are too few services for an anomaly.
    #[error("{anomaly} needs at least {needed} services, not {services}")]
    TooFewServices {
        /// Name of the anomaly's kind.
        anomaly: &'static str,
        /// How many it takes.
        needed: usize,
        /// How many there are.
        services: usize,
    },
    /// No service could take over the requests of the silent ones.
    #[error("all services would be silent; one of them has to go on")]
    AllSilent,
    /// An anomaly names a service that is not there.
    #[error("no service is called {name:?}; there are {services}")]
    UnknownService {
        /// The name as it was written.
        name: String,
        /// The names of the services.
        services: String,
    },
    /// An anomaly names a user who is not there.
    #[error(
        "no user is called {name:?}; they are called user_001, user_002 and so on, {users} of them"
    )]
    UnknownUser {
        /// The name as it was written.
        name: String,
        /// How many users there are.
        users: u32,
    },
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
        let schedule = Self {
            start,
            records,
            rate,
            users,
            last: at(before_last).ok_or(ConfigError::TooLong)?,
            end: at(records).ok_or(ConfigError::TooLong)?,
        };
        schedule.check_disorder(config)?;
        Ok(schedule)
    }

    fn check_disorder(&self, config: &Config) -> Result<(), ConfigError> {
        let bound = config.out_of_order;
        if bound < TimeDelta::ZERO {
            return Err(ConfigError::NegativeBound(bound));
        }
        let Some(Late { shortest, .. }) = config.late else { return Ok(()) };
        if shortest <= bound {
            return Err(ConfigError::LateWithinBound { shortest, bound });
        }
        let length = TimeDelta::from_micros((self.last - self.start) * 1_000);
        if shortest > length {
            return Err(ConfigError::LateBeyondEnd { shortest, length });
        }
        Ok(())
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

fn check_participants(config: &Config, users: u32) -> Result<(), ConfigError> {
    for (number, what, most) in [
        (u64::from(config.services), "services", u64::from(Config::MAX_SERVICES)),
        (u64::from(users), "users", u64::from(Config::MAX_USERS)),
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
        ] {
            assert_eq!(Schedule::of(&config).unwrap_err().to_string(), message);
        }
    }
}
