//! The order in which records are read: as they arrived, or partition by
//! partition at different speeds.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::vec;

use super::arrival::{Arrival, Arrivals, Fate};
use super::partition::Layout;

/// An arrival in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) arrival: Arrival,
    /// 0 in a stream without partitions.
    pub(super) partition: u16,
    /// When it is read, in milliseconds since the epoch; never less than that
    /// of a line before. Without skew this is the clock of its arrival.
    pub(super) at: i64,
}

/// The records of a stream in the order of reading.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    source: Source,
    layout: Option<Layout>,
    /// Arrived, and read only later.
    pending: BinaryHeap<Reverse<Pending>>,
    /// Clock of the last arrival; `None` before the first.
    clock: Option<i64>,
    /// How many have arrived.
    number: u64,
}

#[derive(Clone, Debug)]
enum Source {
    Arrivals(Box<Arrivals>),
    Few(vec::IntoIter<Arrival>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    number: u64,
    placed: Placed,
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.placed.at, self.number).cmp(&(other.placed.at, other.number))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Replay {
    pub(super) fn new(arrivals: Arrivals, layout: Option<Layout>) -> Self {
        Self::of(Source::Arrivals(Box::new(arrivals)), layout)
    }

    pub(super) fn of_few(arrivals: Vec<Arrival>) -> Self {
        Self::of(Source::Few(arrivals.into_iter()), None)
    }

    fn of(source: Source, layout: Option<Layout>) -> Self {
        Self { source, layout, pending: BinaryHeap::new(), clock: None, number: 0 }
    }

    pub(super) fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// The record that is read next.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Placed> {
        let Some(layout) = &mut self.layout else {
            let arrival = self.source.next()?;
            return Some(Placed { arrival, partition: 0, at: arrival.clock });
        };
        // Nothing is read before it arrives, so that what is due by the clock
        // of the last arrival comes before all that is still to arrive.
        while self.pending.peek().is_none_or(|Reverse(first)| Some(first.placed.at) > self.clock) {
            let Some(arrival) = self.source.next() else { break };
            let late = arrival.fate == Fate::Late;
            let (partition, at) = layout.place(arrival.record.user(), arrival.clock, late);
            let placed = Placed { arrival, partition, at };
            self.pending.push(Reverse(Pending { number: self.number, placed }));
            self.number += 1;
            self.clock = Some(arrival.clock);
        }
        self.pending.pop().map(|Reverse(pending)| pending.placed)
    }
}

impl Source {
    #[inline]
    fn next(&mut self) -> Option<Arrival> {
        match self {
            Self::Arrivals(arrivals) => arrivals.next(),
            Self::Few(arrivals) => arrivals.next(),
        }
    }
}
