//! The order in which records arrive: out of order within a bound, and late;
//! and which of them have clocks that are ahead.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use super::config::{Config, Schedule};
use super::future::FutureClock;
use super::quantity::Share;
use super::random::{Purpose, Random};
use super::record::Record;
use super::traffic::Traffic;

/// A record on its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// With its true time, whatever its clock says.
    pub(super) record: Record,
    pub(super) fate: Fate,
    /// The time of the stream when it arrives, in milliseconds since the
    /// epoch: the greatest event time so far, those of clocks ahead apart.
    /// Never goes back.
    pub(super) clock: i64,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    OnTime,
    /// Held back beyond the bound of disorder.
    Late,
    /// From a clock that is ahead by so many milliseconds.
    Ahead(i64),
}

/// The records of a stream in order of arrival.
///
/// Each record on time arrives a random delay after its event time, at most
/// the bound. What arrives before it therefore has an event time of at most
/// its own plus the bound, which is the promise of `--out-of-order`.
///
/// A late record is held until the greatest event time has passed its own by
/// its lateness. Neither loses nor changes a record: sorted by time, the
/// stream is the one that it would be in order.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    traffic: Traffic,
    random: Random,
    /// Greatest delay of a record on time, in milliseconds.
    bound: u64,
    lateness: Option<Lateness>,
    clocks: Option<Clocks>,
    /// On time, not yet arrived.
    pending: BinaryHeap<Reverse<Pending>>,
    /// Late, by the event time that has to be reached, then by number.
    held: BTreeMap<(i64, u64), Record>,
    /// Greatest event time that has arrived, those of clocks ahead apart.
    greatest: Option<i64>,
    /// The time of the stream before anything has arrived.
    start: i64,
    /// How many records have left `traffic`.
    number: u64,
}

/// [`Late`](super::Late) in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Lateness {
    share: Share,
    shortest: i64,
    longest: i64,
    /// The event time that will certainly be reached.
    last: i64,
}

/// Which clocks are ahead.
#[derive(Clone, Debug)]
struct Clocks {
    share: Share,
    /// How far, in milliseconds.
    ahead: i64,
    random: Random,
    /// From this time on all are right, so that event time gets to the end.
    last: i64,
}

impl Clocks {
    fn new(config: &Config, schedule: &Schedule) -> Option<Self> {
        let FutureClock { share, ahead } = config.future_clock?;
        let random = Random::new(config.seed, Purpose::Clock);
        Some(Self { share, ahead: ahead.micros / 1_000, random, last: schedule.last })
    }

    fn draw(&mut self, millis: i64) -> Fate {
        let ahead = self.random.chance(self.share) && millis < self.last;
        if ahead { Fate::Ahead(self.ahead) } else { Fate::OnTime }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    arrival: i64,
    number: u64,
    record: Record,
    fate: Fate,
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.arrival, self.number).cmp(&(other.arrival, other.number))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Pending {
    /// The event time that is reached when it arrives, if that is more than
    /// before. What a clock ahead says moves nothing.
    #[inline]
    fn moves_time_to(&self) -> Option<i64> {
        match self.fate {
            Fate::Ahead(_) => None,
            Fate::OnTime | Fate::Late => Some(self.record.millis()),
        }
    }
}

impl Arrivals {
    pub(super) fn new(config: &Config, schedule: &Schedule, traffic: Traffic) -> Self {
        let lateness = config.late.map(|late| {
            let shortest = late.shortest.micros.div_euclid(1_000)
                + i64::from(late.shortest.micros.rem_euclid(1_000) > 0);
            Lateness {
                share: late.share,
                shortest,
                longest: (late.longest.micros / 1_000).max(shortest),
                last: schedule.last,
            }
        });
        Self {
            traffic,
            random: Random::new(config.seed, Purpose::Arrival),
            bound: (config.out_of_order.micros / 1_000) as u64,
            lateness,
            clocks: Clocks::new(config, schedule),
            pending: BinaryHeap::new(),
            held: BTreeMap::new(),
            greatest: None,
            start: schedule.start,
            number: 0,
        }
    }

    /// The record that arrives next.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Arrival> {
        self.admit();
        let upcoming = self.pending.peek();
        let upcoming = upcoming.map(|Reverse(pending)| pending.moves_time_to().unwrap_or(i64::MIN));
        if let Some(key) = self.due(upcoming) {
            let record = self.held.remove(&key)?;
            return Some(Arrival { record, fate: Fate::Late, clock: self.clock() });
        }
        let Reverse(pending) = self.pending.pop()?;
        let Pending { record, fate, .. } = pending;
        self.greatest = self.greatest.max(pending.moves_time_to());
        Some(Arrival { record, fate, clock: self.clock() })
    }

    fn clock(&self) -> i64 {
        self.greatest.unwrap_or(self.start)
    }

    /// Takes records from the traffic until none of the rest can arrive before
    /// the first one pending.
    #[inline]
    fn admit(&mut self) {
        while let Some(upcoming) = self.traffic.upcoming() {
            if self.pending.peek().is_some_and(|Reverse(first)| first.arrival <= upcoming) {
                break;
            }
            let Some(record) = self.traffic.next() else { break };
            self.number += 1;
            if let Some(wait) = self.draw_lateness(upcoming) {
                self.held.insert((upcoming + wait, self.number), record);
            } else {
                let delay = if self.bound == 0 { 0 } else { self.random.below(self.bound + 1) };
                let arrival = upcoming + delay as i64;
                let fate =
                    self.clocks.as_mut().map_or(Fate::OnTime, |clocks| clocks.draw(upcoming));
                self.pending.push(Reverse(Pending { arrival, number: self.number, record, fate }));
            }
        }
    }

    /// How late a record of this time is to be, if at all. One too near the
    /// end to be late is on time.
    #[inline]
    fn draw_lateness(&mut self, millis: i64) -> Option<i64> {
        let Lateness { share, shortest, longest, last } = self.lateness?;
        let longest = longest.min(last - millis);
        if !self.random.chance(share) || longest < shortest {
            return None;
        }
        Some(shortest + self.random.below((longest - shortest) as u64 + 1) as i64)
    }

    /// The held record that arrives before the next one on time, which has
    /// event time `upcoming` (the least number, if its clock is ahead).
    ///
    /// That is one whose lateness has been reached; and one that the next
    /// record would carry beyond the longest lateness, if it is late enough
    /// already. (Where event times are further apart than the range of
    /// lateness is wide, neither may hold; then a record is later than that.)
    #[inline]
    fn due(&self, upcoming: Option<i64>) -> Option<(i64, u64)> {
        let Lateness { shortest, longest, .. } = self.lateness?;
        let (first, _) = self.held.first_key_value()?;
        let greatest = self.greatest?;
        if first.0 <= greatest {
            return Some(*first);
        }
        // All event times have come, `last` too, so nothing is held any more.
        let upcoming = upcoming?;
        let carried_beyond = |record: &Record| {
            upcoming - record.millis() > longest && greatest - record.millis() >= shortest
        };
        let mut passed = self.held.range(..=(upcoming, u64::MAX));
        passed.find(|(_, record)| carried_beyond(record)).map(|(key, _)| *key)
    }
}
