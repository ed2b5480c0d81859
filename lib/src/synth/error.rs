//! What is wrong with a configuration.

use crate::time::TimeDelta;

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
    /// Events in the format of an access log.
    #[error("events are no requests, so {0} cannot say them; json, logfmt and syslog can")]
    FormatOfEvents(&'static str),
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
    /// Partitions that differ from one another take at least two.
    #[error("{what} needs at least 2 partitions, not {partitions}: add --partitions 4")]
    TooFewPartitions {
        /// What was asked for.
        what: &'static str,
        /// How many there are.
        partitions: u16,
    },
    /// The lag is negative, or the last partition would never get anywhere.
    #[error("lag {lag} is not between 0 and the length of the stream, {length}")]
    LagBeyondEnd {
        /// How far the last partition is to fall behind.
        lag: TimeDelta,
        /// From the first event time to the last.
        length: TimeDelta,
    },
    /// A clock that is ahead would not show in a stream that is in disorder.
    #[error(
        "clocks must be further ahead than records may be behind: {ahead} is within {behind}, \
         the out-of-order bound and the lag of partitions"
    )]
    AheadWithinBound {
        /// How far the clocks are ahead.
        ahead: TimeDelta,
        /// How far a record may be behind without being late.
        behind: TimeDelta,
    },
}
