//! Alerts that are too soon after the last one of their series.

use super::series::{SeriesBounds, SeriesTable, Usage};
use crate::row::restore_time;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::{TimeDelta, Timestamp};

/// When each series was last alerted, for as long as that matters.
#[derive(Debug)]
pub(super) struct Cooldown {
    span: TimeDelta,
    alerted: SeriesTable<Timestamp>,
}

impl Cooldown {
    /// Of at most `most` series.
    pub(super) fn new(span: TimeDelta, most: usize) -> Self {
        Self { span, alerted: SeriesTable::new(SeriesBounds { expire: span, most }) }
    }

    /// Whether the series was alerted just before `at`; if not, it now is.
    pub(super) fn keeps_back(&mut self, key: &[u8], at: Timestamp) -> bool {
        let mut is_new = false;
        let make = || {
            is_new = true;
            at
        };
        // Without room for the series it is better to say too much.
        let Some(last) = self.alerted.entry(key, Some(at), make) else { return false };
        let is_hot = !is_new && at.micros.abs_diff(last.micros) < self.span.micros.unsigned_abs();
        if !is_hot {
            *last = at.max(*last);
        }
        is_hot
    }

    pub(super) fn usage(&self) -> Usage {
        self.alerted.usage()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.alerted.snapshot(state);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.alerted.restore(state, restore_time)
    }
}
