//! The clock of event time, with all that a run may ask of it.

mod adaptive;
mod histogram;
mod sources;

use adaptive::Adaptive;
use sources::Sources;

use super::options::WindowOptions;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::{TimeDelta, Timestamp};

/// How far event time has come, from which each query's watermark follows.
///
/// A watermark W promises that no record with a time before W is still awaited:
/// windows that end at or before it are closed. (Flink's watermark also covers
/// its own instant, hence its "minus one"; Spark's and this one do not.)
///
/// Without options, event time is the greatest time of a record. With
/// `--watermark-per` it is the least of the greatest times of each value, with
/// `--idle-timeout` silent values do not count, and when all are silent it goes
/// on with processing time. It never goes back, and neither does a watermark.
///
/// All event times are microseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct EventClock {
    reached: Option<i64>,
    /// What only a run with options needs.
    measures: Option<Box<Measures>>,
}

#[derive(Clone, Debug)]
struct Measures {
    sources: Sources,
    adaptive: Option<Adaptive>,
    is_by_idleness: bool,
}

impl EventClock {
    /// The clock that these options ask for.
    pub fn new(options: &WindowOptions) -> Self {
        let WindowOptions { adaptive, watermark_per, idle_timeout, .. } = options;
        let is_plain = adaptive.is_none() && watermark_per.is_none() && idle_timeout.is_none();
        let measures = (!is_plain).then(|| {
            Box::new(Measures {
                sources: Sources::new(watermark_per.as_ref(), *idle_timeout),
                adaptive: adaptive.map(Adaptive::new),
                is_by_idleness: false,
            })
        });
        Self { reached: None, measures }
    }

    /// Takes note of an accepted record: its event time, and the key of its
    /// value of the `--watermark-per` field (any bytes without that option).
    /// A null and a missing field are one value, like any other. Tells whether
    /// a watermark may have moved.
    #[inline]
    pub fn observe(&mut self, time: i64, value: &[u8]) -> bool {
        if self.measures.is_some() {
            return self.observe_measured(time, value);
        }
        raise(&mut self.reached, Some(time))
    }

    fn observe_measured(&mut self, time: i64, value: &[u8]) -> bool {
        let Some(measures) = &mut self.measures else { return false };
        let greatest = measures.sources.take(time, value);
        if let Some(adaptive) = &mut measures.adaptive {
            adaptive.take(greatest.map_or(0, |greatest| greatest.saturating_sub(time).max(0)));
        }
        self.follow(false)
    }

    /// Takes note of processing time, which never goes back but for
    /// [`restart`](Self::restart); tells whether a
    /// watermark may have moved, which is then due to idleness.
    ///
    /// Silence is counted from the first call: before it, and between a
    /// snapshot and the first call after it is restored, no time passes. (A
    /// stage that was down for an hour has not heard an hour of silence.)
    pub fn advance(&mut self, now: Timestamp) -> bool {
        let Some(measures) = &mut self.measures else { return false };
        measures.sources.advance(now.micros);
        self.follow(true)
    }

    /// Forgets processing time, which the next [`advance`](Self::advance)
    /// begins anew by another clock. No silence that the old one has measured
    /// is left. Event time stays where that has brought it.
    pub fn restart(&mut self) {
        if let Some(measures) = &mut self.measures {
            measures.sources.restart();
        }
    }

    /// Brings event time, and the measured watermark, to where they belong.
    fn follow(&mut self, is_by_idleness: bool) -> bool {
        let Some(measures) = &mut self.measures else { return false };
        let mut moved = raise(&mut self.reached, measures.sources.reached());
        if let Some(adaptive) = &mut measures.adaptive {
            moved |= adaptive.follow(self.reached);
        }
        if moved {
            measures.is_by_idleness = is_by_idleness;
        }
        moved
    }

    /// How far event time has come; `None` before the first record, and while
    /// `--watermark-per FIELD:N` waits for values.
    #[inline]
    pub fn reached(&self) -> Option<i64> {
        self.reached
    }

    /// The watermark of a query with this delay. A measured delay takes the
    /// place of the query's own; with neither there is no watermark.
    #[inline]
    pub fn watermark(&self, delay: Option<TimeDelta>) -> Option<i64> {
        if let Some(adaptive) = self.adaptive() {
            return adaptive.watermark();
        }
        Some(self.reached?.saturating_sub(delay?.micros))
    }

    /// The delay in force for a query with this delay of its own; `None` where
    /// there is no watermark, or not yet.
    pub fn delay(&self, delay: Option<TimeDelta>) -> Option<TimeDelta> {
        self.adaptive().map_or(delay, |adaptive| adaptive.delay().map(TimeDelta::from_micros))
    }

    fn adaptive(&self) -> Option<&Adaptive> {
        self.measures.as_ref()?.adaptive.as_ref()
    }

    /// The greatest time of a record so far, whatever its value.
    pub fn greatest(&self) -> Option<i64> {
        self.measures.as_ref().map_or(self.reached, |measures| measures.sources.greatest())
    }

    /// The greatest time of a record with this value so far: what
    /// `--max-jump` is measured against.
    pub fn greatest_of(&self, value: &[u8]) -> Option<i64> {
        match &self.measures {
            Some(measures) => measures.sources.greatest_of(value),
            None => self.reached,
        }
    }

    /// Whether event time, or the watermark, was last moved by silence and not
    /// by a record: what closes then, closes as `idle`.
    pub fn is_by_idleness(&self) -> bool {
        self.measures.as_ref().is_some_and(|measures| measures.is_by_idleness)
    }

    /// The next processing time at which a value may fall silent; later than
    /// the one told last.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        self.measures.as_ref()?.sources.wakes_at().map(Timestamp::from_micros)
    }

    /// When the watermark of a query with this delay comes to `end` if no more
    /// records do; `None` if never. Event time may come there sooner, but only
    /// at [`wakes_at`](Self::wakes_at).
    pub fn idle_closes_at(&self, end: i64, delay: Option<TimeDelta>) -> Option<Timestamp> {
        let delay = self.delay(delay)?.micros;
        let sources = &self.measures.as_ref()?.sources;
        sources.idle_reaches(end.saturating_add(delay)).map(Timestamp::from_micros)
    }

    /// Bytes of memory taken, near enough.
    pub fn size(&self) -> usize {
        let of_adaptive = self.adaptive().map_or(0, Adaptive::size);
        of_adaptive + self.measures.as_ref().map_or(0, |measures| measures.sources.size())
    }

    /// Writes the state. It is of a clock with the same options.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        state.option(self.reached, SnapshotWriter::i64);
        if let Some(measures) = &self.measures {
            measures.sources.snapshot(state);
            state.bool(measures.is_by_idleness);
            if let Some(adaptive) = &measures.adaptive {
                adaptive.snapshot(state);
            }
        }
    }

    /// Takes on a state that a clock with the same options has written.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are no such state.
    pub fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.reached = state.option(SnapshotReader::i64)?;
        if let Some(measures) = &mut self.measures {
            measures.sources.restore(state)?;
            measures.is_by_idleness = state.bool()?;
            if let Some(adaptive) = &mut measures.adaptive {
                adaptive.restore(state)?;
            }
        }
        Ok(())
    }
}

/// Moves `mark` on to `to`, never back; tells whether it has moved.
#[inline]
fn raise(mark: &mut Option<i64>, to: Option<i64>) -> bool {
    // `None` is less than any time.
    let moved = to > *mark;
    if moved {
        *mark = to;
    }
    moved
}

#[cfg(test)]
mod tests;
