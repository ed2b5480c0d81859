//! The clock of event time.

use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::TimeDelta;

/// The greatest event time so far, from which each query's watermark follows.
///
/// A watermark W promises that no record with a time before W is still awaited:
/// windows that end at or before it are closed. It is the greatest event time
/// minus the query's delay. (Flink's watermark also covers its own instant,
/// hence its "minus one"; Spark's and this one do not.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermark {
    greatest: Option<i64>,
}

impl Watermark {
    /// Takes note of an accepted record's event time, in microseconds; tells
    /// whether event time has moved on. It never goes back.
    #[inline]
    pub fn observe(&mut self, micros: i64) -> bool {
        let moved = self.greatest.is_none_or(|greatest| micros > greatest);
        if moved {
            self.greatest = Some(micros);
        }
        moved
    }

    /// The greatest event time so far, in microseconds.
    #[inline]
    pub fn greatest(&self) -> Option<i64> {
        self.greatest
    }

    /// The watermark of a query with this delay, in microseconds; `None`
    /// before the first record.
    #[inline]
    pub fn behind(&self, delay: TimeDelta) -> Option<i64> {
        self.greatest.map(|greatest| greatest.saturating_sub(delay.micros))
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.option(self.greatest, SnapshotWriter::i64);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.greatest = state.option(SnapshotReader::i64)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_greatest_time_and_never_goes_back() {
        let mut watermark = Watermark::default();
        let delay = TimeDelta::from_micros(10);
        assert_eq!(watermark.behind(delay), None);
        for (time, moved, behind) in [
            (-5, true, -15),
            (-5, false, -15),
            (20, true, 10),
            (7, false, 10),
            (i64::MIN, false, 10),
        ] {
            assert_eq!(watermark.observe(time), moved, "{time}");
            assert_eq!(watermark.behind(delay), Some(behind), "{time}");
        }
    }
}
