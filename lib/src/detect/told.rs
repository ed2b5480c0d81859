//! Outages that were told, whichever query they were found by.

use super::series::{SeriesBounds, SeriesState, SeriesTable, Usage};
use crate::row::{Place, restore_time, snapshot_time};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::Timestamp;

/// The last outage that was told of each thing, by the names and values of its
/// keys.
///
/// A service that is gone is missing from the rows of all queries by service.
/// That is one outage, from the first window that one of them lacks up to the
/// next row of any of them whose window lies behind the beginning.
#[derive(Debug)]
pub(super) struct Told {
    outages: SeriesTable<Span>,
    /// Whether there are any, so that rows need not be looked up before.
    is_empty: bool,
}

/// When a thing was gone, half-open.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Timestamp,
    /// `None` while it is.
    until: Option<Timestamp>,
}

impl Told {
    pub(super) fn new(bounds: SeriesBounds) -> Self {
        Self { outages: SeriesTable::new(bounds), is_empty: true }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Whether an outage from `window` on is another one than that told last,
    /// which it then is.
    pub(super) fn is_news(&mut self, keys: &[u8], window: Place) -> bool {
        self.is_empty = false;
        let new = Span { from: window.start, until: None };
        let mut is_first = false;
        let make = || {
            is_first = true;
            new
        };
        // Without room for it, it is better to say too much.
        let Some(told) = self.outages.entry(keys, Some(window.end), make) else { return true };
        let has_it = |told: &Span| {
            told.from <= window.start && told.until.is_none_or(|until| window.start < until)
        };
        let is_news = is_first || !has_it(told);
        if is_news {
            *told = new;
        }
        is_news
    }

    /// There is a row in `window`: what it is of is back, if that lies behind
    /// the beginning of its outage. One that began before may be of before.
    pub(super) fn row(&mut self, keys: &[u8], window: Place) {
        let told = self.outages.known(keys, Some(window.end));
        if let Some(told) = told.filter(|told| told.until.is_none() && told.from <= window.start) {
            told.until = Some(window.start);
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.outages.usage()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.outages.snapshot(state);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.outages.restore(state, |state| {
            Ok(Span { from: restore_time(state)?, until: state.option(restore_time)? })
        })?;
        self.is_empty = false;
        Ok(())
    }
}

impl SeriesState for Span {
    fn heap_bytes(&self) -> usize {
        0
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        snapshot_time(self.from, state);
        state.option(self.until, |state, until| snapshot_time(until, state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64, length: i64) -> Place {
        let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        Place { end: at(start + length), start: at(start) }
    }

    #[test]
    fn an_outage_lasts_until_a_window_behind_its_beginning_has_a_row() {
        // 3         8         13        18
        // one minute    |gone …………| back
        // five      [ rows   )[ gone   )[ back
        let mut told = Told::new(SeriesBounds::default());
        assert!(told.is_news(b"a", window(9, 1)));
        assert!(told.is_news(b"b", window(9, 1)), "another");
        assert!(!told.is_news(b"a", window(9, 1)), "by another query");
        told.row(b"a", window(8, 5));
        assert!(!told.is_news(b"a", window(13, 5)), "a longer window may be of before");
        told.row(b"a", window(18, 1));
        assert!(!told.is_news(b"a", window(13, 5)), "found late");
        assert!(told.is_news(b"a", window(18, 1)), "back, and gone again");
        assert!(!told.is_news(b"a", window(30, 1)));
    }
}
